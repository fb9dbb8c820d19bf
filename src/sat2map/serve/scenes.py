"""The scenes that the server shows, by their ids: opens, lists and closes them, and answers no requests."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import rasterio
from rio_tiler.io import Reader

from sat2map.model.card import Card
from sat2map.scene.gdal import stem_of
from sat2map.scene.georeference import Box, Grid
from sat2map.scene.model_grid import ModelGrid
from sat2map.scene.options import DEFAULT_READ_OPTIONS, ReadOptions
from sat2map.scene.source import Source, open_scene
from sat2map.serve.earth import bounds_in_degrees, georeferenced
from sat2map.serve.layers import CONFIDENCE, MAP, LayerMaker, MapLayer
from sat2map.serve.map_cache import MapCache
from sat2map.serve.sparse_map import SparseMap
from sat2map.translate import Settings, Translator


@dataclass(frozen=True)
class Scene:
    """One scene that the server shows.

    Attributes:
        id: name in URLs.
        name: name for people.
        grid: grid of the scene with its georeference, which may be made up.
        has_georeference: whether the scene itself has a georeference.
        layers: layers by their names.
        notices: what is doubtful about it, as `sat2map translate` warns of it.
        bounds: west, south, east, north, in degrees.
        zooms: coarsest and finest zoom that show the scene well.
        resources: closes the files of the scene.
    """

    id: str
    name: str
    grid: Grid
    has_georeference: bool
    layers: dict[str, MapLayer]
    notices: tuple[str, ...]
    bounds: Box
    zooms: tuple[int, int]
    resources: ExitStack

    def sparse_maps(self) -> Iterator[SparseMap]:
        """Iterate over the sparse maps of all layers that are drawn."""
        return (layer.sparse_map for layer in self.layers.values() if layer.sparse_map is not None)


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

    @property
    def card(self) -> Card:
        """The card of the model."""
        return self._translator.engine.card

    def add(
        self, path: str | Path, name: str | None = None, scene_id: str | None = None, *, temporary: bool = False
    ) -> Scene:
        """Open a scene, with everything that was drawn of it before.

        Args:
            path: raster or image, or a URL.
            name: name for people; by default that of the file.
            scene_id: name in URLs; by default made from the name of the file.
            temporary: whether the file and the sparse maps are deleted when the scene is removed.

        Raises:
            SceneError, ImageError: the file cannot be read, or has no bounds on Web Mercator.
            OutputError: its map does not fit into the cache, or another server draws it.
        """
        # Within an environment a dataset brings none of its own, which only the thread that opened it could close.
        with rasterio.Env(), ExitStack() as stack:
            if temporary:
                stack.callback(Path(path).unlink, missing_ok=True)
            settings, reading = self._asked_for(temporary=temporary)
            source = stack.enter_context(open_scene(path, reading, self._translator.stretch_rule))
            grid = georeferenced(source.grid)
            bounds = bounds_in_degrees(grid, path)
            drawing = self._translator.drawing(source, settings)
            maker = LayerMaker(
                path, reading, grid, drawing, settings, self._translator.engine, self._model_key, self._cache, stack
            )
            layers = maker.layers(with_confidence=self._has_confidence, temporary=temporary)
            with Reader(str(layers[MAP].path)) as reader:
                zooms = reader.minzoom, reader.maxzoom
            scene = Scene(
                id=scene_id or self._free_id(stem_of(path)), name=name or stem_of(path), grid=grid,
                has_georeference=None not in (source.grid.crs, source.grid.transform), layers=layers,
                notices=_notices(source, drawing.plan.model_grid), zooms=zooms,
                bounds=bounds, resources=stack.pop_all(),
            )  # fmt: skip
        self.by_id[scene.id] = scene
        return scene

    def _asked_for(self, *, temporary: bool) -> tuple[Settings, ReadOptions]:
        """How a scene is drawn and read: what is asked of those that were named says nothing of an upload."""
        if temporary:
            return dataclasses.replace(self._settings, gsd_m=None), DEFAULT_READ_OPTIONS
        return self._settings, self._reading

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
