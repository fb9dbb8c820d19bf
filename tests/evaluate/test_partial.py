"""Metrics of partial labels, counted by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sat2map.classes import CLASS_NAMES, CLASSES
from sat2map.evaluate.partial import PartialScore, score_partial

LAND, ROAD, WATER, PARK = (CLASS_NAMES.index(name) for name in ("land", "road", "water", "park"))


def test_metrics_of_a_map_worked_out_by_hand() -> None:
    classes = np.full((20, 20), LAND, np.uint8)
    classes[:, 0:2] = WATER
    sets = np.full((20, 20), CLASSES.every_class, np.uint32)
    sets[:, 0] = 1 << WATER
    sets[:, 1] = 1 << LAND | 1 << PARK
    sets[:, 19] = 1 << LAND
    metrics = score_partial(classes, sets, CLASSES).metrics()
    assert metrics["allowed"] == pytest.approx(40 / 60)
    assert metrics["water_iou"] == pytest.approx(20 / 40)
    assert metrics["invented_water"] == pytest.approx(20 / 40)
    assert metrics["park"] == 0
    assert math.isnan(metrics["road_f1"])


@pytest.mark.parametrize(("aside", "f1"), [(0, 1.0), (3, 1.0), (4, 0.0)])
def test_roads_have_three_pixels_of_slack(aside: int, f1: float) -> None:
    classes = np.full((20, 20), LAND, np.uint8)
    classes[10 + aside] = ROAD
    sets = np.full((20, 20), 1 << LAND, np.uint32)
    sets[10] = 1 << ROAD
    assert score_partial(classes, sets, CLASSES).metrics()["road_f1"] == f1


def test_scores_add_up_over_images() -> None:
    rng = np.random.default_rng(0)
    halves = [
        (rng.integers(0, 6, (30, 30)).astype(np.uint8), rng.integers(1, 64, (30, 30)).astype(np.uint32)) for _ in "ab"
    ]
    total = sum((score_partial(*half, CLASSES) for half in halves), PartialScore())
    assert total.n_px == 1800
    assert total.n_allowed == sum(
        int(((sets >> classes) & 1).sum()) - int((((sets >> classes) & 1) * (sets == 63)).sum())
        for classes, sets in halves
    )
    assert total.metrics()["allowed"] == pytest.approx(total.n_allowed / total.n_known)


def test_water_has_no_iou_where_there_is_none() -> None:
    classes = np.full((20, 20), WATER, np.uint8)
    metrics = score_partial(classes, np.full((20, 20), 1 << LAND, np.uint32), CLASSES).metrics()
    assert math.isnan(metrics["water_iou"])
    assert metrics["invented_water"] == 1
