"""Roads in files, as graphs in metres that can be scored: lines of vectors, or the roads of a map."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import rasterio
import shapely
from rasterio.crs import CRS
from rasterio.errors import RasterioError

from sat2map.arrays import Array
from sat2map.errors import DataError
from sat2map.evaluate.graph_lines import LineGraph, line_graph
from sat2map.vector.class_file import open_class_raster
from sat2map.vector.mend import LINE, reproject
from sat2map.vector.read import read_layer
from sat2map.vector.road_layers import road_rows
from sat2map.vector.roads import RoadSettings, trace_roads
from sat2map.vector.roads_trace import Tracing

ROADS = "roads"
LINES = 5
FAR_M = 1000.0
"""Between all roads of both files: one would hardly look there for the other's."""

log = logging.getLogger(__name__)


class RoadLinesInFile(NamedTuple):
    """Lines in the CRS of their file."""

    lines: Array
    """shapely's LineStrings, shape (n,)."""
    crs: Any


class RoadPair(NamedTuple):
    """Two graphs in one plane."""

    true: LineGraph
    predicted: LineGraph
    crs: CRS
    """Of the plane, in metres: azimuthal and equidistant around the middle of the true roads."""


def read_road_pair(true: Path, predicted: Path) -> RoadPair:
    """Read two files of roads into one plane in metres.

    Args:
        true: vectors, or a raster of classes; of vectors the layer `roads` counts, else the first one.
        predicted: the same.

    Raises:
        DataError: a file cannot be read, has no line, or its lines have no place beside the other's.
        SceneError: a raster holds no classes or has no place.
    """
    both = read_road_lines(true), read_road_lines(predicted)
    geographic, _ = reproject(both[0].lines, both[0].crs, CRS.from_epsg(4326))
    if not len(geographic):
        raise DataError("true roads have no place on Earth", true, hint="is their CRS right?")
    west, south, east, north = shapely.total_bounds(geographic)
    plane = CRS.from_proj4(f"+proj=aeqd +lat_0={(south + north) / 2} +lon_0={(west + east) / 2} +datum=WGS84 +units=m")
    lines = [reproject(found.lines, found.crs, plane)[0] for found in both]
    if not len(lines[1]):
        raise DataError("roads have no place beside the true ones", predicted, hint="is their CRS right?")
    apart_m = shapely.distance(*(shapely.box(*shapely.total_bounds(some)) for some in lines))
    if apart_m > FAR_M:
        log.warning("roads of %s lie %.0f km beside the true ones: is a CRS wrong?", predicted, apart_m / 1000)
    return RoadPair(line_graph(lines[0]), line_graph(lines[1]), plane)


def read_road_lines(path: Path) -> RoadLinesInFile:
    """Read the roads of a file of vectors, or trace those of a raster of classes as `vectorize` does."""
    where = "file"
    if _is_raster(path):
        with open_class_raster(path) as raster:
            settings = RoadSettings(tracing=Tracing(road_classes=road_rows(raster.table)))
            lines = trace_roads(raster, settings).lines() if settings.tracing.road_classes else np.zeros(0, object)
            found = RoadLinesInFile(lines, raster.grid.crs)
    else:
        layer, parts = read_layer(path, ROADS)
        where = f"layer {layer.name}"
        lines = np.concatenate([_lines(part.geometry) for part in parts]) if parts else np.zeros(0, object)
        found = RoadLinesInFile(lines, layer.crs)
    if not len(found.lines):
        raise DataError(
            f"{where} holds no line of a road", path,
            hint="give vectors whose layer roads, or whose first layer, has lines, or a map with roads",
        )  # fmt: skip
    return found


def _is_raster(path: Path) -> bool:
    try:
        with rasterio.open(path):
            return True
    except RasterioError:
        return False


def _lines(shapes: Array) -> Array:
    lines = shapely.get_parts(shapes[np.isin(shapely.get_type_id(shapes), (LINE, LINES))])
    full: Array = lines[~shapely.is_empty(lines)]
    return full
