"""The translator: an image or a scene in, a map out. Commands and programs use the same one."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np

from sat2map.arrays import UInt8
from sat2map.engine import Engine, load_engine
from sat2map.errors import ImageError
from sat2map.model.card import Card
from sat2map.scene.destination import check_destination, check_grid, check_no_input
from sat2map.scene.georeference import Grid
from sat2map.scene.image import as_rgb
from sat2map.scene.pieces import CONFIDENCE, Product
from sat2map.scene.resolution import ModelGrid
from sat2map.scene.source import DEFAULT_READ_OPTIONS, ReadOptions, Source, open_scene
from sat2map.scene.work import open_work
from sat2map.tiling import Difference, padded_size, translate_windows
from sat2map.translate.job import Progress, TranslationJob, assemble, draw_pieces, job_key
from sat2map.translate.scene_drawing import SceneDrawing, make_runner
from sat2map.translate.seams import mode_difference
from sat2map.translate.settings import Settings, TilingPlan, make_plan

TIMING_PX = 512
DEFAULT_SETTINGS = Settings()

log = logging.getLogger(__name__)


class TranslationResult(NamedTuple):
    """What became of a scene.

    Attributes:
        outputs: the files that were written, the map first.
        plan: the windows in which it was drawn.
        grid: of the scene and of its map.
        seconds: how long it took.
        stretch: how the scene's numbers became bytes, in words; None: they were bytes.
        mode_difference: what the mode costs on this scene; None: it is exact.
    """

    outputs: tuple[Path, ...]
    plan: TilingPlan
    grid: Grid
    seconds: float
    stretch: str | None
    mode_difference: Difference | None


DrawRows = Callable[[SceneDrawing, TranslationJob, Progress], None]
"""Draws the rows of a job that are missing."""


def draw_missing_rows(drawing: SceneDrawing, job: TranslationJob, progress: Progress) -> None:
    """Draw the rows of a job that are missing, in this process."""
    draw_pieces(drawing, job, job.missing_rows(), progress)


def output_path(destination: Path, product: Product) -> Path:
    """The file of a product: the confidence lies beside the map, as a raster."""
    if product != CONFIDENCE:
        return destination
    suffix = destination.suffix if destination.suffix.lower() in (".tif", ".tiff", ".png") else ".tif"
    return destination.with_name(f"{destination.stem}_confidence{suffix}")


class Translator:
    """A model, ready to translate.

    >>> import numpy as np
    >>> translator = Translator.load()
    >>> translator.translate(np.zeros((100, 200, 3), np.uint8)).shape
    (100, 200, 3)

    Args:
        engine: runs the model.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def __repr__(self) -> str:
        """The model, the ground resolution it knows, and its heads."""
        card = self.card
        return f"Translator({card.name}, {card.gsd_m[0]:g} to {card.gsd_m[1]:g} m per pixel, {' or '.join(card.heads)})"

    @classmethod
    def load(cls, model: str | Path | None = None, device: str = "auto", n_threads: int | None = None) -> Self:
        """Load a model: the bundled one, another by name, or a `.onnx` or `.safetensors` file.

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
        sat_hwc = _as_rgb_array(image)
        plan = self.plan(sat_hwc.shape[0], sat_hwc.shape[1], settings)
        result = np.empty_like(sat_hwc)
        run = make_runner(self.engine, settings)
        windows = translate_windows(lambda w: sat_hwc[w.slices], run, plan.windows, plan.height, plan.width)
        for core, pixels in windows:
            result[core.slices] = pixels[..., :3]
        return result

    def plan(self, height: int, width: int, settings: Settings = DEFAULT_SETTINGS) -> TilingPlan:
        """The windows in which an image of that size is drawn, at its own resolution.

        Raises:
            ModelFileError: the model cannot do what the settings ask for.
        """
        return make_plan(self.card, settings, ModelGrid(height, width, height, width))

    def drawing(self, scene: Source, settings: Settings = DEFAULT_SETTINGS) -> SceneDrawing:
        """An open scene, ready to be drawn window by window, with the very pixels that `translate_file` writes.

        Raises:
            ModelFileError: the model cannot do what the settings ask for.
        """
        return SceneDrawing(scene, self.engine, settings)

    def reading(self, options: ReadOptions = DEFAULT_READ_OPTIONS) -> ReadOptions:
        """How a scene is to be read for this model: as `options` say, and with the stretch that the model knows."""
        return dataclasses.replace(options, levels=self.card.levels, stretch_bytes=self.card.stretch_bytes)

    def translate_file(
        self,
        source: str | Path,
        destination: str | Path,
        settings: Settings = DEFAULT_SETTINGS,
        *,
        reading: ReadOptions = DEFAULT_READ_OPTIONS,
        overwrite: bool = False,
        begin: Callable[[TilingPlan], Progress] = lambda _: lambda _: None,
        draw_rows: DrawRows = draw_missing_rows,
    ) -> TranslationResult:
        """Translate a raster or an image to a file: GeoTIFF, PNG, MBTiles or PMTiles, by its ending.

        The map has the source's grid and mask. Where there is no data, nothing is drawn, and windows without any are
        not computed. Memory does not grow with the scene, unless it is an image, which is decoded whole. What an
        interrupted run of the same job has drawn is taken over.

        Args:
            source: raster or image, a file or a URL.
            destination: appears when it is finished.
            settings: how it is drawn.
            reading: how it is read.
            overwrite: replace an output that exists.
            begin: told what will be done; its result is told of progress.
            draw_rows: draws what is missing; by default this process does.

        Raises:
            OutputError, SceneError, ImageError, ModelFileError: one line says what; nothing is left behind.
        """
        start_s, settings = time.perf_counter(), settings.for_engine(self.engine)
        paths = [output_path(Path(destination), product) for product in settings.products]
        for path in paths:
            check_destination(source, path, overwrite=overwrite)
        make_runner(self.engine, settings)  # what the model lacks is found before any work
        with open_scene(source, self.reading(reading)) as scene:
            for path in paths:
                check_no_input(path, scene.files)
                check_grid(path, scene.grid)
            drawing = self.drawing(scene, settings)
            grid = drawing.plan.model_grid
            (log.warning if grid.is_too_coarse else log.info)("%s: %s", source, grid.reason)
            with self._job(source, paths[0], drawing, self.reading(reading)) as job:
                n_done_px = job.n_done_px()
                progress = begin(dataclasses.replace(drawing.plan, n_done_px=n_done_px))
                progress(n_done_px)
                cost = mode_difference(drawing, self.card, self.translate)
                draw_rows(drawing, job, progress)
                assemble(scene, job, self.card, paths)
        stretch = None if scene.stretch is None else str(scene.stretch)
        seconds = time.perf_counter() - start_s
        return TranslationResult(tuple(paths), drawing.plan, scene.grid, seconds, stretch, cost)

    @contextmanager
    def _job(
        self, source: str | Path, destination: Path, drawing: SceneDrawing, reading: ReadOptions
    ) -> Iterator[TranslationJob]:
        """The job of a scene, in a folder beside its destination that this process alone holds."""
        scene = drawing.scene
        # Decided once: whoever draws a piece of the scene draws it with this stretch.
        reading = dataclasses.replace(reading, stretch=scene.stretch or reading.stretch)
        with open_work(destination, job_key(self.card, scene, reading, drawing.settings)) as folder:
            yield TranslationJob(source, reading, drawing.settings, drawing.plan, folder, scene.has_mask)

    def seconds_per_px(self, settings: Settings = DEFAULT_SETTINGS) -> float:
        """Time the network on this machine, now; seconds for each pixel that it reads."""
        side = padded_size(TIMING_PX, 0, self.card.stride)[0]
        run = make_runner(self.engine, settings)
        start_s = time.perf_counter()
        run(np.zeros((side, side, 3), np.uint8))
        return (time.perf_counter() - start_s) / side**2


def _as_rgb_array(image: Any) -> UInt8:
    """An image as RGB bytes, uint8, shape (H, W, 3).

    Raises:
        ImageError: it is no array of bytes in one of the shapes that an image has.
    """
    if hasattr(image, "getbands"):  # a Pillow image
        return as_rgb(image)[0]
    array = np.asarray(image)
    channels = 1 if array.ndim == 2 else array.shape[-1] if array.ndim == 3 else 0
    if array.dtype != np.uint8 or channels not in (1, 3, 4) or not array.size:
        raise ImageError(
            "array is not an image of bytes", f"{array.dtype} {array.shape}",
            hint="give uint8 of shape (H, W, 3), (H, W, 4) or (H, W)",
        )  # fmt: skip
    if channels == 1:
        return np.repeat(array.reshape(*array.shape[:2], 1), 3, -1)
    rgb: UInt8 = array[..., :3]
    return rgb
