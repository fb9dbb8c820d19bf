"""Measures of seams: differences between two maps, and steps at the borders of windows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sat2map.arrays import UInt8


class Difference(NamedTuple):
    """Difference of two maps of one area: the largest channel difference of each pixel, in levels of 0..255."""

    largest: int
    percentile_99: float
    share: float
    """Share of pixels that differ by more than one level."""
    n_px: int

    def __str__(self) -> str:
        return f"up to {self.largest} of 255, on {self.share:.3%} of {self.n_px / 1e6:.1f} Mpx more than 1"


def difference(a_hwc: UInt8, b_hwc: UInt8) -> Difference:
    """Compare two maps of the same area, both uint8, shape (H, W, 3)."""
    apart = np.abs(a_hwc.astype(np.int16) - b_hwc).max(-1)
    return Difference(int(apart.max()), float(np.percentile(apart, 99)), float((apart > 1).mean()), apart.size)


def border_ratio(map_hwc: UInt8, side_px: int) -> float:
    """Compute the ratio of the mean step at the borders of windows to the mean step elsewhere; about 1 without seams.

    Args:
        map_hwc: uint8, shape (H, W, 3).
        side_px: side of the windows, which start at multiples of it.
    """
    steps, at_border = [], []
    for axis in (0, 1):
        step = np.abs(np.diff(map_hwc.astype(np.int16), axis=axis)).mean(-1).mean(1 - axis)
        steps.append(step)
        at_border.append(np.arange(1, len(step) + 1) % side_px == 0)
    step, border = np.concatenate(steps), np.concatenate(at_border)
    if not border.any() or not step.any():
        return 1.0
    elsewhere = float(step[~border].mean())
    return float(step[border].mean()) / elsewhere if elsewhere else float("inf")
