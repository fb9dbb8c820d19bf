"""The layers of one scene: the satellite image, the map and the confidence, each with a function that draws windows."""

from __future__ import annotations

import dataclasses
import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.enums import ColorInterp, MaskFlags

from sat2map.engine import Engine
from sat2map.scene.bands import told_bands
from sat2map.scene.gdal import OPEN_ERRORS
from sat2map.scene.georeference import Grid
from sat2map.scene.options import DEFAULT_READ_OPTIONS, ReadOptions
from sat2map.scene.pieces import FAMILIARITY
from sat2map.scene.source import Source, is_remote, open_scene
from sat2map.scene.stretch import DEFAULT_LEVELS, StretchRule
from sat2map.serve.filling import Draw, Write
from sat2map.serve.map_cache import MapCache
from sat2map.serve.same_files import SameFiles
from sat2map.serve.sparse_map import SparseMap
from sat2map.serve.unfamiliar import UnfamiliarWindows
from sat2map.translate import SceneDrawing, Settings

LARGEST_WITHOUT_OVERVIEWS_PX = 8192
"""A larger scene without overviews is copied to a sparse map, which has overviews."""
SATELLITE, MAP, CONFIDENCE = "satellite", "map", "confidence"
CONFIDENCE_RGB = np.array([(68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37)])
"""Colours of the confidence from 0 to 1: matplotlib's viridis, whose order grey and colour-blind eyes see too."""


@dataclass(frozen=True)
class MapLayer:
    """One layer of a scene.

    Attributes:
        name: `satellite`, `map`, or `confidence` where the model has it.
        path: file that GDAL reads.
        sparse_map: file in which the layer is drawn; None: `path` is the scene's own file.
        draw: draws one window into `sparse_map`; None where there is no sparse map.
        unfamiliar: of the map, where the model has a familiarity.
    """

    name: str
    path: Path
    sparse_map: SparseMap | None = None
    draw: Draw | None = None
    unfamiliar: UnfamiliarWindows | None = None


def sparse_map_of(layer: MapLayer) -> SparseMap:
    """Return the sparse map of a layer that the model draws."""
    assert layer.sparse_map is not None
    return layer.sparse_map


@dataclass(frozen=True)
class LayerMaker:
    """Makes the layers of one scene while it is being opened.

    Attributes:
        path: file or URL of the scene.
        reading: how it is read.
        grid: grid of the scene, with a georeference, which may be made up.
        drawing: the open scene with its model.
        files: the files of the scene, as they were opened: nothing is written that was read of others.
        settings: settings of the drawing as they were given; they are part of the names in the cache.
        engine: runs the model.
        model_key: text that changes whenever the model does.
        cache: holds the sparse maps.
        resources: closes everything that is opened here.
    """

    path: str | Path
    reading: ReadOptions
    grid: Grid
    drawing: SceneDrawing
    files: SameFiles
    settings: Settings
    engine: Engine
    model_key: str
    cache: MapCache
    resources: ExitStack

    def layers(self, *, with_confidence: bool, temporary: bool) -> dict[str, MapLayer]:
        """Make all layers, by name.

        Args:
            with_confidence: whether the model gives a confidence.
            temporary: whether the sparse maps are deleted when the scene is closed.

        Raises:
            SceneError, ImageError: the scene cannot be read.
            OutputError: the maps do not fit into the cache, or another server draws them.
        """
        layers = {SATELLITE: self._satellite(), MAP: self._map()}
        if with_confidence:
            layers[CONFIDENCE] = self._confidence(layers[MAP])
        if temporary:
            for sparse_map in (layer.sparse_map for layer in layers.values() if layer.sparse_map):
                self.resources.callback(shutil.rmtree, sparse_map.folder)
        return layers

    def _map(self) -> MapLayer:
        drawing = self.drawing
        sparse_map = self._sparse_map(drawing.scene, f"{MAP} {self.model_key} {self.settings}")
        unfamiliar = None
        if FAMILIARITY in drawing.products:
            unfamiliar = UnfamiliarWindows(sparse_map, drawing.plan.model_grid)

        def draw(index: int) -> Write:
            (image, *others), valid = drawing.draw(drawing.plan.windows[index])

            def write() -> None:
                self.files.check()
                if unfamiliar is not None:
                    unfamiliar.add(index, others[-1][..., 0], valid)
                sparse_map.write(index, image, valid)

            return write

        return MapLayer(MAP, sparse_map.path, sparse_map, draw, unfamiliar)

    def _confidence(self, map_layer: MapLayer) -> MapLayer:
        """Make the layer of the confidence; drawing it also draws the map, which costs nothing more."""
        source, plan = self.drawing.scene, self.drawing.plan
        sparse_map = self._sparse_map(source, f"{CONFIDENCE} {self.model_key} {self.settings}")
        drawing = SceneDrawing(source, self.engine, dataclasses.replace(self.settings, confidence=True), plan)

        def draw(index: int) -> Write:
            (image, confidence, *others), valid = drawing.draw(plan.windows[index])

            def write() -> None:
                self.files.check()
                sparse_map.write(index, _coloured(confidence[..., 0]), valid)
                if map_layer.sparse_map is not None and not map_layer.sparse_map.is_done(index):
                    if map_layer.unfamiliar is not None:
                        map_layer.unfamiliar.add(index, others[-1][..., 0], valid)
                    map_layer.sparse_map.write(index, image, valid)

            return write

        return MapLayer(CONFIDENCE, sparse_map.path, sparse_map, draw)

    def _satellite(self) -> MapLayer:
        is_file_itself = self.grid is self.drawing.scene.grid and self.reading == DEFAULT_READ_OPTIONS
        if is_file_itself and not is_remote(self.path) and _is_shown_directly(Path(self.path)):
            return MapLayer(SATELLITE, Path(self.path))
        # Bytes are shown as they are: they are stretched for the model alone.
        source = self.resources.enter_context(
            open_scene(self.path, self.reading, StretchRule(self.engine.card.levels or DEFAULT_LEVELS))
        )
        sparse_map = self._sparse_map(source, SATELLITE)

        def draw(index: int) -> Write:
            window = sparse_map.windows[index]
            image, valid = source.read(window), source.valid(window) if source.has_mask else None
            self.files.check()
            return lambda: sparse_map.write(index, image, valid)

        return MapLayer(SATELLITE, sparse_map.path, sparse_map, draw)

    def _sparse_map(self, source: Source, what: str) -> SparseMap:
        plan = self.drawing.plan
        windows = [plan.model_grid.scene_window(window.core) for window in plan.windows]
        what = f"{what} {plan.windows[0]} {plan.model_grid} {source.stretch} {self.reading}"
        return self.resources.enter_context(
            self.cache.opened(what, source.files, self.grid, windows, with_mask=source.has_mask)
        )


def _coloured(confidence: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Colour a confidence, uint8, shape (h, w), 0..255; gives uint8, shape (h, w, 3), RGB."""
    coloured: npt.NDArray[np.uint8] = CONFIDENCE_COLOURS[confidence]
    return coloured


def confidence_of(rgb_hwc: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Find the confidence that a colour of its layer stands for.

    Args:
        rgb_hwc: uint8, shape (h, w, 3): pixels of the layer at its full resolution, where no two colours are mixed.

    Returns:
        uint8, shape (h, w), 0..255 for a probability of 0 to 1.
    """
    confidence: npt.NDArray[np.uint8] = _ORDER[np.searchsorted(_KEYS[_ORDER], _key(rgb_hwc)).clip(0, 255)]
    return confidence


def _key(rgb_hwc: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    key: npt.NDArray[np.int64] = rgb_hwc.astype(np.int64) @ np.array([65536, 256, 1])
    return key


_STOPS = np.linspace(0, 255, len(CONFIDENCE_RGB))
_BANDS = [np.interp(np.arange(256), _STOPS, band) for band in CONFIDENCE_RGB.T]
CONFIDENCE_COLOURS = np.stack(_BANDS, -1).astype(np.uint8)
"""uint8, shape (256, 3): the colour of each confidence; no two are the same."""
_KEYS = _key(CONFIDENCE_COLOURS)
_ORDER = np.argsort(_KEYS).astype(np.uint8)


def _is_shown_directly(path: Path) -> bool:
    """Check whether GDAL reads from a raster what the model sees of it, at every scale."""
    try:
        with rasterio.open(path) as dataset:
            colours = list(dataset.colorinterp)
            is_rgb = set(dataset.dtypes) == {"uint8"} and colours == [
                ColorInterp.red, ColorInterp.green, ColorInterp.blue
            ]  # fmt: skip
            # Through nodata and masks rio-tiler warps the scene's own pixels: gigabytes for a tile of a hemisphere.
            has_no_mask = all(flags == [MaskFlags.all_valid] for flags in dataset.mask_flag_enums)
            is_small = max(dataset.shape) <= LARGEST_WITHOUT_OVERVIEWS_PX
            is_rgb = is_rgb and told_bands(dataset) in (None, (1, 2, 3))
            return is_rgb and has_no_mask and bool(dataset.overviews(1) or is_small)
    except OPEN_ERRORS:
        return False
