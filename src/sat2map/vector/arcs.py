"""Borders of areas as arcs between nodes, on the lattice of pixel corners, traced across the whole raster.

A node is a corner where three or four areas meet, or two across a diagonal; an arc is the border between two nodes, or
a closed border without any. Each arc is traced in one direction, with the area of the smaller number on its left.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sat2map.arrays import Array, Bool, Int64
from sat2map.vector.labels import LabelledBand, LabelledRuns
from sat2map.vector.linking import least_of_cycle, ranked_links
from sat2map.vector.ragged import Ragged, batches
from sat2map.vector.runs import row_pairs
from sat2map.vector.spool import Spool

EAST, NORTH, WEST, SOUTH = range(4)


class _Paths(NamedTuple):
    """Links in the order in which they make paths."""

    order: Int64
    """Index of each link, path by path."""
    offset: Int64
    """Where each path begins in `order`, and the end."""
    closed: Bool
    """Whether each path is closed, and has no node."""


@dataclass(frozen=True)
class Arcs:
    """Arcs between nodes. A corner of pixels is one number: row * stride + column.

    Attributes:
        corners: int64: the corners of each arc, its ends among them.
        left: int64, shape (N,): area on the left of each.
        right: int64, shape (N,).
        stride: width of the raster + 1.
    """

    corners: Ragged
    left: Int64
    right: Int64
    stride: int

    def __len__(self) -> int:
        """Arcs."""
        return len(self.left)


def trace(runs: LabelledRuns, of_fragment: Int64, folder: Path) -> Arcs:
    """Trace the borders of areas.

    Args:
        runs: the raster.
        of_fragment: area of each fragment.
        folder: where there is space.
    """
    stride = runs.table.stride
    pieces = Ragged(Spool(folder, np.int64))
    sides = [_trace_band(band, stride, pieces) for band in runs.bands(of_fragment)]
    left, right = (np.concatenate(side) for side in zip(*sides, strict=True))
    if not len(left):
        return Arcs(pieces, left, right, stride)
    tail, head = pieces.ends()
    paths = _paths(tail, head, np.zeros(0, np.int64))
    arcs = Ragged(Spool(folder, np.int64))
    total = np.concatenate([[0], np.cumsum(pieces.count[paths.order])])
    for some in batches(np.diff(total[paths.offset])):
        _join(pieces, paths, some, stride, arcs)
    first = paths.order[paths.offset[:-1]]
    pieces.close()
    return Arcs(arcs, left[first], right[first], stride)


def _trace_band(band: LabelledBand, stride: int, pieces: Ragged) -> tuple[Int64, Int64]:
    """Trace the borders in a band; arcs that go on in other bands come in pieces."""
    start, label = band.start, band.label
    pairs = row_pairs(start, stride)
    above, below = label[pairs.above], label[pairs.below]
    flat = above != below
    # Before the first run of a row lies one without data, that at the end of the row before.
    left = np.concatenate([[0], label[:-1]])
    steep = np.flatnonzero(label != left)
    from_before = start[steep] < pairs.start[0]
    # Borders that come down from the band before: what begins here goes on there.
    cut = start[steep[from_before]] + stride
    steep = steep[~from_before]
    # With the smaller number on the left: above a line to the east, left of one to the north.
    one, other = (
        np.concatenate([above[flat], left[steep]]),
        np.concatenate([below[flat], label[steep]]),
    )
    west_or_south = np.concatenate([pairs.start[flat], start[steep] + stride])
    east_or_north = np.concatenate([pairs.end[flat], start[steep]])
    forward = one < other
    tail, head = np.where(forward, west_or_south, east_or_north), np.where(forward, east_or_north, west_or_south)
    paths = _paths(tail, head, cut)
    low, high = np.minimum(one, other)[paths.order], np.maximum(one, other)[paths.order]
    begins, ends = paths.offset[:-1], paths.offset[1:]
    # The tails of all links, and the head of each last one.
    corners = np.insert(tail[paths.order], ends, head[paths.order[ends - 1]])
    offset = paths.offset + np.arange(len(paths.offset))
    pieces.append(*without_straight(corners, offset, stride))
    return low[begins], high[begins]


def without_straight(corners: Int64, offset: Int64, stride: int) -> tuple[Int64, Int64]:
    """Leave out the points of paths where the direction stays; the ends remain."""
    step = np.diff(corners)
    direction = np.where(np.abs(step) < stride, 0, 1)
    keep = np.ones(len(corners), np.bool_)
    keep[1:-1] = direction[1:] != direction[:-1]
    keep[offset[:-1]] = True
    keep[offset[1:] - 1] = True
    return corners[keep], np.concatenate([[0], np.cumsum(keep)])[offset]


def _paths(tail: Int64, head: Int64, cut: Int64) -> _Paths:
    """Put links in the order of the paths that they make.

    Two links make one where they alone meet, the one with its head, the other with its tail. A closed path begins at
    its least corner.

    Args:
        tail: int64, shape (N,): corner that each link leaves.
        head: int64, shape (N,): corner that it reaches.
        cut: corners where paths end in any case.
    """
    n = len(tail)
    by_tail = np.argsort(tail, kind="stable")
    tails, heads = tail[by_tail], np.sort(head)
    place = np.searchsorted(tails, head)
    n_leaving = np.searchsorted(tails, head, "right") - place
    n_reaching = np.searchsorted(heads, head, "right") - np.searchsorted(heads, head)
    goes_on = (n_leaving == 1) & (n_reaching == 1)
    if len(cut):
        goes_on &= ~np.isin(head, cut)
    following = np.full(n, -1)
    following[goes_on] = by_tail[place[goes_on]]
    last, distance = ranked_links(following)
    closed = last < 0
    if closed.any():
        least = least_of_cycle(following, np.flatnonzero(closed), tail)
        # The link that reaches the least corner is the last one.
        following[closed & (head == least)] = -1
        last, distance = ranked_links(following)
    order = np.lexsort((-distance, last))
    begins = np.flatnonzero(np.concatenate([[True], last[order][1:] != last[order][:-1]])) if n else np.zeros(0, int)
    return _Paths(order, np.append(begins, n), closed[order[begins]])


def _join(pieces: Ragged, paths: _Paths, some: slice, stride: int, arcs: Ragged) -> None:
    """Join the pieces of some arcs."""
    offset = paths.offset[some.start : some.stop + 1]
    order = paths.order[offset[0] : offset[-1]]
    corners, piece_offset = pieces.read(order)
    # Where a piece goes on, its first corner is the last one's last.
    is_first = np.zeros(len(order), np.bool_)
    is_first[offset[:-1] - offset[0]] = True
    keep = np.ones(len(corners), np.bool_)
    keep[piece_offset[:-1][~is_first]] = False
    new_offset = np.concatenate([[0], np.cumsum(keep)])[piece_offset[offset - offset[0]]]
    closed = paths.closed[some]
    # From the least corner first: so what follows is the same in any tiling.
    corners = _rolled(corners[keep], new_offset, closed, lambda ring: int(ring.argmin()))
    corners, new_offset = without_straight(corners, new_offset, stride)
    # Simplifying keeps the beginning, so it should be one that it would keep anyhow.
    arcs.append(_rolled(corners, new_offset, closed, lambda ring: _farthest(ring, stride)), new_offset)


def _rolled(corners: Int64, offset: Int64, closed: Bool, begin_of: Callable[[Int64], int]) -> Int64:
    """Let closed arcs begin elsewhere."""
    for i in np.flatnonzero(closed):
        begin, end = offset[i], offset[i + 1] - 1
        ring = corners[begin:end]
        corners[begin:end] = np.roll(ring, -begin_of(ring))
        corners[end] = corners[begin]
    return corners


def _farthest(ring: Int64, stride: int) -> int:
    """The corner farthest from the middle of all."""
    y, x = np.divmod(ring, stride)
    return int(((y - y.mean()) ** 2 + (x - x.mean()) ** 2).argmax())


def directions(corners: Int64, offset: Int64, stride: int) -> tuple[Array, Array]:
    """The direction in which each arc leaves its first corner, and that in which it reaches its last."""
    found = []
    for at in (offset[:-1], offset[1:] - 2):
        step = corners[at + 1] - corners[at]
        flat = np.abs(step) < stride
        found.append(np.where(flat, np.where(step > 0, EAST, WEST), np.where(step < 0, NORTH, SOUTH)))
    return found[0], found[1]
