"""The trained networks that the repository keeps are found by name, draw without seams, and are learned on from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sat2map import Translator
from sat2map.city import city
from sat2map.model import safetensors_file
from sat2map.model.bundled import WEIGHTS, named_files
from sat2map.train.loop import train
from sat2map.train.recipe import load_recipe
from sat2map.train.run import RunOptions
from sat2map.translate import Settings

pytestmark = pytest.mark.skipif(not WEIGHTS.exists(), reason="weights lie in a checkout of the repository only")
GENERATOR, DISCRIMINATOR = "paper-half", "paper-half-discriminator"


def test_kept_generator_draws_a_city_the_same_in_any_windows() -> None:
    image, truth = city(300, 400, seed=3, gsd_m=2)
    translator = Translator.load(GENERATOR, "cpu")
    maps = [translator.translate(image, Settings(core_px=core)).astype(int) for core in (256, 1024)]
    assert np.abs(maps[0] - maps[1]).max() <= 1, "sums in another order"
    floor = np.abs(truth - np.median(truth, (0, 1))).mean()
    assert np.abs(maps[1] - truth).mean() < 1.5 * floor, "a map, not noise"
    assert maps[1].std((0, 1)).min() > 3


@pytest.mark.parametrize("name", ["open", "newyork"])
def test_kept_weights_are_of_the_bundled_model(name: str) -> None:
    image, _ = city(300, 400, seed=3, gsd_m=2)
    bundled, kept = Translator.load(name), Translator.load(f"{name}-generator", "cpu")
    of_integers = ("precision", "calibration_data", "n_calibration_images")
    assert kept.card == bundled.card.model_copy(update={key: getattr(kept.card, key) for key in of_integers})
    assert (bundled.card.name, bundled.card.precision) == (name, "int8")
    differs = (bundled.translate(image) != kept.translate(image)).any(-1)
    assert differs.mean() < 0.05, "8-bit integers, and no more"


def test_kept_networks_are_gone_on_from(tmp_path: Path) -> None:
    folder = tmp_path / "pairs"
    folder.mkdir()
    for seed in range(2):
        Image.fromarray(np.concatenate(city(286, 286, seed=seed, gsd_m=2), 1)).save(folder / f"{seed}.png")
    recipe = load_recipe("paper-half", [("epochs", "1"), ("constant_epochs", "1"), ("validation_share", "0")])
    files = [named_files()[name] for name in (GENERATOR, DISCRIMINATOR)]
    run = train(folder, recipe, RunOptions(tmp_path / "run", init=files, cache=tmp_path / "cache", quiet=True))
    assert run.state.step == 2
    for path in files:
        tensors, card = safetensors_file.load(path)
        for name, weights in run.state.modules[card.role].named_parameters():
            moved = (weights.detach() - torch.from_numpy(tensors[name].astype(np.float32))).abs().max()
            # Adam moves no weight further in a step than about its learning rate.
            assert 0 < moved < 1e-3, name
