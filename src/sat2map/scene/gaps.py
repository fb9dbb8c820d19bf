"""Filling of what a scene lacks, so that a network sees no edge where only the data end."""

from __future__ import annotations

import numpy as np

from sat2map.arrays import Bool, Int64, UInt8

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
    # In the order of memory that the pixels have: those of a raster lie band by band.
    filled, known = rgb_hwc.copy("K"), valid.copy()
    _carry_along_rows(filled, known, distance_px)
    _carry_along_rows(filled.transpose(1, 0, 2), known.T, distance_px)
    unknown = ~known
    for channel, value in enumerate(far):
        np.copyto(filled[..., channel], value, where=unknown)
    return filled


def _carry_along_rows(rgb_hwc: UInt8, known: Bool, distance_px: int) -> None:
    # In strips, since positions take many times the bytes of pixels.
    for start in range(0, len(known), STRIP_PX):
        strip = slice(start, start + STRIP_PX)
        row, col, source = _reached(known[strip], distance_px)
        rgb_hwc[strip][row, col] = rgb_hwc[strip][row, source]
        known[strip][row, col] = True


def _reached(known: Bool, distance_px: int) -> tuple[Int64, Int64, Int64]:
    """Row and column of each pixel that takes the value of another, and the column of that one."""
    width = known.shape[1]
    beside = np.ones((len(known), width + 2), bool)
    beside[:, 1:-1] = known
    row, begin = np.nonzero(beside[:, :-1] & ~beside[:, 1:])
    _, end = np.nonzero(~beside[:, :-1] & beside[:, 1:])
    has_before, has_after, length = begin > 0, end < width, end - begin
    # In the middle of a gap the pixel before it wins.
    n_before = np.where(has_before, np.minimum(np.where(has_after, (length + 1) // 2, length), distance_px), 0)
    n_after = np.where(has_after, np.minimum(np.where(has_before, length // 2, length), distance_px), 0)
    col = np.concatenate(
        [np.repeat(begin, n_before) + _counted(n_before), np.repeat(end - 1, n_after) - _counted(n_after)]
    )
    source = np.concatenate([np.repeat(begin - 1, n_before), np.repeat(end, n_after)])
    return np.concatenate([np.repeat(row, n_before), np.repeat(row, n_after)]), col, source


def _counted(lengths: Int64) -> Int64:
    """0, 1, 2 and so on for each of some lengths, one after the other."""
    ends = np.cumsum(lengths)
    return np.arange(lengths.sum()) - np.repeat(ends - lengths, lengths)
