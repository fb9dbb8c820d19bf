"""A run goes on wherever its data lie and whatever changes no weight; what does change one is refused by its name."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from sat2map.errors import CheckpointError
from sat2map.train import checkpoint
from sat2map.train.loop import train
from sat2map.train.recipe import load_recipe
from sat2map.train.resume import decisive

from .conftest import options, tiny_recipe

SHORT: dict[str, Any] = {"epochs": 2, "constant_epochs": 2, "validate_every": 2}


@pytest.fixture
def stopped(pairs_folder: Path, tmp_path: Path) -> Path:
    """The checkpoint of a run after its first epoch."""
    train(pairs_folder, tiny_recipe(**SHORT | {"epochs": 1, "constant_epochs": 1}), options(tmp_path))
    return tmp_path / "run" / checkpoint.FILE_NAME


@pytest.fixture
def whole(pairs_folder: Path, tmp_path: Path) -> dict[str, torch.Tensor]:
    return train(pairs_folder, tiny_recipe(**SHORT), options(tmp_path, "whole")).generator.state_dict()


CHANGES_NO_WEIGHT: dict[str, dict[str, Any]] = {
    "name": {"name": "other"},
    "licences": {"licence": "CC0", "training_data": "Our town", "training_data_licence": "CC BY 4.0"},
    "checkpoints": {"checkpoint_steps": 3},
    "validations": {"validate_every": 1, "validation_px": 40, "select_by": "acc5"},
    "GSD that is only for the card": {"gsd_m": [2, 3], "pairs_gsd_m": None},
    "loss of another head": {"objective": {"dice_weight": 1, "colour_balance": 0.5}},
}


@pytest.mark.parametrize("what", CHANGES_NO_WEIGHT)
def test_keys_that_change_no_weight_may_be_changed(
    what: str, pairs_folder: Path, tmp_path: Path, stopped: Path, whole: dict[str, torch.Tensor]
) -> None:
    recipe = tiny_recipe(**SHORT | CHANGES_NO_WEIGHT[what])
    resumed = train(pairs_folder, recipe, options(tmp_path, resume="auto")).generator.state_dict()
    assert all(torch.equal(resumed[key], value) for key, value in whole.items())


@pytest.mark.parametrize(
    "change",
    [{"batch_size": 1}, {"seed": 1}, {"ema_decay": 0.5}, {"direction": "BtoA"}, {"precision": "bf16"},
     {"objective": {"l1_weight": 1}}, {"augmentation": {"load_px": [36, 40], "crop_px": 32}}],
    ids=lambda change: next(iter(change)),
)  # fmt: skip
def test_keys_that_change_weights_are_refused_by_their_names(
    change: dict[str, Any], pairs_folder: Path, tmp_path: Path, stopped: Path
) -> None:
    with pytest.raises(CheckpointError, match=next(iter(change))):
        train(pairs_folder, tiny_recipe(**SHORT | change), options(tmp_path, resume="auto"))


@pytest.mark.parametrize("how", ["moved", "copied", "touched"])
def test_run_goes_on_when_its_data_were(
    how: str, pairs_folder: Path, tmp_path: Path, whole: dict[str, torch.Tensor]
) -> None:
    data = shutil.copytree(pairs_folder, tmp_path / "data")
    train(data, tiny_recipe(**SHORT | {"epochs": 1, "constant_epochs": 1}), options(tmp_path))
    if how == "moved":
        data = data.rename(tmp_path / "elsewhere")
    elif how == "copied":
        data = shutil.copytree(data, tmp_path / "copy", copy_function=shutil.copyfile)
    else:
        for file in data.iterdir():
            file.touch()
    resumed = train(data, tiny_recipe(**SHORT), options(tmp_path, resume="auto")).generator.state_dict()
    assert all(torch.equal(resumed[key], value) for key, value in whole.items())


@pytest.mark.parametrize("how", ["another image", "other groups", "one more image"])
def test_run_of_other_data_is_refused(how: str, pairs_folder: Path, tmp_path: Path) -> None:
    data = shutil.copytree(pairs_folder, tmp_path / "data")
    train(data, tiny_recipe(**SHORT | {"epochs": 1, "constant_epochs": 1}), options(tmp_path))
    if how == "another image":
        for i in range(1, 11):
            shutil.copyfile(data / "0.png", data / f"{i}.png")
    elif how == "other groups":
        rows = [f"{i}.png,{'a' if i < 6 else 'b'}\n" for i in range(11)]
        (data / "groups.csv").write_text("file,group\n" + "".join(rows))
    else:
        shutil.copyfile(data / "0.png", data / "11.png")
    with pytest.raises(CheckpointError, match="training data differ"):
        train(data, tiny_recipe(**SHORT), options(tmp_path, resume="auto"))


def test_best_is_chosen_anew_where_it_is_chosen_by_something_else(
    pairs_folder: Path, tmp_path: Path, stopped: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("WARNING", "sat2map")
    train(pairs_folder, tiny_recipe(**SHORT), options(tmp_path, "same", resume=str(stopped)))
    assert "chosen anew" not in caplog.text
    run = train(pairs_folder, tiny_recipe(**SHORT | {"select_by": "acc5"}), options(tmp_path, resume="auto"))
    assert "chosen anew" in caplog.text
    assert run.state.best == run.state.metrics["acc5"]


def test_folders_of_sources_may_lie_elsewhere_but_keep_their_scale() -> None:
    recipe = load_recipe("open").model_dump(mode="json")
    before = decisive(recipe, 3)
    recipe["sources"][0] |= {"folder": "/elsewhere", "name": "other", "title": "Other", "only": ["*"]}
    recipe["gsd_m"] = list(recipe["gsd_m"])
    assert decisive(recipe, 3) == before
    recipe["gsd_m"] = [0.5, 2.4]
    assert decisive(recipe, 3) != before
