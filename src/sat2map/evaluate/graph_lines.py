"""A road graph as it is scored: lines in metres that meet where they share an end; scores nothing itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from scipy.sparse import csr_matrix

from sat2map.arrays import Array, Float64

Int64 = npt.NDArray[np.int64]
SAME_M = 0.01
"""Ends that are nearer to each other are one node."""


@dataclass(frozen=True)
class Positions:
    """Points on lines of a graph."""

    line: Int64
    """Number of the line, shape (n,); -1: on none."""
    along_m: Float64
    """From the line's first point, shape (n,)."""

    def take(self, index: Array) -> Positions:
        """Some of them."""
        return Positions(self.line[index], self.along_m[index])


@dataclass(frozen=True)
class LineGraph:
    """Lines between nodes, in metres."""

    nodes: Float64
    """Shape (N, 2)."""
    ends: Int64
    """The two nodes of each line, shape (E, 2)."""
    lines: Array
    """shapely's LineStrings, shape (E,)."""

    @property
    def lengths_m(self) -> Float64:
        """Of the lines, shape (E,)."""
        lengths: Float64 = shapely.length(self.lines)
        return lengths

    @property
    def degrees(self) -> Int64:
        """Ends of lines at each node, shape (N,)."""
        return np.bincount(self.ends.ravel(), minlength=len(self.nodes))

    def at(self, positions: Positions) -> Float64:
        """Coordinates of positions on lines, shape (n, 2)."""
        points = shapely.line_interpolate_point(self.lines[positions.line], positions.along_m)
        xy: Float64 = shapely.get_coordinates(points)
        return xy

    def directions(self, positions: Positions) -> Float64:
        """Unit vectors along the lines at positions on them, shape (n, 2)."""
        lengths = self.lengths_m[positions.line]
        after = Positions(positions.line, np.minimum(positions.along_m + 1.0, lengths))
        before = Positions(positions.line, np.maximum(positions.along_m - 1.0, 0.0))
        way = self.at(after) - self.at(before)
        unit: Float64 = way / np.maximum(np.hypot(*way.T), 1e-12)[:, None]
        return unit

    def every(self, step_m: float) -> Positions:
        """Positions at every so many metres of each line, its ends left out."""
        counts = np.maximum(np.ceil(self.lengths_m / step_m - 1e-9).astype(np.int64) - 1, 0)
        line = np.repeat(np.arange(len(self.lines)), counts)
        nth = np.arange(len(line)) - np.repeat(np.cumsum(counts) - counts, counts)
        return Positions(line, (nth + 1) * step_m)

    def node_positions(self) -> Positions:
        """Each node as a position on one of the lines that end there."""
        _, first = np.unique(self.ends.ravel(), return_index=True)
        line, side = np.divmod(first, 2)
        return Positions(line, np.where(side == 0, 0.0, self.lengths_m[line]))

    def snapped(self, xy: Float64, within_m: float) -> Positions:
        """The nearest position on a line to each point, -1 where none is within reach."""
        line, along = np.full(len(xy), -1), np.zeros(len(xy))
        if len(self.lines) and len(xy):
            points = shapely.points(xy)
            index, found = shapely.STRtree(self.lines).query_nearest(points, max_distance=within_m, all_matches=False)
            line[index] = found
            along[index] = shapely.line_locate_point(self.lines[found], points[index])
        return Positions(line, along)

    def with_positions(self, positions: Positions) -> tuple[Any, Int64]:
        """Links between neighbours on the lines once these positions are nodes, too.

        Returns:
            Sparse matrix of lengths in metres, each pair once; number of each position in it. Nodes keep theirs.
        """
        n, e = len(self.nodes), len(self.lines)
        number = n + np.arange(len(positions.line))
        line = np.concatenate((np.arange(e), positions.line, np.arange(e)))
        along = np.concatenate((np.zeros(e), positions.along_m, self.lengths_m))
        rank = np.repeat((0, 1, 2), (e, len(number), e))
        order = np.lexsort((rank, along, line))
        order = order[np.lexsort((along[order], rank[order] == 2, rank[order] != 0, line[order]))]
        ids = np.concatenate((self.ends[:, 0], number, self.ends[:, 1]))[order]
        same = line[order][1:] == line[order][:-1]
        one, other = ids[:-1][same], ids[1:][same]
        length = np.maximum(np.diff(along[order])[same], 1e-9)
        return _shortest_links(one, other, length, n + len(number)), number


def line_graph(lines: Iterable[Array]) -> LineGraph:
    """The graph of lines that meet where they share an end.

    Args:
        lines: coordinates in metres, shapes (n, 2), or shapely's LineStrings; those without length are left out.
    """
    given = [line if isinstance(line, shapely.LineString) else shapely.LineString(line) for line in lines]
    kept = np.array([line for line in given if line.length > 0], object)
    xy = np.array([[line.coords[0][:2], line.coords[-1][:2]] for line in kept], float).reshape(-1, 2)
    _, first, ends = np.unique(np.rint(xy / SAME_M), axis=0, return_index=True, return_inverse=True)
    return LineGraph(xy[first], ends.reshape(-1, 2).astype(np.int64), kept)


def _shortest_links(one: Int64, other: Int64, length: Float64, n: int) -> Any:
    """As a sparse matrix, of parallel links the shortest."""
    low, high = np.minimum(one, other), np.maximum(one, other)
    order = np.lexsort((length, high, low))
    order = order[low[order] != high[order]]
    low, high = low[order], high[order]
    new = np.append(True, (np.diff(low) > 0) | (np.diff(high) > 0))[: len(low)]
    return csr_matrix((length[order][new], (low[new], high[new])), shape=(n, n))
