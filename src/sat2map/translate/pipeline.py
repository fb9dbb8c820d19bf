"""Draws the pieces of a scene: one window is read while another is computed and a third is written."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import rasterio

from sat2map.arrays import Bool, UInt8
from sat2map.classes import COLOURS_RGB, classify, nearest_colour
from sat2map.engine import Engine, choose_head
from sat2map.model.card import Card
from sat2map.scene.mask import fill_gaps
from sat2map.scene.pieces import ENVIRONMENT, Piece, Product, Sink, open_piece
from sat2map.scene.resolution import ResampledSource
from sat2map.scene.source import ReadOptions, Source
from sat2map.scene.stretch import DEFAULT_LEVELS
from sat2map.tiling import TiledWindow, Window, blended, read_padded
from sat2map.translate.settings import Settings, TilingPlan

Run = Callable[[UInt8], UInt8]
"""Draws an array, uint8, shape (h, w, 3): the image's three channels and, where it is drawn, the confidence."""
Progress = Callable[[int], None]
"""Told how many more pixels are done."""

FILL_PX = 64
"""How far the ground is continued into what is not there. Beside a black margin the model sees water: within 48 px of
it, classes on four parts of a masked mosaic were right on 76 % of pixels; continued by 128 px, 80 %; by 64, 84 %."""
READ_AHEAD = 2
"""Windows that are read before they are needed."""


@dataclass(frozen=True)
class TranslationJob:
    """A scene that is being drawn; all that another process needs to draw a piece of it.

    Attributes:
        source: file or URL of the scene.
        reading: how it is read, its stretch decided.
        settings: how it is drawn.
        plan: its windows.
        folder: where its pieces appear.
        with_mask: whether pixels may be invalid.
    """

    source: str | Path
    reading: ReadOptions
    settings: Settings
    plan: TilingPlan
    folder: Path
    with_mask: bool

    def piece(self, product: Product, index: int) -> Piece:
        """The file of a row of windows."""
        return Piece(self.folder / f"{product.name}_{index:05d}.tif", self.plan.home_of_row(index))

    def missing(self) -> list[int]:
        """Rows that are not drawn yet."""
        return [
            i for i in range(len(self.plan.rows))
            if not all(self.piece(product, i).path.exists() for product in self.settings.products)
        ]  # fmt: skip


def make_run(engine: Engine, settings: Settings) -> Run:
    """How an array is drawn.

    Raises:
        ModelFileError: the model has no such head, or no probabilities.
    """
    head, mode = choose_head(engine.card, settings.head), settings.mode_for(engine.card)
    if mode == "own" and engine.card.normalization == "frozen":
        engine = engine.with_instance_normalization()

    def batch(sat_bhwc: UInt8) -> UInt8:
        sat_bhwc = np.ascontiguousarray(sat_bhwc)
        if settings.confidence:
            return np.concatenate(engine.run_with_confidence(sat_bhwc, head), -1)
        return engine.run(sat_bhwc, head)

    def blend(image_hwc: UInt8) -> UInt8:
        drawn = blended(batch, image_hwc)
        if head == "crisp":
            drawn[..., :3] = COLOURS_RGB[nearest_colour(drawn[..., :3])]
        return drawn

    if mode == "blend":
        return blend
    return lambda image_hwc: batch(image_hwc[None])[0]


class Reader:
    """Gives windows of a scene as the model sees them.

    Args:
        scene: open for reading.
        plan: of it.
        card: of the model.
    """

    def __init__(self, scene: Source, plan: TilingPlan, card: Card) -> None:
        self._scene, self._plan = scene, plan
        self._resampled = None if plan.model_grid.is_scene_grid else ResampledSource(scene, plan.model_grid)
        self._far = np.array(card.levels or DEFAULT_LEVELS).mean(1).astype(np.uint8)

    def valid(self, window: TiledWindow) -> Bool | None:
        """Where the pixels that a window draws hold data; None: everywhere."""
        return self._scene.valid(self._plan.model_grid.scene_window(window.core)) if self._scene.has_mask else None

    def read(self, window: Window) -> UInt8:
        """A window of what the model sees, padding included."""
        return read_padded(self._seen, window, self._plan.height, self._plan.width)

    def _seen(self, window: Window) -> UInt8:
        rgb, valid = self._masked(window)
        if valid is None or valid.all():
            return rgb
        wide = window.grown(FILL_PX).clipped(self._plan.height, self._plan.width)
        filled = fill_gaps(*self._masked(wide), FILL_PX, self._far)  # type: ignore[arg-type]
        return filled[window.inside(wide).slices]

    def _masked(self, window: Window) -> tuple[UInt8, Bool | None]:
        if self._resampled is not None:
            return self._resampled.read(window)
        return self._scene.read(window), self._scene.valid(window) if self._scene.has_mask else None


class _Read(NamedTuple):
    """A window that has been read; without pixels where none is valid."""

    row: int
    window: TiledWindow
    valid: Bool | None
    sat_hwc: UInt8 | None


def draw_window(
    run: Run, plan: TilingPlan, settings: Settings, window: TiledWindow, sat_hwc: UInt8 | None
) -> list[UInt8]:
    """Draw what a window draws of each product, on the scene's own grid."""
    model_grid, home = plan.model_grid, plan.model_grid.scene_window(window.core)
    if sat_hwc is None:
        return [np.zeros((home.height, home.width, product.n_bands), np.uint8) for product in settings.products]
    around = window.core if model_grid.is_scene_grid else window.core.grown(1).clipped(plan.height, plan.width)
    drawn = run(sat_hwc)[around.inside(window.read).slices]
    image, smooth = drawn[..., :3], settings.head != "crisp"
    layers = [(classify(image)[..., None], False) if settings.classes else (image, smooth)]
    if settings.confidence:
        layers.append((drawn[..., 3:], True))
    if model_grid.is_scene_grid:
        return [layer for layer, _ in layers]
    return [model_grid.to_scene_grid(layer, around, home, smooth=soft) for layer, soft in layers]


def draw_pieces(scene: Source, job: TranslationJob, rows: Sequence[int], engine: Engine, progress: Progress) -> None:
    """Draw rows of windows, each to its pieces.

    Raises:
        SceneError, OutputError: the scene cannot be read, or the pieces cannot be written.
    """
    run, reader = make_run(engine, job.settings), Reader(scene, job.plan, engine.card)
    wanted = iter([(row, window) for row in rows for window in job.plan.rows[row]])

    def read(row: int, window: TiledWindow) -> _Read:
        with rasterio.Env(**ENVIRONMENT):
            valid = reader.valid(window)
            empty = valid is not None and not valid.any()
            return _Read(row, window, valid, None if empty else reader.read(window.read))

    writer = _PieceWriter(job)
    with ThreadPoolExecutor(1, "read") as reading, ThreadPoolExecutor(1, "write") as writing:
        ahead: deque[Future[_Read]] = deque()
        written: Future[None] | None = None
        try:
            while True:
                ahead.extend(reading.submit(read, *next_) for next_ in _take(wanted, READ_AHEAD - len(ahead)))
                if not ahead:
                    break
                got = ahead.popleft().result()
                ahead.extend(reading.submit(read, *next_) for next_ in _take(wanted, READ_AHEAD - len(ahead)))
                drawn = draw_window(run, job.plan, job.settings, got.window, got.sat_hwc)
                if written is not None:
                    written.result()
                written = writing.submit(writer.write, got.row, got.window, drawn, got.valid)
                home = job.plan.model_grid.scene_window(got.window.core)
                progress(home.height * home.width)
            if written is not None:
                written.result()
            writing.submit(writer.finish).result()
        except BaseException as error:
            reading.shutdown(wait=False, cancel_futures=True)
            # Where it was opened: GDAL's settings belong to a thread.
            writing.submit(writer.abandon, error).result()
            raise


def _take(items: Iterator[tuple[int, TiledWindow]], n: int) -> list[tuple[int, TiledWindow]]:
    return [item for _, item in zip(range(n), items, strict=False)]


class _PieceWriter:
    """Writes windows that come row by row; a piece is finished when the next row begins."""

    def __init__(self, job: TranslationJob) -> None:
        self._job, self._row = job, -1
        self._open = ExitStack()
        self._sinks: list[Sink] = []

    def abandon(self, error: BaseException) -> None:
        """Let nothing appear of a row that is not complete."""
        self._open.__exit__(type(error), error, error.__traceback__)

    def write(self, row: int, window: TiledWindow, drawn: list[UInt8], valid: Bool | None) -> None:
        """Write what a window draws."""
        if row != self._row:
            self.finish()
            self._row = row
            for product in self._job.settings.products:
                piece = open_piece(self._job.piece(product, row), product, with_mask=self._job.with_mask)
                self._sinks.append(self._open.enter_context(piece))
        home = self._job.plan.model_grid.scene_window(window.core)
        for sink, pixels in zip(self._sinks, drawn, strict=True):
            sink.write(home, pixels, valid)

    def finish(self) -> None:
        """Let the pieces of the row appear."""
        self._sinks = []
        self._open.close()
