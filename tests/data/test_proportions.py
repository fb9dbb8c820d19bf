"""Images that are not square keep their proportions in training, in scoring and in the grid of a run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sat2map.classes import CLASSES
from sat2map.data.augment import Augmentation, draw_chip
from sat2map.data.pairs import Pair
from sat2map.evaluate.metrics import prepare_truth, resize, score

YY, XX = np.mgrid[:240, :400]
DISC = np.where(((YY - 120) ** 2 + (XX - 200) ** 2 < 60**2)[..., None], (255, 255, 255), (0, 0, 0)).astype(np.uint8)
"""A disc of 60 px in an image of 240 x 400 px."""


def proportions(image_hwc: np.ndarray) -> float:
    """Height of what is white over its width."""
    white = image_hwc[..., 0] > 127
    return float(white.any(1).sum() / white.any(0).sum())


@pytest.mark.parametrize("image", [DISC, DISC.swapaxes(0, 1)], ids=["wide", "tall"])
@pytest.mark.parametrize("load_px", [120, 90])
def test_disc_stays_a_disc_in_a_chip(image: np.ndarray, load_px: int) -> None:
    image = np.ascontiguousarray(image)
    how = Augmentation(load_px=(load_px, load_px), crop_px=100, mirror=False)
    whole = [
        chip.source_hwc
        for i in range(60)
        if (chip := draw_chip(Pair(image, image), how, seed=0, epoch=0, index=i)).source_hwc.shape == (100, 100, 3)
    ]
    assert len(whole) == 60
    # The shorter side, 240 px, goes to `load_px`: the disc to a half of it across.
    complete = [c for c in whole if not any(edge.max() > 127 for edge in (c[0], c[-1], c[:, 0], c[:, -1]))]
    assert complete
    for crop in complete:
        assert proportions(crop) == pytest.approx(1, abs=0.08)
        # Both images of the disc may show where the image is continued by its mirror image.
        assert (crop[..., 0] > 127).any(0).sum() >= load_px / 2 - 2


@pytest.mark.parametrize("image", [DISC, DISC.swapaxes(0, 1)], ids=["wide", "tall"])
def test_disc_stays_a_disc_where_it_is_scored(image: np.ndarray) -> None:
    image = np.ascontiguousarray(image)
    truth = prepare_truth(image, 96, CLASSES)
    expected = (96, 160, 3) if image.shape[0] < image.shape[1] else (160, 96, 3)
    assert resize(image, 96).shape == truth.bicubic_hwc.shape == truth.bilinear_hwc.shape == expected
    for shown in (truth.bicubic_hwc, truth.bilinear_hwc):
        assert proportions(shown) == pytest.approx(1, abs=0.06)
    assert score(truth.bicubic_hwc, truth).psnr == float("inf")


def test_square_images_are_scored_as_ever() -> None:
    image = np.ascontiguousarray(DISC[:, :240])
    square = np.asarray(Image.fromarray(image).resize((96, 96), Image.Resampling.BICUBIC))
    np.testing.assert_array_equal(resize(image, 96), square)


def test_run_shows_pairs_of_different_proportions(tmp_path: Path) -> None:
    from sat2map.train.loop import train
    from sat2map.train.run import RunOptions
    from tests.train.conftest import tiny_recipe

    rng = np.random.default_rng(0)
    for i, (height, width) in enumerate([(40, 60), (60, 40), (40, 40), (48, 90)]):
        halves = [rng.integers(0, 90, (height, width, 3), np.uint8), np.full((height, width, 3), 229, np.uint8)]
        Image.fromarray(np.concatenate(halves, 1)).save(tmp_path / f"{i}.png")
    recipe = tiny_recipe(epochs=1, constant_epochs=1, validation_share=0)
    run = train(tmp_path, recipe, RunOptions(tmp_path / "run", cache=tmp_path / "cache", quiet=True))
    assert run.state.step == 2
    with Image.open(tmp_path / "run" / "grids" / "epoch_0001.png") as grid:
        # Shorter sides of 32 px, three in a row.
        assert grid.size == (3 * 60, 32 + 48 + 32 + 32)
