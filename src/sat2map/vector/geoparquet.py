"""GeoParquet 1.1, written batch by batch, with a column of bounding boxes by which readers skip what they do not need.

Source: GeoParquet 1.1.0, geoparquet.org.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from sat2map.vector.layer import FeatureLayer

SIDES = ("xmin", "ymin", "xmax", "ymax")


def write_geoparquet(path: Path, layer: FeatureLayer) -> None:
    """Write a layer."""
    import pyarrow
    import pyarrow.parquet

    from sat2map.vector.write import layer_schema, record_batch

    schema = layer_schema(layer)
    box = pyarrow.struct([(side, pyarrow.float64()) for side in SIDES])
    bounds = np.full((0, 4), np.nan)
    with pyarrow.parquet.ParquetWriter(path, schema.append(pyarrow.field("bbox", box)), compression="zstd") as writer:
        for batch in layer.batches:
            boxes = shapely.bounds(batch.geometry)
            columns = pyarrow.StructArray.from_arrays([pyarrow.array(side) for side in boxes.T], SIDES)
            record = record_batch(batch, schema).append_column("bbox", columns)
            writer.write_batch(record)
            bounds = np.vstack([bounds, boxes])
            bounds = np.hstack([bounds[:, :2].min(0), bounds[:, 2:].max(0)])[None]
        writer.add_key_value_metadata({"geo": json.dumps(_metadata(layer, bounds))})


def _metadata(layer: FeatureLayer, bounds: Any) -> dict[str, Any]:
    column = {
        "encoding": "WKB",
        "geometry_types": [layer.geometry_type],
        "crs": layer.crs.to_dict(projjson=True),
        "orientation": "counterclockwise",
        "covering": {"bbox": {side: ["bbox", side] for side in SIDES}},
    }
    if len(bounds):
        column["bbox"] = bounds[0].tolist()
    return {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column}}
