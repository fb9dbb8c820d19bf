"""A network of lines in memory and what it is changed by: joining, contracting, dropping and splitting lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import breadth_first_order, connected_components

from sat2map.arrays import Array, Bool, Float64

Int64 = npt.NDArray[np.int64]
POINT = np.dtype(
    [("x", "<f4"), ("y", "<f4"), ("radius", "<f4"), ("kind", "u1"), ("confidence", "u1"), ("beside_core", "?")]
)
"""A point of a line: pixels (x to the right, y down), half the road's width there in pixels, its class (`UNKNOWN` where
the road was filled), 0..255, and whether it goes around the core of a wide place."""
UNKNOWN = 255


@dataclass(frozen=True)
class RoadLines:
    """Lines between nodes; a line's points run from its first node to its second one."""

    xy: Float64
    """Of the nodes: pixels, shape (N, 2)."""
    radius_px: Float64
    """Of the nodes: half the width of the widest road there, shape (N,)."""
    ends: Int64
    """Nodes of the lines, shape (E, 2)."""
    offsets: Int64
    """Line i has the points from `offsets[i]` to `offsets[i + 1]`, shape (E + 1,)."""
    points: Array
    """`POINT`, shape (P,)."""
    is_inferred: Bool
    """Lines that close a gap, shape (E,)."""

    @property
    def degrees(self) -> Int64:
        """Ends of lines at each node, shape (N,)."""
        return np.bincount(self.ends.ravel(), minlength=len(self.xy))

    @property
    def counts(self) -> Int64:
        """Points of each line, shape (E,)."""
        return np.diff(self.offsets)

    @property
    def line_of_point(self) -> Int64:
        """Shape (P,)."""
        return np.repeat(np.arange(len(self.ends)), self.counts)

    def along_px(self) -> Float64:
        """How far along its line each point lies, shape (P,)."""
        x, y = self.points["x"].astype(np.float64), self.points["y"].astype(np.float64)
        steps = np.hypot(np.diff(x, prepend=x[:1]), np.diff(y, prepend=y[:1]))
        steps[self.offsets[:-1]] = 0
        along = np.cumsum(steps)
        since: Float64 = along - np.repeat(along[self.offsets[:-1]], self.counts)
        return since

    def lengths_px(self) -> Float64:
        """Of the lines, shape (E,)."""
        return self.along_px()[self.offsets[1:] - 1]

    def keep(self, lines: Array) -> RoadLines:
        """Only those lines (a mask or their numbers in a new order); all nodes stay."""
        chosen = np.flatnonzero(lines) if lines.dtype == bool else lines
        index, offsets = _spread(self.offsets, chosen, np.zeros(len(chosen), bool))
        return replace(
            self,
            ends=self.ends[chosen],
            offsets=offsets,
            points=self.points[index],
            is_inferred=self.is_inferred[chosen],
        )

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
        index, spread = _spread(self.offsets, lines, turned)
        points = self.points[index]
        begins = np.zeros(len(points), bool)
        begins[spread[first]] = True
        # Where two lines meet in one point, that point is kept once.
        same = (points["x"][1:] == points["x"][:-1]) & (points["y"][1:] == points["y"][:-1])
        kept = begins | ~np.append(False, same)[: len(points)]
        ends = np.stack(
            (self.ends[lines[first], turned[first].astype(int)], self.ends[lines[last], 1 - turned[last]]), -1
        )
        offsets = np.append(0, np.cumsum(kept))[np.append(spread[first], len(points))]
        return replace(
            self, ends=ends, offsets=offsets, points=points[kept], is_inferred=self.is_inferred[lines[first]]
        )

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
        heads, tails = self.offsets[:-1], self.offsets[1:]
        starts = np.sort(np.concatenate((heads, cuts)))
        line = np.searchsorted(heads, starts, "right") - 1
        stops = np.concatenate((starts[1:], tails[-1:]))
        is_cut_start, is_cut_stop = np.isin(starts, cuts), np.isin(stops, cuts)
        ends = self.ends[line].copy()
        ends[is_cut_start, 0] = new
        ends[is_cut_stop, 1] = new
        # The point of a cut ends one part and begins the next.
        bounds = np.stack((starts, stops + is_cut_stop), -1)
        counts = bounds[:, 1] - bounds[:, 0]
        offsets = np.append(0, np.cumsum(counts))
        points = self.points[np.arange(offsets[-1]) + np.repeat(bounds[:, 0] - offsets[:-1], counts)]
        cut = self.points[cuts]
        xy = np.concatenate((self.xy, np.stack((cut["x"], cut["y"]), -1)))
        radius = np.concatenate((self.radius_px, cut["radius"]))
        return RoadLines(xy, radius, ends, offsets, points, self.is_inferred[line]), nodes

    def with_lines(self, ends: Int64, points: Array) -> RoadLines:
        """The network and further lines of two points each, all of them inferred.

        Args:
            ends: nodes, shape (n, 2).
            points: `POINT`, shape (n, 2).
        """
        offsets = self.offsets[-1] + 2 * np.arange(1, len(ends) + 1)
        return replace(
            self,
            ends=np.concatenate((self.ends, ends)),
            offsets=np.concatenate((self.offsets, offsets)),
            points=np.concatenate((self.points, points.ravel())),
            is_inferred=np.append(self.is_inferred, np.ones(len(ends), bool)),
        )


def stitched(parts: Sequence[tuple[Int64, RoadLines]], width_px: int) -> RoadLines:
    """Join the lines of windows into one network that does not tell where the windows were.

    Args:
        parts: of each window the keys of its nodes (their pixel, counted row by row) and its lines.
        width_px: of the scene.
    """
    keys = np.unique(np.concatenate([key for key, _ in parts] or [np.zeros(0, np.int64)]))
    ends = np.concatenate([key[net.ends] for key, net in parts] or [np.zeros((0, 2), np.int64)])
    points = np.concatenate([net.points for _, net in parts] or [np.zeros(0, POINT)])
    offsets = np.append(0, np.cumsum(np.concatenate([net.counts for _, net in parts] or [np.zeros(0, np.int64)])))
    number = np.searchsorted(keys, ends)
    xy, radius = np.zeros((len(keys), 2)), np.zeros(len(keys))
    for index, row in ((number[:, 0], offsets[:-1]), (number[:, 1], offsets[1:] - 1)):
        xy[index] = np.stack((points["x"][row], points["y"][row]), -1)
        radius[index] = points["radius"][row]
    whole = RoadLines(xy, radius, number, offsets, points, np.zeros(len(number), bool)).joined()
    return in_order(_rings_turned(whole, width_px), width_px).without_idle_nodes()


def in_order(net: RoadLines, width_px: int) -> RoadLines:
    """The same lines, each in the direction and all in the order that their pixels tell."""
    key = _pixel_keys(net.points, width_px)
    head, tail = net.offsets[:-1], net.offsets[1:] - 1
    inner = np.minimum(head + 1, tail), np.maximum(tail - 1, head)
    turned = (key[head] > key[tail]) | ((key[head] == key[tail]) & (key[inner[0]] > key[inner[1]]))
    index, offsets = _spread(net.offsets, np.arange(len(net.ends)), turned)
    ends = np.where(turned[:, None], net.ends[:, ::-1], net.ends)
    straight = replace(net, ends=ends, offsets=offsets, points=net.points[index])
    key = key[index]
    return straight.keep(np.lexsort((key[np.minimum(head + 1, tail)], key[head])))


def _rings_turned(net: RoadLines, width_px: int) -> RoadLines:
    """Rings that no other line meets begin at their first pixel: of them alone, windows decide where they begin."""
    alone = (net.ends[:, 0] == net.ends[:, 1]) & (net.degrees[net.ends[:, 0]] == 2)
    points, xy, radius = net.points.copy(), net.xy.copy(), net.radius_px.copy()
    for line in np.flatnonzero(alone):
        part = slice(net.offsets[line], net.offsets[line + 1])
        ring = points[part][:-1]
        ring = np.roll(ring, -int(_pixel_keys(ring, width_px).argmin()))
        points[part] = np.append(ring, ring[:1])
        xy[net.ends[line, 0]] = ring["x"][0], ring["y"][0]
        radius[net.ends[line, 0]] = ring["radius"][0]
    return _nodes_in_order(replace(net, xy=xy, radius_px=radius, points=points), width_px)


def _nodes_in_order(net: RoadLines, width_px: int) -> RoadLines:
    """The same network with its nodes in the order of their pixels."""
    key = np.floor(net.xy[:, 1]).astype(np.int64) * width_px + np.floor(net.xy[:, 0]).astype(np.int64)
    order = np.argsort(key, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return replace(net, xy=net.xy[order], radius_px=net.radius_px[order], ends=rank[net.ends])


def _pixel_keys(points: Array, width_px: int) -> Int64:
    keys: Int64 = np.floor(points["y"]).astype(np.int64) * width_px + np.floor(points["x"]).astype(np.int64)
    return keys


def links_matrix(n: int, pairs: Int64) -> Any:
    """Pairs of n things as a sparse matrix."""
    return csr_matrix((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(n, n))


def _spread(offsets: Int64, lines: Int64, turned: Bool) -> tuple[Int64, Int64]:
    """Index of the points of these lines, turned or not, one line after the other, and the lines' new offsets."""
    counts = np.diff(offsets)[lines]
    new = np.append(0, np.cumsum(counts))
    nth = np.arange(new[-1]) - np.repeat(new[:-1], counts)
    begin, sign = np.where(turned, offsets[lines + 1] - 1, offsets[lines]), np.where(turned, -1, 1)
    return np.repeat(begin, counts) + np.repeat(sign, counts) * nth, new


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
