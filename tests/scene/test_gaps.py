from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sat2map.scene.gaps import fill_gaps
from sat2map.tiling import Window

FAR = np.array([9, 9, 9], np.uint8)


def test_gap_takes_the_nearest_of_its_row_then_of_its_column_and_no_further_than_told() -> None:
    rgb = np.zeros((5, 9, 3), np.uint8)
    rgb[0, 0], rgb[0, 8] = 50, 80
    valid = rgb[..., 0] > 0
    filled = fill_gaps(rgb, valid, 3, FAR)[..., 0]
    assert filled[0].tolist() == [50, 50, 50, 50, 9, 80, 80, 80, 80]
    assert filled[:, 0].tolist() == [50, 50, 50, 50, 9]
    assert filled[3, 2] == 50
    assert fill_gaps(rgb, valid, 4, FAR)[0, 4, 0] == 50, "the one before wins a tie"


@given(st.integers(1, 300), st.integers(1, 60), st.floats(0, 1), st.integers(0, 12), st.integers(0, 99), st.data())
def test_window_read_wider_by_the_reach_is_filled_as_the_whole(
    height: int, width: int, density: float, reach: int, seed: int, data: st.DataObject
) -> None:
    rng = np.random.default_rng(seed)
    rgb = rng.integers(0, 256, (height, width, 3), np.uint8)
    valid = rng.random((height, width)) < density**3
    whole = fill_gaps(rgb, valid, reach, FAR)
    np.testing.assert_array_equal(whole[valid], rgb[valid])
    row, col = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    window = Window(row, col, data.draw(st.integers(1, height - row)), data.draw(st.integers(1, width - col)))
    wide = window.grown(reach).clipped(height, width)
    part = fill_gaps(rgb[wide.slices], valid[wide.slices], reach, FAR)[window.inside(wide).slices]
    np.testing.assert_array_equal(part, whole[window.slices])
