"""Where a scene lies on the Earth: its georeference, its bounds in degrees, and the pixels of an area."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import rasterio
from rasterio import Affine
from rasterio.crs import CRS
from rasterio.warp import transform as transform_points
from rasterio.warp import transform_bounds

from sat2map.errors import SceneError
from sat2map.scene.georeference import Box, Grid, at, ends_where_web_tiles_end
from sat2map.tiling import Window

WEB_MERCATOR, DEGREES = CRS.from_epsg(3857), CRS.from_epsg(4326)
LARGEST_DEGREES, LARGEST_METRES = 360, 1e8
N_POINTS = 21
"""Points that are transformed along each side of a box: a side that is straight in one CRS is curved in another."""


def georeferenced(grid: Grid) -> Grid:
    """Return a grid that has a georeference, made up where the scene has none.

    A scene without a georeference is put at the equator with one metre per pixel, so that the page can show it like any
    other scene. A grid that has a georeference is returned itself.
    """
    if grid.crs is not None and grid.transform is not None:
        return _within_180_degrees(grid)
    top_left = Affine(1, 0, -grid.width / 2, 0, -1, grid.height / 2)
    return Grid(grid.height, grid.width, WEB_MERCATOR, top_left)


def _within_180_degrees(grid: Grid) -> Grid:
    """A grid whose longitudes are counted from Greenwich to the east and west, where they go on beyond 180 degrees."""
    if not grid.crs.is_geographic:
        return grid
    west, _, east, _ = rasterio.transform.array_bounds(grid.height, grid.width, grid.transform)
    turns = 360 * math.floor(((west + east) / 2 + 180) / 360)
    if not turns:
        return grid
    t = grid.transform
    return Grid(grid.height, grid.width, grid.crs, Affine(t.a, t.b, t.c - turns, t.d, t.e, t.f))


def bounds_in_degrees(grid: Grid, path: str | Path) -> Box:
    """Compute the bounds of a scene in degrees: west, south, east, north.

    Args:
        grid: grid of the scene, with a georeference.
        path: file of the scene, for errors.

    Raises:
        SceneError: the bounds cannot be transformed to degrees, or Web Mercator does not cover them.
    """
    problem = SceneError("scene cannot be shown on a map of the Earth", path, hint="are its CRS and transform right?")
    bounds = rasterio.transform.array_bounds(grid.height, grid.width, grid.transform)
    if grid.transform.is_degenerate or not can_transform(bounds, grid.crs):
        raise problem
    try:
        west, south, east, north = transform_bounds(grid.crs, DEGREES, *bounds, densify_pts=N_POINTS)
    except Exception as error:  # GDAL raises errors of several classes here
        raise problem from error
    if not np.isfinite((west, south, east, north)).all():
        raise problem
    if west > east or ends_where_web_tiles_end(grid) is not None:
        raise SceneError(
            "scene lies across the 180th meridian or at a pole, where the live map ends", path,
            hint="sat2map translate draws it",
        )  # fmt: skip
    return west, south, east, north


def outline_in_degrees(grid: Grid) -> list[tuple[float, float]]:
    """Compute the outline of a scene: longitude and latitude of points along its edge, the first one not repeated.

    Args:
        grid: grid of the scene, with a georeference and bounds in degrees.
    """
    steps = [i / (N_POINTS - 1) for i in range(N_POINTS - 1)]
    around = [(s, 0.0) for s in steps] + [(1.0, s) for s in steps] + [(1 - s, 1.0) for s in steps]
    around += [(0.0, 1 - s) for s in steps]
    points = [at(grid.transform, x * grid.width, y * grid.height) for x, y in around]
    lons, lats = transform_points(grid.crs, DEGREES, *zip(*points, strict=True))
    return list(zip(lons, lats, strict=True))


def pixel_at(grid: Grid, lon: float, lat: float) -> tuple[int, int] | None:
    """Find the pixel of a scene that holds a point.

    Args:
        grid: grid of the scene, with a georeference.
        lon: longitude in degrees.
        lat: latitude in degrees.

    Returns:
        Row and column; None where the point lies outside the scene.
    """
    if not can_transform((lon, lat), DEGREES) or not all(map(math.isfinite, (lon, lat))):
        return None
    try:
        (x,), (y,) = transform_points(DEGREES, grid.crs, [lon], [lat])
    except Exception:  # GDAL raises errors of several classes for points that a CRS does not reach
        return None
    if not (math.isfinite(x) and math.isfinite(y)):
        return None
    col, row = (math.floor(number) for number in at(~grid.transform, x, y))
    return (row, col) if 0 <= row < grid.height and 0 <= col < grid.width else None


def can_transform(bounds: Sequence[float], crs: CRS) -> bool:
    """Check that all numbers of some bounds are of a size that occurs in their CRS.

    PROJ takes minutes for numbers far beyond that, and lets no other thread run meanwhile.
    """
    largest = LARGEST_DEGREES if crs.is_geographic else LARGEST_METRES
    return all(abs(number) <= largest for number in bounds)


def window_of_area(grid: Grid, bounds: Sequence[float], crs: CRS, n_px: int) -> Window:
    """Find the window of a scene that is read for an image of an area, resampling and overviews included.

    Args:
        grid: grid of the scene, with a georeference.
        bounds: bounds of the area: west, south, east, north.
        crs: CRS of the bounds.
        n_px: shorter side of the image, in pixels.
    """
    west, south, east, north = transform_bounds(crs, grid.crs, *bounds, densify_pts=N_POINTS)
    corners = [at(~grid.transform, x, y) for x in (west, east) for y in (south, north)]
    cols, rows = [x for x, _ in corners], [y for _, y in corners]
    # Overviews and their resampling read a few pixels of the image more on each side.
    margin = 8 + 8 * max(max(cols) - min(cols), max(rows) - min(rows), n_px) / n_px
    top, left = int(max(min(rows) - margin, 0)), int(max(min(cols) - margin, 0))
    bottom, right = int(min(max(rows) + margin, grid.height)), int(min(max(cols) + margin, grid.width))
    return Window(top, left, max(bottom - top, 0), max(right - left, 0))
