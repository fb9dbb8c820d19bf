"""How far vectors lie beside an image: roads as they are drawn against roads as a model sees them, square by square."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sat2map.arrays import Bool, Float64
from sat2map.errors import import_extra
from sat2map.tiling import Window

LARGEST_SHIFT_M = 40.0
BLUR_M = 2.0
"""Roads are never right to the pixel, neither those that are drawn nor those that are seen."""
PEAK_M = 8.0
"""So far around the best shift others are the same one."""
FEWEST_ROADS = 0.005
"""Share of a square; of fewer roads no shift follows."""
SURE = 0.05
"""Confidence below which a shift counts for nothing."""
NEIGHBOURHOOD = 1.5
"""Distance, in squares, at which another shift counts for 0.6 of one here."""
OUTLIER_M = 3.0
N_ROUNDS = 8
SLACK_M = 6.0
"""So far beside a road that is drawn, one that is seen is the same."""
MANY_ROADS, MUCH_MISSING = 0.03, 0.5
"""Shares: of the ground that a model sees as roads, and of those what is not drawn; above both, roads are missing."""


class Estimate(NamedTuple):
    """A shift that brings drawn roads onto those that are seen."""

    right_m: float
    up_m: float
    confidence: float
    """0..1: by how much the best shift fits better than any other."""


NOTHING_KNOWN = Estimate(0.0, 0.0, 0.0)


class ShiftAt(NamedTuple):
    """The shift of a square."""

    estimate: Estimate
    smoothed_m: tuple[float, float]
    """To the right and up, by the square itself and those around it."""


class Missing(NamedTuple):
    """Roads that a model sees and that are not drawn."""

    share: float
    """Of the roads that it sees."""
    is_too_much: bool


@dataclass(frozen=True)
class Shifts:
    """The shifts of all squares of a scene."""

    by_window: dict[Window, ShiftAt]

    def at(self, window: Window) -> ShiftAt:
        """The shift of one of the squares."""
        return self.by_window[window]


def estimate_shift(drawn: Bool, seen: Bool, px_m: tuple[float, float]) -> Estimate:
    """Find the shift of drawn roads by their correlation with those that are seen, to a part of a pixel.

    Args:
        drawn: bool, shape (H, W).
        seen: bool, shape (H, W).
        px_m: metres per pixel along a row and along a column.
    """
    if min(drawn.mean(), seen.mean()) < FEWEST_ROADS:
        return NOTHING_KNOWN
    reach = [round(LARGEST_SHIFT_M / side) for side in px_m]
    fits = _correlation(drawn, seen, reach, px_m)
    up, right = np.unravel_index(int(fits.argmax()), fits.shape)
    rows, cols = np.indices(fits.shape)
    away = np.hypot((rows - up) * px_m[1], (cols - right) * px_m[0]) > PEAK_M
    best = float(fits[up, right])
    if best <= 0:
        return NOTHING_KNOWN
    confidence = 1 - max(float(fits[away].max(initial=0.0)), 0.0) / best
    at_border = up in (0, fits.shape[0] - 1) or right in (0, fits.shape[1] - 1)
    if at_border:
        return NOTHING_KNOWN
    row = up - reach[1] + _vertex(fits[up - 1 : up + 2, right])
    col = right - reach[0] + _vertex(fits[up, right - 1 : right + 2])
    return Estimate(float(col * px_m[0]), float(-row * px_m[1]), confidence)


def _correlation(drawn: Bool, seen: Bool, reach: Sequence[int], px_m: tuple[float, float]) -> Float64:
    """How well drawn roads fit those that are seen, for each shift in rows and columns up to the reach."""
    ndimage = import_extra("scipy.ndimage", "vector")
    fft = import_extra("scipy.fft", "vector")
    sigmas = [BLUR_M / px_m[1], BLUR_M / px_m[0]]
    one, other = (ndimage.gaussian_filter(mask.astype(np.float32), sigmas) for mask in (drawn, seen))
    one, other = one - one.mean(), other - other.mean()
    shape = [fft.next_fast_len(side + step) for side, step in zip(one.shape, reach[::-1], strict=True)]
    product = np.conj(fft.rfft2(one, shape)) * fft.rfft2(other, shape)
    fits = fft.irfft2(product, shape)
    rows, cols = (np.arange(-step, step + 1) for step in reach[::-1])
    chosen: Float64 = fits[np.ix_(rows, cols)].astype(np.float64)
    return chosen


def _vertex(three: Float64) -> float:
    """Where between three neighbours a parabola through them is highest, from the middle one."""
    before, here, after = three.tolist()
    curve = before - 2 * here + after
    return 0.0 if curve >= 0 else float(np.clip((before - after) / (2 * curve), -0.5, 0.5))


def smooth_shifts(windows: Sequence[Window], found: Sequence[Estimate], px_m: tuple[float, float]) -> Shifts:
    """Give each square the shift that it and those around it agree on; single ones that differ count little.

    Args:
        windows: the squares, all of one size.
        found: the shift of each.
        px_m: metres per pixel along a row and along a column.
    """
    if not windows:
        return Shifts({})
    side_m = windows[0].width * px_m[0]
    centres = np.array([(w.col * px_m[0], w.row * px_m[1]) for w in windows]) / side_m
    shifts = np.array([estimate[:2] for estimate in found])
    sure = np.array([estimate.confidence for estimate in found])
    sure = np.where(sure < SURE, 0, sure)
    if not sure.any():
        return Shifts({w: ShiftAt(e, (0.0, 0.0)) for w, e in zip(windows, found, strict=True)})
    usual = _agreed(shifts, sure, np.median(shifts[sure > 0], axis=0))
    smoothed = {}
    for window, estimate, centre in zip(windows, found, centres, strict=True):
        near = np.exp(-0.5 * (((centres - centre) ** 2).sum(1) / NEIGHBOURHOOD**2))
        weights = sure * near
        right_m, up_m = _agreed(shifts, weights, usual) if weights.sum() > SURE else usual
        smoothed[window] = ShiftAt(estimate, (float(right_m), float(up_m)))
    return Shifts(smoothed)


def _agreed(shifts: Float64, weights: Float64, start: Float64) -> Float64:
    """Mean of shifts in which outliers count little: Tukey's weights, from the weighted median on."""
    agreed = np.array([_weighted_median(column, weights) for column in shifts.T]) if len(shifts) > 2 else start
    for _ in range(N_ROUNDS):
        far = np.hypot(*(shifts - agreed).T) / OUTLIER_M
        kept = weights * np.where(far < 1, (1 - far**2) ** 2, 0)
        if not kept.any():
            break
        agreed = (kept[:, None] * shifts).sum(0) / kept.sum()
    return np.asarray(agreed, float)


def _weighted_median(values: Float64, weights: Float64) -> float:
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])


def missing_share(drawn: Bool, seen: Bool, gsd_m: float) -> Missing:
    """What of the roads that are seen is not drawn, with some slack.

    Args:
        drawn: bool, shape (H, W).
        seen: bool, shape (H, W).
        gsd_m: metres per pixel.
    """
    ndimage = import_extra("scipy.ndimage", "vector")
    if not seen.any():
        return Missing(0.0, False)
    known = ndimage.maximum_filter(drawn, 2 * round(SLACK_M / gsd_m) + 1)
    share = float((seen & ~known).sum() / seen.sum())
    return Missing(share, bool(seen.mean() > MANY_ROADS and share > MUCH_MISSING))
