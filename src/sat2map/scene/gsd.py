"""Metres on the ground per pixel of a scene, as its georeference tells them."""

from __future__ import annotations

import math
from typing import Any

from rasterio.warp import transform as transform_points

from sat2map.scene.gdal import is_transform_error
from sat2map.scene.georeference import Grid, at

A_M, E2 = 6378137.0, 0.00669437999014
"""Equatorial radius and squared eccentricity of WGS 84."""
LARGEST_PIXEL_DEGREES = 1e-3
"""Of a scene without a CRS: pixels of more units are counted in metres."""


def ground_gsd(grid: Grid) -> tuple[float, float] | None:
    """Metres on the ground per pixel along a row and along a column, at the scene's centre.

    Measured on the ellipsoid between neighbouring pixels, so that degrees, feet, rotation and the scale error of Web
    Mercator are all right; in a CRS that is not of this Earth, by its unit.

    Returns:
        None where the georeference or its unit is unknown.
    """
    if grid.transform is None or grid.crs is None:
        return None
    t = grid.transform
    x, y = at(t, grid.width / 2, grid.height / 2)
    try:
        points = [(x, y), (x + t.a, y + t.d), (x + t.b, y + t.e)]
        lons, lats = transform_points(grid.crs, "EPSG:4326", *zip(*points, strict=True))
        sides = [_metres(lons[0], lats[0], lons[i], lats[i]) for i in (1, 2)]
    except Exception as error:
        # Mars to degrees on Earth, for one.
        if not is_transform_error(error):
            raise
        sides = []
    if not sides or not all(math.isfinite(side) and side > 0 for side in sides):
        factor = _metres_per_unit(grid.crs)
        sides = [factor * math.hypot(t.a, t.d), factor * math.hypot(t.b, t.e)]
    return (sides[0], sides[1]) if all(side > 0 for side in sides) else None


def _metres(lon_0: float, lat_0: float, lon_1: float, lat_1: float) -> float:
    """Length of a short way, by the ellipsoid's radii of curvature at its middle."""
    lat = math.radians((lat_0 + lat_1) / 2)
    w2 = 1 - E2 * math.sin(lat) ** 2
    east = math.radians((lon_1 - lon_0 + 180) % 360 - 180) * math.cos(lat) * A_M / math.sqrt(w2)
    north = math.radians(lat_1 - lat_0) * A_M * (1 - E2) / w2**1.5
    return math.hypot(east, north)


def _metres_per_unit(crs: Any) -> float:
    """0 where the unit is unknown."""
    try:
        name, factor = crs.units_factor
        # Also of a local grid, which is neither; an unknown unit has the factor 1.
        return 0.0 if crs.is_geographic or name.lower() in ("unknown", "") else float(factor)
    except Exception:  # rasterio raises errors of several families for units that PROJ does not know
        return 0.0


def assumed_gsd(grid: Grid) -> tuple[tuple[float, float], str] | None:
    """Metres per pixel of a scene with a transform and no CRS, and what its units are taken for.

    Numbers that fit degrees, of pixels that would be less than a millimetre otherwise, are degrees; all others metres.

    Returns:
        None where the scene has a CRS, or no transform.
    """
    if grid.transform is None or grid.crs is not None:
        return None
    t = grid.transform
    sides = math.hypot(t.a, t.d), math.hypot(t.b, t.e)
    corners = [at(t, x, y) for x in (0, grid.width) for y in (0, grid.height)]
    if max(sides) < LARGEST_PIXEL_DEGREES and all(abs(x) <= 360 and abs(y) <= 90 for x, y in corners):
        in_degrees = ground_gsd(Grid(grid.height, grid.width, "EPSG:4326", t))
        return None if in_degrees is None else (in_degrees, "degrees")
    return (sides, "metres") if all(side > 0 for side in sides) else None
