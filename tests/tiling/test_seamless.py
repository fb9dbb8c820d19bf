"""Tiling against a network of numpy whose stride and reach are known by hand: it poisons what it may not see."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sat2map.tiling import TiledWindow, Window, padded_size, plan, plan_even, read_padded, translate_windows
from sat2map.tiling.seamless import LARGEST_SHARE

STRIDE, MARGIN = 4, 8
"""A 3-cell box over cells of 4 px, twice: two cells to each side matter, on the grid of the stride exactly 8 px."""

Array = npt.NDArray[Any]


def network(array: Array) -> Array:
    """Sum of each 4 x 4 cell, then twice a box of 3 cells with zero padding; exact in integers."""
    h, w = array.shape[:2]
    assert h % STRIDE == 0
    assert w % STRIDE == 0
    cells = array.astype(np.int64).reshape(h // STRIDE, STRIDE, w // STRIDE, STRIDE, -1).sum((1, 3))
    for _ in range(2):
        padded = np.pad(cells, ((1, 1), (1, 1), (0, 0)))
        cells = sum(padded[i : i + cells.shape[0], j : j + cells.shape[1]] for i in range(3) for j in range(3))
    return cells.repeat(STRIDE, 0).repeat(STRIDE, 1).reshape(h, w, -1)


def whole(scene: Array) -> Array:
    h, w = scene.shape[:2]
    everything = Window(0, 0, *padded_size(h, w, STRIDE))
    return network(read_padded(lambda x: scene[x.slices], everything, h, w))[:h, :w]


def tiled(scene: Array, core: int, margin: int) -> Array:
    return drawn(scene, plan(*scene.shape[:2], stride=STRIDE, margin=margin, core=core))


def drawn(scene: Array, windows: list[TiledWindow]) -> Array:
    h, w = scene.shape[:2]
    result = np.full((h, w, scene.shape[2]), -1)
    for window, pixels in translate_windows(lambda x: scene[x.slices], network, windows, h, w):
        assert (result[window.slices] == -1).all(), "a pixel is written twice"
        result[window.slices] = pixels
    return result


sizes = st.integers(1, 75)


@settings(max_examples=150)
@given(sizes, sizes, st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_tiled_equals_whole_for_any_size_and_window(height: int, width: int, core: int, seed: int) -> None:
    scene = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    np.testing.assert_array_equal(tiled(scene, core, MARGIN), whole(scene))


@settings(max_examples=300)
@given(sizes, sizes, st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_even_windows_equal_the_whole_and_are_no_more_and_hardly_larger(
    height: int, width: int, core: int, seed: int
) -> None:
    scene = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    windows = plan_even(height, width, stride=STRIDE, margin=MARGIN, core=core)
    np.testing.assert_array_equal(drawn(scene, windows), whole(scene))
    core = padded_size(core, core, STRIDE)[0]
    assert len(windows) <= len(plan(height, width, stride=STRIDE, margin=MARGIN, core=core))
    for _, read in windows:
        assert max(read.height, read.width) <= LARGEST_SHARE * core + 2 * MARGIN + STRIDE


@given(st.integers(3, 9), st.integers(1, 3))
def test_margin_one_stride_short_is_seen_by_an_impulse(n_cells: int, n_core_cells: int) -> None:
    assume(n_cells > n_core_cells + 1)
    scene = np.zeros((STRIDE, n_cells * STRIDE, 1), np.uint8)
    # Two cells to the right of the first window's last cell.
    scene[:, (n_core_cells + 1) * STRIDE] = 1
    core = n_core_cells * STRIDE
    last = np.s_[:, core - 1]
    assert whole(scene)[last].any()
    np.testing.assert_array_equal(tiled(scene, core, MARGIN), whole(scene))
    assert not np.array_equal(tiled(scene, core, MARGIN - STRIDE)[last], whole(scene)[last])


@given(sizes, sizes, st.integers(1, 40), st.integers(0, 20), st.sampled_from([1, 4, 16]))
def test_plan_writes_every_pixel_once_and_reads_within_the_padded_scene(
    height: int, width: int, core: int, margin: int, stride: int
) -> None:
    count = np.zeros((height, width), int)
    padded = Window(0, 0, *padded_size(height, width, stride))
    for window, read in plan(height, width, stride=stride, margin=margin, core=core):
        count[window.slices] += 1
        assert read == read.clipped(padded.height, padded.width)
        for side in (read.row, read.col, read.height, read.width, window.row, window.col):
            assert side % stride == 0 or side in (window.height, window.width)
        distance = window.row - read.row
        assert distance >= margin or read.row == 0
    assert (count == 1).all()


@given(
    st.integers(1, 9), st.integers(1, 9), st.integers(0, 8), st.integers(0, 8), st.integers(1, 30), st.integers(1, 30)
)
def test_read_padded_reflects_as_numpy_does(h: int, w: int, row: int, col: int, height: int, width: int) -> None:
    assume(row < h and col < w)
    scene = np.arange(h * w).reshape(h, w)
    expected = np.pad(scene, ((0, row + height), (0, col + width)), "symmetric")

    def read(window: Window) -> Array:
        assert window == window.clipped(h, w), "reads beyond the scene"
        return scene[window.slices]

    got = read_padded(read, Window(row, col, height, width), h, w)
    np.testing.assert_array_equal(got, expected[row : row + height, col : col + width])


def test_read_padded_reads_no_more_than_the_window_where_nothing_is_padded() -> None:
    asked = []

    def read(window: Window) -> Array:
        asked.append(window)
        return np.zeros((window.height, window.width))

    read_padded(read, Window(4, 8, 12, 16), 100, 100)
    assert asked == [Window(4, 8, 12, 16)]
