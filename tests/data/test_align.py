from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from sat2map.arrays import Bool
from sat2map.data.align import (
    NOTHING_KNOWN,
    Estimate,
    estimate_shift,
    margin_px,
    missing_roads,
    missing_share,
    smooth_shifts,
)
from sat2map.tiling import Window

SIDE_PX = 400


def streets(shift_px: tuple[float, float] = (0, 0), margin: int = 0, *, only_across: bool = False) -> Bool:
    """Bent streets, moved down and to the right, as a mask of a square with a margin."""
    rows, cols = np.indices((SIDE_PX + 2 * margin,) * 2).astype(float) - margin
    rows, cols = rows - shift_px[0], cols - shift_px[1]
    if only_across:
        return np.asarray(np.abs(rows % 93 - 40) < 4)
    rows, cols = rows + 25 * np.sin(cols / 90), cols + 20 * np.sin(rows / 70)
    return np.asarray((np.abs(rows % 93 - 40) < 4) | (np.abs(cols % 121 - 60) < 4))


def estimate(
    shift_px: tuple[float, float], predicted: Bool, gsd_m: float = 1, *, only_across: bool = False
) -> Estimate:
    drawn = streets(shift_px, margin_px((gsd_m, gsd_m)), only_across=only_across)
    return estimate_shift(drawn, predicted, (gsd_m, gsd_m))


@pytest.mark.parametrize("shift_m", [(0.0, 0.0), (12.0, -7.0), (-3.3, 20.4), (25.0, 25.0)])
@pytest.mark.parametrize("gsd_m", [0.5, 1.0])
def test_shift_is_found_to_a_part_of_a_metre(shift_m: tuple[float, float], gsd_m: float) -> None:
    right_m, up_m = shift_m
    rng = np.random.default_rng(0)
    # A model misses parts of roads, and sees some that are none.
    noise = ndimage.gaussian_filter(rng.normal(size=(SIDE_PX, SIDE_PX)), 6)
    predicted = (streets() & (noise < 0.05)) | (noise > 0.11)
    found = estimate((up_m / gsd_m, -right_m / gsd_m), predicted, gsd_m)
    assert found[:2] == pytest.approx(shift_m, abs=0.4)
    assert found.confidence > 0.15


def test_parallel_roads_say_nothing_of_the_shift_along_them() -> None:
    assert estimate((6, 0), streets(only_across=True), only_across=True).confidence < 0.02


def test_no_roads_no_shift() -> None:
    assert estimate((0, 0), np.zeros((SIDE_PX, SIDE_PX), bool)) == NOTHING_KNOWN
    assert estimate_shift(np.zeros((SIDE_PX + 80,) * 2, bool), streets(), (1, 1)) == NOTHING_KNOWN


def test_neighbours_outvote_a_square_that_is_wrong_and_fill_one_that_knows_nothing() -> None:
    windows = [Window(row, col, 100, 100) for row in range(0, 500, 100) for col in range(0, 500, 100)]
    rng = np.random.default_rng(1)
    found = [Estimate(8 + float(rng.normal(0, 0.3)), -5 + float(rng.normal(0, 0.3)), 0.4) for _ in windows]
    found[12], found[3] = Estimate(-30, 22, 0.3), NOTHING_KNOWN
    shifts = smooth_shifts(windows, found, (1, 1))
    for window in windows:
        assert shifts.at(window).smoothed_m == pytest.approx((8, -5), abs=0.5)


def test_shift_may_change_over_the_scene() -> None:
    windows = [Window(0, col, 100, 100) for col in range(0, 2000, 100)]
    found = [Estimate(col / 200, 0, 0.5) for col in range(0, 2000, 100)]
    shifts = smooth_shifts(windows, found, (1, 1))
    assert [shifts.at(w).smoothed_m[0] for w in windows[3:-3]] == pytest.approx([e[0] for e in found[3:-3]], abs=0.3)


def test_missing_roads() -> None:
    all_roads = streets()
    none = np.zeros_like(all_roads)
    assert missing_share(none, all_roads, 1) == (1.0, True, True)
    beside = missing_share(all_roads, streets((3, -3)), 1)
    assert beside.share < 0.02
    assert not beside.is_too_much
    assert missing_share(all_roads, none, 1) == (0.0, False, False)
    fewer = all_roads.copy()
    fewer[:, : SIDE_PX // 5] = False
    lacks = missing_share(fewer, all_roads, 1)
    assert (lacks.is_some, lacks.is_too_much) == (True, False)
    assert (fewer | missing_roads(fewer, all_roads, 1) == all_roads).mean() > 0.998
    assert not missing_roads(all_roads, streets((3, -3)), 1).mean() > 0.01


def test_few_roads_of_a_model_are_not_completed() -> None:
    seen = np.zeros((SIDE_PX, SIDE_PX), bool)
    seen[10:15, : SIDE_PX // 2] = True
    assert 0 < seen.mean() < 0.03
    assert missing_share(np.zeros_like(seen), seen, 1) == (1.0, False, False)
