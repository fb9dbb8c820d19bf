from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from sat2map.city import city
from sat2map.data.pairs import list_pairs, read_pair
from sat2map.engine import load_engine, run_whole
from sat2map.evaluate.metrics import resize, score_image, total

from .image_statistics import NAMES, OCTAVES_PX, measure, read_table

N_IMAGES = 200
DATA = os.environ.get("SAT2MAP_DATA", "")
needs_maps = pytest.mark.skipif(not (Path(DATA) / "maps" / "train").is_dir(), reason="needs $SAT2MAP_DATA/maps/train")


def test_power_of_a_wave_is_its_variance_in_its_octave() -> None:
    x, y = np.meshgrid(np.arange(256), np.arange(256))
    for octave, px in enumerate(OCTAVES_PX[:6]):
        wave = 128 + 40 * np.sin(2 * np.pi * (0.6 * x + 0.8 * y) / (1.4 * px))
        powers = 10 ** measure(np.repeat(np.rint(wave).astype(np.uint8)[..., None], 3, -1))[-len(OCTAVES_PX) :]
        assert powers.argmax() == octave
        assert powers[octave] == pytest.approx(800, rel=0.1)


def test_some_images_lie_within_the_range_of_real_ones() -> None:
    assert _outside(range(5)) == []


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_all_images_lie_within_the_range_of_real_ones() -> None:
    assert _outside(range(N_IMAGES)) == []


@pytest.mark.slow
@pytest.mark.timeout(3600)
@needs_maps
def test_table_is_that_of_the_real_images() -> None:
    paths = list_pairs(Path(DATA) / "maps" / "train")
    measured = [measure(read_pair(path).source_hwc) for path in sorted(paths, key=lambda p: p.name)[::3]]
    assert np.allclose(np.percentile(measured, (5, 50, 95), axis=0), read_table(), atol=2e-4)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_model_trained_on_real_images_finds_the_streets() -> None:
    engine = load_engine(None)
    scores = []
    for seed in range(20):
        image, truth = city(600, 600, seed=(0, seed + 1))
        prediction = run_whole(engine, resize(image, 256))
        scores.append(score_image(prediction, truth, 256))
    assert total(scores).road_f1 > 0.5


def _outside(seeds: range) -> list[str]:
    """Which numbers of which images are below the 5th or above the 95th percentile of real images."""
    low, _, high = read_table()
    found = []
    for seed in seeds:
        measured = measure(city(600, 600, seed=(0, seed + 1)).source_hwc)
        wrong = (measured < low) | (measured > high)
        found += [f"{seed + 1}: {NAMES[k]} {measured[k]:.3f}" for k in np.flatnonzero(wrong)]
    return found
