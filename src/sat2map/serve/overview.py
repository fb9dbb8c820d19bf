"""The next overview level of a window of a raster, equal to what GDAL makes of the whole raster, bit for bit.

GDAL can only reduce a raster from its corner: started elsewhere, its weights differ in the last bit, and where an
average lies between two levels of grey the pixel differs. Its arithmetic is done here at the position in the whole
raster. This module reads no file.

Source: GDAL's `average` resampling of overviews (`gcore/overview.cpp`), in double precision, in its order of sums.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sat2map.arrays import Bool, UInt8
from sat2map.tiling import Window

Float = npt.NDArray[np.float64]

EPSILON = 1e-8
"""GDAL's own constant: a pixel that is touched by less than this, a rounding error, has no weight."""


@dataclass(frozen=True)
class Taps:
    """For each pixel of a coarser axis, the pixels of the finer axis that it averages, and their weights.

    Attributes:
        index: pixels of the finer axis, shape (n, 3).
        weight: weights of these pixels, float64, shape (n, 3).
    """

    index: npt.NDArray[np.intp]
    weight: Float

    @property
    def start(self) -> int:
        """The first pixel of the finer axis that is needed."""
        return int(self.index[0, 0])

    @property
    def stop(self) -> int:
        """The pixel of the finer axis after the last one that is needed."""
        return int(self.index.max()) + 1

    @property
    def halves(self) -> bool:
        """Whether each pixel is the mean of two pixels with equal weights."""
        return bool((self.weight == (1, 1, 0)).all())

    @classmethod
    def of(cls, size: int, reduced_size: int, start: int, stop: int) -> Taps:
        """Compute the taps of the pixels `start` to `stop` of an axis that is reduced from `size` to `reduced_size`."""
        ratio = size / reduced_size
        position = np.arange(start, stop)
        left_edge, right_edge = position * ratio, (position + 1) * ratio
        left = (left_edge + EPSILON).astype(np.intp)
        right = np.ceil(right_edge - EPSILON).astype(np.intp)
        right = np.minimum(np.maximum(right, left + 1), size)
        n_taps = right - left
        first = np.where(n_taps == 1, 1.0, 1 - (left_edge - left))
        last = 1 - (right - right_edge)
        # One, two or three pixels: the second of two is the last, the third of two has no weight.
        weight = np.stack([first, np.where(n_taps == 3, 1.0, last), last], -1)
        weight[:, 1][n_taps == 1] = 0
        weight[:, 2][n_taps < 3] = 0
        index = np.minimum(left[:, None] + np.arange(3), right[:, None] - 1)
        return cls(index, weight)


def reduced_size(height: int, width: int) -> tuple[int, int]:
    """Return height and width of the next overview level."""
    return max(height // 2, 1), max(width // 2, 1)


def reduced_window(window: Window, height: int, width: int) -> Window:
    """Find the window of the next level that a window of a level changes.

    Args:
        window: window of a level.
        height: height of that level in pixels.
        width: width of that level in pixels.
    """
    rows, cols = reduced_size(height, width)
    top, bottom = _shared(window.row, window.height, height, rows)
    left, right = _shared(window.col, window.width, width, cols)
    return Window(top, left, bottom - top, right - left)


def _shared(start: int, length: int, size: int, reduced: int) -> tuple[int, int]:
    first = int(start * reduced / size) - 1
    last = int((start + length) * reduced / size) + 2
    return max(first, 0), min(last, reduced)


def reduce(rows: Taps, cols: Taps, rgb_hwc: UInt8, valid: Bool | None) -> tuple[UInt8, Bool | None]:
    """Average the pixels of a window of a level to a window of the next level.

    Args:
        rows: taps of the rows.
        cols: taps of the columns.
        rgb_hwc: uint8, shape (h, w, 3): rows `rows.start` to `rows.stop` of the finer level, columns likewise.
        valid: pixels that count, bool, shape (h, w); None: all of them.

    Returns:
        uint8, shape (n_rows, n_cols, 3), and the valid mask, bool, shape (n_rows, n_cols) or None. A pixel is valid
        where any pixel that it covers is valid; where none is, it is black.
    """
    if valid is None and rows.halves and cols.halves:
        return _quartered(rgb_hwc), None
    shares = np.broadcast_to(cols.weight.T[:, None], (3, rgb_hwc.shape[0], len(cols.weight)))
    if valid is not None:
        shares = shares * np.stack([valid[:, x] for x in (cols.index - cols.start).T])
    # Line by line first: a line has a share in one or two rows of the result.
    line = np.zeros((rgb_hwc.shape[0], len(cols.weight), 3))
    line_weight = np.zeros(line.shape[:2])
    for x, share in zip((cols.index - cols.start).T, shares, strict=True):
        line += rgb_hwc[:, x] * share[..., None]
        line_weight += share
    total = np.zeros((len(rows.weight), *line.shape[1:]))
    weight = np.zeros(total.shape[:2])
    for y, share_y in zip((rows.index - rows.start).T, rows.weight.T, strict=True):
        total += line[y] * share_y[:, None, None]
        weight += line_weight[y] * share_y[:, None]
    if valid is None:
        # The sum of the lines' weights would differ in the last bit.
        weight = rows.weight.sum(1)[:, None] * cols.weight.sum(1)[None]
    any_valid = weight > 0
    average = total / np.where(any_valid, weight, 1)[..., None] + 0.5
    pixels = np.where(any_valid[..., None], average, 0).astype(np.uint8)
    return pixels, None if valid is None else any_valid


def _quartered(rgb_hwc: UInt8) -> UInt8:
    """Average each four pixels in whole numbers, which gives the same result 20 times as fast."""
    wide = rgb_hwc.astype(np.uint16)
    quarter = (wide[::2, ::2] + wide[::2, 1::2] + wide[1::2, ::2] + wide[1::2, 1::2] + 2) // 4
    return quarter.astype(np.uint8)
