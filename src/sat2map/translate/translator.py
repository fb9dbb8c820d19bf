"""The translator: an image or a scene in, a map out. Commands and programs use the same one."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from sat2map.arrays import UInt8
from sat2map.engine import Engine, load_engine
from sat2map.model.card import Card
from sat2map.scene.destination import check_destination, check_grid, check_no_input, output_path
from sat2map.scene.image import as_rgb_array
from sat2map.scene.model_grid import ModelGrid
from sat2map.scene.options import DEFAULT_READ_OPTIONS, ReadOptions
from sat2map.scene.source import Source, open_scene
from sat2map.scene.stretch import DEFAULT_LEVELS, NOTHING_SHARED, SharedStretch, StretchOption, StretchRule
from sat2map.tiling import Difference, padded_size, translate_windows
from sat2map.translate.data_array import map_like, open_data_array
from sat2map.translate.job import (
    Begin,
    DrawRows,
    TranslationJob,
    assemble,
    draw_missing_rows,
    open_job,
    tell_nobody,
)  # fmt: skip
from sat2map.translate.notebook import card_html
from sat2map.translate.result import TranslationResult
from sat2map.translate.scene_drawing import SceneDrawing, make_runner
from sat2map.translate.seams import mode_difference
from sat2map.translate.settings import Settings, TilingPlan, make_plan

if TYPE_CHECKING:
    from xarray import DataArray

TIMING_PX = 512
DEFAULT_SETTINGS = Settings()

log = logging.getLogger(__name__)


class Translator:
    """A model, ready to translate.

    >>> import numpy as np
    >>> translator = Translator.load()
    >>> translator.translate(np.zeros((100, 200, 3), np.uint8)).shape
    (100, 200, 3)

    Of a scene it makes a file on the scene's grid:

    >>> from importlib.resources import files
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     result = translator.translate_file(str(files("sat2map.bundled") / "naip.tif"), f"{folder}/map.tif")
    >>> result.outputs[0].name, result.grid.height, result.grid.width
    ('map.tif', 204, 266)

    Args:
        engine: runs the model.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def __repr__(self) -> str:
        """The model, the ground resolution it knows, and its heads."""
        card = self.card
        return f"Translator({card.name}, {card.gsd_m[0]:g} to {card.gsd_m[1]:g} m per pixel, {' or '.join(card.heads)})"

    def _repr_html_(self) -> str:
        """In a notebook, the model's card."""
        return card_html(self.card)

    @classmethod
    def load(cls, model: str | Path | None = None, device: str = "auto", n_threads: int | None = None) -> Self:
        """Load a model: the default one (`open`), another by name, or a `.onnx` or `.safetensors` file.

        Args:
            model: a bundled model's name or a file.
            device: `auto`, `cpu`, `cuda` or `mps`; ONNX files run on the processor.
            n_threads: of ONNX Runtime; by default one for each core.

        Raises:
            ModelFileError: there is no such model, or its file is broken.
            MissingExtraError: the model needs torch, which is not installed.
        """
        return cls(load_engine(model, device, n_threads))

    @property
    def card(self) -> Card:
        """The model's card."""
        return self.engine.card

    def translate(self, image: Any, settings: Settings = DEFAULT_SETTINGS) -> UInt8:
        """Draw the map of an image of any size.

        Args:
            image: uint8 array of shape (H, W, 3) RGB, (H, W, 4) RGBA, (H, W) or (H, W, 1) grey, or a Pillow image of
                any mode. Alpha is not used.
            settings: how it is tiled.

        Returns:
            uint8, shape (H, W, 3), 0..255, RGB.

        Raises:
            ImageError: the array is of another type or shape.
            ModelFileError: the model has no such head, or not that mode.
        """
        sat_hwc = as_rgb_array(image)
        plan = self.plan(sat_hwc.shape[0], sat_hwc.shape[1], settings)
        result = np.empty_like(sat_hwc)
        run = make_runner(self.engine, settings)
        windows = translate_windows(lambda w: sat_hwc[w.slices], run, plan.windows, plan.height, plan.width)
        for core, pixels in windows:
            result[core.slices] = pixels[..., :3]
        return result

    def translate_scene(
        self, scene: DataArray, settings: Settings = DEFAULT_SETTINGS, *, stretch: StretchOption | None = None
    ) -> DataArray:
        """Draw the map of a scene that is an xarray.DataArray, as `rioxarray.open_rasterio` gives one.

        The pixels are those that `translate_file` writes of the same scene, which is held whole. The georeference is
        that of the coordinates y, x and `spatial_ref` (attributes `crs_wkt` and `GeoTransform`), and nodata the
        attribute `_FillValue`; NaN is nodata too.

        Args:
            scene: numbers of any kind, dims band, y, x.
            settings: how it is drawn; confidence and familiarity are left out.
            stretch: numbers that become dark and bright, as of `ReadOptions.stretch`.

        Returns:
            uint8, dims band (red, green, blue, or one of classes), y, x, with the coordinates of the scene; where
            pixels can be invalid, `_FillValue` stands for those.

        Raises:
            SceneError: the array is no scene.
            ModelFileError: the model cannot do what the settings ask for.
        """
        settings = dataclasses.replace(settings, confidence=False, familiarity=False)
        with open_data_array(scene, stretch, self.stretch_rule) as source:
            map_hwc, valid = self._checked_drawing(source, scene.name or "scene", settings, []).draw_whole()
        return map_like(scene, map_hwc, valid, settings.products[0])

    def plan(self, height: int, width: int, settings: Settings = DEFAULT_SETTINGS) -> TilingPlan:
        """The windows in which an image of that size is drawn, at its own resolution.

        >>> [window.core.width for window in Translator.load().plan(1500, 3000).windows]
        [1504, 1496]

        Args:
            height: of the image, in pixels.
            width: of the image, in pixels.
            settings: how it is drawn.

        Raises:
            ModelFileError: the model cannot do what the settings ask for.
        """
        return make_plan(self.card, settings, ModelGrid(height, width, height, width))

    def drawing(self, scene: Source, settings: Settings = DEFAULT_SETTINGS) -> SceneDrawing:
        """Prepare to draw an open scene window by window, with the very pixels that `translate_file` writes.

        Args:
            scene: of `open_scene`, opened with this model's `stretch_rule`.
            settings: how it is drawn.

        Raises:
            ModelFileError: the model cannot do what the settings ask for.
        """
        return SceneDrawing(scene, self.engine, settings)

    @property
    def stretch_rule(self) -> StretchRule:
        """What the model wants of a scene's numbers, for `open_scene`."""
        return StretchRule(self.card.levels or DEFAULT_LEVELS, self.card.stretch_bytes)

    def translate_file(
        self, source: str | Path, destination: str | Path, settings: Settings = DEFAULT_SETTINGS, *,
        reading: ReadOptions = DEFAULT_READ_OPTIONS, shared: SharedStretch = NOTHING_SHARED, overwrite: bool = False,
        begin: Begin = tell_nobody, draw_rows: DrawRows = draw_missing_rows,
    ) -> TranslationResult:  # fmt: skip
        """Translate a raster or an image to a file: GeoTIFF, PNG, MBTiles or PMTiles, by its ending.

        The map has the source's grid and mask. Where there is no data, nothing is drawn, and windows without any are
        not computed. Memory does not grow with the scene, unless it is an image, which is decoded whole. What an
        interrupted run of the same job has drawn is taken over. After an error nothing is left behind.

        Args:
            source: raster or image, a file or a URL.
            destination: appears when it is finished.
            settings: how it is drawn.
            reading: how it is read.
            shared: the stretch of several scenes, where `share_stretch` decided it.
            overwrite: replace an output that exists.
            begin: told what will be done; its result is told of progress.
            draw_rows: draws what is missing; by default this process does.

        Raises:
            OutputError: the map cannot be written.
            SceneError, ImageError: the source cannot be read, or is no scene.
            ModelFileError: the model cannot do what the settings ask for.
        """
        start_s, settings = time.perf_counter(), settings.for_engine(self.engine)
        paths = self._output_paths(source, Path(destination), settings, overwrite=overwrite)
        with open_scene(source, reading, self.stretch_rule, shared) as scene:
            drawing = self._checked_drawing(scene, source, settings, paths)
            with open_job(source, paths[0], drawing, self.card, reading) as job:
                cost = self._draw(job, drawing, begin, draw_rows)
                unfamiliar = assemble(scene, job, self.card, paths)
        stretch = None if scene.stretch is None else str(scene.stretch)
        seconds = time.perf_counter() - start_s
        return TranslationResult(
            tuple(paths), drawing.plan, scene.grid, seconds, stretch, cost, unfamiliar, source, reading
        )

    def _output_paths(
        self, source: str | Path, destination: Path, settings: Settings, *, overwrite: bool
    ) -> list[Path]:
        """The files to be written; what the model lacks and what cannot be written is found before any work."""
        paths = [output_path(destination, product) for product in settings.products]
        for path in paths:
            check_destination(source, path, overwrite=overwrite)
        make_runner(self.engine, settings, [product.name for product in settings.products[1:]])
        return paths

    def _checked_drawing(self, scene: Source, name: object, settings: Settings, paths: Sequence[Path]) -> SceneDrawing:
        """A scene ready to be drawn to `paths`; what is doubtful about it is said."""
        for path in paths:
            check_no_input(path, scene.files)
            check_grid(path, scene.grid)
        drawing = self.drawing(scene, settings)
        grid = drawing.plan.model_grid
        (log.warning if grid.is_too_coarse else log.info)("%s: %s", name, grid.reason)
        return drawing

    def _draw(self, job: TranslationJob, drawing: SceneDrawing, begin: Begin, draw_rows: DrawRows) -> Difference | None:
        """Draw what is missing of a job; return what its mode costs."""
        n_done_px = job.n_done_px()
        progress = begin(dataclasses.replace(drawing.plan, n_done_px=n_done_px))
        progress(n_done_px)
        cost = mode_difference(drawing, self.card, self.translate)
        draw_rows(drawing, job, progress)
        return cost

    def seconds_per_px(self, settings: Settings = DEFAULT_SETTINGS) -> float:
        """Time the network on this machine: seconds for each pixel that it reads."""
        side = padded_size(TIMING_PX, 0, self.card.stride)[0]
        run = make_runner(self.engine, settings)
        start_s = time.perf_counter()
        run(np.zeros((side, side, 3), np.uint8))
        return (time.perf_counter() - start_s) / side**2
