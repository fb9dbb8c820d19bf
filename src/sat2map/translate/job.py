"""The job of writing a scene's map: rows of windows become pieces on the disk, and pieces become the map."""

from __future__ import annotations

import dataclasses
import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import rasterio

from sat2map.arrays import Bool, UInt8
from sat2map.files import short_name
from sat2map.model.card import Card
from sat2map.scene.destination import publish
from sat2map.scene.formats import finish
from sat2map.scene.identity import identity
from sat2map.scene.job_folder import open_job_folder
from sat2map.scene.options import ReadOptions
from sat2map.scene.pieces import ENVIRONMENT, FAMILIARITY, Piece, PieceWriter, Product, one_line, open_piece
from sat2map.scene.source import Source
from sat2map.scene.stretch import Stretch
from sat2map.tiling import TiledWindow
from sat2map.translate.familiarity import block_px_of, share_of_pieces
from sat2map.translate.scene_drawing import ReadWindow, SceneDrawing
from sat2map.translate.settings import Settings, TilingPlan
from sat2map.translate.tags import product_tags

Progress = Callable[[int], None]
"""Told how many more pixels are done."""

READ_AHEAD = 2
"""Windows that are read before they are needed."""
SIDE_BY_SIDE = 2
"""Windows that are drawn at once, each by half of the cores: a quarter of the network's time is that of one core."""


@dataclass(frozen=True)
class TranslationJob:
    """A scene whose map is being written: all that another process needs to draw a piece of it.

    Attributes:
        source: file or URL of the scene.
        reading: what is asked of its reading.
        stretch: how its numbers become bytes, decided once; None: they are bytes.
        settings: how it is drawn.
        plan: its windows.
        folder: where its pieces appear.
        with_mask: whether pixels may be invalid.
        products: what is drawn of it, those of the settings first.
    """

    source: str | Path
    reading: ReadOptions
    stretch: Stretch | None
    settings: Settings
    plan: TilingPlan
    folder: Path
    with_mask: bool
    products: tuple[Product, ...]

    def piece(self, product: Product, row: int) -> Piece:
        """The file of a row of windows."""
        return Piece(self.folder / f"{product.name}_{row:05d}.tif", self.plan.scene_window_of_row(row))

    def pieces(self, product: Product) -> list[Piece]:
        """The files of all rows of windows."""
        return [self.piece(product, row) for row in range(len(self.plan.rows))]

    def unfamiliar_share(self) -> float | None:
        """Share of the scene, once it is drawn, that looks unlike the model's training data; None: it cannot tell."""
        if FAMILIARITY not in self.products:
            return None
        grid = self.plan.model_grid
        with one_line(self.folder):
            return share_of_pieces(self.pieces(FAMILIARITY), grid.scene_height, grid.scene_width, block_px_of(grid))

    def missing_rows(self) -> list[int]:
        """Rows of windows that are not drawn yet."""
        return [
            row for row in range(len(self.plan.rows))
            if not all(self.piece(product, row).path.exists() for product in self.products)
        ]  # fmt: skip

    def n_done_px(self) -> int:
        """Pixels of the scene that an earlier run has drawn."""
        missing = set(self.missing_rows())
        done = [self.plan.scene_window_of_row(row) for row in range(len(self.plan.rows)) if row not in missing]
        return sum(window.height * window.width for window in done)


DrawRows = Callable[[SceneDrawing, TranslationJob, Progress], None]
"""Draws the rows of a job that are missing."""
Begin = Callable[[TilingPlan], Progress]
"""Told what will be done; its result is told of progress."""


def tell_nobody(_plan: TilingPlan) -> Progress:
    """Begin a job without any report of its progress."""
    return lambda _n_px: None


def job_key(card: Card, scene: Source, reading: ReadOptions, settings: Settings) -> dict[str, Any]:
    """All that the pixels of a map depend on, as JSON has it: only the same job is resumed."""
    from sat2map import __version__

    return {
        "version": __version__, "model": hashlib.sha256(card.model_dump_json().encode()).hexdigest(),
        "files": identity(scene.files), "reading": dataclasses.asdict(reading),
        "stretch": scene.stretch and dataclasses.asdict(scene.stretch), "settings": dataclasses.asdict(settings),
    }  # fmt: skip


@contextmanager
def open_job(
    source: str | Path, destination: Path, drawing: SceneDrawing, card: Card, reading: ReadOptions
) -> Iterator[TranslationJob]:
    """The job of a scene, in a folder beside its destination that this process alone holds.

    Raises:
        OutputError: the folder cannot be made, or another process holds it.
    """
    scene, settings = drawing.scene, drawing.settings
    with open_job_folder(destination, job_key(card, scene, reading, settings)) as folder:
        # The stretch is decided once: whoever draws a part of the scene draws it with this one.
        yield TranslationJob(
            source, reading, scene.stretch, settings, drawing.plan, folder, scene.has_mask, tuple(drawing.products)
        )


def draw_missing_rows(drawing: SceneDrawing, job: TranslationJob, progress: Progress) -> None:
    """Draw the rows of a job that are missing, in this process."""
    draw_pieces(drawing, job, job.missing_rows(), progress)


def draw_pieces(drawing: SceneDrawing, job: TranslationJob, rows: Sequence[int], progress: Progress) -> None:
    """Draw rows of windows, each to its pieces. Reading, the network and writing overlap.

    Raises:
        SceneError, OutputError: the scene cannot be read, or the pieces cannot be written.
    """
    windows = [(row, window) for row in rows for window in job.plan.rows[row]]
    writer = RowWriter(job)
    with ThreadPoolExecutor(1, "read") as reading, ThreadPoolExecutor(1, "write") as writing:
        written: Future[None] | None = None
        try:
            ahead = _read_ahead(drawing, windows, reading)
            for row, read_window, layers in _draw_side_by_side(drawing, ahead, len(windows)):
                if written is not None:
                    written.result()
                written = writing.submit(writer.write, row, read_window, layers)
                target = drawing.scene_window(read_window.window)
                progress(target.height * target.width)
            if written is not None:
                written.result()
            writing.submit(writer.finish).result()
        except BaseException as error:
            reading.shutdown(wait=False, cancel_futures=True)
            # In the thread that opened them: GDAL's settings belong to a thread.
            writing.submit(writer.abandon, error).result()
            raise


def _draw_side_by_side(
    drawing: SceneDrawing, windows: Iterable[tuple[int, ReadWindow]], n_windows: int
) -> Iterator[tuple[int, ReadWindow, list[UInt8]]]:
    """Rows, windows and their layers, in the order of the windows; several are drawn at once where that is faster."""
    shared = drawing.shared_by(SIDE_BY_SIDE) if _are_shared(drawing.plan) else None
    n_at_once = 1 if shared is None else SIDE_BY_SIDE
    with ThreadPoolExecutor(n_at_once, "draw") as drawers:
        waiting: deque[tuple[int, ReadWindow, Future[list[UInt8]]]] = deque()
        for i, (row, window) in enumerate(windows, 1):
            # The last one may be alone, and has all cores.
            by = drawing if shared is None or i == n_windows else shared
            waiting.append((row, window, drawers.submit(by.draw_read, window)))
            if len(waiting) == n_at_once:
                row, window, layers = waiting.popleft()
                yield row, window, layers.result()
        for row, window, layers in waiting:
            yield row, window, layers.result()


def _are_shared(plan: TilingPlan) -> bool:
    """Whether windows side by side have the same work to do: the largest is no more than half of all."""
    return 2 * max(window.read.height * window.read.width for window in plan.windows) <= plan.n_read_px


def _read_ahead(
    drawing: SceneDrawing, windows: Sequence[tuple[int, TiledWindow]], reading: ThreadPoolExecutor
) -> Iterator[tuple[int, ReadWindow]]:
    """Rows and windows in their order, each read; the next ones are read meanwhile."""

    def read(window: TiledWindow) -> ReadWindow:
        with rasterio.Env(**ENVIRONMENT):
            return drawing.read(window)

    waiting = iter(windows)
    ahead = deque((row, reading.submit(read, window)) for row, window in islice(waiting, READ_AHEAD))
    while ahead:
        row, future = ahead.popleft()
        result = future.result()
        ahead += [(row, reading.submit(read, window)) for row, window in islice(waiting, READ_AHEAD - len(ahead))]
        yield row, result


class RowWriter:
    """Writes windows that come row by row; a piece is finished when the next row begins."""

    def __init__(self, job: TranslationJob) -> None:
        self._job, self._row = job, -1
        self._open = ExitStack()
        self._writers: list[PieceWriter] = []

    def abandon(self, error: BaseException) -> None:
        """Let nothing appear of a row that is not complete."""
        self._open.__exit__(type(error), error, error.__traceback__)

    def write(self, row: int, read: ReadWindow, layers: list[UInt8]) -> None:
        """Write the layers of a window."""
        if row != self._row:
            self.finish()
            self._row = row
            for product in self._job.products:
                piece = open_piece(self._job.piece(product, row), product, with_mask=self._job.with_mask)
                self._writers.append(self._open.enter_context(piece))
        self._write_layers(read.window, layers, read.valid)

    def _write_layers(self, window: TiledWindow, layers: list[UInt8], valid: Bool | None) -> None:
        target = self._job.plan.model_grid.scene_window(window.core)
        for writer, layer in zip(self._writers, layers, strict=True):
            writer.write(target, layer, valid)

    def finish(self) -> None:
        """Let the pieces of the row appear."""
        self._writers = []
        self._open.close()


def assemble(scene: Source, job: TranslationJob, card: Card, paths: Sequence[Path]) -> float | None:
    """Put the pieces together and let the finished files appear, the map last: where it is, all of it is.

    Returns:
        The unfamiliar share of the scene; None: the model cannot tell.

    Raises:
        OutputError: the files cannot be written.
    """
    unfamiliar = job.unfamiliar_share()
    finished = job.folder / "finished"
    finished.mkdir(exist_ok=True)
    made: list[Path] = []
    for product, path in reversed(list(zip(job.settings.products, paths, strict=True))):
        tags = product_tags(card, product, job.settings, job.plan, stretch=scene.stretch, unfamiliar=unfamiliar)
        work = finished / short_name(path.name)
        pieces = job.pieces(product)
        made += finish(pieces, scene.grid, product, with_mask=job.with_mask, tags=tags, path=work, classes=card.classes)
    publish(made, paths)
    return unfamiliar
