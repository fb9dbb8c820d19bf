"""A picture or a scene in, a map out: reads, tiles, runs and writes; the one road that commands and programs take."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from sat2map.engine import Engine, choose_output, load_engine
from sat2map.errors import PictureError
from sat2map.scene.sink import Sink, check_destination, check_no_input, open_sink
from sat2map.scene.source import Source, open_source
from sat2map.tiling import TiledWindow, padded_size, plan, translate_windows

UInt8 = npt.NDArray[np.uint8]

DEFAULT_CORE_PX = 1024
"""Side of a core window: with the bundled model's margin the process stays below 1 GB."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings:
    """How a scene is tiled.

    Attributes:
        output: one of the model's outputs; by default its first.
        core_px: side of a core window; raised to a multiple of the model's stride.
        margin_px: pixels of context; by default the model's own, which is exact.
    """

    output: str | None = None
    core_px: int = DEFAULT_CORE_PX
    margin_px: int | None = None


@dataclass(frozen=True)
class Plan:
    """What will be done to a scene: its size, and the windows that are read, some of which may turn out empty."""

    height: int
    width: int
    windows: list[TiledWindow]


Progress = Callable[[int], None]
"""Told how many more pixels are done."""


class Translator:
    """A model, ready to translate.

    Args:
        engine: runs the model.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @classmethod
    def load(cls, model: str | Path | None = None, device: str = "auto") -> Self:
        """Load a model: the bundled one, another by name, or a `.onnx` or `.safetensors` file.

        Raises:
            ModelFileError: there is no such model, or its file is broken.
            MissingExtraError: the model needs torch, which is not installed.
        """
        return cls(load_engine(model, device))

    def translate(self, picture_hwc: UInt8, settings: Settings = Settings()) -> UInt8:
        """Draw the map of a picture of any size.

        Args:
            picture_hwc: uint8, shape (H, W, 3), 0..255, RGB.
            settings: how it is tiled.

        Returns:
            uint8, shape (H, W, 3), 0..255, RGB.

        Raises:
            PictureError: the array is of another type or shape.
            ModelFileError: the model has no such output.
        """
        array = np.asarray(picture_hwc)
        if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or not array.size:
            raise PictureError(
                "array is not uint8 of shape (H, W, 3)", f"{array.dtype} {array.shape}", hint="convert it to RGB bytes"
            )
        planned = self.plan(array.shape[0], array.shape[1], settings)
        result = np.empty_like(array)
        run = self._runner(settings)
        windows = translate_windows(lambda w: array[w.slices], run, planned.windows, planned.height, planned.width)
        for core, pixels in windows:
            result[core.slices] = pixels
        return result

    def plan(self, height: int, width: int, settings: Settings) -> Plan:
        """The windows that a scene of that size is translated in."""
        card = self.engine.card
        core = settings.core_px
        whole = max(padded_size(height, width, card.stride))
        if card.statistics == "image":
            # Windows of their own statistics would differ in tone: one piece where that is possible.
            if whole <= 2 * core:
                core = whole
            else:
                log.warning(
                    "the model normalises each window by itself, so expect seams; one with frozen statistics has none"
                )
        margin = self._margin_px(settings)
        if margin < card.margin_px:
            log.warning("a margin of %d px is less than the model's %d, so expect seams", margin, card.margin_px)
        return Plan(height, width, plan(height, width, stride=card.stride, margin=margin, core=core))

    def translate_file(
        self,
        source: Path,
        destination: Path,
        settings: Settings = Settings(),
        *,
        overwrite: bool = False,
        begin: Callable[[Plan], Progress] = lambda _: lambda _: None,
    ) -> None:
        """Translate a raster or a picture to a file: a Cloud-Optimized GeoTIFF or a PNG, by its ending.

        The map has the source's grid and mask. Where there is no data, nothing is drawn, and windows without any are
        not computed. Memory does not grow with the scene, unless it is a picture, which is decoded whole.

        Args:
            source: raster or picture.
            destination: `.tif` or `.png`; appears when it is finished.
            settings: how it is tiled.
            overwrite: replace an output that exists.
            begin: told what will be done, answers with what is to be told of progress.

        Raises:
            OutputError, SceneError, PictureError, ModelFileError: one line says what; nothing is left behind.
        """
        check_destination(source, destination, overwrite=overwrite)
        with open_source(source) as scene:
            check_no_input(destination, scene.files)
            grid = scene.grid
            planned = self.plan(grid.height, grid.width, settings)
            run = self._runner(settings)
            progress = begin(planned)
            with open_sink(destination, grid, with_mask=scene.has_mask, tags=self._tags(settings)) as sink:
                self._translate_scene(scene, planned, run, sink, progress)

    def _translate_scene(
        self, scene: Source, planned: Plan, run: Callable[[Any], Any], sink: Sink, progress: Progress
    ) -> None:
        """Translate window by window; one is written while the next is computed."""
        with ThreadPoolExecutor(1) as writer:
            written = None
            for window in planned.windows:
                valid = scene.valid(window.core) if scene.has_mask else None
                pixels = np.zeros((window.core.height, window.core.width, 3), np.uint8)
                if valid is None or valid.any():
                    parts = translate_windows(scene.read, run, [window], planned.height, planned.width)
                    pixels = next(parts)[1]
                if written:
                    written.result()
                written = writer.submit(sink.write, window.core, pixels, valid)
                progress(window.core.height * window.core.width)
            if written:
                written.result()

    def _runner(self, settings: Settings) -> Callable[[UInt8], UInt8]:
        output = choose_output(self.engine.card, settings.output)
        return lambda picture_hwc: self.engine.run(np.ascontiguousarray(picture_hwc)[None], output)[0]

    def _margin_px(self, settings: Settings) -> int:
        return self.engine.card.margin_px if settings.margin_px is None else settings.margin_px

    def _tags(self, settings: Settings) -> dict[str, str]:
        from sat2map import __version__

        card = self.engine.card
        return {
            "SAT2MAP_VERSION": __version__,
            "SAT2MAP_MODEL": f"{card.name}, {card.steps} steps",
            "SAT2MAP_MODEL_LICENCE": card.licence,
            "SAT2MAP_OUTPUT": choose_output(card, settings.output),
            "SAT2MAP_MARGIN_PX": str(self._margin_px(settings)),
        }
