from __future__ import annotations

import os
from collections import Counter
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sat2map.data.check.inspect import inspect, listed_overlaps
from sat2map.data.check.overlap import Overlap, correlation, find_details, find_overlaps, groups, positions
from sat2map.data.pairs import list_pairs
from sat2map.data.split import read_rows
from tests.city.scenes import cut, save, scene

SIDE = 96
# Two scenes, three windows that hang together, a sliver that only others imply, an identical one, and one alone.
WINDOWS = [(0, 0, 0), (0, 30, 50), (0, 80, 90), (0, 0, 90), (1, 10, 10), (1, 10, 10), (1, 60, 60), (2, 0, 0)]


def true_overlaps(windows: list[tuple[int, int, int]]) -> dict[tuple[int, int], tuple[int, int]]:
    return {
        (i, j): (b[1] - a[1], b[2] - a[2])
        for (i, a), (j, b) in combinations(enumerate(windows), 2)
        if a[0] == b[0] and abs(a[1] - b[1]) < SIDE and abs(a[2] - b[2]) < SIDE
    }


def greys_of(windows: list[tuple[int, int, int]], tmp_path: Path) -> list[np.ndarray]:
    from sat2map.data.check.image_check import grey
    from sat2map.data.pairs import read_pair

    scenes = [scene(200, 240, seed) for seed in range(3)]
    files = [save(tmp_path / f"{i}.jpg", cut(scenes[s], y, x, SIDE)) for i, (s, y, x) in enumerate(windows)]
    return [grey(read_pair(file).source_hwc) for file in files]


def test_overlaps_of_a_generated_set_are_all_found_and_no_other(tmp_path: Path) -> None:
    greys = greys_of(WINDOWS, tmp_path)
    sizes = [grey.shape for grey in greys]
    found = find_overlaps([find_details(grey) for grey in greys], greys.__getitem__, sizes)
    wanted = true_overlaps(WINDOWS)
    assert {(o.first, o.second): (o.dy, o.dx) for o in found} == wanted
    assert wanted[0, 3] == (0, 90)  # six pixels wide: no detail lies in it
    assert next(o for o in found if (o.first, o.second) == (0, 3)).n_votes == 0
    assert groups(len(WINDOWS), found) == [0, 0, 0, 0, 1, 1, 1, 2]
    placed = positions(len(WINDOWS), found)
    assert placed == [(0, 0), (30, 50), (80, 90), (0, 90), (0, 0), (0, 0), (50, 50), (0, 0)]


def test_other_places_correlate_little_and_the_same_place_much(tmp_path: Path) -> None:
    greys = greys_of(WINDOWS, tmp_path)
    sizes = [grey.shape for grey in greys]
    assert correlation(Overlap(0, 1, 30, 50), greys.__getitem__, sizes) > 0.8
    assert correlation(Overlap(0, 1, 30, 52), greys.__getitem__, sizes) < 0.5
    assert abs(correlation(Overlap(0, 4, 0, 0), greys.__getitem__, sizes)) < 0.3
    assert np.isnan(correlation(Overlap(0, 1, 90, 0), greys.__getitem__, sizes))


def test_flat_and_empty_images_overlap_nothing() -> None:
    greys = [np.full((64, 64), level, np.float32) for level in (0, 0, 90)] + [np.zeros((3, 3), np.float32)]
    details = [find_details(grey) for grey in greys]
    assert all(len(d.pixels) == 0 for d in details)
    assert find_overlaps(details, greys.__getitem__, [g.shape for g in greys]) == []


def test_a_pattern_that_repeats_gives_no_false_place() -> None:
    tile = scene(16, 16, 5).source_hwc[..., 0].astype(np.float32)
    one = np.tile(tile, (6, 6))
    other = one.copy()
    other[40:] = scene(56, 96, 6).source_hwc[..., 0]
    details = [find_details(grey) for grey in (one, other)]
    found = find_overlaps(details, [one, other].__getitem__, [one.shape, other.shape])
    for o in found:
        assert correlation(o, [one, other].__getitem__, [one.shape, other.shape]) > 0.5


@settings(max_examples=50)
@given(
    places=st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300)), min_size=1, max_size=12),
    sizes=st.lists(st.tuples(st.integers(1, 99), st.integers(1, 99)), min_size=12, max_size=12),
    data=st.data(),
)
def test_positions_and_groups_follow_from_true_overlaps(
    places: list[tuple[int, int]], sizes: list[tuple[int, int]], data: st.DataObject
) -> None:
    overlaps = [
        Overlap(i, j, places[j][0] - places[i][0], places[j][1] - places[i][1], data.draw(st.integers(0, 9)))
        for i, j in combinations(range(len(places)), 2)
    ]
    overlaps = [o for o in overlaps if o.area(sizes)]
    numbers, found = groups(len(places), overlaps), positions(len(places), overlaps)
    for o in overlaps:
        assert numbers[o.first] == numbers[o.second]
        assert found[o.second] == (found[o.first][0] + o.dy, found[o.first][1] + o.dx)
    for number in set(numbers):
        members = [p for p, n in zip(found, numbers, strict=True) if n == number]
        assert min(p[0] for p in members) == min(p[1] for p in members) == 0


@given(
    a=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    b=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    shift=st.tuples(st.integers(-60, 60), st.integers(-60, 60)),
)
def test_area_is_that_of_the_common_pixels(a: tuple[int, int], b: tuple[int, int], shift: tuple[int, int]) -> None:
    canvas = np.zeros((200, 200), int)
    canvas[80 : 80 + a[0], 80 : 80 + a[1]] += 1
    canvas[80 + shift[0] : 80 + shift[0] + b[0], 80 + shift[1] : 80 + shift[1] + b[1]] += 1
    assert Overlap(0, 1, *shift).area([a, b]) == (canvas == 2).sum()


@pytest.mark.slow
@pytest.mark.skipif("SAT2MAP_DATA" not in os.environ, reason="the real overlaps are of $SAT2MAP_DATA/maps/valdev")
def test_overlaps_of_real_pairs_are_those_that_groups_csv_implies() -> None:
    """Recall by size of what is listed; what is not listed shows the same ground on photograph and map."""
    maps = Path(os.environ["SAT2MAP_DATA"]) / "maps"
    report = inspect({"valdev": list_pairs(maps / "valdev")})
    listed = listed_overlaps(read_rows(maps / "groups.csv"), report.checks)
    found = {(s.first, s.second): s for s in report.shared}
    for least in (0.0, 0.01, 0.05):
        wanted = [pair for pair, share in listed.items() if share >= least]
        n_found = sum(pair in found for pair in wanted)
        print(f"at least {least:.0%} of an image: {n_found} of {len(wanted)} found")
        assert n_found >= 0.99 * len(wanted)
    # What groups.csv lacks: no pair whose maps contradict it, which a false place's would.
    kinds = Counter(problem.kind for problem in report.problems)
    assert kinds["map elsewhere"] == 0
    assert len(found) >= len(listed)
