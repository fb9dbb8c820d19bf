"""The intervals: whole groups, one seed, exact in the cases that can be worked out."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from types import FrameType
from typing import Any

import numpy as np
import pytest

from sat2map.arrays import Float64
from sat2map.evaluate.bootstrap import intervals, paired_difference
from sat2map.evaluate.metrics import ImageScore, Matches, add_up, metric_values, score_rows


def _score(seed: int) -> ImageScore:
    rng = np.random.default_rng(seed)
    intersection = rng.integers(1, 100, 6)
    return ImageScore(
        rmse=rng.uniform(10, 40),
        acc5=rng.uniform(0, 50),
        acc10=rng.uniform(50, 100),
        psnr=rng.uniform(20, 30),
        ssim=rng.uniform(0, 1),
        road=Matches(*rng.integers(1, 50, 4).cumsum().tolist()),
        centre_line=Matches(*rng.integers(1, 50, 4).cumsum().tolist()),
        predicted_gradient=rng.uniform(100, 200),
        true_gradient=rng.uniform(100, 200),
        intersection=tuple(intersection.tolist()),
        union=tuple((intersection + rng.integers(1, 100, 6)).tolist()),
    )


SCORES = [_score(seed) for seed in range(24)]
EACH_ITS_OWN = [str(i) for i in range(24)]


def _point(scores: list[ImageScore]) -> Float64:
    """All metrics of a set, in one order."""
    values = metric_values(add_up(score_rows(scores)))
    return np.array([value[0] for value in values.values()])


def _all(ends: dict[str, Float64]) -> Float64:
    """Lower and upper ends of all metrics, shape (2, 15)."""
    return np.stack(list(ends.values()), axis=1)


def test_intervals_contain_the_metric_and_are_not_empty() -> None:
    low, high = _all(intervals(SCORES, EACH_ITS_OWN))
    point = _point(SCORES)
    assert ((low < point) & (point < high)).all()


def test_intervals_are_the_same_for_the_same_seed_only() -> None:
    first, again, other = (_all(intervals(SCORES, EACH_ITS_OWN, seed=seed)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_intervals_of_a_mean_agree_with_the_central_limit() -> None:
    values = np.array([s.rmse for s in SCORES])
    low, high = intervals(SCORES, EACH_ITS_OWN, n_draws=20_000)["rmse"]
    half_width = 1.96 * values.std() / np.sqrt(len(values))
    assert high - low == pytest.approx(2 * half_width, rel=0.05)


def test_intervals_agree_with_a_plain_loop_over_drawn_images() -> None:
    groups = [str(i // 3) for i in range(24)]
    rng = np.random.default_rng(9)
    drawn = []
    for _ in range(4000):
        chosen = rng.integers(0, 8, 8)
        drawn.append(_point([s for g in chosen for s, name in zip(SCORES, groups, strict=True) if name == str(g)]))
    loop = np.quantile(drawn, (0.025, 0.975), axis=0)
    found = _all(intervals(SCORES, groups, n_draws=4000))
    np.testing.assert_allclose(found, loop, atol=0.1 * (loop[1] - loop[0]).max(), rtol=0.05)


def test_intervals_widen_when_alike_images_form_groups() -> None:
    alike = [score for score in SCORES[:8] for _ in range(4)]
    grouped = intervals(alike, [str(i // 4) for i in range(32)])
    independent = intervals(alike, [str(i) for i in range(32)])
    # Four copies of an image tell no more than one: taken for independent, they halve the interval.
    ratio = np.diff(grouped["rmse"])[0] / np.diff(independent["rmse"])[0]
    assert ratio == pytest.approx(2, rel=0.15)


def test_intervals_of_one_group_are_the_metric_itself() -> None:
    np.testing.assert_allclose(_all(intervals(SCORES, ["one"] * 24)), np.stack([_point(SCORES)] * 2))


def test_intervals_survive_a_perfect_image() -> None:
    scores = [replace(SCORES[0], psnr=np.inf), *SCORES[1:]]
    low, high = intervals(scores, EACH_ITS_OWN)["psnr"]
    assert np.isfinite(low)
    assert high == np.inf


def test_intervals_leave_out_a_class_that_no_image_has() -> None:
    without = [replace(s, intersection=(*s.intersection[:5], 0), union=(*s.union[:5], 0)) for s in SCORES]
    ends = intervals(without, EACH_ITS_OWN)
    assert np.isnan(ends["iou place"]).all()
    assert np.isfinite(ends["miou"]).all()


def test_paired_difference_of_a_model_with_itself_is_nought() -> None:
    difference, ends = paired_difference(SCORES, SCORES, EACH_ITS_OWN)
    assert set(difference.values()) == {0}
    assert not _all(ends).any()


def test_paired_difference_sees_what_two_intervals_hide() -> None:
    better = [replace(s, acc5=s.acc5 + 1) for s in SCORES]
    difference, ends = paired_difference(better, SCORES, EACH_ITS_OWN)
    assert difference["acc5"] == pytest.approx(1)
    np.testing.assert_allclose(ends["acc5"], 1)
    assert intervals(better, EACH_ITS_OWN)["acc5"][0] < intervals(SCORES, EACH_ITS_OWN)["acc5"][1]


def test_paired_difference_draws_groups_whole() -> None:
    alike_a = [score for score in SCORES[:8] for _ in range(4)]
    alike_b = [score for score in SCORES[8:16] for _ in range(4)]
    grouped = paired_difference(alike_a, alike_b, [str(i // 4) for i in range(32)])[1]
    independent = paired_difference(alike_a, alike_b, [str(i) for i in range(32)])[1]
    assert np.diff(grouped["rmse"])[0] > 1.5 * np.diff(independent["rmse"])[0]


def test_paired_difference_refuses_other_images() -> None:
    with pytest.raises(AssertionError):
        paired_difference(SCORES, SCORES[:-1], EACH_ITS_OWN)


def test_intervals_of_a_thousand_draws_take_no_loop_over_images() -> None:
    many, groups = SCORES * 15, [str(i // 6) for i in range(360)]
    n_lines = 0

    def count(_frame: FrameType, event: str, _argument: object) -> Callable[..., Any]:
        nonlocal n_lines
        n_lines += event == "line"
        return count

    tracer = sys.gettrace()
    sys.settrace(count)
    try:
        intervals(many, groups)
    finally:
        sys.settrace(tracer)
    # A loop over draws and images would run through 360,000.
    assert n_lines < 100_000, n_lines
