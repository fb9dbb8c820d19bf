"""Vectors in files, batch by batch: what GDAL reads, OpenStreetMap's extracts, and GeoParquet; only what is near."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import shapely
from rasterio.crs import CRS
from rasterio.errors import CRSError

from sat2map.errors import DataError
from sat2map.scene.georeference import Box
from sat2map.vector.layer import is_name_for_pyogrio
from sat2map.vector.tags import parse_other_tags

BATCH_SIZE = 65_536
OTHER_TAGS = "other_tags"
"""GDAL's column of all tags of OpenStreetMap that have no column of their own."""
PARQUET_SUFFIXES = (".parquet", ".geoparquet", ".pq")
OSM_LAYERS = ("lines", "multipolygons")
OSM_SUFFIXES = (".pbf", ".osm")
EVERYWHERE = (-1e12, -1e12, 1e12, 1e12)
"""Bounds that hold all features, in any CRS."""
Objects = npt.NDArray[np.object_]


class VectorLayer(NamedTuple):
    """A layer of a file."""

    path: Path
    name: str
    crs: Any


@dataclass(frozen=True)
class Features:
    """Features of a layer, in its CRS.

    Attributes:
        geometry: shapes of shapely, or None where it cannot be read; shape (n,).
        tags: attributes as text, None where there is none; shape (n,) each.
    """

    layer: VectorLayer
    geometry: Objects
    tags: dict[str, Objects]


def vector_layers(path: Path, wanted: Sequence[str] = ()) -> list[VectorLayer]:
    """The layers of a file that hold geometry.

    Args:
        path: of the file, or of a folder that GDAL reads as one.
        wanted: names of those that are meant, or patterns; none: all.

    Raises:
        DataError: no such file, it cannot be read, a layer is missing, or its CRS is unknown.
    """
    if not path.exists():
        raise DataError("no such file of vectors", path, hint="check the path")
    if path.suffix.lower() in PARQUET_SUFFIXES:
        found = [VectorLayer(path, path.stem, _parquet_crs(path))]
    else:
        found = _gdal_layers(path)
    kept = [layer for layer in found if not wanted or any(fnmatchcase(layer.name, name) for name in wanted)]
    if not kept:
        names = ", ".join(layer.name for layer in found) or "none"
        raise DataError(f"vectors have no layer {', '.join(wanted) or 'with geometry'}", path, hint=f"it has {names}")
    for layer in kept:
        if layer.crs is None:
            raise DataError("vectors have no CRS", path, hint="ogr2ogr writes one, with -a_srs")
    return kept


def read_layer(path: Path, name: str, keys: Sequence[str] = ()) -> tuple[VectorLayer, list[Features]]:
    """All features of the layer of a name, else of the file's first one.

    Args:
        path: of the file.
        name: of the layer.
        keys: attributes that are wanted.

    Raises:
        DataError: what `vector_layers` and `read_features` raise.
    """
    layers = vector_layers(path)
    layer = next((layer for layer in layers if layer.name == name), layers[0])
    return layer, list(read_features(layer, keys, EVERYWHERE))


def _gdal_layers(path: Path) -> list[VectorLayer]:
    import pyogrio

    if path.exists() and not is_name_for_pyogrio(path):
        raise DataError(
            "vectors' name holds what GDAL's vectors cannot have (! or a control character)", path, hint="rename it"
        )
    with _one_line(path):
        is_osm = path.suffix.lower() in OSM_SUFFIXES
        names = [str(name) for name, kind in pyogrio.list_layers(path) if kind is not None]
        if is_osm:
            return [VectorLayer(path, name, CRS.from_epsg(4326)) for name in OSM_LAYERS]
        return [VectorLayer(path, name, _crs(pyogrio.read_info(path, layer=name)["crs"], path)) for name in names]


def _crs(text: str | None, path: Path) -> Any:
    if not text:
        return None
    try:
        return CRS.from_user_input(text)
    except CRSError as error:
        raise DataError(
            "CRS of the vectors is none that is known", path, hint="ogr2ogr writes another, with -a_srs"
        ) from error


def _parquet_crs(path: Path) -> Any:
    return _crs(_parquet_crs_text(_geo(path)[1]), path)


def _parquet_crs_text(column: dict[str, Any]) -> str | None:
    crs = column.get("crs", "OGC:CRS84")
    return crs if crs is None or isinstance(crs, str) else json.dumps(crs)


def _geo(path: Path) -> tuple[str, dict[str, Any]]:
    """Name and description of the column of geometry."""
    import pyarrow.parquet

    with _one_line(path):
        metadata = pyarrow.parquet.read_metadata(path).metadata or {}
        geo = json.loads(metadata.get(b"geo", b"{}"))
        name = geo.get("primary_column")
        column = geo.get("columns", {}).get(name)
        if not column or column.get("encoding") != "WKB":
            raise DataError(
                "Parquet file has no geometry as GeoParquet has it (WKB)", path, hint="write it as GeoParquet"
            )
        return str(name), column


def read_features(layer: VectorLayer, keys: Sequence[str], box: Box) -> Iterator[Features]:
    """Read the features of a layer whose boxes meet a box in its CRS.

    Args:
        layer: of a file.
        keys: attributes to read, of those that it has; `a.b` is a field of a structure.
        box: in the layer's CRS.

    Raises:
        DataError: the file cannot be read.
    """
    batches = (
        _parquet_batches(layer, keys)
        if layer.path.suffix.lower() in PARQUET_SUFFIXES
        else _gdal_batches(layer, keys, box)
    )
    for shapes, columns in batches:
        x0, y0, x1, y1 = shapely.bounds(shapes).T
        # What cannot be read has no bounds, and is kept to be counted.
        near = ~((x1 < box[0]) | (x0 > box[2]) | (y1 < box[1]) | (y0 > box[3]))
        if near.any():
            yield Features(layer, shapes[near], {key: column[near] for key, column in columns.items()})


Batch = tuple[Objects, dict[str, Objects]]


def _gdal_batches(layer: VectorLayer, keys: Sequence[str], box: Box) -> Iterator[Batch]:
    import pyogrio

    with _one_line(layer.path):
        fields = [str(name) for name in pyogrio.read_info(layer.path, layer=layer.name)["fields"]]
        columns = [name for name in fields if name in keys or name.lower() in keys or name == OTHER_TAGS]
        with pyogrio.open_arrow(
            layer.path, layer=layer.name, columns=columns, bbox=box, batch_size=BATCH_SIZE, use_pyarrow=True
        ) as (meta, reader):
            geometry = meta["geometry_name"] or "wkb_geometry"
            for batch in reader:
                yield _shapes(batch.column(geometry)), _columns(batch, keys)


def _parquet_batches(layer: VectorLayer, keys: Sequence[str]) -> Iterator[Batch]:
    import pyarrow.parquet

    geometry = _geo(layer.path)[0]
    with _one_line(layer.path), pyarrow.parquet.ParquetFile(layer.path) as file:
        names = {key.partition(".")[0] for key in keys} & set(file.schema_arrow.names)
        for batch in file.iter_batches(BATCH_SIZE, columns=[geometry, *sorted(names)]):
            yield _shapes(batch.column(geometry)), _columns(batch, keys)


def _shapes(column: Any) -> Objects:
    shapes: Objects = shapely.force_2d(shapely.from_wkb(column.to_numpy(zero_copy_only=False), on_invalid="ignore"))
    return shapes


def _columns(batch: Any, keys: Sequence[str]) -> dict[str, Objects]:
    """Attributes as text; those that have no column are looked for among OpenStreetMap's other tags."""
    names = {name.lower(): name for name in batch.schema.names}
    others = []
    if OTHER_TAGS in names:
        others = [parse_other_tags(text) for text in batch.column(OTHER_TAGS).to_pylist()]
    columns = {}
    for key in keys:
        first, _, field = key.partition(".")
        name = names.get(key.lower()) or names.get(first.lower())
        values: list[Any] = [None] * len(batch)
        if name is not None:
            values = batch.column(name).to_pylist()
            if field and name.lower() != key.lower():
                values = [value.get(field) if isinstance(value, dict) else None for value in values]
        if others:
            values = [other.get(key) if value is None else value for value, other in zip(values, others, strict=True)]
        columns[key] = np.fromiter(map(as_text, values), object, len(values))
    return columns


def as_text(value: object) -> str | None:
    """An attribute as text, as OpenStreetMap would write it.

    >>> as_text(2.0), as_text(True), as_text(None), as_text("yes")
    ('2', 'yes', None, 'yes')
    """
    if value is None or value != value:
        return None
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


@contextmanager
def _one_line(path: Path) -> Iterator[None]:
    """What readers say of a file, in one line; their warnings of single features are counted by who draws them."""
    import pyarrow
    from pyogrio.errors import DataLayerError, DataSourceError, FieldError, GeometryError

    errors = (OSError, DataSourceError, DataLayerError, FieldError, GeometryError, RuntimeError, pyarrow.ArrowException)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        try:
            yield
        except (*errors, json.JSONDecodeError) as error:
            words = " ".join(str(error).split())[:160]
            hint = "is it open in another program?" if "lock" in words else "ogrinfo tells what GDAL makes of it"
            raise DataError(f"vectors cannot be read ({words})", path, hint=hint) from error
