"""The scenes that the server shows, by their ids: opens, lists and closes them, and answers no requests."""

from __future__ import annotations

import dataclasses
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import rasterio
from rasterio.errors import NotGeoreferencedWarning
from rio_tiler.io import Reader

from sat2map.errors import SceneError
from sat2map.model.card import Card
from sat2map.scene.gdal import open_raster, stem_of
from sat2map.scene.georeference import Box, Grid
from sat2map.scene.model_grid import ModelGrid
from sat2map.scene.options import DEFAULT_READ_OPTIONS, ReadOptions
from sat2map.scene.source import Source, open_scene
from sat2map.serve.class_areas import AreaCounter
from sat2map.serve.earth import bounds_in_degrees, georeferenced, outline_in_degrees
from sat2map.serve.errors import BadRequestError
from sat2map.serve.layers import CONFIDENCE, MAP, SATELLITE, LayerMaker, MapLayer, sparse_map_of
from sat2map.serve.map_cache import MapCache
from sat2map.serve.same_files import SameFiles
from sat2map.serve.sparse_map import SparseMap
from sat2map.translate import SceneDrawing, Settings, Translator
from sat2map.vector.class_file import ColourTable

ATTRIBUTION_TAGS = ("TIFFTAG_COPYRIGHT", "EXIF_Copyright", "Copyright", "COPYRIGHT")
"""Names under which GDAL tells of the rights to an image."""


@dataclass(frozen=True)
class Scene:
    """One scene that the server shows.

    Attributes:
        id: name in URLs.
        name: name for people.
        grid: grid of the scene with its georeference, which may be made up.
        has_georeference: whether the scene itself has a georeference.
        layers: layers by their names.
        areas: counts the pixels of each class.
        drawing: draws it; what it knows of the file and of the settings.
        files: its files, as they were opened.
        temporary: whether it was dropped on the page, and can be removed.
        attribution: who has the rights to the image, as the file says; empty where it does not.
        notices: what is doubtful about it, as `sat2map translate` warns of it.
        file: file or URL of the scene.
        n_bands: bands of the file.
        bounds: west, south, east, north, in degrees.
        outline: longitude and latitude of points along its edge.
        zooms: coarsest and finest zoom that show the scene well.
        resources: closes the files of the scene.
    """

    id: str
    name: str
    grid: Grid
    has_georeference: bool
    layers: dict[str, MapLayer]
    areas: AreaCounter
    drawing: SceneDrawing
    files: SameFiles
    temporary: bool
    attribution: str
    notices: tuple[str, ...]
    file: str | Path
    n_bands: int
    bounds: Box
    outline: list[tuple[float, float]]
    zooms: tuple[int, int]
    resources: ExitStack

    @property
    def gsd_m(self) -> float | None:
        """Metres on the ground per pixel, as the user says; None: as the georeference says."""
        return self.drawing.settings.gsd_m

    @property
    def has_known_gsd(self) -> bool:
        """Whether its pixels have a known size on the ground."""
        return self.drawing.plan.model_grid.is_gsd_known

    def sparse_maps(self) -> Iterator[SparseMap]:
        """Iterate over the sparse maps of all layers that are drawn."""
        return (layer.sparse_map for layer in self.layers.values() if layer.sparse_map is not None)


@dataclass(frozen=True)
class Drop:
    """What a user says of an image that was dropped on the page, where its file does not say it.

    Attributes:
        gsd_m: metres on the ground per pixel.
        crs: its CRS.
        bands: of red, green and blue, or of one grey, counted from 1.
    """

    gsd_m: float | None = None
    crs: str | None = None
    bands: tuple[int, ...] | None = None


class Scenes:
    """The open scenes, by their ids.

    Args:
        translator: draws the maps.
        cache: folder of the sparse maps.
        cache_bytes: room that the sparse maps may take.
        model_key: text that changes whenever the model does.
        settings: how scenes are drawn.
        reading: how scenes are read. Uploads are read as their files say, without a ground resolution of `settings`.
    """

    def __init__(
        self,
        translator: Translator,
        cache: Path,
        cache_bytes: int,
        model_key: str,
        settings: Settings,
        reading: ReadOptions = DEFAULT_READ_OPTIONS,
    ) -> None:
        self._translator, self._model_key, self._reading = translator, model_key, reading
        # The precision is named now: windows that are drawn later must fit those that are there.
        self._settings = settings.for_engine(translator.engine)
        self._cache = MapCache(cache, cache_bytes)
        self._has_confidence = CONFIDENCE in translator.engine.outputs
        self.by_id: dict[str, Scene] = {}

    @cached_property
    def _colours(self) -> ColourTable:
        """Classes of colours; 16 MiB, which all scenes share."""
        return ColourTable(self.card.classes)

    @property
    def card(self) -> Card:
        """The card of the model."""
        return self._translator.engine.card

    def add(
        self, path: str | Path, name: str | None = None, scene_id: str | None = None, *, dropped: Drop | None = None
    ) -> Scene:
        """Open a scene, with everything that was drawn of it before.

        Args:
            path: raster or image, or a URL.
            name: name for people; by default that of the file.
            scene_id: name in URLs; by default made from the name of the file.
            dropped: what is said of an image that was dropped on the page: its file and sparse maps are deleted when
                the scene is removed. None: the image was named on the command line.

        Raises:
            SceneError, ImageError: the file cannot be read, or has no bounds on Web Mercator.
            OutputError: its map does not fit into the cache, or another server draws it.
        """
        # Within an environment a dataset brings none of its own, which only the thread that opened it could close.
        with rasterio.Env(), ExitStack() as stack:
            if dropped is not None:
                stack.callback(Path(path).unlink, missing_ok=True)
            settings, reading = self._asked_for(dropped)
            source = stack.enter_context(open_scene(path, reading, self._translator.stretch_rule))
            attribution, n_bands = _told_by_file(path)
            grid = georeferenced(source.grid)
            bounds = bounds_in_degrees(grid, path)
            drawing, same_files = self._translator.drawing(source, settings), SameFiles(source.files)
            maker = LayerMaker(
                path, reading, grid, drawing, same_files, settings, self._translator.engine, self._model_key,
                self._cache, stack,
            )  # fmt: skip
            layers = maker.layers(with_confidence=self._has_confidence, temporary=dropped is not None)
            scene = Scene(
                id=scene_id or self._free_id(stem_of(path)), name=name or stem_of(path), grid=grid, layers=layers,
                has_georeference=None not in (source.grid.crs, source.grid.transform), drawing=drawing,
                files=same_files, areas=self._areas(drawing, layers), temporary=dropped is not None, file=path,
                attribution=attribution, n_bands=n_bands, notices=_notices(source, drawing.plan.model_grid),
                zooms=_zooms(layers[MAP]), bounds=bounds, outline=outline_in_degrees(grid), resources=stack.pop_all(),
            )  # fmt: skip
        self.by_id[scene.id] = scene
        return scene

    def _asked_for(self, dropped: Drop | None) -> tuple[Settings, ReadOptions]:
        """How a scene is drawn and read: what is asked of those that were named says nothing of an upload."""
        if dropped is None:
            return self._settings, self._reading
        reading = ReadOptions(bands=dropped.bands, crs=dropped.crs)
        return dataclasses.replace(self._settings, gsd_m=dropped.gsd_m), reading

    def _areas(self, drawing: SceneDrawing, layers: dict[str, MapLayer]) -> AreaCounter:
        grid, gsd_m = drawing.scene.grid, drawing.settings.gsd_m
        has_georeference = None not in (grid.crs, grid.transform)
        return AreaCounter(
            sparse_map_of(layers[MAP]), self._colours, len(self.card.classes), gsd_m, has_georeference=has_georeference
        )

    def known(self, scene_id: str) -> Scene:
        """Return a scene by its id.

        Raises:
            BadRequestError: there is none such.
        """
        if scene_id not in self.by_id:
            raise BadRequestError(f"no such scene: {scene_id}", 404)
        return self.by_id[scene_id]

    def layer(self, scene_id: str, layer_name: str) -> tuple[Scene, MapLayer]:
        """Return a scene by its id, and one of its layers.

        Raises:
            BadRequestError: there is no such scene, or it has no such layer.
            SceneError: its file has changed.
        """
        scene = self.by_id.get(scene_id)
        if scene is None or layer_name not in scene.layers:
            raise BadRequestError(f"no such layer: {scene_id}/{layer_name}", 404)
        scene.files.check()
        return scene, scene.layers[layer_name]

    def attribution(self, scene: Scene, layer_name: str) -> str:
        """Whose a layer of a scene is: the image's rights, as its file says, and what drew the map."""
        drawn_by = f"{layer_name} drawn by sat2map, model {self.card.name} ({self.card.licence})"
        parts = [scene.attribution, "" if layer_name == SATELLITE else drawn_by]
        return "; ".join(part for part in parts if part)

    def remove(self, scene: Scene, forget: Callable[[SparseMap], None] = lambda _: None) -> None:
        """Close a scene and take it off the list.

        Args:
            scene: scene of this list.
            forget: called with each sparse map before it is closed; makes sure that nothing draws on it any more.
        """
        del self.by_id[scene.id]
        for sparse_map in scene.sparse_maps():
            forget(sparse_map)
        scene.resources.close()

    def close(self) -> None:
        """Close all scenes."""
        for scene in reversed(list(self.by_id.values())):
            self.remove(scene)

    def _free_id(self, stem: str) -> str:
        plain = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:40] or "scene"
        names = (plain if i == 1 else f"{plain}-{i}" for i in range(1, len(self.by_id) + 2))
        return next(name for name in names if name not in self.by_id)


def _notices(source: Source, shown: ModelGrid) -> tuple[str, ...]:
    """What `translate` would warn of."""
    return (*source.remarks, *([shown.reason] if shown.is_doubtful else []))


def _zooms(layer: MapLayer) -> tuple[int, int]:
    with Reader(str(layer.path)) as reader:
        return reader.minzoom, reader.maxzoom


def _told_by_file(path: str | Path) -> tuple[str, int]:
    """Return what the tags of a file say of the rights to its image, empty where they say nothing; and its bands."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with open_raster(path) as dataset:
                tags, n_bands = dataset.tags(), dataset.count
    except SceneError:
        return "", 3
    found = next((tags[name] for name in ATTRIBUTION_TAGS if tags.get(name)), "")
    return " ".join(found.split())[:200], n_bands
