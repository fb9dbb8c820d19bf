"""Which pixels of a raster hold data, and where to look for what is decided once for all of it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from sat2map.arrays import Bool, UInt8
from sat2map.tiling import Window

LARGEST_SAMPLE_PX = 1024
STRIP_PX = 256
SAMPLE_GRID, SAMPLE_PX = 12, 96
"""Without overviews a decimated read would decode all: so many windows a side, of that many px, instead."""
LOOKED_THROUGH_PX, LOOK_PX = 2**24, 2048
"""Where such a sample holds next to no data, all of the raster is looked through: so many pixels of it, read by windows
of that side."""
ENOUGH_PX = 10_000
"""Valid pixels with which a sample is enough."""
SMALLEST_SHARE = 0.9


def alpha_is_a_mask(dataset: Any, band: int) -> bool:
    """Whether a band tagged alpha is one: at least 90 % of a sample of it is 0 or opaque.

    NAIP tags its near infrared so; taken for a mask it would make most of the ground transparent.

    Args:
        dataset: a rasterio dataset, open for reading.
        band: counted from 1.
    """
    n_binary = n_all = 0
    binary = (0, *_opaque_values(dataset, band))
    for window, shape in sample_windows(dataset, Window(0, 0, *dataset.shape)):
        part = ((window.row, window.row + window.height), (window.col, window.col + window.width))
        sample = dataset.read(band, window=part, out_shape=shape)
        n_binary += int(np.isin(sample, binary).sum())
        n_all += sample.size
    return n_binary >= SMALLEST_SHARE * n_all


def _opaque_values(dataset: Any, band: int) -> list[float]:
    """What stands for opaque: the greatest number of the type or of its bits, or 255, which GDAL writes in others."""
    dtype = np.dtype(dataset.dtypes[band - 1])
    if dtype.kind == "f":
        return [1, 255]
    n_bits = int(dataset.tags(band, ns="IMAGE_STRUCTURE").get("NBITS", 8))
    return [255, 2**n_bits - 1, int(np.iinfo(dtype).max)]


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


def fill_gaps(rgb_hwc: UInt8, valid: Bool, distance_px: int, far: UInt8) -> UInt8:
    """Continue what is there into what is not, so that a network sees no edge where only the data end.

    Each pixel takes that of the nearest one in its row, else in its column; a window read `distance_px` wider on
    each side is filled as the whole scene is.

    Args:
        rgb_hwc: uint8, shape (h, w, 3).
        valid: bool, shape (h, w).
        distance_px: how far pixels are carried along each axis.
        far: uint8, shape (3,): what lies beyond.
    """
    filled, known = rgb_hwc.copy(), valid.copy()
    for axis in (1, 0):
        # In strips, since positions take many times the bytes of pixels.
        for start in range(0, known.shape[1 - axis], STRIP_PX):
            strip = np.s_[start : start + STRIP_PX] if axis else np.s_[:, start : start + STRIP_PX]
            filled[strip], known[strip] = _carried(filled[strip], known[strip], axis, distance_px)
    filled[~known] = far
    return filled


def _carried(rgb_hwc: UInt8, known: Bool, axis: int, distance_px: int) -> tuple[UInt8, Bool]:
    position = np.arange(known.shape[axis]).reshape(-1, 1) if axis == 0 else np.arange(known.shape[axis])
    before = np.maximum.accumulate(np.where(known, position, -(2**30)), axis)
    after = np.flip(np.minimum.accumulate(np.flip(np.where(known, position, 2**30), axis), axis), axis)
    nearest = np.where(position - before <= after - position, before, after)
    reached = np.abs(nearest - position) <= distance_px
    safe = np.where(reached, nearest, position)
    return np.take_along_axis(rgb_hwc, safe[..., None], axis), reached
