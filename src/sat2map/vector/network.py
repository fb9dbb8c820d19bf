"""All arcs of a raster, simplified so that none meets itself or another but in their nodes."""

from __future__ import annotations

import logging

import numpy as np

from sat2map.arrays import Bool, Float64, Int64
from sat2map.vector.arcs import Arcs, directions
from sat2map.vector.ragged import batches, ragged_index
from sat2map.vector.smooth import Lines, exact, smoothed

log = logging.getLogger(__name__)


class ArcNetwork:
    """Arcs, simplified.

    Args:
        arcs: as they were traced.
        gsd_m: metres per pixel along a row and along a column.
        tolerance_m: how far a line may be from the corners that it leaves out; 0: the arcs as they are.

    Attributes:
        tail: int64, shape (N,): the corner of pixels where each begins.
        head: int64, shape (N,): the corner where it ends.
        is_ring: bool, shape (N,): closed, without a node.
        leaves: int64, shape (N,): direction in which it leaves its tail.
        reaches: int64, shape (N,): direction in which it reaches its head.
        least: int64, shape (N,): its first corner, row by row.
        count: int64, shape (N,): points of each.
        low: int64, shape (N,): least row of its points, in units.
        high: int64, shape (N,): greatest row.
    """

    def __init__(self, arcs: Arcs, gsd_m: tuple[float, float], tolerance_m: float) -> None:
        n = len(arcs)
        self.arcs, self._gsd_m = arcs, gsd_m
        self.tail, self.head = arcs.corners.ends()
        ends = np.sort(np.concatenate([self.tail, self.head]))
        n_ends = np.searchsorted(ends, self.tail, "right") - np.searchsorted(ends, self.tail)
        self.is_ring: Bool = (self.tail == self.head) & (n_ends == 2)
        self.leaves, self.reaches, self.least, self.begin, self.count, self.low, self.high = (
            np.zeros(n, np.int64) for _ in range(7)
        )
        self.x, self.y = np.zeros(0, np.int32), np.zeros(0, np.int32)
        self._tolerance_m = np.full(n, float(tolerance_m))
        self._simplify(np.arange(n))

    def __len__(self) -> int:
        """Arcs."""
        return len(self.arcs)

    def points(self, which: Int64) -> Lines:
        """The points of some arcs."""
        index, offset = ragged_index(self.begin[which], self.count[which])
        return Lines(self.x[index].astype(np.int64), self.y[index].astype(np.int64), offset)

    def step_down(self, which: Int64) -> None:
        """Halve the tolerance of some arcs; below half a pixel they become as they were."""
        halved: Float64 = self._tolerance_m[which] / 2
        self._tolerance_m[which] = np.where(halved < min(self._gsd_m) / 4, 0.0, halved)
        self._simplify(which)

    def _simplify(self, which: Int64) -> None:
        found_x, found_y, n_points = [self.x], [self.y], len(self.x)
        for some in batches(self.arcs.corners.count[which]):
            chosen = which[some]
            corners, offset = self.arcs.corners.read(chosen)
            self.leaves[chosen], self.reaches[chosen] = directions(corners, offset, self.arcs.stride)
            self.least[chosen] = np.minimum.reduceat(corners, offset[:-1])
            lines = self._lines(chosen, corners, offset)
            found_x.append(lines.x.astype(np.int32))
            found_y.append(lines.y.astype(np.int32))
            self.begin[chosen] = lines.offset[:-1] + n_points
            self.count[chosen] = np.diff(lines.offset)
            self.low[chosen] = np.minimum.reduceat(lines.y, lines.offset[:-1])
            self.high[chosen] = np.maximum.reduceat(lines.y, lines.offset[:-1])
            n_points += len(lines.x)
        self.x, self.y = np.concatenate(found_x), np.concatenate(found_y)

    def _lines(self, which: Int64, corners: Int64, offset: Int64) -> Lines:
        tolerance: Float64 = self._tolerance_m[which]
        if not tolerance.any():
            return exact(corners, offset, self.arcs.stride)
        return smoothed(corners, offset, self.is_ring[which], tolerance, self._gsd_m, self.arcs.stride)
