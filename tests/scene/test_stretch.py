from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sat2map.errors import SceneError
from sat2map.scene.stretch import (
    NOTHING_SHARED,
    SharedStretch,
    Stretch,
    StretchOption,
    StretchRange,
    StretchRule,
    decide_stretch,
    parse_stretch,
)

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


def decided(option: StretchOption | None, dtype: type, shared: SharedStretch = NOTHING_SHARED) -> Stretch | None:
    """By a rule that leaves 8 bits alone, of a scene of one colour."""
    sample: np.ndarray = np.full((9, 3), 100, dtype)
    return decide_stretch(option, StretchRule(LEVELS), shared, np.dtype(dtype), lambda: sample)


def test_stretch_is_read_from_words() -> None:
    assert [parse_stretch(text) for text in (None, "auto", "none")] == [None, "auto", "none"]
    assert parse_stretch("0,3000") == StretchRange((0, 0, 0), (3000, 3000, 3000))
    assert parse_stretch("0,1;-2.5,2;3,4") == StretchRange((0, -2.5, 3), (1, 2, 4))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_range_that_is_given_gets_the_levels_of_the_model_and_says_itself(dtype: type) -> None:
    stretch = decided(parse_stretch("0,1;-2.5,2;3,4"), dtype, SharedStretch(Stretch((0,) * 3, (9,) * 3)))
    assert stretch == Stretch((0, -2.5, 3), (1, 2, 4), LEVELS)
    assert str(stretch) == "0,1 -> 10,100; -2.5,2 -> 20,200; 3,4 -> 0,255"


def test_eight_bits_are_left_alone_unless_they_are_asked_for_and_numbers_never() -> None:
    assert decided(None, np.uint8) is None
    assert decided("none", np.uint8) is None
    assert str(decided("none", np.uint16)) == "0,255 -> 0,255; 0,255 -> 0,255; 0,255 -> 0,255"
    for stretch in (decided("auto", np.uint8), decided(None, np.uint16), decided("auto", np.uint16)):
        assert stretch is not None
        assert stretch.levels == LEVELS


def test_scenes_that_belong_together_take_what_was_decided_for_their_kind() -> None:
    shared = SharedStretch(numbers=Stretch((0,) * 3, (9,) * 3), eight_bit=Stretch((5,) * 3, (6,) * 3))
    assert decided(None, np.float32, shared) == shared.numbers
    assert decided("auto", np.uint8, shared) == shared.eight_bit
    assert decided(None, np.uint8, shared) is None


@pytest.mark.parametrize("text", ["", "1", "1,2,3", "a,b", "1,2;3,4", "5,5", "9,1", "0,inf", "nan,1"])
def test_stretch_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(SceneError, match="stretch"):
        parse_stretch(text)
