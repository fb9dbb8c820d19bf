from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu

from sat2map.classes import CLASS_NAMES, CLASSES
from sat2map.evaluate.calibration import Reliability, part_of_sets, roc_area

LAND, ROAD, MAJOR, WATER, PARK, PLACE = (1 << i for i in range(len(CLASS_NAMES)))


def _by_hand(confidence: np.ndarray, right: np.ndarray, n_bins: int) -> float:
    order = np.argsort(confidence)
    parts = np.array_split(order, n_bins)
    return sum(abs(right[part].mean() - confidence[part].mean()) * len(part) for part in parts) / len(order)


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_error_is_that_of_bins_of_equal_mass(seed: int) -> None:
    rng = np.random.default_rng(seed)
    # Each level once: bins hold whole levels, so that sorting by hand gives the same ones.
    confidence = rng.permutation(np.arange(1, 901)) / 1023
    right = rng.random(900) < confidence**2
    reliability = Reliability()
    reliability.add(confidence[:300], right[:300])
    reliability.add(confidence[300:], right[300:])
    assert reliability.n_px == 900
    assert reliability.error() == pytest.approx(_by_hand(confidence, right, 15), abs=1e-9)


def test_one_level_in_several_bins_is_right_alike_in_each() -> None:
    reliability = Reliability()
    reliability.add(np.full(1000, 0.9), np.arange(1000) < 700)
    assert reliability.error() == pytest.approx(0.2)


def test_confidence_that_is_right_as_often_as_it_says_has_no_error() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.random(200_000)
    honest, boastful = Reliability(), Reliability()
    honest.add(confidence, rng.random(confidence.shape) < confidence)
    boastful.add(np.sqrt(confidence), rng.random(confidence.shape) < confidence)
    assert honest.error() < 0.01
    assert boastful.error() > 0.1
    assert math.isnan(Reliability().error())


def test_labels_tell_the_part_where_all_they_allow_is_of_one() -> None:
    sets = np.array([[WATER, ROAD | MAJOR, MAJOR], [LAND | PLACE, LAND | ROAD, 63]], np.uint32)
    assert part_of_sets(sets, CLASSES).tolist() == [[1, 2, 2], [0, -1, -1]]


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_roc_area_is_the_rank_statistic(seed: int) -> None:
    rng = np.random.default_rng(seed)
    score, is_positive = rng.integers(0, 6, 40).astype(float), rng.random(40) < 0.3
    if not is_positive.any() or is_positive.all():
        assert math.isnan(roc_area(score, is_positive))
        return
    rank = mannwhitneyu(score[is_positive], score[~is_positive]).statistic
    assert roc_area(score, is_positive) == pytest.approx(rank / (is_positive.sum() * (~is_positive).sum()))
