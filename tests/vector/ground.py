"""Vectors and grids that tests draw."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyogrio
import shapely
from rasterio import Affine
from rasterio.crs import CRS

from sat2map.scene.georeference import Grid

WEST_M, NORTH_M = 585_000.0, 4_512_000.0
CRS_M = CRS.from_epsg(32618)


def metric_grid(height: int = 200, width: int = 200, gsd_m: float = 1.0) -> Grid:
    return Grid(height, width, CRS_M, Affine(gsd_m, 0, WEST_M, 0, -gsd_m, NORTH_M))


def at_m(*points: tuple[float, float]) -> list[tuple[float, float]]:
    """Metres to the right of and below the upper left corner of the grid, in its CRS."""
    return [(WEST_M + x, NORTH_M - y) for x, y in points]


def line(*points: tuple[float, float]) -> shapely.LineString:
    return shapely.LineString(at_m(*points))


def square(x0: float, y0: float, x1: float, y1: float) -> shapely.Polygon:
    return shapely.Polygon(at_m((x0, y0), (x1, y0), (x1, y1), (x0, y1)))


def write_geojson(path: Path, features: Sequence[tuple[Any, Mapping[str, Any]]], crs: CRS = CRS_M) -> Path:
    """Write shapes with tags, which need not be the same ones."""
    records = [
        {
            "type": "Feature",
            "geometry": None if shape is None else json.loads(shapely.to_geojson(shape)),
            "properties": dict(tags),
        }
        for shape, tags in features
    ]
    name = {"type": "name", "properties": {"name": f"urn:ogc:def:crs:EPSG::{crs.to_epsg()}"}}
    path.write_text(json.dumps({"type": "FeatureCollection", "crs": name, "features": records}), "utf-8")
    return path


def write_layer(path: Path, shapes: Sequence[Any], tags: Mapping[str, Sequence[Any]], **options: Any) -> Path:
    """Write a layer by GDAL's driver of the path's ending."""
    import numpy as np

    wkb = shapely.to_wkb(np.array(shapes, object))
    columns = [np.array(values, object) for values in tags.values()]
    kind = options.pop("geometry_type", "Unknown")
    crs = options.pop("crs", CRS_M.to_wkt())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # without a CRS
        pyogrio.raw.write(path, wkb, columns, list(tags), geometry_type=kind, crs=crs, **options)
    return path
