"""Blending of overlapping squares of 256 px, for networks that were trained on whole images of that size.

The result depends on where the squares lie: where two squares differ, the map shows their mean.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sat2map.arrays import Array
from sat2map.tiling.windows import Window, read_padded

TILE_PX = 256
STEP_PX = 128
"""Squares start at multiples of this, so that each pixel lies in four. Windows agree with each other if they start at
multiples too, and have a margin of this size."""
BATCH = 8


def blended(run: Callable[[Array], Array], array_hwc: Array) -> Array:
    """Translate an array in overlapping squares and blend the results.

    Args:
        run: translates a batch of squares, shape (B, 256, 256, c); gives uint8, shape (B, 256, 256, k).
        array_hwc: shape (h, w, c), h and w multiples of 128; a smaller array is continued by reflection.

    Returns:
        uint8, shape (h, w, k): the weighted mean of the squares, with the least weight at their borders.
    """
    h, w = array_hwc.shape[:2]
    high, wide = max(h, TILE_PX), max(w, TILE_PX)
    if (high, wide) != (h, w):
        array_hwc = read_padded(lambda x: array_hwc[x.slices], Window(0, 0, high, wide), h, w)
    starts = [(r, c) for r in range(0, high - STEP_PX, STEP_PX) for c in range(0, wide - STEP_PX, STEP_PX)]
    ramp = 1 - np.abs(np.arange(TILE_PX) + 0.5 - STEP_PX) / STEP_PX
    weight = np.outer(ramp, ramp)[..., None].astype(np.float32)
    total = np.zeros((high, wide, 1), np.float32)
    summed: Array | None = None
    for first in range(0, len(starts), BATCH):
        some = [Window(r, c, TILE_PX, TILE_PX) for r, c in starts[first : first + BATCH]]
        for tile, answer in zip(some, run(np.stack([array_hwc[t.slices] for t in some])), strict=True):
            if summed is None:
                summed = np.zeros((high, wide, answer.shape[-1]), np.float32)
            summed[tile.slices] += weight * answer
            total[tile.slices] += weight
    assert summed is not None
    return np.rint(summed / total)[:h, :w].astype(np.uint8)
