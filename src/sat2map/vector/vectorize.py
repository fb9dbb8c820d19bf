"""A file of classes to a file of vectors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from sat2map.classes import CLASSES, MapClass
from sat2map.scene.destination import check_no_input
from sat2map.vector.areas import DEFAULT_AREA_SETTINGS, AreaSettings, trace_areas
from sat2map.vector.class_file import open_class_raster
from sat2map.vector.class_raster import ClassRaster
from sat2map.vector.layer import FeatureBatch, FeatureLayer
from sat2map.vector.write import check_vector_destination, write_layers

LAYERS = ("areas",)


class WrittenVectors(NamedTuple):
    """What was written."""

    files: list[Path]
    n_features: Mapping[str, int]
    """Of each layer."""


def vectorize_file(
    source: str | Path,
    destination: str | Path,
    settings: AreaSettings = DEFAULT_AREA_SETTINGS,
    *,
    table: Sequence[MapClass] | None = None,
    confidence: str | Path | None = None,
    overwrite: bool = False,
) -> WrittenVectors:
    """Make vectors of a raster of classes.

    Args:
        source: a map, or one band of numbers of classes.
        destination: its ending decides the format.
        settings: how areas are made.
        table: the classes; None: those of the bundled model.
        confidence: a raster on the same grid; None: that which `translate` writes beside a map, if it is there.
        overwrite: whether an output that exists is replaced.

    Raises:
        SceneError: the raster cannot be read, holds no classes, or has no place.
        OutputError: the destination cannot be written.
    """
    path = Path(destination)
    check_vector_destination(path, LAYERS, overwrite=overwrite)
    check_no_input(path, [Path(source)])
    with open_class_raster(source, table, confidence) as raster:
        return vectorize_raster(raster, path, settings, table=table or CLASSES, overwrite=overwrite)


def vectorize_raster(
    raster: ClassRaster,
    path: Path,
    settings: AreaSettings = DEFAULT_AREA_SETTINGS,
    *,
    table: Sequence[MapClass] = CLASSES,
    overwrite: bool = False,
) -> WrittenVectors:
    """Make vectors of an open raster of classes.

    Raises:
        SceneError: the raster has no place or no data.
        OutputError: the destination cannot be written.
    """
    counts: dict[str, int] = {}
    layers = [_counted(trace_areas(raster, table, path.parent, settings), counts)]
    return WrittenVectors(write_layers(path, layers, overwrite=overwrite), counts)


def _counted(layer: FeatureLayer, counts: dict[str, int]) -> FeatureLayer:
    """The same layer, whose features are counted while they are written."""

    def batches() -> Iterator[FeatureBatch]:
        for batch in layer.batches:
            counts[layer.name] = counts.get(layer.name, 0) + len(batch.geometry)
            yield batch

    return replace(layer, batches=batches())
