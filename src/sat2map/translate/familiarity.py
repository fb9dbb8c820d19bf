"""How much of a scene looks unlike anything that the model has been trained on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import rasterio

from sat2map.arrays import UInt8
from sat2map.scene.model_grid import ModelGrid
from sat2map.scene.pieces import Piece
from sat2map.tiling import Window

BLOCK_PX = 256
"""Side of the squares of the model grid that are familiar or not: of a single cell little can be said."""
LEAST_FAMILIAR = 128
"""Squares whose mean is below are unfamiliar; what makes it so is fitted when a model is calibrated."""


class UnfamiliarShare:
    """Share of a scene's valid pixels that lie in unfamiliar squares, from familiarities that come part by part.

    >>> share = UnfamiliarShare(2, 4, (2, 2))
    >>> share.add(Window(0, 0, 2, 4), np.array([[9, 9, 200, 200], [9, 9, 200, 0]], np.uint8))
    >>> round(share.share, 3)
    0.571

    Args:
        height: of the scene.
        width: of the scene.
        block_px: height and width of a square, in pixels of the scene.
    """

    def __init__(self, height: int, width: int, block_px: tuple[int, int]) -> None:
        shape = -(-height // block_px[0]), -(-width // block_px[1])
        self._block_px = block_px
        self._sums, self._counts = np.zeros(shape), np.zeros(shape)

    def add(self, window: Window, familiarity_hw: UInt8) -> None:
        """Add the familiarity of a window: uint8, shape (h, w), 1..255, 0 where no data is."""
        rows, row_starts = _blocks(window.row, window.height, self._block_px[0])
        cols, col_starts = _blocks(window.col, window.width, self._block_px[1])
        for total, values in ((self._sums, familiarity_hw), (self._counts, familiarity_hw > 0)):
            by_row = np.add.reduceat(values, row_starts, 0, dtype=np.float64)
            total[rows, cols] += np.add.reduceat(by_row, col_starts, 1)

    @property
    def share(self) -> float:
        """The share, 0 to 1; 0 where there is no data."""
        unfamiliar = self._sums < LEAST_FAMILIAR * self._counts
        return float(self._counts[unfamiliar].sum() / max(self._counts.sum(), 1))


def block_px_of(grid: ModelGrid) -> tuple[int, int]:
    """Height and width of a square in pixels of the scene."""
    row, col = (max(1, round(BLOCK_PX * step)) for step in grid.scene_px_per_px)
    return row, col


def _blocks(start: int, length: int, side: int) -> tuple[slice, list[int]]:
    """The squares that an interval meets, and where in it each begins."""
    first, stop = start // side, -(-(start + length) // side)
    return slice(first, stop), [max(block * side - start, 0) for block in range(first, stop)]


def share_of_pieces(pieces: Sequence[Piece], height: int, width: int, block_px: tuple[int, int]) -> float:
    """Compute the unfamiliar share of a scene from the pieces of its familiarity."""
    unfamiliar = UnfamiliarShare(height, width, block_px)
    for path, window in pieces:
        with rasterio.open(path) as dataset:
            for strip in window.strips(block_px[0]):
                unfamiliar.add(strip, dataset.read(1, window=strip.inside(window).slices))
    return unfamiliar.share
