"""The centre lines of a city's roads as its map shows them: the truth that traced roads are scored on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import shapely

from sat2map.city.blocks import contents
from sat2map.city.geometry import Points
from sat2map.city.layout import Layout
from sat2map.city.options import CityOptions
from sat2map.city.roads import drawn_avenues, drawn_course
from sat2map.city.things import MAP, Ground

ROADS = (*MAP["road"], *MAP["major road"])
GRID_M = 0.01
"""Positions nearer than this are one."""
MARGIN_M = 60.0
BESIDE_M = 6.5
"""A road that is cut off as near as this to the middle of another one leads into it: the map shows them as one."""


def centre_lines(seed: int, side_m: float) -> list[Points]:
    """The centre lines of the square of a city that begins in its origin.

    Where the map covers a road (a river does, and the land beside a motorway), there is no line.

    Returns:
        Lines from junction to junction, in metres from the upper left corner of the square, shapes (n, 2), x first.
        Lines that meet share their end.
    """
    layout = Layout((seed,), CityOptions())
    box = np.array([[-MARGIN_M] * 2, [side_m + MARGIN_M] * 2])
    lines = _joined(_painted(layout, box))
    lines = shapely.line_merge(shapely.intersection(lines, shapely.box(0, 0, side_m, side_m)))
    parts = (shapely.get_coordinates(part) for part in shapely.get_parts(lines))
    return [part for part in parts if len(part) > 1]


def _painted(layout: Layout, box: Points) -> Any:
    """Lines of all roads that nothing was painted over, in the order in which the canvas is painted."""
    minor, major = _planned_lines(layout, box)
    lines = shapely.union_all(minor)
    courses = layout.courses(box)
    for kind in ("river", "railway", "motorway"):
        if kind == "motorway":
            for ground in drawn_avenues(layout, box, layout.seed, major=True).grounds:
                lines = _laid(lines, ground, is_line=False)
            lines = shapely.union_all([lines, *major])
        for course in (c for c in courses if c.kind == kind):
            for ground in drawn_course(course, box, layout.seed, "summer").grounds:
                lines = _laid(lines, ground, is_line=True)
    return lines


def _laid(lines: Any, ground: Ground, *, is_line: bool) -> Any:
    """The lines after ground was laid: a road has a line of its own, all else covers those that were there."""
    if ground.map_colour is None:
        return lines
    if ground.map_colour not in ROADS:
        return shapely.difference(lines, shapely.buffer(shapely.polygons(ground.corners), 0))
    return shapely.union(lines, shapely.linestrings(_middle(ground.corners))) if is_line else lines


def _middle(ribbon: Points) -> Points:
    """Of the two sides of a strip, of which one leads there and the other back."""
    n = len(ribbon) // 2
    middle: Points = (ribbon[:n] + ribbon[n:][::-1]) / 2
    return middle


def _planned_lines(layout: Layout, box: Points) -> tuple[Any, Any]:
    """Streets and avenues, bent, from junction to junction: those that the map shows in white, and the others."""
    avenues = list(layout.avenues(box))
    straight = [*(a.line for a in avenues), *layout.streets(box), *_lanes(layout, box)]
    noded = shapely.get_parts(shapely.union_all(shapely.linestrings(straight), grid_size=GRID_M))
    coloured = shapely.union_all([shapely.LineString(a.line) for a in avenues if a.colour is not None])
    middles = shapely.line_interpolate_point(noded, 0.5, normalized=True)
    is_major = shapely.dwithin(middles, coloured, 5 * GRID_M)
    bent = [shapely.linestrings(layout.bend.line(shapely.get_coordinates(line)[[0, -1]], 3.0)) for line in noded]
    return np.array(bent, object)[~is_major], np.array(bent, object)[is_major]


def _lanes(layout: Layout, box: Points) -> Iterator[Points]:
    """Roads within blocks, as they were planned."""
    for block in layout.blocks(box):
        if block.kind == "campus":
            for ground in contents(block, layout.seed, "summer").grounds:
                if ground.map_colour in ROADS:
                    yield _middle(ground.corners)


def _joined(lines: Any) -> Any:
    """Roads that were cut off just beside another one lead to its middle."""
    merged = shapely.get_parts(shapely.line_merge(shapely.union_all([lines], grid_size=GRID_M)))
    ends = np.concatenate([shapely.get_coordinates(line)[[0, -1]] for line in merged] or [np.zeros((0, 2))])
    _, first, count = np.unique(np.rint(ends / GRID_M), axis=0, return_index=True, return_counts=True)
    links = []
    for end in first[count == 1].tolist():
        point, others = shapely.points(ends[end]), np.delete(merged, end // 2)
        near = others[shapely.dwithin(others, point, BESIDE_M)]
        if len(near):
            links.append(shapely.shortest_line(point, near[shapely.distance(near, point).argmin()]))
    return shapely.union_all([*merged, *links], grid_size=GRID_M)
