"""A sparse map: the map of one scene as far as it is drawn, a sparse GeoTIFF that is filled window by window.

Pixels and overviews are those that `translate` would write, so that whatever is read from here equals what is read from
the translated file. A process that is killed loses no window that was finished. Two processes never write the same
sparse map, and nothing here runs a model.
"""

from __future__ import annotations

import os
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rasterio.crs import CRS

from sat2map.arrays import Bool, UInt8
from sat2map.errors import OutputError, SceneError
from sat2map.files import try_lock
from sat2map.scene.formats import cog_block_px, crs_element, lost_crs, metadata_beside
from sat2map.scene.georeference import Grid
from sat2map.serve import sparse_tiff
from sat2map.serve.overview import Taps, reduce, reduced_window
from sat2map.tiling import Window

VERSION = 1
"""Version of the files; when it changes, sparse maps of earlier versions are not used any more."""
IMAGE, DONE, LOCK = "map.tif", "done", "lock"


class Level(NamedTuple):
    """A level of the pyramid in the file: its pixels, and its mask where there is one."""

    rgb: sparse_tiff.TiffLevel
    mask: sparse_tiff.TiffLevel | None


class SparseMap:
    """A map that is being drawn.

    Args:
        folder: folder for this scene and this model alone; windows that were drawn there before are kept.
        grid: grid of the scene.
        windows: windows on that grid, which they partition, row by row.
        with_mask: whether the scene has invalid pixels.

    Raises:
        OutputError: another server draws in that folder.
    """

    def __init__(self, folder: Path, grid: Grid, windows: Sequence[Window], *, with_mask: bool) -> None:
        self.grid, self.windows, self.with_mask, self.folder = grid, windows, with_mask, folder
        self.path = folder / IMAGE
        self._rows = sorted({w.row for w in windows})
        self._cols = sorted({w.col for w in windows})
        layers = sparse_tiff.lay_out(grid, with_mask=with_mask, smallest_px=cog_block_px(grid))
        step = 2 if with_mask else 1
        self._levels = [
            Level(layers[i], layers[i + 1] if with_mask else None) for i in range(0, len(layers), step)
        ]  # fmt: skip
        folder.mkdir(parents=True, exist_ok=True)
        self._done_file = os.open(folder / DONE, os.O_RDWR | os.O_CREAT)
        lock = try_lock(folder / LOCK)
        if lock is None:
            os.close(self._done_file)
            raise OutputError(
                "another server draws the map of this scene", folder, hint="stop it, or choose another `cache`"
            )
        self._lock = lock
        self._begin(layers)
        self._file = os.open(self.path, os.O_RDWR)
        self._done = bytearray(os.pread(self._done_file, len(windows), 0))

    def _begin(self, layers: list[sparse_tiff.TiffLevel]) -> None:
        """Make the file where it is missing; no window of a new file is drawn."""
        n_windows = len(self.windows)
        if self.path.exists() and os.fstat(self._done_file).st_size == n_windows:
            os.utime(self.folder / DONE)
            return
        os.ftruncate(self._done_file, 0)
        work = self.path.with_suffix(".part")
        sparse_tiff.create(work, layers, self.grid)
        crs = None if self.grid.crs is None else CRS.from_user_input(self.grid.crs)
        if lost_crs(crs, work) is not None:
            metadata_beside(self.path, crs_element(crs))
        work.replace(self.path)
        os.ftruncate(self._done_file, n_windows)

    def close(self) -> None:
        """Close the files and release the lock."""
        os.close(self._file)
        os.close(self._done_file)
        self._lock.release()
        # The numbers of the descriptors will name other files: writing must fail, and not change those.
        self._file = self._done_file = -1

    @property
    def n_done(self) -> int:
        """Number of windows that are drawn."""
        return sum(self._done)

    def missing(self, window: Window) -> list[int]:
        """Return the indices of the windows of the plan that meet a window of the scene and are not drawn yet."""
        return [i for i in self.touched(window) if not self._done[i]]

    def is_done(self, index: int) -> bool:
        """Check whether a window of the plan is drawn."""
        return bool(self._done[index])

    def touched(self, window: Window) -> Iterable[int]:
        """Return the indices of the windows of the plan that meet a window of the scene."""
        rows = range(bisect_right(self._rows, window.row) - 1, bisect_left(self._rows, window.row + window.height))
        cols = range(bisect_right(self._cols, window.col) - 1, bisect_left(self._cols, window.col + window.width))
        return (row * len(self._cols) + col for row in rows for col in cols)

    def read(self, window: Window) -> tuple[UInt8, Bool | None]:
        """Read a window of the scene, as far as it is drawn.

        Returns:
            Pixels, uint8, shape (h, w, 3), 0 where nothing is drawn; and the valid mask, bool, shape (h, w), None: all
            are valid.

        Raises:
            SceneError: the file is closed, because the scene was removed.
        """
        try:
            return self._get(self._levels[0], window)
        except (OSError, ValueError) as error:
            raise SceneError("scene is not shown any more") from error

    def write(self, index: int, rgb_hwc: UInt8, valid: Bool | None) -> None:
        """Write a window of the plan, and what it changes in the overviews; only one thread may write at a time.

        Args:
            index: index of the window.
            rgb_hwc: pixels of the window, uint8, shape (h, w, 3).
            valid: valid mask, bool, shape (h, w); None: all pixels are valid.

        Raises:
            OSError: the disk is full.
        """
        window = self.windows[index]
        if self.with_mask and valid is None:
            valid = np.ones(rgb_hwc.shape[:2], bool)
        if valid is not None:
            rgb_hwc = np.where(valid[..., None], rgb_hwc, 0).astype(np.uint8)
        self._put(self._levels[0], window, rgb_hwc, valid)
        for finer, coarser in zip(self._levels, self._levels[1:], strict=False):
            window = self._reduce(finer, coarser, window)
        # Marked last: a window that was not written to its end is drawn again.
        os.pwrite(self._done_file, b"\1", index)
        self._done[index] = 1

    def _reduce(self, finer: Level, coarser: Level, changed: Window) -> Window:
        height, width = finer.rgb.height, finer.rgb.width
        window = reduced_window(changed, height, width)
        rows = Taps.of(height, coarser.rgb.height, window.row, window.row + window.height)
        cols = Taps.of(width, coarser.rgb.width, window.col, window.col + window.width)
        needed = Window(rows.start, cols.start, rows.stop - rows.start, cols.stop - cols.start)
        self._put(coarser, window, *reduce(rows, cols, *self._get(finer, needed)))
        return window

    def _get(self, level: Level, window: Window) -> tuple[UInt8, Bool | None]:
        rgb = sparse_tiff.read(self._file, level.rgb, window)
        if level.mask is None:
            return rgb, None
        return rgb, sparse_tiff.read(self._file, level.mask, window)[..., 0] > 0

    def _put(self, level: Level, window: Window, rgb_hwc: UInt8, valid: Bool | None) -> None:
        sparse_tiff.write(self._file, level.rgb, window, rgb_hwc)
        if level.mask is not None and valid is not None:
            sparse_tiff.write(self._file, level.mask, window, valid[..., None].astype(np.uint8) * 255)


def full_size(grid: Grid, *, with_mask: bool) -> int:
    """Compute the bytes that the sparse map of a scene takes when all of it is drawn."""
    return sparse_tiff.lay_out(grid, with_mask=with_mask, smallest_px=cog_block_px(grid))[-1].end
