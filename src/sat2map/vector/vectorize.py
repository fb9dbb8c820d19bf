"""A file of classes to a file of vectors."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from sat2map.classes import MapClass
from sat2map.errors import DataError, OutputError
from sat2map.scene.destination import check_no_input
from sat2map.scene.georeference import Grid
from sat2map.tiling import Window
from sat2map.vector.areas import DEFAULT_AREA_SETTINGS, AreaSettings, trace_areas
from sat2map.vector.class_file import open_class_raster
from sat2map.vector.class_raster import ClassRaster, ClassWindow
from sat2map.vector.layer import FeatureBatch, FeatureLayer
from sat2map.vector.road_layers import road_rows, trace_road_layers
from sat2map.vector.roads import RoadSettings
from sat2map.vector.write import check_vector_destination, holds_layers, write_layers

LAYERS = ("areas", "roads", "junctions")

log = logging.getLogger(__name__)


class WrittenVectors(NamedTuple):
    """What was written."""

    path: Path
    n_features: Mapping[str, int]
    """Of each layer."""


@dataclass(frozen=True)
class VectorSettings:
    """What is made of a raster of classes.

    Attributes:
        areas: how areas are made; its windows and threads are those of the roads, too.
        roads: how roads are made.
        layer: what a file of one layer holds; None: `areas`, and all in a GeoPackage.
    """

    areas: AreaSettings = DEFAULT_AREA_SETTINGS
    roads: RoadSettings = field(default_factory=RoadSettings)
    layer: str | None = None

    def layers(self, path: Path) -> tuple[str, ...]:
        """The layers that a file is to hold.

        Raises:
            OutputError: there is no such layer, or the format holds all of them.
        """
        if self.layer not in (None, *LAYERS):
            raise OutputError("no such layer", self.layer, hint=f"`layer` is one of {', '.join(LAYERS)}")
        if not holds_layers(path):
            return (self.layer or LAYERS[0],)
        if self.layer is not None:
            raise OutputError(
                "GeoPackage holds all layers, so `layer` has nothing to choose", path,
                hint="leave `layer` out, or write .fgb, .parquet or .geojsonl",
            )  # fmt: skip
        return LAYERS


DEFAULT_VECTOR_SETTINGS = VectorSettings()

Tell = Callable[[float], None]
"""Is told the share that is done, 0 to 1, from any thread."""


def tell_nobody(_share: float) -> None:
    """Report no progress."""


@dataclass(frozen=True)
class WatchedClasses:
    """A raster of classes that tells how far it was read.

    Attributes:
        raster: what is read.
        tell: is told the share of the work that is done.
        begin: share that is done before this raster is read.
        end: share that is done when all of it was read.
    """

    raster: ClassRaster
    tell: Tell
    begin: float
    end: float

    @property
    def grid(self) -> Grid:
        """Its size, and its CRS and transform where it has them."""
        return self.raster.grid

    def read(self, window: Window) -> ClassWindow:
        """Read a window that lies within the raster; windows come row by row."""
        values = self.raster.read(window)
        done = (window.row + window.height) / self.grid.height
        self.tell(self.begin + (self.end - self.begin) * done)
        return values


def vectorize_file(
    source: str | Path,
    destination: str | Path,
    settings: VectorSettings = DEFAULT_VECTOR_SETTINGS,
    *,
    table: Sequence[MapClass] | None = None,
    confidence: str | Path | None = None,
    overwrite: bool = False,
    tell: Tell = tell_nobody,
) -> WrittenVectors:
    """Make vectors of a raster of classes.

    Args:
        source: a map, or one band of numbers of classes.
        destination: its ending decides the format.
        settings: what is made, and how.
        table: the classes; None: those that the file names, else the default ones.
        confidence: a raster on the same grid; None: that which `translate` writes beside a map, if it is there.
        overwrite: whether an output that exists is replaced.
        tell: of progress: how far the raster was read, for areas and again for roads.

    Raises:
        SceneError: the raster cannot be read, holds no classes, or has no place.
        DataError: roads alone are wanted, and the table has none.
        OutputError: the destination cannot be written.
    """
    path = Path(destination)
    check_vector_destination(path, overwrite=overwrite)
    settings.layers(path)
    with open_class_raster(source, table, confidence) as raster:
        check_no_input(path, raster.files)
        counts: dict[str, int] = {}
        made = _traced(raster, path, settings, raster.table, tell)
        write_layers(path, (_counted(layer, counts) for layer in made), overwrite=overwrite)
    return WrittenVectors(path, counts)


def _traced(
    raster: ClassRaster, path: Path, settings: VectorSettings, table: Sequence[MapClass], tell: Tell
) -> Iterator[FeatureLayer]:
    """The layers that are wanted. Roads are traced when the areas are written, and what they took of memory is free."""
    wanted, areas = settings.layers(path), settings.areas
    middle = 0.0 if "areas" not in wanted else 1.0 if wanted == ("areas",) else 0.5
    if "areas" in wanted:
        yield trace_areas(WatchedClasses(raster, tell, 0, middle), table, path.parent, areas)
    if wanted == ("areas",):
        return
    if not road_rows(table):
        words = "class table has no class that is a road"
        if "areas" not in wanted:
            names = ", ".join(kind.name for kind in table)
            raise DataError(
                f"{words}, so there are no {wanted[0]}",
                names,
                hint="set is_road = true in the class table where one is",
            )
        log.warning("%s: roads and junctions are left out", words)
        return
    watched = WatchedClasses(raster, tell, middle, 1)
    n_workers = areas.n_threads
    roads = trace_road_layers(
        watched, table, settings.roads, window_px=areas.window_px, n_workers=n_workers, folder=path.parent
    )
    yield from (layer for layer in roads if layer.name in wanted)


def _counted(layer: FeatureLayer, counts: dict[str, int]) -> FeatureLayer:
    """The same layer, whose features are counted while they are written."""
    counts[layer.name] = 0

    def batches() -> Iterator[FeatureBatch]:
        for batch in layer.batches:
            counts[layer.name] += len(batch.geometry)
            yield batch

    return replace(layer, batches=batches())
