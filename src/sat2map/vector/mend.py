"""Geometries as they are found in files, made fit to be drawn: repaired, taken apart, cut to what is near."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import shapely
from rasterio.warp import transform as transform_points

from sat2map.arrays import Float64
from sat2map.scene.gdal import is_transform_error
from sat2map.scene.georeference import Box
from sat2map.vector.read import Objects

POINT, LINE, RING, POLYGON = range(4)
AREAL, LINEAR = (POLYGON,), (LINE, RING)
Indices = npt.NDArray[np.int64]


class Mended(NamedTuple):
    """Lines and polygons, each of one part."""

    shapes: Objects
    feature: Indices
    """Which feature each is a part of."""
    n_repaired: int


def mend(shapes: Objects, box: Box) -> Mended:
    """Take features apart into valid lines and polygons near a box; what lies far beyond it is cut off.

    Args:
        shapes: of shapely, or None; shape (n,).
        box: all that is beyond it may be lost.
    """
    usable = ~shapely.is_missing(shapes) & ~shapely.is_empty(shapes)
    usable[usable] = np.isfinite(shapely.bounds(shapes[usable])).all(1)
    index = np.flatnonzero(usable)
    kept = shapes[usable]
    broken = ~shapely.is_valid(kept)
    kept[broken] = shapely.make_valid(kept[broken], method="structure", keep_collapsed=False)
    n_repaired = int((broken & ~shapely.is_empty(kept)).sum())
    outside = ~shapely.contains_properly(shapely.box(*box), kept)
    kept[outside] = _clipped(kept[outside], box)
    kept, index = _parts(kept, index)
    kind = shapely.get_type_id(kept)
    drawable = np.isin(kind, (*AREAL, *LINEAR)) & ~shapely.is_empty(kept)
    return Mended(kept[drawable], index[drawable], n_repaired)


def _clipped(shapes: Objects, box: Box) -> Objects:
    clipped: Objects = shapely.clip_by_rect(shapes, *box)
    broken = ~shapely.is_valid(clipped)
    clipped[broken] = shapely.make_valid(clipped[broken], method="structure", keep_collapsed=False)
    return clipped


def _parts(shapes: Objects, index: Indices) -> tuple[Objects, Indices]:
    """Parts of all multiple geometries and collections, and of those within them."""
    while (shapely.get_type_id(shapes) > POLYGON).any():
        shapes, where = shapely.get_parts(shapes, return_index=True)
        index = index[where]
    return shapes, index


def reproject(shapes: Objects, crs: Any, to_crs: Any) -> tuple[Objects, npt.NDArray[np.bool_]]:
    """Bring shapes into another CRS.

    Returns:
        The shapes, and which of them have a place there.
    """
    coordinates = shapely.get_coordinates(shapes)
    if crs != to_crs and len(coordinates):
        coordinates = _transformed(coordinates, crs, to_crs)
    good = np.ones(len(shapes), bool)
    wrong = ~np.isfinite(coordinates).all(1)
    if wrong.any():
        owner = np.repeat(np.arange(len(shapes)), shapely.get_num_coordinates(shapes))
        good[owner[wrong]] = False
        coordinates[wrong] = 0
    moved: Objects = shapely.set_coordinates(shapes.copy(), coordinates)
    return moved[good], good


def _transformed(points: Float64, crs: Any, to_crs: Any) -> Float64:
    try:
        return np.stack(transform_points(crs, to_crs, *points.T), -1)
    except Exception as error:
        if not is_transform_error(error):
            raise
        if len(points) == 1:
            return np.full((1, 2), np.nan)
        middle = len(points) // 2
        return np.concatenate([_transformed(part, crs, to_crs) for part in (points[:middle], points[middle:])])
