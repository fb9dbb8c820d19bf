"""Calibration of a generator on what its run held out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from sat2map.classes import CLASSES, COLOURS_RGB
from sat2map.errors import DataError
from sat2map.model.card import Card
from sat2map.nn import CompactGenerator
from sat2map.train.calibrate import calibrate
from sat2map.train.data import TrainingData
from sat2map.train.open_data import open_data
from sat2map.train.recipe import Recipe
from tests.model.networks import tiny

from .conftest import tiny_compact_recipe

N_IMAGES, N_HARD, SIDE_PX = 24, 6, 64
WATER, LAND, ROAD = 1, 2, 3
"""Values of the labels, and classes by the brightness of the images."""
RIGHT_SHARE = 0.7
"""Of the pixels of images that are hard."""


class Guesser(CompactGenerator):
    """Tells the class from the brightness, but on images with red in them is wrong three times in ten and less sure."""

    def __init__(self, scale: float) -> None:
        super().__init__(**tiny("compact").card.configuration)
        self.scale = scale

    def subpixels(self, sat_bchw: Tensor) -> Tensor:
        level = ((sat_bchw[:, 2] + 1) * 127.5 / 60).round().long().clamp(1, 3)
        is_hard = sat_bchw[:, :1].amax((1, 2, 3)) > 0.9
        wrong = torch.from_numpy(np.random.default_rng(3).random(level.shape) > RIGHT_SHARE)
        level = torch.where(wrong & is_hard[:, None, None], level % 3 + 1, level)
        colour = torch.tensor([0, 7, 0, 3])[level]
        logits = torch.nn.functional.one_hot(colour, len(COLOURS_RGB)).permute(0, 3, 1, 2) * self.scale
        logits = torch.where(is_hard[:, None, None, None], logits * 0.7, logits)
        b, k, h, w = logits.shape
        return logits.reshape(b, k, h // 2, 2, w // 2, 2).permute(0, 1, 3, 5, 2, 4).reshape(b, k, 2 * h, w // 2)


def places(folder: Path) -> Recipe:
    """A recipe of images with partial labels, written to a folder, that are trained on and validated on alike."""
    rng = np.random.default_rng(1)
    for part in ("image", "label"):
        (folder / part).mkdir()
    for i in range(N_IMAGES):
        values = rng.integers(1, 4, (8, 8), np.uint8).repeat(8, 0).repeat(8, 1)
        image = (60 * values)[..., None].repeat(3, 2)
        if i < N_HARD:
            image[:2, :2, 0] = 255
        for part, pixels in (("image", image), ("label", values)):
            Image.fromarray(pixels.astype(np.uint8)).save(folder / part / f"t{i:02d}.png")
    (folder / "legend.csv").write_text("value,classes\n1,water\n2,land|park\n3,road|major road\n")
    place = {"folder": str(folder), "kind": "partial", "gsd_m": 1}
    changes: dict[str, Any] = {
        "sources": [{**place, "share": 1}], "validation": [place], "gsd_m": [1, 1],
        "augmentation": {"load_px": [64, 64], "crop_px": 64},
    }  # fmt: skip
    return Recipe.model_validate(tiny_compact_recipe().model_dump(mode="json") | changes)


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> tuple[Recipe, TrainingData]:
    assert CLASSES.class_of_colour[[7, 0, 3]].tolist() == [3, 0, 1]
    recipe = places(tmp_path_factory.mktemp("places"))
    return recipe, open_data(None, recipe, cache=tmp_path_factory.mktemp("cache"))


def fitted(opened: tuple[Recipe, TrainingData], scale: float) -> tuple[Card, dict[str, Any]]:
    card, measured = calibrate(Guesser(scale), tiny("compact").card, *opened)
    assert card.metrics["calibration"] == measured
    return card, measured


def test_logits_that_are_twice_as_large_are_turned_down_twice_as_much(opened: tuple[Recipe, TrainingData]) -> None:
    (quiet, _), (loud, _) = fitted(opened, 6), fitted(opened, 12)
    assert quiet.confidence_sharpness == pytest.approx(2 * loud.confidence_sharpness, rel=0.06)


def test_confidence_comes_nearer_to_the_truth(opened: tuple[Recipe, TrainingData]) -> None:
    card, measured = fitted(opened, 12)
    assert card.confidence_sharpness < 1
    ((name, (before, after)),) = measured["ece"].items()
    assert name == opened[0].validation[0].name
    # It is sure of all, and wrong on three tenths of a quarter of the images.
    assert before == pytest.approx((1 - RIGHT_SHARE) * N_HARD / N_IMAGES, abs=0.01)
    assert after < 0.9 * before


def test_windows_that_are_bad_are_told_from_good_ones(opened: tuple[Recipe, TrainingData]) -> None:
    card, measured = fitted(opened, 6)
    assert card.familiar_entropy is not None
    of = measured["familiarity"]
    assert (of["n_windows"], of["n_bad"]) == (N_IMAGES, N_HARD)
    assert of["auroc"] == of["flagged_bad"] == 1
    assert of["flagged_good"] <= 0.1


def test_nothing_held_out_is_refused(opened: tuple[Recipe, TrainingData], tmp_path: Path) -> None:
    recipe = opened[0].model_copy(update={"validation": ()})
    with pytest.raises(DataError, match="nothing was held out") as caught:
        calibrate(Guesser(1), tiny("compact").card, recipe, open_data(None, recipe, cache=tmp_path))
    assert caught.value.hint == "set `validation` in the recipe"
