"""How far a confidence lies from the share of pixels on which it is right: the expected calibration error."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from sat2map.arrays import Bool
from sat2map.classes import ClassTable

N_BINS = 15
N_LEVELS = 1024
"""Levels between 0 and 1 to which a confidence is rounded before it is counted."""
Floats = npt.NDArray[np.floating[Any]]


class Reliability:
    """Pixels counted by their confidence, and by whether they are right.

    >>> reliability = Reliability()
    >>> reliability.add(np.array([0.9, 0.9, 0.5, 0.5]), np.array([True, True, True, False]))
    >>> round(reliability.error(n_bins=2), 2)
    0.05
    """

    def __init__(self) -> None:
        self._counts, self._right, self._sums = np.zeros((3, N_LEVELS))

    def add(self, confidence: Floats, is_right: Bool) -> None:
        """Count pixels: their confidence, 0..1, and whether what is shown is right."""
        level = np.rint(confidence.ravel() * (N_LEVELS - 1)).astype(np.intp)
        for total, weights in ((self._counts, None), (self._right, is_right), (self._sums, confidence)):
            total += np.bincount(level, None if weights is None else weights.ravel(), N_LEVELS)

    @property
    def n_px(self) -> int:
        """Pixels that were counted."""
        return int(self._counts.sum())

    def error(self, n_bins: int = N_BINS) -> float:
        """Compute the expected calibration error over bins of equal mass; NaN without pixels.

        Pixels of one level that fall into two bins are taken to be right alike.

        Source: Naeini et al. 2015, Obtaining Well Calibrated Probabilities Using Bayesian Binning, section 3; bins of
        equal mass as of Nguyen and O'Connor 2015, arXiv 1508.05154.
        """
        if not self.n_px:
            return float("nan")
        edges = np.linspace(0, self.n_px, n_bins + 1)
        ends = np.concatenate([[0], self._counts.cumsum()])
        gaps = np.concatenate([[0], (self._right - self._sums).cumsum()])
        # Between two levels a bin takes the share of a level that lies in it.
        kept = np.concatenate([[True], self._counts > 0])
        in_bins = np.diff(np.interp(edges, ends[kept], gaps[kept]))
        return float(np.abs(in_bins).sum() / self.n_px)


def part_of_sets(sets: npt.NDArray[np.uint32], table: ClassTable) -> npt.NDArray[np.int8]:
    """Return the part of the classes (see `ClassTable.part_of_class`) that labels allow; -1 where they allow several.

    Args:
        sets: uint32, any shape: bit i is set where class i is possible.
        table: the classes.
    """
    found = np.full(sets.shape, -1, np.int8)
    for part in set(table.part_of_class):
        outside = sum(1 << c for c, of in enumerate(table.part_of_class) if of != part)
        found[(sets & np.uint32(outside)) == 0] = part
    return found


def roc_area(score: Floats, is_positive: Bool) -> float:
    """Area under the ROC curve: how likely a positive has the higher score of two; NaN where one kind is missing.

    >>> roc_area(np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True]))
    0.75
    """
    positive, negative = np.sort(score[is_positive]), np.sort(score[~is_positive])
    if not len(positive) or not len(negative):
        return float("nan")
    below = np.searchsorted(negative, positive, "left") + np.searchsorted(negative, positive, "right")
    return float(below.sum() / (2 * len(positive) * len(negative)))
