"""Layers of features to files: GeoPackage, FlatGeobuf, GeoParquet or GeoJSON text sequences, by the file's ending."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import shapely

from sat2map.errors import OutputError, import_extra
from sat2map.files import check_output_folder, refuse_existing, replacing
from sat2map.vector.geojson import write_geojson
from sat2map.vector.geoparquet import write_geoparquet
from sat2map.vector.layer import FeatureBatch, FeatureLayer, is_name_for_pyogrio
from sat2map.vector.styles import add_styles

GPKG = ".gpkg"
SEQUENCE_SUFFIXES = (".geojsonl", ".geojsons")
GDAL_SUFFIXES = (GPKG, ".fgb")
SUFFIXES = (*GDAL_SUFFIXES, ".parquet", *SEQUENCE_SUFFIXES)
GPKG_OPTIONS = {"VERSION": "1.2"}
"""GDAL up to 3.7 warns of 1.4, which is what newer ones write."""
GPKG_DATE = "2000-01-01T00:00:00.000Z"
"""Of the last change, in every GeoPackage: the same vectors are the same bytes, whenever they were written."""


def holds_layers(path: Path) -> bool:
    """Whether a file of this ending holds any number of layers, not one alone."""
    return path.suffix.lower() == GPKG


def check_vector_destination(path: Path, *, overwrite: bool) -> None:
    """See, before any work, whether vectors can be written.

    Raises:
        OutputError: unknown ending, missing folder, or an output that exists.
        MissingExtraError: a package for it is missing.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise OutputError("output's ending is none that can be written", path, hint=f"use {', '.join(SUFFIXES)}")
    if path.is_dir():
        raise OutputError("output is a folder", path, hint="name a file in it")
    import_extra("pyogrio", "vector")
    import_extra("pyarrow", "vector")
    refuse_existing(path, overwrite=overwrite)
    check_output_folder(path.parent)
    if path.suffix.lower() in GDAL_SUFFIXES and not is_name_for_pyogrio(path):
        raise OutputError(
            "output's name holds what GDAL's vectors cannot have (! or a control character)",
            path,
            hint="choose another with `out`",
        )


def write_layers(path: Path, layers: Iterable[FeatureLayer], *, overwrite: bool = False) -> None:
    """Write layers; their file appears at the end, and only then.

    Args:
        path: of the file.
        layers: each is read once, before the next one is asked for; one alone where the format is not GeoPackage.
        overwrite: whether the file may be replaced.

    Raises:
        OutputError: they cannot be written.
    """
    check_vector_destination(path, overwrite=overwrite)
    written: list[FeatureLayer] = []
    with replacing(path) as work, _one_line(path):
        for layer in layers:
            if written and not holds_layers(path):
                raise OutputError("several layers for a format that holds one", path, hint=f"write {GPKG}")
            _write(work, layer)
            written.append(layer)
        if holds_layers(path):
            add_styles(work, written, GPKG_DATE)


def _write(work: Path, layer: FeatureLayer) -> None:
    suffix = work.suffix.lower()
    if suffix in SEQUENCE_SUFFIXES:
        write_geojson(work, layer)
    elif suffix == ".parquet":
        write_geoparquet(work, layer)
    else:
        _write_with_gdal(work, layer)


def _write_with_gdal(work: Path, layer: FeatureLayer) -> None:
    """Write by GDAL, batch by batch as Arrow's stream has it."""
    import pyarrow
    import pyogrio

    n_features = 0

    def records() -> Iterator[Any]:
        nonlocal n_features
        for batch in layer.batches:
            n_features += len(batch.geometry)
            yield record_batch(batch, schema)

    schema = layer_schema(layer)
    is_gpkg = holds_layers(work)
    append = is_gpkg and work.stat().st_size > 0
    if not append:
        work.unlink()
    with _gdal_option("OGR_CURRENT_DATE", GPKG_DATE):
        pyogrio.write_arrow(
            pyarrow.RecordBatchReader.from_batches(schema, records()), work, layer=layer.name,
            driver="GPKG" if is_gpkg else "FlatGeobuf", geometry_name="geometry", geometry_type=layer.geometry_type,
            crs=layer.crs.to_wkt(), append=append, dataset_options=GPKG_OPTIONS if is_gpkg and not append else None,
        )  # fmt: skip
    # When the disk is full, GDAL can close a truncated file without an error.
    n_written = pyogrio.read_info(work, layer=layer.name, force_feature_count=True)["features"]
    if n_written != n_features:
        raise OSError(f"{n_written} of {n_features} features arrived")


@contextmanager
def _gdal_option(name: str, value: str) -> Iterator[None]:
    import pyogrio

    before = pyogrio.get_gdal_config_option(name)
    pyogrio.set_gdal_config_options({name: value})
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options({name: before})


def layer_schema(layer: FeatureLayer) -> Any:
    """Arrow's schema of a layer: its fields, then the geometry as WKB."""
    import pyarrow

    fields = [pyarrow.field(name, pyarrow.type_for_alias(kind)) for name, kind in layer.fields.items()]
    return pyarrow.schema([*fields, pyarrow.field("geometry", pyarrow.binary())])


def record_batch(batch: FeatureBatch, schema: Any) -> Any:
    """Arrow's batch of features; NaN is none."""
    import pyarrow

    columns = [
        pyarrow.array(batch.columns[name], schema.field(name).type, from_pandas=True) for name in schema.names[:-1]
    ]
    columns.append(pyarrow.array(shapely.to_wkb(batch.geometry), pyarrow.binary()))
    return pyarrow.record_batch(columns, schema=schema)


@contextmanager
def _one_line(path: Path) -> Iterator[None]:
    from pyogrio.errors import DataLayerError, DataSourceError, FeatureError

    try:
        yield
    except (OSError, sqlite3.Error, DataLayerError, DataSourceError, FeatureError) as error:
        words = " ".join(str(error).split())[:160]
        raise OutputError(f"vectors cannot be written ({words})", path, hint="is the disk full?") from error
