"""Lines across the gaps of roads, where direction, width and distance speak for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from sat2map.arrays import Bool, Float64
from sat2map.vector.roads_network import RoadLines
from sat2map.vector.roads_points import Int64, LinePoints, pixels


@dataclass(frozen=True)
class Closing:
    """Which gaps are closed."""

    reach_px: float
    """Longer ones stay open."""
    turn_deg: float = 15.0
    """How far a road may turn at each side of the gap."""
    crossing_deg: float = 30.0
    """A road that ends before another one must come from aside by no less."""
    width_ratio: float = 2.0
    """How much wider one of two roads that belong together may be."""
    look_back_px: float = 12.0
    """How much of its end tells the direction of a road."""


class _DeadEnds(NamedTuple):
    node: Int64
    line: Int64
    xy: Float64
    ahead: Float64
    radius: Float64
    point: Int64
    """Number of the end among the network's points."""


class _Bridges(NamedTuple):
    """Ways across gaps, which may yet exclude each other."""

    cost: Float64
    end: Int64
    """Number of the dead end."""
    other_end: Int64
    """Number of the other dead end; -1: it leads to a point within a line."""
    point: Int64
    """Number of the point it leads to."""


def gaps_closed(net: RoadLines, settings: Closing) -> RoadLines:
    """Add inferred lines from dead ends to others that face them, and to lines that lie before them."""
    ends = _dead_ends(net, settings)
    if settings.reach_px <= 0 or not len(ends.node):
        return net
    chosen = _chosen(_candidates(net, ends, settings), len(ends.node))
    if not len(chosen.end):
        return net
    line = np.searchsorted(net.offsets, chosen.point, "right") - 1
    split, nodes = net.split(line, chosen.point - net.offsets[line])
    pairs = np.stack((ends.node[chosen.end], nodes), -1)
    points = net.at(np.stack((ends.point[chosen.end], chosen.point), -1))
    points["kind"] = points["kind"][:, :1]
    points["confidence"] = 0
    points["radius"] = points["radius"].min(1, keepdims=True)
    return split.with_gaps_closed(pairs, points)


def _dead_ends(net: RoadLines, settings: Closing) -> _DeadEnds:
    dead = (net.degrees == 1)[net.ends] & ~net.is_inferred[:, None]
    line, side = np.nonzero(dead)
    order = np.argsort(net.ends[line, side], kind="stable")
    line, side = line[order], side[order]
    first, last = net.offsets[line], net.offsets[line + 1] - 1
    point = np.where(side == 0, first, last)
    at_end = net.at(point)
    back = np.round(np.maximum(settings.look_back_px, 2 * at_end["radius"])).astype(np.int64)
    # The very tip of a thinned line leans towards a corner of the road.
    tip = np.minimum(2, last - first)
    sign = np.where(side == 0, 1, -1)
    near = net.at(point + sign * tip)
    behind = net.at(np.clip(point + sign * (back + tip), first, last))
    xy, ahead = pixels(at_end), pixels(near) - pixels(behind)
    size = np.hypot(*ahead.T)
    ahead /= np.maximum(size, 1e-9)[:, None]
    used = size > 2
    radius = (near["radius"].astype(np.float64) + behind["radius"]) / 2
    return _DeadEnds(net.ends[line, side][used], line[used], xy[used], ahead[used], radius[used], point[used])


class _Search(NamedTuple):
    """Where ways across gaps are looked for."""

    net: RoadLines
    ends: _DeadEnds
    settings: Closing
    tree: Any
    """Of the dead ends."""
    around: Int64
    """Cells that hold all that is in reach of dead ends."""


def _candidates(net: RoadLines, ends: _DeadEnds, settings: Closing) -> _Bridges:
    search = _Search(net, ends, settings, cKDTree(ends.xy), _cells_around(ends, settings.reach_px))
    found = [_candidates_among(search, lines, points) for lines, points in net.batches()]
    return _Bridges(*(np.concatenate(column) for column in zip(*found, strict=True)))


def _candidates_among(search: _Search, among: slice, lines: LinePoints) -> _Bridges:
    """Ways from dead ends to the points of some lines."""
    net, ends, settings, tree, around = search
    xy, first_point = lines.xy, net.offsets[among.start]
    index = np.flatnonzero(np.isin(_cells(xy, settings.reach_px), around))
    near = tree.sparse_distance_matrix(cKDTree(xy[index]), settings.reach_px + 1, output_type="ndarray")
    end, point = near["i"].astype(np.int64), index[near["j"]]
    of = lines.line_of_point[point] + among.start
    way = xy[point] - ends.xy[end]
    distance = np.hypot(*way.T)
    along = (way * ends.ahead[end]).sum(1)
    in_view = (
        (distance <= settings.reach_px) & (along >= np.cos(np.radians(settings.turn_deg)) * distance) & (distance > 0)
    )
    in_view &= (of != ends.line[end]) & ~net.is_inferred[of]
    end, point, way, distance = end[in_view], point[in_view], way[in_view], distance[in_view]
    number = np.full(len(xy), -1)
    own = (ends.point >= first_point) & (ends.point < first_point + len(xy))
    number[ends.point[own] - first_point] = np.flatnonzero(own)
    other = number[point]
    facing = (other >= 0) & _faces(ends, end, other, way, distance, settings)
    ahead = _direction(lines, xy, point)
    cross = np.abs(ahead[:, 0] * ends.ahead[end][:, 1] - ahead[:, 1] * ends.ahead[end][:, 0])
    meeting = (other < 0) & (cross >= np.sin(np.radians(settings.crossing_deg)))
    # Of all points of a line the one straight ahead is meant, not the nearest one.
    aside = np.abs(way[:, 0] * ends.ahead[end][:, 1] - way[:, 1] * ends.ahead[end][:, 0])
    cost = distance + np.where(facing, 0.5, 1.0) * aside
    used = facing | meeting
    return _Bridges(cost[used], end[used], np.where(facing, other, -1)[used], point[used] + first_point)


def _cells(xy: Float64, reach_px: float) -> Int64:
    """A number for each cell of a lattice in which points lie: what is in reach is in the same cell or beside it."""
    col, row = np.floor(xy / (reach_px + 1)).astype(np.int64).T
    cells: Int64 = row * (1 << 32) + col
    return cells


def _cells_around(ends: _DeadEnds, reach_px: float) -> Int64:
    """The cells of dead ends and those beside them, in which few of all points lie."""
    steps = [(dx, dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1)]
    return np.unique([_cells(ends.xy + (reach_px + 1) * np.array(step), reach_px) for step in steps])


def _faces(ends: _DeadEnds, end: Int64, other: Int64, way: Float64, distance: Float64, settings: Closing) -> Bool:
    back = -(way * ends.ahead[other]).sum(1)
    turn = -(ends.ahead[end] * ends.ahead[other]).sum(1)
    wide = np.maximum(ends.radius[end], ends.radius[other]) / np.minimum(ends.radius[end], ends.radius[other])
    limit = np.cos(np.radians(settings.turn_deg))
    faces: Bool = (
        (back >= limit * distance)
        & (turn >= np.cos(np.radians(1.5 * settings.turn_deg)))
        & (wide <= settings.width_ratio)
    )
    return faces


def _direction(lines: LinePoints, xy: Float64, point: Int64) -> Float64:
    """Of a line at its points."""
    of = lines.line_of_point[point]
    after = np.minimum(point + 4, lines.offsets[of + 1] - 1)
    before = np.maximum(point - 4, lines.offsets[of])
    way = xy[after] - xy[before]
    unit: Float64 = way / np.maximum(np.hypot(*way.T), 1e-9)[:, None]
    return unit


def _chosen(bridges: _Bridges, n_ends: int) -> _Bridges:
    """The best way of each dead end, the shortest first; no end is used twice."""
    taken = np.zeros(n_ends, bool)
    kept = []
    for k in np.lexsort((bridges.point, bridges.end, bridges.cost)).tolist():
        end, other = bridges.end[k], bridges.other_end[k]
        if taken[end] or (other >= 0 and taken[other]):
            continue
        taken[end] = True
        if other >= 0:
            taken[other] = True
        kept.append(k)
    at = np.array(kept, np.int64)
    return _Bridges(bridges.cost[at], bridges.end[at], bridges.other_end[at], bridges.point[at])
