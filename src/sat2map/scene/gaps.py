"""Filling of what a scene lacks, so that a network sees no edge where only the data end."""

from __future__ import annotations

import numpy as np

from sat2map.arrays import Bool, UInt8

STRIP_PX = 256


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
