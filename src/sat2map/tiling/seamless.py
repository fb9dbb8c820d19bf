"""Windows of a scene with margins, planned so that they meet without seams; and the padding of a scene.

A scene is padded once, on the right and at the bottom, to a multiple of the network's stride. Core windows partition
the padded scene; each is read with a margin, clipped to the padded scene, so that the network's own padding acts at the
scene's border as it does on the whole, and nowhere else on a pixel that is kept. All sides lie on multiples of the
stride.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sat2map.arrays import Array

LARGEST_SHARE = 1.05
"""By how much a window may be larger than asked for, where that saves a row or a column of windows."""


@dataclass(frozen=True)
class Window:
    """A rectangle of a scene, in pixels of the scene."""

    row: int
    col: int
    height: int
    width: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Return the index that cuts the window out of an array of shape (H, W, ...)."""
        return slice(self.row, self.row + self.height), slice(self.col, self.col + self.width)

    def grown(self, margin: int) -> Window:
        """Return the window with `margin` more pixels on each side."""
        return Window(self.row - margin, self.col - margin, self.height + 2 * margin, self.width + 2 * margin)

    def clipped(self, height: int, width: int) -> Window:
        """Return the part of the window that lies in a scene of a height and width."""
        top, left = max(self.row, 0), max(self.col, 0)
        bottom, right = min(self.row + self.height, height), min(self.col + self.width, width)
        return Window(top, left, max(bottom - top, 0), max(right - left, 0))

    def intersection(self, other: Window) -> Window:
        """Return the part that it shares with a window that meets it."""
        top, left = max(self.row, other.row), max(self.col, other.col)
        bottom = min(self.row + self.height, other.row + other.height)
        right = min(self.col + self.width, other.col + other.width)
        return Window(top, left, bottom - top, right - left)

    def strips(self, n_rows: int) -> Iterator[Window]:
        """Iterate over strips of the window, from top to bottom, of that many rows; the last may have fewer."""
        for row in range(self.row, self.row + self.height, n_rows):
            yield Window(row, self.col, min(n_rows, self.row + self.height - row), self.width)

    def inside(self, outer: Window) -> Window:
        """Return the window with its row and column counted from the upper left corner of `outer`."""
        return Window(self.row - outer.row, self.col - outer.col, self.height, self.width)


class TiledWindow(NamedTuple):
    """A core window (written, within the scene) and its read window (the core window and its margin, with padding)."""

    core: Window
    read: Window


def padded_size(height: int, width: int, stride: int) -> tuple[int, int]:
    """Round height and width up to multiples of the stride.

    >>> padded_size(250, 256, 8)
    (256, 256)
    """
    return -(-height // stride) * stride, -(-width // stride) * stride


def plan(height: int, width: int, *, stride: int, margin: int, core: int) -> list[TiledWindow]:
    """Plan the windows of a scene, row by row: together they write every pixel once.

    Args:
        height: height of the scene in pixels.
        width: width of the scene in pixels.
        stride: stride of the network.
        margin: pixels read around a core window on each side; raised to a multiple of the stride.
        core: side of a core window; raised to a multiple of the stride.
    """
    core, margin = padded_size(core, margin, stride)
    padded = padded_size(height, width, stride)
    return [
        TiledWindow(cell.clipped(height, width), cell.grown(margin).clipped(*padded))
        for row in range(0, height, core)
        for col in range(0, width, core)
        for cell in [Window(row, col, core, core)]
    ]


def plan_even(height: int, width: int, *, stride: int, margin: int, core: int) -> list[TiledWindow]:
    """Plan the fewest windows of a scene, with read windows of equal size, row by row: together they write it once.

    A window at the border of the scene has no margin there, so its core can be larger for the same memory. Fewer
    windows read fewer margins.

    >>> [window.core.width for window in plan_even(1408, 3000, stride=16, margin=224, core=1408)]
    [1504, 1496]
    >>> [window.core.width for window in plan(1408, 3000, stride=16, margin=224, core=1408)]
    [1408, 1408, 184]

    Args:
        height: height of the scene in pixels.
        width: width of the scene in pixels.
        stride: stride of the network.
        margin: pixels read around a core window on each side; raised to a multiple of the stride.
        core: side of a core window that has a margin on all sides; at most a twentieth less than it can be.
    """
    core, margin = padded_size(core, margin, stride)
    padded = padded_size(height, width, stride)
    rows, cols = (_even_sides(side, stride, margin, core) for side in padded)
    return [
        TiledWindow(cell.clipped(height, width), cell.grown(margin).clipped(*padded))
        for top, bottom in pairwise(rows)
        for left, right in pairwise(cols)
        for cell in [Window(top, left, bottom - top, right - left)]
    ]


def _even_sides(side: int, stride: int, margin: int, core: int) -> list[int]:
    """Where the core windows of an axis begin and end, all of which read about as much."""
    n_windows = max(1, math.ceil((side - 2 * margin) / (core * LARGEST_SHARE)))
    inner = (side - 2 * margin) / n_windows
    return sorted({0, side, *(int(margin + i * inner) // stride * stride for i in range(1, n_windows))})


def read_padded(read: Callable[[Window], Array], window: Window, height: int, width: int) -> Array:
    """Read a window of the padded scene; pixels beyond the scene are reflected from inside it.

    Args:
        read: reads a window that lies within the scene; shape (h, w, ...).
        window: window to read; begins within the scene.
        height: height of the scene in pixels.
        width: width of the scene in pixels.
    """
    rows = _reflected(window.row, window.height, height)
    cols = _reflected(window.col, window.width, width)
    needed = Window(
        int(rows.min()), int(cols.min()), int(rows.max() - rows.min()) + 1, int(cols.max() - cols.min()) + 1
    )
    real = read(needed)
    if needed == window:
        return real
    return real[rows - needed.row][:, cols - needed.col]


def _reflected(start: int, length: int, size: int) -> npt.NDArray[np.intp]:
    """Return indices `start` to `start + length` of an axis continued by its mirror image (c b a | a b c | c b a)."""
    position = np.arange(start, start + length) % (2 * size)
    return np.minimum(position, 2 * size - 1 - position)


def translate_windows(
    read: Callable[[Window], Array], run: Callable[[Array], Array], windows: list[TiledWindow], height: int, width: int
) -> Iterator[tuple[Window, Array]]:
    """Translate a scene window by window.

    Args:
        read: reads a window that lies within the scene; shape (h, w, ...).
        run: translates an array; same height and width out.
        windows: windows from `plan`, all or some.
        height: height of the scene in pixels.
        width: width of the scene in pixels.

    Yields:
        Each core window and its pixels.
    """
    for core, read_window in windows:
        answer = run(read_padded(read, read_window, height, width))
        yield core, answer[core.inside(read_window).slices]
