"""The layers `roads` and `junctions`: the network of roads as it is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from sat2map.arrays import Array
from sat2map.classes import MapClass
from sat2map.errors import SceneError
from sat2map.vector.class_raster import ClassRaster
from sat2map.vector.layer import FeatureBatch, FeatureLayer
from sat2map.vector.ragged import batches
from sat2map.vector.roads import RoadSettings, trace_roads

ROAD_FIELDS = {
    "start_node": "int64", "end_node": "int64", "class": "string", "width_m": "double", "width_p10_m": "double",
    "length_m": "double", "confidence": "double", "is_inferred": "bool",
}  # fmt: skip
JUNCTION_FIELDS = {"node": "int64", "degree": "int64"}
DECIMALS = {"width_m": 2, "width_p10_m": 2, "length_m": 2, "confidence": 4}
BATCH_POINTS = 200_000
SHADE = 0.6
"""Lines have the colours of their classes, darker, since else they cannot be seen on the areas of roads."""


def road_rows(classes: Sequence[MapClass]) -> tuple[int, ...]:
    """Rows of a class table that are roads."""
    return tuple(i for i, kind in enumerate(classes) if kind.is_road)


def trace_road_layers(
    raster: ClassRaster,
    classes: Sequence[MapClass],
    settings: RoadSettings,
    *,
    window_px: int,
    n_workers: int,
    folder: Path | None = None,
) -> tuple[FeatureLayer, FeatureLayer]:
    """Trace the roads of a raster, and make layers of them.

    Args:
        raster: of classes.
        classes: the class table, which says what are roads.
        settings: how roads become lines.
        window_px: side of the windows that are read.
        n_workers: threads.
        folder: where intermediate results find space; None: where the system has its temporary files.

    Returns:
        Roads, row by row by where they begin, and junctions: all nodes, road ends (`degree` 1) among them.

    Raises:
        SceneError: the raster has no place on Earth.
        OutputError: there is no space for intermediate results.
    """
    if raster.grid.crs is None:
        raise SceneError("raster has no CRS, so its roads have no place", hint="give it one with rio edit-info")
    settings = replace(settings, tracing=replace(settings.tracing, road_classes=road_rows(classes)))
    graph = trace_roads(raster, settings, window_px=window_px, n_workers=n_workers, folder=folder)
    columns = graph.road_columns([kind.name for kind in classes])
    rounded = {name: np.round(c, DECIMALS[name]) if name in DECIMALS else c for name, c in columns.items()}
    crs = raster.grid.crs
    roads = _batches(graph.lines, rounded, np.diff(graph.offsets))
    nodes = _batches(graph.points, graph.junction_columns(), np.ones(len(graph.node_xy), np.int64))
    return (
        FeatureLayer("roads", "LineString", ROAD_FIELDS, crs, roads, _colours(classes)),
        FeatureLayer("junctions", "Point", JUNCTION_FIELDS, crs, nodes),
    )


def _batches(
    geometry: Callable[[slice], Array], columns: Mapping[str, Array], n_points: Array
) -> Iterator[FeatureBatch]:
    for some in batches(n_points, BATCH_POINTS):
        yield FeatureBatch(geometry(some), {name: column[some] for name, column in columns.items()})


def _colours(classes: Sequence[MapClass]) -> dict[str, tuple[int, int, int]]:
    shown = {}
    for row in road_rows(classes):
        red, green, blue = classes[row].colours_rgb[0]
        shown[classes[row].name] = (round(red * SHADE), round(green * SHADE), round(blue * SHADE))
    return shown
