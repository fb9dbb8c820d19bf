from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sat2map.errors import SceneError
from sat2map.scene.stretch import DEFAULT_LEVELS, Stretch

LEVELS = ((10, 100), (20, 200), (0, 255))


@pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.int32, np.float32, np.float64])
def test_percentiles_of_the_sample_land_on_the_levels(dtype: type[np.number[Any]]) -> None:
    rng = np.random.default_rng(0)
    sample = (rng.normal((5000, 8000, 3000), (500, 900, 100), (20_000, 3))).astype(dtype)
    stretched = Stretch.of_sample(sample, LEVELS).apply(sample)
    assert stretched.dtype == np.uint8
    got = np.percentile(stretched, (2, 98), axis=0).T
    assert np.abs(got - LEVELS).max() <= 1


def test_line_is_the_one_through_both_points_and_goes_on_beyond_them() -> None:
    stretch = Stretch((0, 0, 0), (100, 100, 100), ((50, 150),) * 3)
    column = np.array([-60, -50, 0, 25, 100, 150, 210], np.int16)
    got = stretch.apply(column[:, None].repeat(3, 1))
    np.testing.assert_array_equal(got[:, 1], [0, 0, 50, 75, 150, 200, 255])


@given(st.integers(-(2**31), 2**31 - 300), st.integers(1, 250))
def test_small_range_far_from_zero_keeps_its_levels(low: int, span: int) -> None:
    values = np.array([low, low + span], np.int64)[:, None].repeat(3, 1)
    stretch = Stretch((low,) * 3, (low + span,) * 3, ((20, 200),) * 3)
    np.testing.assert_array_equal(stretch.apply(values)[:, 0], [20, 200])


def test_what_is_no_number_becomes_zero_without_a_warning() -> None:
    values = np.array([[np.nan, np.inf, -np.inf]], np.float32)
    np.testing.assert_array_equal(Stretch((0, 0, 0), (1, 1, 1)).apply(values), [[0, 255, 0]])


@pytest.mark.parametrize("values", [np.zeros((0, 3)), np.full((9, 3), 7.0)], ids=["no pixel", "one value"])
def test_scene_without_contrast_is_flat_and_no_error(values: np.ndarray) -> None:
    assert len(np.unique(Stretch.of_sample(values).apply(np.full((4, 3), 7.0)))) == 1


def test_stretch_is_read_from_words_and_says_itself() -> None:
    assert Stretch.parse("0,3000") == Stretch((0, 0, 0), (3000, 3000, 3000), DEFAULT_LEVELS)
    each = Stretch.parse("0,1;-2.5,2;3,4", LEVELS)
    assert each == Stretch((0, -2.5, 3), (1, 2, 4), LEVELS)
    assert str(each) == "0,1 -> 10,100; -2.5,2 -> 20,200; 3,4 -> 0,255"


@pytest.mark.parametrize("text", ["", "1", "1,2,3", "a,b", "1,2;3,4", "5,5", "9,1", "0,inf", "nan,1"])
def test_stretch_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(SceneError, match="stretch"):
        Stretch.parse(text)
