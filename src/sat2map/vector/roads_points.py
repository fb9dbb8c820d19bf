"""Points of lines, in a store and in memory: lines are put together of pieces of the store, and none is copied."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from sat2map.arrays import Array, Bool, Float64

Int64 = npt.NDArray[np.int64]
POINT = np.dtype(
    [("x", "<f4"), ("y", "<f4"), ("radius", "<f4"), ("kind", "u1"), ("confidence", "u1"), ("beside_core", "?")]
)
"""A point of a line: pixels (x to the right, y down), half the road's width there in pixels, its class (`UNKNOWN` where
the road was filled), 0..255, and whether it goes around the core of a wide place."""
UNKNOWN = 255


def pixels(points: Array) -> Float64:
    """Where points are, shape (..., 2)."""
    return np.stack((points["x"], points["y"]), -1).astype(np.float64)


class PointStore(Protocol):
    """Where points are kept: memory, or a file."""

    def append(self, values: Array) -> slice:
        """Add points behind the last ones, and tell where they are."""
        ...

    def read(self, part: Int64) -> Array:
        """Points by index: `POINT`."""
        ...


@dataclass
class PointArray:
    """Points in memory: those of a window."""

    values: Array

    def append(self, values: Array) -> slice:
        """Add points behind the last ones, and tell where they are."""
        start = len(self.values)
        self.values = np.concatenate((self.values, values))
        return slice(start, len(self.values))

    def read(self, part: Int64) -> Array:
        """Points by index."""
        points: Array = self.values[part]
        return points


class LinePoints(NamedTuple):
    """The points of some lines, in memory."""

    points: Array
    """`POINT`, shape (P,)."""
    offsets: Int64
    """Line i has the points from `offsets[i]` to `offsets[i + 1]`, shape (E + 1,)."""

    @property
    def counts(self) -> Int64:
        """Points of each line, shape (E,)."""
        return np.diff(self.offsets)

    @property
    def line_of_point(self) -> Int64:
        """Shape (P,)."""
        return np.repeat(np.arange(len(self.offsets) - 1), self.counts)

    @property
    def xy(self) -> Float64:
        """Pixels, shape (P, 2)."""
        return pixels(self.points)

    def along_px(self) -> Float64:
        """How far along its line each point lies, shape (P,)."""
        steps = np.append(0, np.hypot(*np.diff(self.xy, axis=0).T))[: len(self.points)]
        steps[self.offsets[:-1]] = 0
        along = np.cumsum(steps)
        since: Float64 = along - np.repeat(along[self.offsets[:-1]], self.counts)
        return since

    def lengths_px(self) -> Float64:
        """Of the lines, shape (E,)."""
        return self.along_px()[self.offsets[1:] - 1]

    def median_radius(self) -> Float64:
        """Of the lines, shape (E,)."""
        order = np.lexsort((self.points["radius"], self.line_of_point))
        median: Float64 = self.points["radius"][order][self.offsets[:-1] + self.counts // 2].astype(np.float64)
        return median


@dataclass(frozen=True)
class Pieces:
    """What lines are put together of, one piece after the other."""

    offsets: Int64
    """Line i has the pieces from `offsets[i]` to `offsets[i + 1]`, shape (E + 1,)."""
    begin: Int64
    """Where in the store each piece begins, shape (Q,)."""
    count: Int64
    """Points of each piece, shape (Q,)."""
    turned: Bool
    """Whether a piece runs from its last point to its first one, shape (Q,)."""

    @classmethod
    def whole(cls, begin: int, offsets: Int64) -> Pieces:
        """A piece for each line, of points that lie one line after the other.

        Args:
            begin: where the first line begins.
            offsets: of the lines.
        """
        n = len(offsets) - 1
        return cls(np.arange(n + 1), begin + offsets[:-1], np.diff(offsets), np.zeros(n, bool))

    @classmethod
    def of_points(cls, points: Int64) -> Pieces:
        """Lines of equally many points, each point a piece.

        Args:
            points: where they are in the store, shape (E, n).
        """
        n_lines, n = points.shape
        return cls(
            n * np.arange(n_lines + 1), points.ravel(), np.ones(points.size, np.int64), np.zeros(points.size, bool)
        )

    @property
    def starts(self) -> Int64:
        """Points before each piece, and all points: shape (Q + 1,)."""
        return np.append(0, np.cumsum(self.count)).astype(np.int64)

    def index(self, position: Int64) -> Int64:
        """Where points are in the store, by their number among all points of all lines."""
        starts = self.starts
        piece = np.searchsorted(starts, position, "right") - 1
        nth = position - starts[piece]
        return self.begin[piece] + np.where(self.turned[piece], self.count[piece] - 1 - nth, nth)

    def all_of(self, lines: slice) -> tuple[Int64, Int64]:
        """Where all points of consecutive lines are in the store, and the offsets of the lines among them."""
        own = slice(self.offsets[lines.start], self.offsets[lines.stop])
        begin, count, turned = self.begin[own], self.count[own], self.turned[own]
        starts = np.append(0, np.cumsum(count))
        nth = np.arange(starts[-1]) - np.repeat(starts[:-1], count)
        index = (
            np.repeat(np.where(turned, begin + count - 1, begin), count)
            + np.repeat(np.where(turned, -1, 1), count) * nth
        )
        return index, starts[self.offsets[lines.start : lines.stop + 1] - self.offsets[lines.start]]

    def of(self, lines: Int64, turned: Bool) -> Pieces:
        """The pieces of these lines, turned or not, one line after the other."""
        which, offsets = spread(self.offsets, lines, turned)
        flip = np.repeat(turned, np.diff(offsets))
        return Pieces(offsets, self.begin[which], self.count[which], self.turned[which] ^ flip)

    def and_then(self, others: Pieces) -> Pieces:
        """These lines and others."""
        offsets = np.concatenate((self.offsets, self.offsets[-1] + others.offsets[1:]))
        rest = ((getattr(self, name), getattr(others, name)) for name in ("begin", "count", "turned"))
        return Pieces(offsets, *(np.concatenate(both) for both in rest))

    def within(self, low: Int64, high: Int64) -> Pieces:
        """What lies between two points of each line, the second one left out; both are numbers among all points."""
        starts = self.starts
        n = np.diff(self.offsets)
        first = np.clip(np.repeat(low, n) - starts[:-1], 0, self.count)
        last = np.clip(np.repeat(high, n) - starts[:-1], first, self.count)
        begin = self.begin + np.where(self.turned, self.count - last, first)
        kept = last > first
        offsets = np.append(0, np.cumsum(kept))[self.offsets]
        return Pieces(offsets, begin[kept], (last - first)[kept], self.turned[kept])

    def split(self, cuts: Int64) -> Pieces:
        """Split lines at points, which end one part and begin the next.

        Args:
            cuts: ascending numbers among all points, of none that begins or ends a line.
        """
        starts = np.concatenate((self.starts[:-1], cuts))
        is_cut = np.arange(len(starts)) >= len(self.begin)
        order = np.argsort(starts, kind="stable")
        starts, is_cut = starts[order], is_cut[order]
        stops = np.append(starts[1:], self.count.sum()) + np.append(is_cut[1:], False)
        piece = np.cumsum(~is_cut) - 1
        first, count = starts - self.starts[piece], stops - starts
        turned = self.turned[piece]
        begin = self.begin[piece] + np.where(turned, self.count[piece] - first - count, first)
        begins_line = np.zeros(len(self.begin), bool)
        begins_line[self.offsets[:-1]] = True
        heads = np.flatnonzero(is_cut | begins_line[piece] & ~is_cut)
        return Pieces(np.append(heads, len(starts)), begin, count, turned)


def spread(offsets: Int64, parts: Int64, turned: Bool) -> tuple[Int64, Int64]:
    """Index of the elements of these parts, turned or not, one after the other, and the new offsets."""
    counts = np.diff(offsets)[parts]
    new = np.append(0, np.cumsum(counts))
    nth = np.arange(new[-1]) - np.repeat(new[:-1], counts)
    begin, sign = np.where(turned, offsets[parts + 1] - 1, offsets[parts]), np.where(turned, -1, 1)
    return np.repeat(begin, counts) + np.repeat(sign, counts) * nth, new
