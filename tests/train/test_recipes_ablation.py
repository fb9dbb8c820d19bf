"""The paper's ablation: each recipe differs from the paper's in what its name says, and trains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sat2map.classes import CLASSES
from sat2map.errors import RecipeError
from sat2map.nn.geometry import geometry
from sat2map.train.build import build_network, build_state
from sat2map.train.loop import train
from sat2map.train.recipe import load_recipe
from sat2map.train.run import RunOptions

DIFFERENCES: dict[str, dict[str, Any]] = {
    "paper": {},
    "l1": {"objective.adversarial_weight": 0},
    "cgan": {"objective.l1_weight": 0},
    "gan-l1": {"discriminator.configuration.conditional": False, "discriminator.configuration.in_channels": 3},
    "encoder-decoder": {"generator.configuration.skips": False},
    "pixelgan": {"discriminator.configuration.receptive_field_px": 1},
    "patch16": {"discriminator.configuration.receptive_field_px": 16},
    "patch286": {"discriminator.configuration.receptive_field_px": 286},
    "lsgan": {"objective.adversarial": "least_squares"},
    "paper-half": {"generator.configuration.width": 32, "discriminator.configuration.width": 32},
}
RECEPTIVE_FIELDS_PX = {"pixelgan": 1, "patch16": 16, "paper": 70, "patch286": 286}
# The smallest chips that the discriminator of 286 px takes; ten steps an epoch, as one of eleven pairs is held out.
QUICK = {
    "generator.configuration.n_levels": "5",
    "generator.configuration.width": "4",
    "discriminator.configuration.width": "4",
    "augmentation.load_px": "[100, 100]",
    "augmentation.crop_px": "96",
    "validation_px": "96",
    "epochs": "2",
    "constant_epochs": "1",
    "validation_share": "0.05",
}


def _flat(values: dict[str, Any], above: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flat(value, f"{above}{key}.") if isinstance(value, dict) else {above + key: value}
    return flat


@pytest.mark.parametrize("name", DIFFERENCES)
def test_recipe_differs_from_the_papers_as_its_name_says_and_in_nothing_else(name: str) -> None:
    paper, own = (_flat(load_recipe(n).model_dump(mode="json")) for n in ("paper", name))
    changed = {key: own.get(key) for key in paper.keys() | own.keys() if paper.get(key) != own.get(key)}
    assert changed.pop("name", "paper") == name
    assert changed == DIFFERENCES[name]


@pytest.mark.parametrize("name", RECEPTIVE_FIELDS_PX)
def test_discriminator_of_a_recipe_has_the_receptive_field_of_its_name(name: str) -> None:
    discriminator = build_network(load_recipe(name).discriminator, CLASSES)
    assert geometry(discriminator).receptive_field_px == RECEPTIVE_FIELDS_PX[name]


@pytest.mark.parametrize("name", DIFFERENCES)
def test_recipe_trains_twenty_steps(name: str, pairs_folder: Path, tmp_path: Path) -> None:
    recipe = load_recipe(name, list(QUICK.items()))
    run = train(pairs_folder, recipe, RunOptions(tmp_path / "run", cache=tmp_path / "cache", quiet=True))
    assert run.state.step == 20
    assert set(run.state.modules) == ({"generator"} if name == "l1" else {"generator", "discriminator"})
    untrained = build_state(recipe, torch.device("cpu"))
    for role, module in run.state.modules.items():
        begun = dict(untrained.modules[role].named_parameters())
        for key, weights in module.named_parameters():
            assert weights.isfinite().all(), key
            assert (weights != begun[key]).any(), key
    steps = np.genfromtxt(tmp_path / "run" / "steps.csv", delimiter=",", names=True)
    assert steps["step"] == 20
    assert (steps["reconstruction"] == 0) == (name == "cgan")
    assert (steps["loss_g"] == 0) == (name == "l1")


def test_recipe_file_with_a_base_is_that_recipe_but_for_what_it_says(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'base = "patch16"\nname = "mine"\n[augmentation]\nmirror = false\n[discriminator.configuration]\nwidth = 8'
    )
    recipe = load_recipe(str(path), [("discriminator.configuration.normalization", "batch")])
    assert recipe.discriminator.configuration == {
        "receptive_field_px": 16,
        "width": 8,
        "conditional": True,
        "normalization": "batch",
    }
    assert (recipe.name, recipe.augmentation.mirror, recipe.augmentation.load_px) == ("mine", False, (286, 286))


@pytest.mark.parametrize("base", ['"papr"', '"mine.toml"', "5", '["paper"]'])
def test_base_that_is_no_named_recipe_is_refused(base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.toml").write_text(f"base = {base}")
    with pytest.raises(RecipeError, match="no such base") as caught:
        load_recipe("mine.toml")
    assert "paper" in (caught.value.hint or "")
