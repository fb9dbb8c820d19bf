"""The sea, from coastlines: lines that have water on their right."""

from __future__ import annotations

import numpy as np
import shapely

from sat2map.arrays import Float64
from sat2map.scene.georeference import Box
from sat2map.vector.read import Objects

BESIDE_M = 0.02
"""So far beside a coastline its side is asked."""
CLEAR = 0.5
"""A face is sea if its coastlines have it on their right for so much more of their length, as a share of it: a line
that ends within the box has one face on both sides."""


def sea_polygons(coastlines: Objects, box: Box, *, mirrored: bool = False) -> Objects:
    """Polygons of water within a box.

    Coastlines and the sides of the box divide it into faces; what the coastlines of a face have on their right is sea.
    A coastline that ends within the box divides nothing, and what no coastline borders is no sea.

    Args:
        coastlines: lines, and polygons, which are islands; in metres, x to the right and y up.
        box: of the ground that is drawn.
        mirrored: whether the plane is seen from below, where right is left.

    Returns:
        Polygons, shape (n,).
    """
    lines = shapely.intersection(np.concatenate([_rings(coastlines, mirrored), _lines(coastlines)]), shapely.box(*box))
    lines = shapely.get_parts(shapely.line_merge(lines))
    lines = lines[shapely.get_type_id(lines) == 1]
    if not len(lines):
        return np.empty(0, object)
    border = shapely.boundary(shapely.box(*box))
    faces = shapely.get_parts(shapely.polygonize(shapely.get_parts(shapely.union_all([*lines, border]))))
    tree = shapely.STRtree(faces)
    starts, steps = _segments(lines)
    lengths = np.hypot(*steps.T)
    aside = np.stack((steps[:, 1], -steps[:, 0]), -1) / lengths[:, None] * BESIDE_M
    votes, asked = np.zeros(len(faces)), np.zeros(len(faces))
    for side in (1, -1):
        points = shapely.points(starts + steps / 2 + side * aside)
        which, face = tree.query(points, predicate="within")
        np.add.at(votes, face, side * lengths[which])
        np.add.at(asked, face, lengths[which])
    sea: Objects = faces[(-votes if mirrored else votes) > CLEAR * asked]
    return sea


def _rings(coastlines: Objects, mirrored: bool) -> Objects:
    """Borders of islands, which have land within."""
    polygons = coastlines[shapely.get_type_id(coastlines) == 3]
    rings: Objects = shapely.boundary(np.array(shapely.orient_polygons(polygons, exterior_cw=mirrored), object))
    return rings


def _lines(coastlines: Objects) -> Objects:
    lines: Objects = coastlines[shapely.get_type_id(coastlines) != 3]
    return lines


def _segments(lines: Objects) -> tuple[Float64, Float64]:
    """Starts and steps of all segments that have a length."""
    points, owner = shapely.get_coordinates(lines, return_index=True)
    same = owner[1:] == owner[:-1]
    steps = np.diff(points, axis=0)
    same &= (steps != 0).any(1)
    return points[:-1][same], steps[same]
