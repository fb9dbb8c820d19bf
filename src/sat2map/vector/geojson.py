"""GeoJSON text sequences (RFC 8142 without record separators): one feature a line, longitude and latitude on WGS 84.

Source: RFC 7946, with shells against the clock and 7 decimals, about a centimetre.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from rasterio.warp import transform as transform_points

from sat2map.arrays import Array
from sat2map.errors import SceneError
from sat2map.scene.gdal import is_transform_error
from sat2map.vector.layer import FeatureBatch, FeatureLayer

DECIMALS = 7


def write_geojson(path: Path, layer: FeatureLayer) -> None:
    """Write a layer, a feature a line; the same features give the same bytes."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for batch in layer.batches:
            geometry = shapely.to_geojson(to_degrees(batch.geometry, layer.crs))
            for shape, properties in zip(geometry, _properties(batch, layer), strict=True):
                file.write(f'{{"type":"Feature","geometry":{shape},"properties":{properties}}}\n')


def to_degrees(geometry: Array, crs: Any) -> Array:
    """Geometries in longitude and latitude on WGS 84, rounded.

    Raises:
        SceneError: the CRS is not of this Earth, or of a building site.
    """

    def rounded(coordinates: Array) -> Array:
        try:
            degrees = transform_points(crs, "EPSG:4326", coordinates[:, 0], coordinates[:, 1])
        except Exception as error:
            if not is_transform_error(error):
                raise
            words = "CRS does not lead to degrees on the Earth, in which GeoJSON is"
            raise SceneError(words, crs.to_string(), hint="write .gpkg, .fgb or .parquet") from error
        # Adding zero makes of a negative zero a plain one.
        return np.round(np.column_stack(degrees), DECIMALS) + 0.0

    made: Array = shapely.transform(geometry, rounded)
    return made


def _properties(batch: FeatureBatch, layer: FeatureLayer) -> Iterator[str]:
    columns = [np.asarray(batch.columns[name]).tolist() for name in layer.fields]
    for values in zip(*columns, strict=True):
        # NaN is no JSON.
        known = (None if value != value else value for value in values)
        yield json.dumps(dict(zip(layer.fields, known, strict=True)), separators=(",", ":"), ensure_ascii=False)
