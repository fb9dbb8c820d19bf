"""How far vectors lie beside an image: roads as they are drawn against roads as a model sees them, square by square."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sat2map.arrays import Bool, Float64
from sat2map.errors import import_extra
from sat2map.tiling import Window

LARGEST_SHIFT_M = 40.0
BLUR_M = 2.0
"""Roads are never right to the pixel, neither those that are drawn nor those that are predicted."""
PEAK_M = 8.0
"""So far around the best shift others are the same one."""
LEAST_SPREAD = 1e-3
"""Of windows with nearly no roads, whose correlation says nothing."""
FEWEST_ROADS = 0.005
"""Share of a square; of fewer roads no shift follows."""
LEAST_CONFIDENCE = 0.05
"""Confidence below which a shift counts for nothing."""
NEIGHBOURHOOD = 1.5
"""Distance, in squares, at which another shift counts for 0.6 of one here."""
OUTLIER_M = 3.0
N_ROUNDS = 8
SLACK_M = 6.0
"""So far beside a road that is drawn, one that is predicted is the same."""
MANY_ROADS, SOME_MISSING, MUCH_MISSING = 0.03, 0.15, 0.5
"""Shares: of the ground that a model sees as roads; and of those what is not drawn. Above the first and the second some
roads are missing, which of complete vectors is so in one square of ten; above the third too many."""


class Estimate(NamedTuple):
    """A shift that brings drawn roads onto those that are predicted."""

    right_m: float
    up_m: float
    confidence: float
    """0..1: by how much the best shift correlates better than any that is another one."""


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
    is_some: bool
    """Whether it is more than complete vectors lack."""
    is_too_much: bool


@dataclass(frozen=True)
class Shifts:
    """The shifts of all squares of a scene."""

    by_window: dict[Window, ShiftAt]

    def at(self, window: Window) -> ShiftAt:
        """The shift of one of the squares."""
        return self.by_window[window]


def margin_px(px_m: tuple[float, float]) -> int:
    """So many pixels around a square its roads are drawn for `estimate_shift`."""
    return math.ceil(LARGEST_SHIFT_M / min(px_m))


def estimate_shift(drawn: Bool, predicted: Bool, px_m: tuple[float, float]) -> Estimate:
    """Find the shift of drawn roads by their correlation with those that are predicted, to a part of a pixel.

    Args:
        drawn: bool, shape (H + 2 m, W + 2 m), where m is `margin_px`.
        predicted: bool, shape (H, W): of the middle of that.
        px_m: metres per pixel along a row and along a column.
    """
    if min(drawn.mean(), predicted.mean()) < FEWEST_ROADS:
        return NOTHING_KNOWN
    fits = _correlation(drawn, predicted, px_m)
    row, col = (int(i) for i in np.unravel_index(int(fits.argmax()), fits.shape))
    best, middle = float(fits[row, col]), margin_px(px_m)
    is_at_border = row in (0, 2 * middle) or col in (0, 2 * middle)
    if best <= 0 or is_at_border:
        return NOTHING_KNOWN
    rows, cols = np.indices(fits.shape)
    away = np.hypot((rows - row) * px_m[1], (cols - col) * px_m[0]) > PEAK_M
    down_px = middle - row - _vertex(fits[row - 1 : row + 2, col])
    right_px = middle - col - _vertex(fits[row, col - 1 : col + 2])
    confidence = best - max(float(fits[away].max(initial=0.0)), 0.0)
    return Estimate(right_px * px_m[0], -down_px * px_m[1], confidence)


def _correlation(drawn: Bool, predicted: Bool, px_m: tuple[float, float]) -> Float64:
    """Coefficient of correlation of predicted roads with drawn ones, for each shift: shape (2 m + 1, 2 m + 1)."""
    ndimage = import_extra("scipy.ndimage", "vector")
    sigmas = [BLUR_M / px_m[1], BLUR_M / px_m[0]]
    one, other = (ndimage.gaussian_filter(mask.astype(np.float64), sigmas) for mask in (drawn, predicted))
    other -= other.mean()
    ones = np.ones_like(other)
    mean, square = (_sums_over_windows(image, ones) / other.size for image in (one, one**2))
    spread = np.sqrt(np.maximum(square - mean**2, 0) * (other**2).mean())
    fits: Float64 = _sums_over_windows(one, other) / other.size / np.maximum(spread, LEAST_SPREAD)
    return fits


def _sums_over_windows(image: Float64, weights: Float64) -> Float64:
    """Sum of an image's windows times weights of their shape, wherever in the image a window may lie."""
    fft = import_extra("scipy.fft", "vector")
    shape = [fft.next_fast_len(side, real=True) for side in image.shape]
    sums = fft.irfft2(fft.rfft2(image, shape) * np.conj(fft.rfft2(weights, shape)), shape)
    inner: Float64 = sums[: image.shape[0] - weights.shape[0] + 1, : image.shape[1] - weights.shape[1] + 1]
    return inner


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
    certain = np.array([estimate.confidence for estimate in found])
    certain = np.where(certain < LEAST_CONFIDENCE, 0, certain)
    if not certain.any():
        return Shifts({w: ShiftAt(e, (0.0, 0.0)) for w, e in zip(windows, found, strict=True)})
    usual = _agreed(shifts, certain, np.median(shifts[certain > 0], axis=0))
    smoothed = {}
    for window, estimate, centre in zip(windows, found, centres, strict=True):
        near = np.exp(-0.5 * (((centres - centre) ** 2).sum(1) / NEIGHBOURHOOD**2))
        weights = certain * near
        right_m, up_m = _agreed(shifts, weights, usual) if weights.sum() > LEAST_CONFIDENCE else usual
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


def missing_share(drawn: Bool, predicted: Bool, gsd_m: float) -> Missing:
    """What of the roads that are predicted is not drawn, with some slack.

    Args:
        drawn: bool, shape (H, W).
        predicted: bool, shape (H, W).
        gsd_m: metres per pixel.
    """
    if not predicted.any():
        return Missing(0.0, False, False)
    share = float((predicted & ~_near(drawn, gsd_m)).sum() / predicted.sum())
    has_many = bool(predicted.mean() > MANY_ROADS)
    return Missing(share, has_many and share > SOME_MISSING, has_many and share > MUCH_MISSING)


def missing_roads(drawn: Bool, predicted: Bool, gsd_m: float) -> Bool:
    """Roads that are predicted and not drawn, as far as those that are: bool, shape (H, W).

    Args:
        drawn: bool, shape (H, W).
        predicted: bool, shape (H, W).
        gsd_m: metres per pixel.
    """
    return predicted & _near(predicted & ~_near(drawn, gsd_m), gsd_m)


def _near(roads: Bool, gsd_m: float) -> Bool:
    """What is within the slack of roads."""
    ndimage = import_extra("scipy.ndimage", "vector")
    near: Bool = ndimage.maximum_filter(roads, 2 * round(SLACK_M / gsd_m) + 1)
    return near
