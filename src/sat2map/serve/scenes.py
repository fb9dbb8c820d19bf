"""The scenes that are served, each with its layers; draws windows, and answers no requests.

A scene without a place gets one, at the equator with a metre for a pixel, so that a page can show it like any other.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio import Affine
from rasterio.crs import CRS
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import RasterioError
from rasterio.warp import transform_bounds
from rio_tiler.io import Reader

from sat2map.engine import Engine, choose_head
from sat2map.errors import ModelFileError, SceneError
from sat2map.model.card import Card
from sat2map.scene.georeference import Grid, at
from sat2map.scene.source import ReadOptions, Source, open_scene
from sat2map.serve.filling import Draw, Write
from sat2map.serve.sparse_map import VERSION, SparseMap, full_size, make_room
from sat2map.tiling import Window, padded_size
from sat2map.translate import SceneDrawing, Settings, TilingPlan, Translator

LARGEST_WITHOUT_OVERVIEWS_PX = 8192
"""A larger scene without overviews is copied to a sparse_map that has them."""
WEB_MERCATOR, DEGREES = CRS.from_epsg(3857), CRS.from_epsg(4326)
MERCATOR_LATITUDE = 85.06
SATELLITE, MAP, CONFIDENCE = "satellite", "map", "confidence"
CONFIDENT_RGB = np.array([(68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37)])
"""Colours of the probability of the class shown, from 0 to 1: matplotlib's viridis, which grey and colour-blind eyes
read in order too."""


@dataclass(frozen=True)
class MapLayer:
    """Something of a scene that can be shown.

    Attributes:
        name: `satellite`, `map`, or `confidence` where the model has it.
        path: what GDAL reads.
        sparse_map: where it is drawn, if it is.
        draw: draws a window of it.
    """

    name: str
    path: Path
    sparse_map: SparseMap | None = None
    draw: Draw | None = None


@dataclass(frozen=True)
class Scene:
    """A scene that is served.

    Attributes:
        id: in URLs.
        name: for people.
        grid: its size and place, which may be made up.
        has_place: whether it is not.
        layers: by name.
        bounds: west, south, east, north, in degrees.
        zooms: the coarsest and the finest that show it well.
    """

    id: str
    name: str
    grid: Grid
    has_place: bool
    layers: dict[str, MapLayer]
    bounds: tuple[float, float, float, float]
    zooms: tuple[int, int]
    resources: ExitStack

    def sparse_maps(self) -> Iterator[SparseMap]:
        """Everything that is drawn."""
        return (layer.sparse_map for layer in self.layers.values() if layer.sparse_map is not None)


class Scenes:
    """Opens scenes and keeps them by their ids.

    Args:
        translator: draws the maps.
        cache: folder of the sparse_maps.
        cache_bytes: room that these may take.
        model_key: changes whenever the model does.
        settings: how scenes are tiled.
    """

    def __init__(
        self, translator: Translator, cache: Path, cache_bytes: int, model_key: str, settings: Settings
    ) -> None:
        self._translator, self._model_key = translator, model_key
        # Named now: windows that are drawn later must fit those that are there.
        self._settings = settings.for_engine(translator.engine)
        self._cache, self._cache_bytes = cache, cache_bytes
        self._needed: dict[str, int] = {}
        self._has_confidence = _has_confidence(translator.engine)
        self.by_id: dict[str, Scene] = {}

    @property
    def card(self) -> Card:
        """Of the model."""
        return self._translator.engine.card

    def add(
        self, path: Path, name: str | None = None, scene_id: str | None = None, *, temporary: bool = False
    ) -> Scene:
        """Open a scene, and what is drawn of it already.

        Args:
            path: of the raster or image.
            name: for people; by default the file's.
            scene_id: for URLs; by default made of the file's name.
            temporary: whether file and sparse_maps are deleted when the scene is removed.

        Raises:
            SceneError, ImageError: it cannot be read.
            OutputError: its map has no room in the cache, or another server draws it.
        """
        # Within an environment a dataset brings none of its own, which only the thread that opened it could close.
        with rasterio.Env(), ExitStack() as stack:
            if temporary:
                stack.callback(path.unlink, missing_ok=True)
            source = stack.enter_context(open_scene(path, self._translator.reading()))
            grid = _placed(source.grid)
            bounds = _bounds(grid, path)
            drawing = self._translator.drawing(source, self._settings)
            plan = drawing.plan
            layers = {
                SATELLITE: self._satellite(stack, source, grid, plan, path),
                MAP: self._map(stack, grid, drawing),
            }
            if self._has_confidence:
                layers[CONFIDENCE] = self._confidence(stack, grid, drawing, layers[MAP])
            if temporary:
                for sparse_map in (layer.sparse_map for layer in layers.values() if layer.sparse_map):
                    stack.callback(shutil.rmtree, sparse_map.folder)
            with Reader(str(layers[MAP].path)) as reader:
                zooms = reader.minzoom, reader.maxzoom
            scene = Scene(
                id=scene_id or self._free_id(path.stem), name=name or path.stem, grid=grid,
                has_place=grid is source.grid, layers=layers, bounds=bounds, zooms=zooms, resources=stack.pop_all(),
            )  # fmt: skip
        self.by_id[scene.id] = scene
        return scene

    def remove(self, scene: Scene, forget: Callable[[SparseMap], None] = lambda _: None) -> None:
        """Close a scene, which no one finds any more; `forget` sees to it that no sparse_map of it is drawn on."""
        del self.by_id[scene.id]
        for sparse_map in scene.sparse_maps():
            forget(sparse_map)
        scene.resources.close()
        for sparse_map in scene.sparse_maps():
            self._needed.pop(sparse_map.folder.name, None)

    def close(self) -> None:
        """Close all of them."""
        for scene in reversed(list(self.by_id.values())):
            self.remove(scene)

    def _map(self, stack: ExitStack, grid: Grid, drawing: SceneDrawing) -> MapLayer:
        plan = drawing.plan
        sparse_map = self._sparse_map(stack, drawing.scene, grid, plan, f"{MAP} {self._model_key} {self._settings}")

        def draw(index: int) -> Write:
            (image,), valid = drawing.draw(plan.windows[index])
            return lambda: sparse_map.write(index, image, valid)

        return MapLayer(MAP, sparse_map.path, sparse_map, draw)

    def _confidence(self, stack: ExitStack, grid: Grid, drawing: SceneDrawing, shown: MapLayer) -> MapLayer:
        source, plan = drawing.scene, drawing.plan
        sparse_map = self._sparse_map(stack, source, grid, plan, f"{CONFIDENCE} {self._model_key} {self._settings}")
        settings = dataclasses.replace(self._settings, confidence=True)
        drawing = SceneDrawing(source, self._translator.engine, settings, plan)

        def draw(index: int) -> Write:
            (image, confidence), valid = drawing.draw(plan.windows[index])

            def write() -> None:
                sparse_map.write(index, _coloured(confidence[..., 0]), valid)
                if shown.sparse_map is not None and not shown.sparse_map.is_done(index):
                    shown.sparse_map.write(index, image, valid)

            return write

        return MapLayer(CONFIDENCE, sparse_map.path, sparse_map, draw)

    def _satellite(self, stack: ExitStack, source: Source, grid: Grid, plan: TilingPlan, path: Path) -> MapLayer:
        if grid is source.grid and _shows_itself(path):
            return MapLayer(SATELLITE, path)
        # As it is: 8 bits are stretched for the model alone.
        source = stack.enter_context(open_scene(path, ReadOptions(levels=self.card.levels)))
        sparse_map = self._sparse_map(stack, source, grid, plan, SATELLITE)

        def draw(index: int) -> Write:
            window = sparse_map.windows[index]
            layer = source.read(window), source.valid(window) if source.has_mask else None
            return lambda: sparse_map.write(index, *layer)

        return MapLayer(SATELLITE, sparse_map.path, sparse_map, draw)

    def _sparse_map(self, stack: ExitStack, source: Source, grid: Grid, plan: TilingPlan, what: str) -> SparseMap:
        key = _key(source, f"{what} {plan.windows[0]} {plan.model_grid} {source.stretch}")
        self._needed[key] = full_size(grid, with_mask=source.has_mask)
        stack.callback(self._needed.pop, key, None)
        make_room(self._cache, self._needed, self._cache_bytes)
        scene_windows = [plan.model_grid.scene_window(window.core) for window in plan.windows]
        sparse_map = SparseMap(self._cache / key, grid, scene_windows, with_mask=source.has_mask)
        stack.callback(sparse_map.close)
        return sparse_map

    def _free_id(self, stem: str) -> str:
        plain = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:40] or "scene"
        names = (plain if i == 1 else f"{plain}-{i}" for i in range(1, len(self.by_id) + 2))
        return next(name for name in names if name not in self.by_id)


def _has_confidence(engine: Engine) -> bool:
    """Whether a model says how sure it is."""
    side = padded_size(64, 64, engine.card.stride)[0]
    try:
        engine.run_with_confidence(np.zeros((1, side, side, 3), np.uint8), choose_head(engine.card, None))
    except ModelFileError:
        return False
    return True


def _coloured(confidence: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """RGB of probabilities, 0..255."""
    stops = np.linspace(0, 255, len(CONFIDENT_RGB))
    table = np.stack([np.interp(np.arange(256), stops, channel) for channel in CONFIDENT_RGB.T], -1).astype(np.uint8)
    coloured: npt.NDArray[np.uint8] = table[confidence]
    return coloured


def _placed(grid: Grid) -> Grid:
    if grid.crs is not None and grid.transform is not None:
        return grid
    top_left = Affine(1, 0, -grid.width / 2, 0, -1, grid.height / 2)
    return Grid(grid.height, grid.width, WEB_MERCATOR, top_left)


def _bounds(grid: Grid, path: Path) -> tuple[float, float, float, float]:
    """In degrees.

    Raises:
        SceneError: its CRS has no relation to them, or Web Mercator no place for it.
    """
    nowhere = SceneError("scene cannot be shown on a map of the Earth", path, hint="are its CRS and place right?")
    place = rasterio.transform.array_bounds(grid.height, grid.width, grid.transform)
    if grid.transform.is_degenerate or not on_earth(place, grid.crs):
        raise nowhere
    try:
        west, south, east, north = transform_bounds(grid.crs, DEGREES, *place, densify_pts=21)
    except Exception as error:  # what GDAL says here has several classes
        raise nowhere from error
    if not np.isfinite((west, south, east, north)).all():
        raise nowhere
    if west > east or south > MERCATOR_LATITUDE or north < -MERCATOR_LATITUDE:
        raise SceneError(
            "scene lies across the 180th meridian or at a pole, where the live map ends", path,
            hint="sat2map translate draws it",
        )  # fmt: skip
    return west, south, east, north


def on_earth(bounds: Sequence[float], crs: CRS) -> bool:
    """Whether bounds may be a place; PROJ takes minutes for numbers far beyond, and lets no one else run meanwhile."""
    largest = 360 if crs.is_geographic else 1e8
    return all(abs(number) <= largest for number in bounds)


def _shows_itself(path: Path) -> bool:
    """Whether what GDAL reads of a raster is what the model sees of it, at every scale."""
    try:
        with rasterio.open(path) as dataset:
            colours = list(dataset.colorinterp)
            plain = set(dataset.dtypes) == {"uint8"} and colours == [
                ColorInterp.red, ColorInterp.green, ColorInterp.blue
            ]  # fmt: skip
            # Through nodata and masks rio-tiler warps the scene's own pixels: gigabytes for a tile of a hemisphere.
            whole = all(flags == [MaskFlags.all_valid] for flags in dataset.mask_flag_enums)
            small = max(dataset.shape) <= LARGEST_WITHOUT_OVERVIEWS_PX
            return plain and whole and bool(dataset.overviews(1) or small)
    except RasterioError:
        return False


def _key(source: Source, what: str) -> str:
    """Name the sparse map of a scene: another file, a changed one, or another model has another map."""
    digest = hashlib.sha256(f"{VERSION} {what}".encode())
    for file in source.files:
        stat = file.stat()
        digest.update(f"{file.resolve()} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return f"{what.partition(' ')[0]}-{digest.hexdigest()[:24]}"


def pixels_of(grid: Grid, bounds: Sequence[float], crs: CRS, n_px: int) -> Window:
    """The window of a scene that an image of an area may read, resampling and overviews included.

    Args:
        grid: of the scene.
        bounds: of the area: west, south, east, north.
        crs: of the bounds.
        n_px: of the image, along its shorter side.
    """
    west, south, east, north = transform_bounds(crs, grid.crs, *bounds, densify_pts=21)
    corners = [at(~grid.transform, x, y) for x in (west, east) for y in (south, north)]
    cols, rows = [x for x, _ in corners], [y for _, y in corners]
    # Overviews and their resampling reach a few pixels of the image further.
    margin = 8 + 8 * max(max(cols) - min(cols), max(rows) - min(rows), n_px) / n_px
    top, left = int(max(min(rows) - margin, 0)), int(max(min(cols) - margin, 0))
    bottom, right = int(min(max(rows) + margin, grid.height)), int(min(max(cols) + margin, grid.width))
    return Window(top, left, max(bottom - top, 0), max(right - left, 0))
