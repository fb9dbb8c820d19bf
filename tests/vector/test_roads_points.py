"""Lines of pieces of a store are those that plain lists of points give."""

from __future__ import annotations

from itertools import chain, pairwise
from typing import NamedTuple

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sat2map.vector.roads_points import Pieces

Lines = list[list[int]]


class Made(NamedTuple):
    """Lines as pieces, and as lists of places in the store."""

    pieces: Pieces
    lines: Lines


@st.composite
def made(draw: st.DrawFn) -> Made:
    """Lines of one to three pieces of one to five points, some of them turned."""
    counts = draw(st.lists(st.lists(st.integers(1, 5), min_size=1, max_size=3), min_size=1, max_size=5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    flat = [count for line in counts for count in line]
    begin, turned = rng.integers(0, 50, len(flat)), rng.random(len(flat)) < 0.5
    pieces = Pieces(np.cumsum([0, *map(len, counts)]), begin, np.array(flat), turned)
    lists = [
        list(range(b, b + n))[:: -1 if t else 1] for b, n, t in zip(begin.tolist(), flat, turned.tolist(), strict=True)
    ]
    bounds = pieces.offsets.tolist()
    return Made(pieces, [list(chain.from_iterable(lists[a:b])) for a, b in pairwise(bounds)])


def lines_of(pieces: Pieces) -> Lines:
    index, offsets = pieces.all_of(slice(0, len(pieces.offsets) - 1))
    return [part.tolist() for part in np.split(index, offsets[1:-1])]


@settings(max_examples=100)
@given(made=made(), seed=st.integers(0, 1000))
def test_lines_are_those_of_lists(made: Made, seed: int) -> None:
    pieces, lines = made
    rng = np.random.default_rng(seed)
    flat = np.array(list(chain.from_iterable(lines)))
    assert lines_of(pieces) == lines
    assert pieces.index(np.arange(len(flat))).tolist() == flat.tolist()
    assert lines_of(pieces.and_then(pieces)) == lines + lines

    chosen, turned = rng.integers(0, len(lines), 4), rng.random(4) < 0.5
    assert lines_of(pieces.of(chosen, turned)) == [
        lines[i][:: -1 if t else 1] for i, t in zip(chosen.tolist(), turned.tolist(), strict=True)
    ]

    ends = np.cumsum([0, *map(len, lines)])
    low = np.array([rng.integers(a, b) for a, b in pairwise(ends)])
    high = np.array([rng.integers(a, b) + 1 for a, b in zip(low, ends[1:], strict=True)])
    assert lines_of(pieces.within(low, high)) == [flat[a:b].tolist() for a, b in zip(low, high, strict=True)]

    inner = np.setdiff1d(np.arange(len(flat)), np.concatenate((ends[:-1], ends[1:] - 1)))
    cuts = inner[rng.random(len(inner)) < 0.5]
    parts = []
    for a, b in pairwise(ends.tolist()):
        places = [a, *cuts[(cuts > a) & (cuts < b)].tolist(), b - 1]
        parts += [flat[i : j + 1].tolist() for i, j in pairwise(places)] if b - a > 1 else [flat[a:b].tolist()]
    assert lines_of(pieces.split(cuts)) == parts
