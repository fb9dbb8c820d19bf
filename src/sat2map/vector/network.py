"""All arcs of a raster, simplified so that none meets itself or another but in their nodes."""

from __future__ import annotations

import numpy as np

from sat2map.arrays import Bool, Float64, Int64
from sat2map.vector.arcs import Arcs, directions
from sat2map.vector.ragged import batches, ragged_index
from sat2map.vector.smooth import FARTHEST_PX, Candidates, Choice, candidates, chosen, chosen_again, fitted


class ArcNetwork:
    """Arcs, simplified.

    Args:
        arcs: as they were traced.
        gsd_m: metres per pixel along a row and along a column.
        tolerance_m: how far a line may be from the corners that it leaves out; 0: the arcs as they are.
        start: int64, shape (N,): how often the tolerance of each is halved from the start.

    Attributes:
        tail: int64, shape (N,): the corner of pixels where each begins.
        head: int64, shape (N,): the corner where it ends.
        is_ring: bool, shape (N,): closed, without a node.
        leaves: int64, shape (N,): direction in which it leaves its tail.
        reaches: int64, shape (N,): direction in which it reaches its head.
        least: int64, shape (N,): its first corner, row by row.
        begin: int64, shape (N,): where its points begin; each but its last begins a part, which has the same number.
        count: int64, shape (N,): its points.
        low: int64, shape (N,): least row of its points, in units.
        high: int64, shape (N,): greatest row.
    """

    def __init__(self, arcs: Arcs, gsd_m: tuple[float, float], tolerance_m: float, start: Int64) -> None:
        n = len(arcs)
        self.arcs, self._gsd_m, self._tolerance_m, self._start = arcs, gsd_m, tolerance_m, start
        self.tail, self.head = arcs.corners.ends()
        ends = np.sort(np.concatenate([self.tail, self.head]))
        n_ends = np.searchsorted(ends, self.tail, "right") - np.searchsorted(ends, self.tail)
        self.is_ring: Bool = (self.tail == self.head) & (n_ends == 2)
        self.leaves, self.reaches, self.least, self.begin, self.count, self.low, self.high = (
            np.zeros(n, np.int64) for _ in range(7)
        )
        self.x, self.y, self._candidate, self._level = (np.zeros(0, np.int32) for _ in range(4))
        self._simplify(np.arange(n), None)

    def __len__(self) -> int:
        """Arcs."""
        return len(self.arcs)

    def points(self, which: Int64) -> Int64:
        """Numbers of the points of some arcs."""
        return ragged_index(self.begin[which], self.count[which])[0]

    def step_down(self, parts: Int64) -> Bool:
        """Halve the tolerance of parts of arcs; below half a pixel they become as they were.

        Returns:
            bool, shape (N,): the arcs that they are of.
        """
        again: Bool = np.zeros(len(self.x), np.bool_)
        again[parts] = True
        before = np.concatenate([[0], np.cumsum(again)])
        changed: Bool = before[self.begin + self.count] > before[self.begin]
        self._simplify(np.flatnonzero(changed), again)
        return changed

    def _simplify(self, which: Int64, again: Bool | None) -> None:
        """Simplify arcs for the first time, or some of their parts again."""
        columns = [[self.x], [self.y], [self._candidate], [self._level]]
        n_points = len(self.x)
        for some in batches(self.arcs.corners.count[which]):
            arc = which[some]
            corners, offset = self.arcs.corners.read(arc)
            if again is None:
                self.leaves[arc], self.reaches[arc] = directions(corners, offset, self.arcs.stride)
                self.least[arc] = np.minimum.reduceat(corners, offset[:-1])
            path = candidates(corners, offset, self.arcs.stride)
            choice = self._choose(arc, path, again)
            lines = fitted(path, self.is_ring[arc], choice, self._farthest_px(choice))
            own = choice.kept - np.repeat(path.offset[:-1], np.diff(lines.offset))
            for column, values in zip(columns, (lines.x, lines.y, own, choice.level), strict=True):
                column.append(values.astype(np.int32))
            self.begin[arc], self.count[arc] = lines.offset[:-1] + n_points, np.diff(lines.offset)
            self.low[arc] = np.minimum.reduceat(lines.y, lines.offset[:-1])
            self.high[arc] = np.maximum.reduceat(lines.y, lines.offset[:-1])
            n_points += len(lines.x)
        self.x, self.y, self._candidate, self._level = (np.concatenate(column) for column in columns)

    def _choose(self, arc: Int64, path: Candidates, again: Bool | None) -> Choice:
        if again is None:
            return chosen(path, self._gsd_m, self._tolerance_at(self._start[arc]), self._start[arc])
        point = self.points(arc)
        kept = self._candidate[point].astype(np.int64) + np.repeat(path.offset[:-1], self.count[arc])
        before = Choice(kept, self._level[point].astype(np.int64))
        return chosen_again(path, before, again[point], self._gsd_m, self._tolerance_at(before.level + 1))

    def _tolerance_at(self, level: Int64) -> Float64:
        halved = np.float64(self._tolerance_m) / 2.0**level
        return np.where(halved < min(self._gsd_m) / 4, 0.0, halved)

    def _farthest_px(self, choice: Choice) -> Float64:
        return np.where(self._tolerance_at(choice.level) > 0, FARTHEST_PX / 2.0**choice.level, 0.0)
