"""Areas: polygons of one class each that share their borders, from a raster of classes of any size.

The same for any windows: rows of runs do not know in which windows they were read, and arcs are traced from node to
node across the whole raster before they are simplified, once for the areas on both sides.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import shapely
from rasterio.warp import transform as transform_points

from sat2map.arrays import Array, Float64, Int64
from sat2map.classes import MapClass
from sat2map.errors import SceneError
from sat2map.scene.gdal import is_transform_error
from sat2map.scene.georeference import Grid
from sat2map.scene.gsd import A_M, E2, ground_gsd
from sat2map.vector.arcs import Arcs, trace
from sat2map.vector.area_table import LARGEST_CORNERS, AreaTable, make_area_table
from sat2map.vector.class_raster import ClassRaster
from sat2map.vector.conflicts import resolve
from sat2map.vector.labels import LabelledRuns
from sat2map.vector.layer import FeatureBatch, FeatureLayer
from sat2map.vector.network import ArcNetwork
from sat2map.vector.ragged import batches
from sat2map.vector.rings import PolygonPoints, Rings, link_rings, polygons, ring_areas
from sat2map.vector.runs import read_runs
from sat2map.vector.smooth import UNITS

SMALL_PX, SMALLEST_PX = 1024, 64
"""Smaller areas are simplified half as far, and still smaller ones keep their pixels: a line that is moved by part of a
pixel changes a large part of them."""
EXACT_LEVEL = 8
DEFAULT_TOLERANCE_PX = 0.85
"""With 1, roads of real scenes agree with their pixels to an IoU of .962 to .970, with this of .970 to .978; with .8,
steps of one pixel remain in long curves."""
BATCH_POINTS = 200_000
FIELDS = {"area_id": "int64", "class": "string", "area_m2": "double", "confidence": "double"}


@dataclass(frozen=True)
class AreaSettings:
    """How areas are made.

    Attributes:
        simplify_m: how far a line may be from the border of pixels, in metres; 0: exactly the border; None:
            .85 of a pixel.
        min_area_m2: smaller areas are dissolved into the neighbour with the longest common border.
        window_px: side of the windows that are read; it changes nothing but the memory needed.
        n_threads: windows that are read at once.
        largest_corners: areas whose border has more corners are cut on a lattice of 4,096 px.
    """

    simplify_m: float | None = None
    min_area_m2: float = 0.0
    window_px: int = 1024
    n_threads: int = 2
    largest_corners: int = LARGEST_CORNERS


DEFAULT_AREA_SETTINGS = AreaSettings()


class _Traced(NamedTuple):
    table: AreaTable
    network: ArcNetwork
    rings: Rings
    has_confidence: bool


def trace_areas(
    raster: ClassRaster, classes: Sequence[MapClass], folder: Path, settings: AreaSettings = DEFAULT_AREA_SETTINGS
) -> FeatureLayer:
    """Make the areas of a raster.

    Args:
        raster: of classes.
        classes: the class table.
        folder: where intermediate results find space.
        settings: how.

    Returns:
        Polygons in the order of their first pixels, row by row, valid and with common vertices at common borders.
        `area_id` is common to the parts of an area that was cut; `area_m2` is the polygon's on the ellipsoid WGS 84;
        `confidence` is the mean over the area's pixels of its class, 0 to 1, NaN where it is unknown.

    Raises:
        SceneError: the raster has no place on Earth, or no data.
        OutputError: there is no space for intermediate results.
    """
    gsd_m = ground_gsd(raster.grid)
    if gsd_m is None:
        raise SceneError("raster has no CRS, so its areas have no place", hint="give it one with rio edit-info")
    traced = _trace(raster, gsd_m, folder, settings)
    if len(traced.table) < 2:
        raise SceneError("raster holds no data, so there are no areas", hint="is its nodata value right?")
    colours = {c.name: c.colours_rgb[0] for c in classes}
    return FeatureLayer("areas", "Polygon", FIELDS, raster.grid.crs, _features(traced, raster.grid, classes), colours)


def _trace(raster: ClassRaster, gsd_m: tuple[float, float], folder: Path, settings: AreaSettings) -> _Traced:
    tolerance_m = settings.simplify_m
    if tolerance_m is None:
        tolerance_m = DEFAULT_TOLERANCE_PX * math.sqrt(gsd_m[0] * gsd_m[1])
    least_px = math.ceil(settings.min_area_m2 / (gsd_m[0] * gsd_m[1]))
    with ExitStack() as stack:
        runs = stack.enter_context(closing(read_runs(raster, settings.window_px, settings.n_threads, folder)))
        labelled = stack.enter_context(closing(LabelledRuns(runs, folder, with_neighbours=least_px > 1)))
        table = make_area_table(labelled, least_px, settings.largest_corners)
        arcs = trace(labelled, table.of_fragment, folder)
        stack.enter_context(closing(arcs.corners))
        network = ArcNetwork(arcs, gsd_m, tolerance_m, _start(arcs, table))
        rings = link_rings(network, len(table))
        if tolerance_m > 0:
            resolve(network, rings)
        return _Traced(table, network, rings, runs.has_confidence)


def _start(arcs: Arcs, table: AreaTable) -> Int64:
    """How often the tolerance of each arc is halved from the start: so often that small areas keep their shape."""
    n_px = np.where(np.arange(len(table)) > 0, table.n_px, SMALL_PX)
    smaller = np.minimum(n_px[arcs.left], n_px[arcs.right])
    return np.select([smaller < SMALLEST_PX, smaller < SMALL_PX], [EXACT_LEVEL, 1], 0)


def _features(traced: _Traced, grid: Grid, classes: Sequence[MapClass]) -> Iterator[FeatureBatch]:
    table, names = traced.table, np.array([c.name for c in classes], object)
    for some in batches(traced.rings.n_points(traced.network)[1:], BATCH_POINTS):
        area = np.arange(some.start, some.stop) + 1
        points = polygons(traced.network, traced.rings, area)
        confidence, n_px = np.full(len(area), np.nan), table.n_px[area]
        if traced.has_confidence:
            # A part of an area may be all of what was dissolved into it.
            np.divide(table.confidence[area], n_px * 255, out=confidence, where=n_px > 0)
        columns = {
            "area_id": table.area_id[area], "class": names[table.value[area]], "area_m2": _area_m2(points, grid),
            "confidence": np.round(confidence, 4),
        }  # fmt: skip
        yield FeatureBatch(_geometry(points, grid), columns)


def _geometry(points: PolygonPoints, grid: Grid) -> Array:
    """Polygons in the raster's CRS, their shells against the clock."""
    x, y = points.x / UNITS, points.y / UNITS
    t = grid.transform
    coordinates = np.column_stack([t.a * x + t.b * y + t.c, t.d * x + t.e * y + t.f])
    if t.a * t.e - t.b * t.d > 0:
        # Rows go north, or columns west: what ran against the clock runs with it.
        place, offset = np.arange(len(x)), points.ring_offset
        which = np.repeat(np.arange(len(offset) - 1), np.diff(offset))
        coordinates = coordinates[offset[which] + offset[which + 1] - 1 - place]
    offsets = (points.ring_offset, points.polygon_offset)
    made: Array = shapely.from_ragged_array(shapely.GeometryType.POLYGON, coordinates, offsets)
    return made


def _area_m2(points: PolygonPoints, grid: Grid) -> Float64:
    """Area of each polygon on the ellipsoid: that in pixels, times the size of a pixel in its middle."""
    first = points.polygon_offset[:-1]
    size_px = np.add.reduceat(ring_areas(points), first) / (2 * UNITS**2)
    begin = points.ring_offset[first]
    x, y = ((np.minimum.reduceat(v, begin) + np.maximum.reduceat(v, begin)) / (2 * UNITS) for v in (points.x, points.y))
    return np.round(size_px * _pixel_m2(x, y, grid), 2)


def _pixel_m2(x: Float64, y: Float64, grid: Grid) -> Float64:
    """Square metres of a pixel around each point, by the radii of curvature of the ellipsoid.

    In a CRS that is not of this Earth, or of a building site, by its unit.
    """
    t, n = grid.transform, len(x)
    # The middles of the pixel's four sides.
    x_all = np.concatenate([x - 0.5, x + 0.5, x, x])
    y_all = np.concatenate([y, y, y - 0.5, y + 0.5])
    xs, ys = t.a * x_all + t.b * y_all + t.c, t.d * x_all + t.e * y_all + t.f
    try:
        lon, lat = transform_points(grid.crs, "EPSG:4326", xs, ys)
    except Exception as error:
        sides = ground_gsd(grid) if is_transform_error(error) else None
        if sides is None:
            raise
        slant = abs(t.a * t.e - t.b * t.d) / (math.hypot(t.a, t.d) * math.hypot(t.b, t.e))
        return np.full(n, sides[0] * sides[1] * slant)
    lon, lat = np.radians(lon).reshape(4, n), np.radians(lat).reshape(4, n)
    w2 = 1 - E2 * np.sin(lat.mean(0)) ** 2
    turn = 2 * np.pi
    east = [((lon[i + 1] - lon[i] + np.pi) % turn - np.pi) * np.cos(lat.mean(0)) * A_M / np.sqrt(w2) for i in (0, 2)]
    north = [(lat[i + 1] - lat[i]) * A_M * (1 - E2) / w2**1.5 for i in (0, 2)]
    size: Float64 = np.abs(east[0] * north[1] - east[1] * north[0])
    return size
