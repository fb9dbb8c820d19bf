"""A raster of classes as runs of equal pixels, row by row: the same for any windows it was read in."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sat2map.arrays import Array, Int64, UInt8
from sat2map.tiling import Window
from sat2map.vector.class_raster import ClassRaster
from sat2map.vector.spool import Spool

VOID = 255
"""Stands for no data among the classes."""
CELL_PX = 4096
"""Runs end at the columns of the lattice on which large areas are cut, counted from the scene's origin."""


BAND_PX = 2**24
"""Pixels of a band of rows: of wide rasters, windows have fewer rows, since whole rows are worked on at once."""


class Runs(NamedTuple):
    """Whole rows of a raster as runs of equal pixels.

    Each row ends with a run without data in a column beyond the raster, so that the run before a row's first one is
    the ground beside the scene. Where a run begins is one number: row * (width + 1) + column.
    """

    start: Int64
    """int64, shape (N,): where each begins, ascending."""
    value: UInt8
    """uint8, shape (N,): its class, or `VOID`."""
    confidence: Int64 | None
    """int64, shape (N,): sum over its pixels, each 0..255; None: unknown."""


class RunTable:
    """The runs of a raster, on the disk, in bands of rows.

    Args:
        height: of the raster.
        width: of the raster.
        folder: where there is space.
    """

    def __init__(self, height: int, width: int, folder: Path) -> None:
        self.height, self.stride = height, width + 1
        self.bands: list[tuple[int, slice]] = []
        self.has_confidence = False
        self._start, self._value = Spool(folder, np.int64), Spool(folder, np.uint8)
        self._confidence = Spool(folder, np.int64)

    def append(self, first_row: int, runs: Runs) -> None:
        """Add the next rows."""
        part = self._start.append(runs.start)
        self._value.append(runs.value)
        if runs.confidence is not None:
            self.has_confidence = True
            self._confidence.append(runs.confidence)
        self.bands.append((first_row, part))

    def __len__(self) -> int:
        """Runs of the whole raster."""
        return len(self._start)

    def band(self, index: int) -> Runs:
        """The rows of a band."""
        part = self.bands[index][1]
        confidence = self._confidence.read(part) if self.has_confidence else None
        return Runs(self._start.read(part), self._value.read(part), confidence)

    def close(self) -> None:
        """Give the space back."""
        for spool in (self._start, self._value, self._confidence):
            spool.close()


def read_runs(raster: ClassRaster, window_px: int, n_threads: int, folder: Path) -> RunTable:
    """Read a raster window by window.

    Args:
        raster: what is read.
        window_px: side of the windows, of wide rasters their width; a band of the table is a row of them.
        n_threads: windows that are read at once.
        folder: for the table.
    """
    height, width = raster.grid.height, raster.grid.width
    table = RunTable(height, width, folder)
    n_rows = min(window_px, max(1, BAND_PX // width))
    windows = [
        Window(row, col, n_rows, window_px).clipped(height, width)
        for row in range(0, height, n_rows)
        for col in range(0, width, window_px)
    ]
    per_band = -(-width // window_px)
    band: list[Runs] = []
    with ExitStack() as stack:
        stack.callback(table.close)
        for i, runs in enumerate(_ahead(raster, windows, n_threads)):
            band.append(runs)
            if (i + 1) % per_band == 0:
                last = windows[i]
                table.append(last.row, _joined(band, range(last.row, last.row + last.height), width))
                band = []
        stack.pop_all()
    return table


def _ahead(raster: ClassRaster, windows: list[Window], n_threads: int) -> Iterator[Runs]:
    """Runs of each window in order, the next windows being read meanwhile."""
    with ThreadPoolExecutor(n_threads, "read") as pool:
        waiting: deque[Future[Runs]] = deque()
        try:
            for window in windows:
                waiting.append(pool.submit(_window_runs, raster, window))
                if len(waiting) > n_threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _window_runs(raster: ClassRaster, window: Window) -> Runs:
    read = raster.read(window)
    value = np.where(read.valid_hw, read.classes_hw, np.uint8(VOID))
    begins = np.ones(value.shape, np.bool_)
    np.not_equal(value[:, 1:], value[:, :-1], out=begins[:, 1:])
    begins[:, -window.col % CELL_PX :: CELL_PX] = True
    place = np.flatnonzero(begins)
    row, col = np.divmod(place, window.width)
    start = (row + window.row) * (raster.grid.width + 1) + col + window.col
    confidence = None
    if read.confidence_hw is not None:
        confidence = np.add.reduceat(read.confidence_hw.ravel(), place, dtype=np.int64)
    return Runs(start, value.ravel()[place], confidence)


def _joined(windows: list[Runs], rows: range, width: int) -> Runs:
    """The runs of whole rows: those of windows side by side, joined where the next goes on in the same class."""
    stride = width + 1
    ends = np.array(rows, np.int64) * stride + width
    start = np.concatenate([*(w.start for w in windows), ends])
    value = np.concatenate([*(w.value for w in windows), np.full(len(ends), VOID, np.uint8)])
    order = np.argsort(start, kind="stable")
    start, value = start[order], value[order]
    col = start % stride
    begins = np.ones(len(start), np.bool_)
    begins[1:] = (value[1:] != value[:-1]) | (col[1:] % CELL_PX == 0) | (col[1:] == width)
    first = np.flatnonzero(begins)
    confidence = None
    if windows[0].confidence is not None:
        known: Array = np.concatenate([*(w.confidence for w in windows if w.confidence is not None), 0 * ends])
        confidence = np.add.reduceat(known[order], first)
    return Runs(start[first], value[first], confidence)


class RowPairs(NamedTuple):
    """Pieces of the lines between rows, each with one run above and one below it."""

    start: Int64
    """int64, shape (N,): where each begins, row (of the run below) * (width + 1) + column."""
    end: Int64
    above: npt.NDArray[np.intp]
    """Index of a run."""
    below: npt.NDArray[np.intp]


def row_pairs(start: Int64, stride: int) -> RowPairs:
    """Lay whole rows of runs over the next ones, all but the first row over none.

    Args:
        start: of runs of whole rows, ascending.
        stride: width + 1.
    """
    first_row, last_row = int(start[0]) // stride, int(start[-1]) // stride
    begin, end = (first_row + 1) * stride, (last_row + 1) * stride
    next_start = start + stride
    cuts = np.concatenate([start[np.searchsorted(start, begin) :], next_start[: np.searchsorted(next_start, end)]])
    cuts.sort(kind="stable")
    cuts = cuts[np.concatenate([[True], cuts[1:] != cuts[:-1]])] if len(cuts) else cuts
    above = np.searchsorted(next_start, cuts, "right") - 1
    below = np.searchsorted(start, cuts, "right") - 1
    return RowPairs(cuts, np.append(cuts[1:], end), above, below)
