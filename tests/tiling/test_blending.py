from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sat2map.tiling import blended, padded_size, plan, read_padded, translate_windows
from sat2map.tiling.blending import STEP_PX, TILE_PX
from sat2map.tiling.seamless import Window


def by_its_own_mean(tiles: np.ndarray) -> np.ndarray:
    """A network whose answer depends on all of its tile."""
    return np.clip(tiles.astype(int) - tiles.mean((1, 2), keepdims=True).astype(int) + 128, 0, 255).astype(np.uint8)


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    blocks = np.random.default_rng(seed).integers(0, 256, (-(-height // 64), -(-width // 64), 3), np.uint8)
    return blocks.repeat(64, 0).repeat(64, 1)[:height, :width]


@settings(max_examples=25)
@given(st.integers(1, 700), st.integers(1, 700), st.sampled_from([128, 200, 256, 384]), st.integers(0, 99))
def test_blended_windows_are_the_blended_whole(height: int, width: int, core: int, seed: int) -> None:
    scene = noise(height, width, seed)
    everything = Window(0, 0, *padded_size(height, width, STEP_PX))
    whole = blended(by_its_own_mean, read_padded(lambda w: scene[w.slices], everything, height, width))
    drawn = np.zeros_like(scene)
    windows = plan(height, width, stride=STEP_PX, margin=STEP_PX, core=core)
    parts = translate_windows(lambda w: scene[w.slices], lambda a: blended(by_its_own_mean, a), windows, height, width)
    for window, pixels in parts:
        drawn[window.slices] = pixels
    np.testing.assert_array_equal(drawn, whole[:height, :width])


def test_tile_alone_is_the_network_on_it_and_the_middle_of_a_tile_is_nearly_its_own() -> None:
    tile = noise(TILE_PX, TILE_PX)
    np.testing.assert_array_equal(blended(by_its_own_mean, tile), by_its_own_mean(tile[None])[0])
    wide = noise(TILE_PX, 2 * TILE_PX)
    middle = np.s_[STEP_PX, STEP_PX]
    assert (
        np.abs(
            blended(by_its_own_mean, wide)[middle].astype(int) - by_its_own_mean(wide[None, :, :TILE_PX])[0][middle]
        ).max()
        <= 1
    )


@pytest.mark.parametrize("n_channels", [1, 4])
def test_any_number_of_channels_is_blended(n_channels: int) -> None:
    drawn = blended(lambda tiles: tiles[..., :1].repeat(n_channels, -1), noise(384, 256))
    np.testing.assert_array_equal(drawn, noise(384, 256)[..., :1].repeat(n_channels, -1))
