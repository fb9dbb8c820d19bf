"""Tiles drawn each by itself and blended where they overlap: what a network saw in training that saw whole images.

Not exact: where two tiles disagree, the map shows neither. numpy only.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sat2map.arrays import Array
from sat2map.tiling.windows import Window, read_padded

TILE_PX = 256
STEP_PX = 128
"""Tiles start at its multiples, so that each pixel lies in four; windows that do so too, with a margin of it, agree."""
BATCH = 8


def blended(run: Callable[[Array], Array], array_hwc: Array) -> Array:
    """Draw an array tile by tile.

    Args:
        run: draws a batch of tiles, shape (B, 256, 256, c); gives uint8, shape (B, 256, 256, k).
        array_hwc: shape (h, w, c), h and w multiples of 128; what is smaller than a tile is continued by reflection.

    Returns:
        uint8, shape (h, w, k): the mean of the tiles, each weighing least at its border.
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
        for tile, drawn in zip(some, run(np.stack([array_hwc[t.slices] for t in some])), strict=True):
            if summed is None:
                summed = np.zeros((high, wide, drawn.shape[-1]), np.float32)
            summed[tile.slices] += weight * drawn
            total[tile.slices] += weight
    assert summed is not None
    return np.rint(summed / total)[:h, :w].astype(np.uint8)
