"""Windows of a raster whose pixels stand for all of it, where something is decided once for the whole."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from sat2map.tiling import Window

LARGEST_SAMPLE_PX = 1024
SAMPLE_GRID, SAMPLE_PX = 12, 96
"""Without overviews a decimated read would decode all: so many windows a side, of that many px, instead."""
LOOKED_THROUGH_PX, LOOK_PX = 2**24, 2048
"""Where such a sample holds next to no data, all of the raster is looked through: so many pixels of it, read by windows
of that side."""
ENOUGH_PX = 10_000
"""Valid pixels with which a sample is enough."""


def look_through(area: Window) -> list[tuple[Window, tuple[int, int]]]:
    """Windows that together are all of `area`, and the shape that each is read in, as of `sample_windows`."""
    step = max(1, math.ceil(math.sqrt(area.height * area.width / LOOKED_THROUGH_PX)))
    windows = [
        Window(area.row + row, area.col + col, min(LOOK_PX, area.height - row), min(LOOK_PX, area.width - col))
        for row in range(0, area.height, LOOK_PX)
        for col in range(0, area.width, LOOK_PX)
    ]
    return [(window, (-(-window.height // step), -(-window.width // step))) for window in windows]


def sample_windows(dataset: Any, area: Window) -> list[tuple[Window, tuple[int, int]]]:
    """Windows whose pixels stand for those of `area`, and the shape that each is read in.

    One of everything, decimated, where overviews make that cheap or the area is small; else a grid of small ones.
    """
    if dataset.overviews(1) or max(area.height, area.width) <= LARGEST_SAMPLE_PX:
        return [(area, (min(area.height, LARGEST_SAMPLE_PX), min(area.width, LARGEST_SAMPLE_PX)))]
    rows, cols = (
        sorted({min(int(start), side - 1) for start in np.linspace(0, max(side - SAMPLE_PX, 0), SAMPLE_GRID)})
        for side in (area.height, area.width)
    )
    windows = [Window(r, c, SAMPLE_PX, SAMPLE_PX).clipped(area.height, area.width) for r in rows for c in cols]
    moved = [Window(w.row + area.row, w.col + area.col, w.height, w.width) for w in windows]
    return [(window, (window.height, window.width)) for window in moved]
