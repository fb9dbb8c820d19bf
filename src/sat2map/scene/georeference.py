"""Where a scene lies: its grid, and the part of it that a bounding box means; reads no pixels."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

from rasterio import Affine
from rasterio.warp import transform as transform_points

from sat2map.errors import SceneError
from sat2map.scene.gdal import crs_errors, is_transform_error, known_crs
from sat2map.tiling import Window

Box = tuple[float, float, float, float]
"""West, south, east, north (least x, least y, greatest x, greatest y)."""
MERCATOR_LATITUDE = 85.06
N_POINTS = 21
"""Points on each side of a box: straight in one CRS is bent in another."""


@dataclass(frozen=True)
class Grid:
    """Size and georeference of a scene; `crs` and `transform` (pixel to CRS) are None where it has none."""

    height: int
    width: int
    crs: Any = None
    transform: Any = None

    def part(self, window: Window) -> Grid:
        """The grid of a window of the scene."""
        if self.transform is None:
            return Grid(window.height, window.width, self.crs)
        old, (x, y) = self.transform, at(self.transform, window.col, window.row)
        return Grid(window.height, window.width, self.crs, Affine(old.a, old.b, x, old.d, old.e, y))


def at(transform: Any, x: float, y: float) -> tuple[float, float]:
    """Where a transform puts a point; affine 2 and 3 write that in ways of their own."""
    return transform.a * x + transform.b * y + transform.c, transform.d * x + transform.e * y + transform.f


def raster_grid(dataset: Any, asked_crs: str | None, name: object, remarks: list[str]) -> Grid:
    """The grid of a whole raster.

    Args:
        dataset: a rasterio dataset, open for reading.
        asked_crs: the CRS that the user says it is in; None: its own.
        name: of the raster, for errors.
        remarks: gets what is odd and should be told.

    Raises:
        SceneError: the CRS asked for is unknown, the raster's cannot be expressed, or it has no transform.
    """
    with crs_errors(name):
        transform, crs = dataset.transform, dataset.crs if asked_crs is None else known_crs(asked_crs, "crs")
        if transform.is_identity or not _is_invertible(transform):
            if asked_crs is not None:
                raise SceneError("scene has no transform, so `crs` says nothing of it", name, hint="leave `crs` out")
            remarks += [f"has {what}, so its map has no georeference" for what in _without_transform(dataset)]
            return Grid(dataset.height, dataset.width)
    if crs is None:
        remarks.append("has a transform but no CRS, and so will its map")
    return Grid(dataset.height, dataset.width, crs, transform)


def _without_transform(dataset: Any) -> list[str]:
    """What a raster without a georeference says of where it lies, in words."""
    if not dataset.transform.is_identity:
        return ["a transform that leads nowhere (its numbers are 0, or none)"]
    told = {"ground control points": dataset.gcps[0], "RPCs": dataset.rpcs}
    # With points alone there may be a CRS, and still no transform.
    return [f"{kind} and no transform" for kind, is_there in told.items() if is_there] or (
        ["a CRS and no transform"] if dataset.crs else []
    )


def _is_invertible(transform: Any) -> bool:
    numbers = (transform.a, transform.b, transform.c, transform.d, transform.e, transform.f)
    return all(map(math.isfinite, numbers)) and transform.a * transform.e - transform.b * transform.d != 0


def ends_where_web_tiles_end(grid: Grid) -> str | None:
    """Why a scene cannot be laid on one sheet of Web Mercator, in words; None where it can."""
    corner = (1e-6, 1 - 1e-6)
    steps = [corner[0] + (corner[1] - corner[0]) * i / (N_POINTS - 1) for i in range(N_POINTS)]
    # Around the scene, a little within it: its edge may lie on the meridian itself.
    around = [(s, corner[0]) for s in steps] + [(corner[1], s) for s in steps]
    around += [(s, corner[1]) for s in reversed(steps)] + [(corner[0], s) for s in reversed(steps)]
    points = [at(grid.transform, x * grid.width, y * grid.height) for x, y in around]
    try:
        lons, lats = transform_points(grid.crs, "EPSG:4326", *zip(*points, strict=True))
    except Exception as error:
        if not is_transform_error(error):
            raise
        return "scene's CRS does not lead to degrees on the Earth"
    if not all(math.isfinite(number) for number in (*lons, *lats)):
        return "scene's CRS does not lead to degrees on the Earth"
    if min(lats) > MERCATOR_LATITUDE or max(lats) < -MERCATOR_LATITUDE:
        return "scene lies at a pole"
    turns = {math.floor((lon + 180) / 360) for lon in lons}
    jumps = (abs(after - before) > 180 for before, after in itertools.pairwise(lons))
    return "scene lies across the 180th meridian or around a pole" if len(turns) > 1 or any(jumps) else None


def box_window(grid: Grid, box: Box, box_crs: str | None, name: object) -> Window:
    """The smallest window of whole pixels that holds all of a box that the scene has.

    Args:
        grid: of the scene.
        box: west, south, east, north.
        box_crs: of the box; None: the scene's.
        name: of the scene, for errors.

    Raises:
        SceneError: the box is empty or beside the scene, a CRS is unknown, or the scene has no transform.
    """
    if grid.transform is None:
        raise SceneError("scene has no georeference, so `bbox` tells no part of it", name, hint="leave `bbox` out")
    west, south, east, north = box
    if not (west < east and south < north):
        raise SceneError("`bbox` is empty", ",".join(map(str, box)), hint="`bbox` WEST,SOUTH,EAST,NORTH")
    steps = [i / (N_POINTS - 1) for i in range(N_POINTS)]
    xs = [west + (east - west) * i for i in steps] * 2 + [west] * N_POINTS + [east] * N_POINTS
    ys = [south] * N_POINTS + [north] * N_POINTS + [south + (north - south) * i for i in steps] * 2
    if box_crs is not None:
        xs, ys = _transformed(box_crs, grid, xs, ys, name)
    to_pixel = ~grid.transform
    xs = _on_its_turn(grid, xs)
    points = [at(to_pixel, x, y) for x, y in zip(xs, ys, strict=True) if math.isfinite(x) and math.isfinite(y)]
    # A box drawn along the edges of pixels means those pixels: rounding must not add a neighbour.
    cols, rows = ([round(point[axis], 6) for point in points] for axis in (0, 1))
    if not points:
        raise SceneError("`bbox` cannot be told in the scene's CRS", name, hint="is `bbox_crs` right?")
    first = Window(math.floor(min(rows)), math.floor(min(cols)), 0, 0)
    full = Window(first.row, first.col, math.ceil(max(rows)) - first.row, math.ceil(max(cols)) - first.col)
    window = full.clipped(grid.height, grid.width)
    if not window.height or not window.width:
        raise SceneError(
            "`bbox` lies beside the scene", name, hint="rio bounds tells where it is; degrees need `bbox_crs` EPSG:4326"
        )
    return window


def _on_its_turn(grid: Grid, xs: list[float]) -> list[float]:
    """Longitudes counted as the scene counts its own, which may go on beyond 180 degrees."""
    finite = [x for x in xs if math.isfinite(x)]
    if not finite or grid.crs is None or not grid.crs.is_geographic:
        return xs
    own = [at(grid.transform, x, y)[0] for x in (0, grid.width) for y in (0, grid.height)]
    if min(own) < max(finite) and min(finite) < max(own):
        return xs
    turns = 360 * round((sum(own) / 4 - (min(finite) + max(finite)) / 2) / 360)
    return [x + turns for x in xs]


def _transformed(
    box_crs: str, grid: Grid, xs: list[float], ys: list[float], name: object
) -> tuple[list[float], list[float]]:
    if grid.crs is None:
        raise SceneError("scene has no CRS, so `bbox_crs` says nothing", name, hint="`bbox` in the scene's own numbers")
    known = known_crs(box_crs, "bbox_crs")
    try:
        x, y = transform_points(known, grid.crs, xs, ys)
    except Exception as error:
        if not is_transform_error(error):
            raise
        raise SceneError("`bbox` cannot be brought into the scene's CRS", name, hint="give it there") from error
    return x, y
