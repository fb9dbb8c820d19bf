"""An image or a scene in, a map out: reads, tiles, runs and writes; the one road that commands and programs take."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np

from sat2map.arrays import Bool, UInt8
from sat2map.classes import CLASS_NAMES
from sat2map.engine import Engine, choose_head, load_engine
from sat2map.errors import ImageError
from sat2map.scene.destination import check_destination, check_grid, check_no_input, publish
from sat2map.scene.formats import finish
from sat2map.scene.georeference import Grid
from sat2map.scene.pieces import CLASSES, CONFIDENCE, Product
from sat2map.scene.resolution import ModelGrid, choose_model_grid
from sat2map.scene.source import DEFAULT_READ_OPTIONS, ReadOptions, Source, open_scene
from sat2map.scene.work import open_work
from sat2map.tiling import Difference, TiledWindow, Window, difference, padded_size, translate_windows
from sat2map.tiling.blend import STEP_PX as BLEND_STEP_PX
from sat2map.translate.pipeline import Progress, Reader, TranslationJob, draw_pieces, draw_window, make_run
from sat2map.translate.settings import DEFAULT_CORE_PX, Mode, Settings, TilingPlan, make_plan

__all__ = [
    "DEFAULT_CORE_PX",
    "Draw",
    "Mode",
    "Progress",
    "Settings",
    "TilingPlan",
    "TranslationJob",
    "TranslationResult",
    "Translator",
    "output_path",
]  # fmt: skip


PROBE_CORE_PX = 512
"""Side of the windows on which a mode's residual is measured."""
TIMING_PX = 512

log = logging.getLogger(__name__)


PLAIN = Settings()


class TranslationResult(NamedTuple):
    """What became of a scene."""

    outputs: tuple[Path, ...]
    plan: TilingPlan
    grid: Grid
    seconds: float
    stretch: str | None
    residual: Difference | None


Draw = Callable[["Translator", TranslationJob, Progress], None]


def output_path(destination: Path, product: Product) -> Path:
    """Where a product goes: the confidence lies beside the map, as a raster."""
    if product != CONFIDENCE:
        return destination
    suffix = destination.suffix if destination.suffix.lower() in (".tif", ".tiff", ".png") else ".tif"
    return destination.with_name(f"{destination.stem}_confidence{suffix}")


class Translator:
    """A model, ready to translate.

    Args:
        engine: runs the model.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @classmethod
    def load(cls, model: str | Path | None = None, device: str = "auto", n_threads: int | None = None) -> Self:
        """Load a model: the bundled one, another by name, or a `.onnx` or `.safetensors` file.

        Raises:
            ModelFileError: there is no such model, or its file is broken.
            MissingExtraError: the model needs torch, which is not installed.
        """
        return cls(load_engine(model, device, n_threads))

    def translate(self, image_hwc: UInt8, settings: Settings = PLAIN) -> UInt8:
        """Draw the map of an image of any size.

        Args:
            image_hwc: uint8, shape (H, W, 3), 0..255, RGB.
            settings: how it is tiled.

        Returns:
            uint8, shape (H, W, 3), 0..255, RGB.

        Raises:
            ImageError: the array is of another type or shape.
            ModelFileError: the model has no such head, or not that mode.
        """
        array = np.asarray(image_hwc)
        if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or not array.size:
            raise ImageError(
                "array is not uint8 of shape (H, W, 3)", f"{array.dtype} {array.shape}", hint="convert it to RGB bytes"
            )
        planned = self.plan(array.shape[0], array.shape[1], settings)
        result = np.empty_like(array)
        run = self.runner(settings)
        windows = translate_windows(lambda w: array[w.slices], run, planned.windows, planned.height, planned.width)
        for core, pixels in windows:
            result[core.slices] = pixels[..., :3]
        return result

    def plan(self, height: int, width: int, settings: Settings) -> TilingPlan:
        """The windows in which something of that size is drawn as it is.

        Raises:
            ModelFileError: the model cannot do what the settings ask for.
        """
        return make_plan(self.engine.card, settings, ModelGrid(height, width, height, width))

    def plan_scene(self, grid: Grid, settings: Settings) -> TilingPlan:
        """The windows in which a scene is drawn, at a ground resolution that the model knows.

        Raises:
            ModelFileError: the model cannot do what the settings ask for.
        """
        return make_plan(self.engine.card, settings, choose_model_grid(grid, self.engine.card.gsd_m, settings.gsd_m))

    def draw_window(
        self, scene: Source, planned: TilingPlan, window: TiledWindow, settings: Settings
    ) -> tuple[UInt8, Bool | None]:
        """Draw what one window of a plan draws: the very pixels that `translate_file` writes there.

        Returns:
            uint8, shape (h, w, 3), those of `planned.model_grid.scene_window(window.core)`; and where they are
            valid, bool, shape (h, w), None: everywhere.
        """
        settings = self._resolved(settings)
        reader = Reader(scene, planned, self.engine.card)
        valid = reader.valid(window)
        sat_hwc = None if valid is not None and not valid.any() else reader.read(window.read)
        return draw_window(self.runner(settings), planned, settings, window, sat_hwc)[0], valid

    def reading(self, options: ReadOptions = DEFAULT_READ_OPTIONS) -> ReadOptions:
        """How a scene is to be read for the model: as `options` say, and with the stretch that the model knows."""
        card = self.engine.card
        return dataclasses.replace(options, levels=card.levels, stretch_bytes=card.stretch_bytes)

    def translate_file(
        self,
        source: str | Path,
        destination: Path,
        settings: Settings = PLAIN,
        *,
        reading: ReadOptions | None = None,
        overwrite: bool = False,
        begin: Callable[[TilingPlan], Progress] = lambda _: lambda _: None,
        draw: Draw | None = None,
    ) -> TranslationResult:
        """Translate a raster or an image to a file: GeoTIFF, PNG, MBTiles or PMTiles, by its ending.

        The map has the source's grid and mask. Where there is no data, nothing is drawn, and windows without any are
        not computed. Memory does not grow with the scene, unless it is an image, which is decoded whole. What an
        interrupted run of the same job has drawn is taken over.

        Args:
            source: raster or image, a file or a URL.
            destination: appears when it is finished.
            settings: how it is drawn.
            reading: how it is read; by default as its file says.
            overwrite: replace an output that exists.
            begin: told what will be done, answers with what is to be told of progress.
            draw: draws the pieces that are missing; by default this process does.

        Raises:
            OutputError, SceneError, ImageError, ModelFileError: one line says what; nothing is left behind.
        """
        begun = time.perf_counter()
        paths = [output_path(destination, product) for product in settings.products]
        for path in paths:
            check_destination(source, path, overwrite=overwrite)
        settings = self._resolved(settings)
        make_run(self.engine, settings)  # what the model lacks is found before any work
        reading = self.reading(reading or ReadOptions())
        with open_scene(source, reading) as scene:
            for path in paths:
                check_no_input(path, scene.files)
                check_grid(path, scene.grid)
            planned = self.plan_scene(scene.grid, settings)
            (log.warning if planned.model_grid.is_too_coarse else log.info)("%s: %s", source, planned.model_grid.reason)
            # Decided once: whoever draws a piece of the scene draws it with this.
            reading = dataclasses.replace(reading, stretch=scene.stretch or reading.stretch)
            with open_work(destination, self._words(scene, reading, settings)) as folder:
                job = TranslationJob(source, reading, settings, planned, folder, scene.has_mask)
                n_done_px = self._n_done_px(job)
                progress = begin(dataclasses.replace(planned, n_done_px=n_done_px))
                progress(n_done_px)
                residual = self._residual(scene, planned, settings)
                if draw is None:
                    draw_pieces(scene, job, job.missing(), self.engine, progress)
                else:
                    draw(self, job, progress)
                self._assemble(scene, job, paths)
        stretch = None if scene.stretch is None else str(scene.stretch)
        return TranslationResult(tuple(paths), planned, scene.grid, time.perf_counter() - begun, stretch, residual)

    def _assemble(self, scene: Source, job: TranslationJob, paths: list[Path]) -> None:
        finished = job.folder / "finished"
        finished.mkdir(exist_ok=True)
        made: list[Path] = []
        # The map itself comes last: where it is, all that belongs to it is.
        for product, path in reversed(list(zip(job.settings.products, paths, strict=True))):
            pieces = [job.piece(product, i) for i in range(len(job.plan.rows))]
            tags = self._tags(scene, job, product)
            made += finish(pieces, scene.grid, product, with_mask=job.with_mask, tags=tags, path=finished / path.name)
        publish(made, paths[0].parent)

    def _n_done_px(self, job: TranslationJob) -> int:
        missing = set(job.missing())
        homes = [job.plan.home_of_row(i) for i in range(len(job.plan.rows)) if i not in missing]
        return sum(home.height * home.width for home in homes)

    def _residual(self, scene: Source, planned: TilingPlan, settings: Settings) -> Difference | None:
        """How far two ways of drawing the middle of a scene lie apart, where the mode is not exact.

        `fast` is compared with the exact margin, the others with a tiling half a window further.
        """
        mode = settings.mode_for(self.engine.card)
        if mode == "exact" or len(planned.windows) == 1:
            return None
        side = 3 * PROBE_CORE_PX
        middle = Window((planned.height - side) // 2, (planned.width - side) // 2, side, side)
        image = Reader(scene, planned, self.engine.card).read(middle.clipped(planned.height, planned.width))
        probe = dataclasses.replace(settings, core_px=PROBE_CORE_PX, confidence=False, classes=False)
        if mode == "fast":
            exact = dataclasses.replace(probe, mode="exact")
            return difference(self.translate(image, probe), self.translate(image, exact))
        return self.shift_difference(image, probe)

    def shift_difference(self, image_hwc: UInt8, settings: Settings) -> Difference:
        """How far a tiling and the same one half a window further lie apart, away from the image's border.

        Args:
            image_hwc: uint8, shape (H, W, 3), sides of more than two windows.
            settings: how it is tiled.
        """
        # By a whole number of strides: else the network itself would see the ground at another phase.
        half_px = padded_size(settings.core_px // 2, 0, self.engine.card.stride)[0]
        shift = BLEND_STEP_PX // 2 if settings.mode_for(self.engine.card) == "blend" else half_px
        # There the image's own border is seen, which the two tilings have in different places.
        away = min(self.engine.card.margin_px + self.engine.card.stride, (min(image_hwc.shape[:2]) - shift) // 3)
        first = self.translate(image_hwc, settings)[shift:, shift:]
        second = self.translate(image_hwc[shift:, shift:], settings)
        inner = np.s_[away:-away, away:-away]
        return difference(first[inner], second[inner])

    def seconds_per_px(self, settings: Settings = PLAIN) -> float:
        """Of the network, on this machine, now."""
        side = padded_size(TIMING_PX, 0, self.engine.card.stride)[0]
        begun = time.perf_counter()
        self.runner(settings)(np.zeros((side, side, 3), np.uint8))
        return (time.perf_counter() - begun) / side**2

    def _resolved(self, settings: Settings) -> Settings:
        return dataclasses.replace(settings, head=choose_head(self.engine.card, settings.head))

    def runner(self, settings: Settings) -> Callable[[UInt8], UInt8]:
        """How one window of a plan is drawn: uint8, shape (h, w, 3), to the same shape (a fourth channel: confidence).

        Raises:
            ModelFileError: the model has no such head, no probabilities, or not that mode.
        """
        return make_run(self.engine, settings)

    def _words(self, scene: Source, reading: ReadOptions, settings: Settings) -> dict[str, Any]:
        """All that the pixels of a map depend on."""
        from sat2map import __version__

        files = [(str(f), f.stat().st_size, f.stat().st_mtime_ns) for f in scene.files if f.exists()]
        model = hashlib.sha256(self.engine.card.model_dump_json().encode()).hexdigest()
        return {
            "version": __version__, "model": model, "files": files, "names": [str(f) for f in scene.files],
            "reading": dataclasses.asdict(reading), "settings": dataclasses.asdict(settings),
        }  # fmt: skip

    def _tags(self, scene: Source, job: TranslationJob, product: Product) -> dict[str, str]:
        from sat2map import __version__

        card = self.engine.card
        tags = {
            "SAT2MAP_VERSION": __version__,
            "SAT2MAP_MODEL": f"{card.name}, {card.steps} steps",
            "SAT2MAP_MODEL_LICENCE": card.licence,
            "SAT2MAP_HEAD": choose_head(card, job.settings.head),
            "SAT2MAP_PRODUCT": product.name,
            "SAT2MAP_MODE": job.settings.mode_for(card),
            "SAT2MAP_MARGIN_PX": str(job.settings.margin_for(card)),
            "SAT2MAP_RESOLUTION": job.plan.model_grid.reason,
        }
        if scene.stretch is not None:
            tags["SAT2MAP_STRETCH"] = str(scene.stretch)
        if product == CLASSES:
            tags["SAT2MAP_CLASSES"] = ", ".join(f"{i} {name}" for i, name in enumerate(CLASS_NAMES))
        if product == CONFIDENCE:
            tags["SAT2MAP_CONFIDENCE"] = "probability of the class shown, 0 to 255 for 0 to 1"
        return tags
