"""A network of lines and what it is changed by: joining, contracting, dropping and splitting lines; moves no points."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import breadth_first_order, connected_components

from sat2map.arrays import Array, Bool, Float64
from sat2map.vector.ragged import batches
from sat2map.vector.roads_points import POINT, Int64, LinePoints, Pieces, PointStore, pixels

BATCH_POINTS = 200_000
"""Points of consecutive lines that are in memory at once."""
AT_ONCE = 16_384
"""Points that are read by their numbers at once: what a file's pages take of memory meanwhile stays small."""


@dataclass(frozen=True)
class RoadLines:
    """Lines between nodes; a line's points run from its first node to its second one.

    Nodes, lines and pieces are in memory, points in a store, which need not be: a line has a few numbers, and dozens of
    points.
    """

    xy: Float64
    """Of the nodes: pixels, shape (N, 2)."""
    radius_px: Float64
    """Of the nodes: half the width of the widest road there, shape (N,)."""
    ends: Int64
    """Nodes of the lines, shape (E, 2)."""
    pieces: Pieces
    """Of the lines."""
    is_inferred: Bool
    """Lines that close a gap, shape (E,)."""
    store: PointStore
    """The points of all pieces."""

    @property
    def degrees(self) -> Int64:
        """Ends of lines at each node, shape (N,)."""
        return np.bincount(self.ends.ravel(), minlength=len(self.xy))

    @cached_property
    def offsets(self) -> Int64:
        """Line i has the points of the numbers from `offsets[i]` to `offsets[i + 1]`, shape (E + 1,)."""
        return self.pieces.starts[self.pieces.offsets]

    @property
    def counts(self) -> Int64:
        """Points of each line, shape (E,)."""
        return np.diff(self.offsets)

    @property
    def tips(self) -> Array:
        """The first and the last point of each line: `POINT`, shape (E, 2)."""
        return self.at(np.stack((self.offsets[:-1], self.offsets[1:] - 1), -1))

    def at(self, numbers: Int64) -> Array:
        """Points by their numbers, line after line: `POINT`, of the same shape."""
        index = self.pieces.index(numbers.ravel())
        found = np.empty(len(index), POINT)
        for start in range(0, len(index), AT_ONCE):
            found[start : start + AT_ONCE] = self.store.read(index[start : start + AT_ONCE])
        return found.reshape(numbers.shape)

    def xy_at(self, numbers: Int64) -> Float64:
        """Pixels of points by their numbers, shape (..., 2)."""
        return pixels(self.at(numbers))

    def batches(self) -> Iterator[tuple[slice, LinePoints]]:
        """Consecutive lines, and their points."""
        for lines in batches(self.counts, BATCH_POINTS):
            index, offsets = self.pieces.all_of(lines)
            yield lines, LinePoints(self.store.read(index), offsets)

    def per_line(self, compute: Callable[[slice, LinePoints], Array]) -> Array:
        """What is computed of some lines at a time, of all lines.

        Args:
            compute: of consecutive lines and their points makes an array of shape (n, ...).
        """
        found = [compute(lines, points) for lines, points in self.batches()]
        return np.concatenate(found) if found else np.zeros(0)

    @cached_property
    def lengths_px(self) -> Float64:
        """Of the lines, shape (E,)."""
        return self.per_line(lambda _, points: points.lengths_px())

    def keep(self, lines: Array) -> RoadLines:
        """Only those lines (a mask or their numbers in a new order); all nodes stay."""
        chosen = np.flatnonzero(lines) if lines.dtype == bool else lines
        pieces = self.pieces.of(chosen, np.zeros(len(chosen), bool))
        return replace(self, ends=self.ends[chosen], pieces=pieces, is_inferred=self.is_inferred[chosen])

    def without_idle_nodes(self) -> RoadLines:
        """Without the nodes that no line ends at."""
        used = self.degrees > 0
        number = np.cumsum(used) - 1
        return replace(self, xy=self.xy[used], radius_px=self.radius_px[used], ends=number[self.ends])

    def joined(self, through: Bool | None = None) -> RoadLines:
        """Join the two lines that meet at a node where no other does; what is inferred stays a line of its own.

        Args:
            through: bool, shape (N,): nodes where lines may be joined; None: all.
        """
        at = self.degrees == 2
        order = np.argsort(self.ends.ravel(), kind="stable")
        order = order[(at if through is None else at & through)[self.ends.ravel()[order]]]
        pairs = order.reshape(-1, 2)
        one, other = pairs.T // 2
        pairs = pairs[(one != other) & (self.is_inferred[one] == self.is_inferred[other])]
        sequence, starts = _paths(2 * len(self.ends), pairs)
        lines, turned = sequence[::2] // 2, sequence[::2] % 2 == 1
        first = np.flatnonzero(starts[::2])
        last = np.append(first[1:], len(lines))[: len(first)] - 1
        tips = self.tips
        enter, leave = tips[lines, turned.astype(int)], tips[lines, 1 - turned]
        # Where two lines meet in one point, that point is kept once.
        same = np.append(False, (enter["x"][1:] == leave["x"][:-1]) & (enter["y"][1:] == leave["y"][:-1]))[: len(lines)]
        same[first] = False
        pieces = self.pieces.of(lines, turned)
        begin = pieces.starts[pieces.offsets]
        pieces = pieces.within(begin[:-1] + same, begin[1:])
        pieces = replace(pieces, offsets=pieces.offsets[np.append(first, len(lines))])
        ends = np.stack(
            (self.ends[lines[first], turned[first].astype(int)], self.ends[lines[last], 1 - turned[last]]), -1
        )
        return replace(self, ends=ends, pieces=pieces, is_inferred=self.is_inferred[lines[first]])

    def contracted(self, lines: Bool) -> RoadLines:
        """Make one node of all nodes that these lines connect, in their middle, and drop the lines."""
        n = len(self.xy)
        _, group = connected_components(links_matrix(n, self.ends[lines]), directed=False)
        # Groups are numbered by their first node, so that the order of nodes stays.
        _, first, group = np.unique(group, return_index=True, return_inverse=True)
        rank = np.empty(len(first), np.int64)
        rank[np.argsort(first)] = np.arange(len(first))
        group = rank[group]
        joint = self.degrees > 2
        weight = np.where(joint, 1.0, 1e-6)
        total = np.bincount(group, weight)
        xy = np.stack([np.bincount(group, weight * self.xy[:, axis]) / total for axis in (0, 1)], -1)
        radius = np.zeros(len(xy))
        np.maximum.at(radius, group, self.radius_px)
        return replace(self, xy=xy, radius_px=radius, ends=group[self.ends]).keep(~lines)

    def split(self, lines: Int64, at: Int64) -> tuple[RoadLines, Int64]:
        """Split lines at points within them, and make nodes there.

        Args:
            lines: numbers of lines, shape (n,).
            at: number of the point within its line, shape (n,).

        Returns:
            The network, and the node at each of the points; where a point is an end of the line, the node there.
        """
        index = self.offsets[lines] + at
        inner = (at > 0) & (at < self.counts[lines] - 1)
        cuts = np.unique(index[inner])
        new = len(self.xy) + np.arange(len(cuts))
        nodes = np.where(at == 0, self.ends[lines, 0], self.ends[lines, 1])
        nodes[inner] = new[np.searchsorted(cuts, index[inner])]
        heads = self.offsets[:-1]
        starts = np.sort(np.concatenate((heads, cuts)))
        line = np.searchsorted(heads, starts, "right") - 1
        stops = np.append(starts[1:], self.offsets[-1])
        is_cut_start, is_cut_stop = np.isin(starts, cuts), np.isin(stops, cuts)
        ends = self.ends[line].copy()
        ends[is_cut_start, 0] = new
        ends[is_cut_stop, 1] = new
        cut = self.at(cuts)
        xy = np.concatenate((self.xy, pixels(cut)))
        radius = np.concatenate((self.radius_px, cut["radius"]))
        return RoadLines(xy, radius, ends, self.pieces.split(cuts), self.is_inferred[line], self.store), nodes

    def with_gaps_closed(self, ends: Int64, points: Array) -> RoadLines:
        """The network and further lines of two points each, all of them inferred.

        Args:
            ends: nodes, shape (n, 2).
            points: `POINT`, shape (n, 2).
        """
        begin = self.store.append(points.ravel()).start
        return replace(
            self,
            ends=np.concatenate((self.ends, ends)),
            pieces=self.pieces.and_then(Pieces.whole(begin, 2 * np.arange(len(ends) + 1))),
            is_inferred=np.append(self.is_inferred, np.ones(len(ends), bool)),
        )


def links_matrix(n: int, pairs: Int64) -> Any:
    """Pairs of n things as a sparse matrix."""
    return csr_matrix((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(n, n))


def _paths(n: int, pairs: Int64) -> tuple[Int64, Bool]:
    """Put the ends of lines in the order in which one comes along them.

    Args:
        n: ends; 2i and 2i + 1 are those of line i.
        pairs: ends that are joined, shape (m, 2), each end at most once.

    Returns:
        All ends, path after path, and for each whether a path begins there.
    """
    if not n:
        return np.zeros(0, np.int64), np.zeros(0, bool)
    own = np.arange(n).reshape(-1, 2)
    _, group = connected_components(links_matrix(n, np.concatenate((own, pairs))), directed=False)
    joined = np.zeros(n, bool)
    joined[pairs] = True
    # A ring is cut where its first line begins.
    open_ = np.zeros(group.max() + 1, bool)
    open_[group[~joined]] = True
    firsts = np.unique(group, return_index=True)[1]
    cut = firsts[~open_]
    opened = np.isin(pairs, cut).any(1)
    joined[pairs[opened]] = False
    pairs = pairs[~opened]
    loose = np.flatnonzero(~joined)
    start, stop = loose[np.argsort(group[loose], kind="stable")].reshape(-1, 2).T
    # One path after the other makes one long path, which a breadth-first search follows.
    bridges = np.stack((stop[:-1], start[1:]), -1)
    sequence = breadth_first_order(
        links_matrix(n, np.concatenate((own, pairs, bridges))), start[0], directed=False, return_predecessors=False
    ).astype(np.int64)
    begins = np.zeros(n, bool)
    begins[start] = True
    return sequence, begins[sequence]
