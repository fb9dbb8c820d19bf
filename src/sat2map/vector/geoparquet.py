"""GeoParquet 1.1, written batch by batch, with a column of bounding boxes by which readers skip what they do not need.

Source: GeoParquet 1.1.0, geoparquet.org.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import shapely

from sat2map.vector.layer import FeatureLayer

SIDES = ("xmin", "ymin", "xmax", "ymax")


def write_geoparquet(path: Path, layer: FeatureLayer) -> None:
    """Write a layer."""
    import pyarrow
    import pyarrow.parquet

    from sat2map.vector.write import layer_schema, record_batch

    schema = layer_schema(layer)
    box = pyarrow.field("bbox", pyarrow.struct([(side, pyarrow.float64()) for side in SIDES]))
    geo = {"geo": json.dumps(_metadata(layer))}
    with pyarrow.parquet.ParquetWriter(path, schema.append(box).with_metadata(geo), compression="zstd") as writer:
        for batch in layer.batches:
            sides = [pyarrow.array(side) for side in shapely.bounds(batch.geometry).T]
            boxes = pyarrow.StructArray.from_arrays(sides, SIDES)
            writer.write_batch(record_batch(batch, schema).append_column("bbox", boxes).replace_schema_metadata(geo))


def _metadata(layer: FeatureLayer) -> dict[str, Any]:
    column = {
        "encoding": "WKB",
        "geometry_types": [layer.geometry_type],
        "crs": layer.crs.to_dict(projjson=True),
        "orientation": "counterclockwise",
        "covering": {"bbox": {side: ["bbox", side] for side in SIDES}},
    }
    return {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column}}
