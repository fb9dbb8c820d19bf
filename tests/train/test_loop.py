from __future__ import annotations

import csv
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sat2map.engine import load_engine
from sat2map.errors import CheckpointError, OutputError, RecipeError, Sat2mapError
from sat2map.model import safetensors_file
from sat2map.train import checkpoint
from sat2map.train.loop import learning_rate_factor, train
from sat2map.train.recipe import Recipe
from sat2map.train.run import RunOptions
from tests.killing import run_and_kill

from .conftest import N_PAIRS, tiny_compact_recipe, tiny_recipe

SAT2MAP = [sys.executable, "-c", "from sat2map.cli.main import main; main()"]


def command(folder: Path | None, recipe: Recipe, run: Path) -> list[str]:
    recipe_file = run.parent / "recipe.toml"
    lines = [f"{key} = {_toml(value)}" for key, value in recipe.model_dump(mode="json", exclude_none=True).items()]
    recipe_file.write_text("\n".join(lines))
    return [
        *SAT2MAP,
        "train",
        *([] if folder is None else [str(folder)]),
        "--recipe",
        str(recipe_file),
        "--out",
        str(run),
        "--resume",
        "auto",
        "--quiet",
    ]


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k} = {_toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return str(value).lower() if isinstance(value, bool) else repr(value)


def kill_and_resume(
    folder: Path | None, recipe: Recipe, tmp_path: Path, *, kills: Sequence[tuple[str, int]]
) -> list[int]:
    """Kill a run once and again, let it end, compare it with one that was left alone.

    Args:
        folder: of pairs.
        recipe: to train.
        tmp_path: for the runs.
        kills: which files of the run's folder each kill waits for, and how often they are opened or renamed until then.

    Returns:
        The steps of the checkpoints that the kills left.
    """
    environment = os.environ | {"SAT2MAP_CACHE": str(tmp_path / "cache")}
    subprocess.run(command(folder, recipe, tmp_path / "whole"), check=True, env=environment)
    killed, steps = tmp_path / "killed", []
    for files, nth in kills:
        run_and_kill(command(folder, recipe, killed)[len(SAT2MAP) :], killed / files, nth, environment)
        steps.append(checkpoint.load(killed / checkpoint.FILE_NAME)["step"])
    subprocess.run(command(folder, recipe, killed), check=True, env=environment)
    assert not list(killed.glob(".*"))
    names = sorted(p.name for p in (tmp_path / "whole").glob("*.safetensors"))
    assert "generator_best.safetensors" in names
    assert "discriminator_last.safetensors" in names
    for name in names:
        assert (tmp_path / "whole" / name).read_bytes() == (killed / name).read_bytes(), name
    return steps


def test_killed_run_resumes_bitwise(pairs_folder: Path, tmp_path: Path) -> None:
    # While the third checkpoint is written; and when the second epoch's networks are kept but its checkpoint is not.
    kills = [(".checkpoint.*", 11), (".generator_last.*", 6)]
    assert kill_and_resume(pairs_folder, tiny_recipe(epochs=4), tmp_path, kills=kills) == [2, 7]


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("make", [tiny_recipe, tiny_compact_recipe], ids=["unet", "compact"])
def test_run_killed_often_resumes_bitwise(make: type, precision: str, pairs_folder: Path, tmp_path: Path) -> None:
    kills = [
        (".checkpoint.*", 11), (".generator_last.*", 5), (".checkpoint.*", 1), (".checkpoint.*", 24),
        (".generator_last.*", 9), (".checkpoint.*", 38),
    ]  # fmt: skip
    recipe = make(epochs=10, precision=precision)
    assert kill_and_resume(pairs_folder, recipe, tmp_path, kills=kills) == [2, 7, 7, 12, 23, 32]


def test_run_leaves_what_it_promises(pairs_folder: Path, tmp_path: Path) -> None:
    recipe = tiny_recipe()
    run = train(pairs_folder, recipe, RunOptions(tmp_path / "run", cache=tmp_path, quiet=True))
    with (tmp_path / "run" / "epochs.csv").open() as table:
        rows = list(csv.DictReader(table))
    assert [int(row["step"]) for row in rows] == [4, 8, 12]
    assert {"rmse", "road_f1", "cldice"} <= rows[0].keys()
    best = min(float(row["rmse"]) for row in rows)
    assert run.state.best == pytest.approx(best, abs=1e-3)
    with Image.open(tmp_path / "run" / "grids" / "epoch_0003.png") as grid:
        assert grid.size == (3 * 32, len(run.data.held_out()) * 32)
    assert list((tmp_path / "run" / "tensorboard").glob("events*"))
    card = safetensors_file.read_card(tmp_path / "run" / "generator_last.safetensors")
    assert (card.steps, card.seed, card.normalization, card.dropout) == (12, 0, "instance", 0.5)
    assert Recipe.model_validate(card.recipe) == recipe
    assert card.metrics["validation"]["n_images"] == len(run.data.held_out())


def test_kept_frozen_generator_draws_the_same_pixel_whatever_is_far_away(pairs_folder: Path, tmp_path: Path) -> None:
    train(pairs_folder, tiny_recipe(epochs=1), RunOptions(tmp_path / "run", cache=tmp_path, quiet=True))
    image = np.random.default_rng(0).integers(0, 256, (1, 96, 96, 3), np.uint8)
    other = image.copy()
    other[:, :, 64:] = 255
    equal = {}
    for which in ("last", "frozen"):
        engine = load_engine(tmp_path / "run" / f"generator_{which}.safetensors")
        maps = [engine.run(p, "rgb")[:, :, :16] for p in (image, other)]
        equal[which] = np.array_equal(maps[0], maps[1])
    assert equal == {"last": False, "frozen": True}
    cards = [safetensors_file.read_card(tmp_path / "run" / f"generator_{which}.safetensors") for which in equal]
    own, frozen = (card.metrics["validation"] for card in cards)
    assert own.keys() == frozen.keys()
    assert own["rmse"] != frozen["rmse"]


def test_init_begins_with_given_weights(pairs_folder: Path, tmp_path: Path) -> None:
    first = train(pairs_folder, tiny_recipe(epochs=1), RunOptions(tmp_path / "first", cache=tmp_path, quiet=True))
    files = [tmp_path / "first" / f"{role}_last.safetensors" for role in ("generator", "discriminator")]
    still = tiny_recipe(
        epochs=1,
        ema_decay=0,
        generator_optimiser={"learning_rate": 1e-30},
        discriminator_optimiser={"learning_rate": 1e-30},
    )
    second = train(pairs_folder, still, RunOptions(tmp_path / "second", init=files, cache=tmp_path, quiet=True))
    for key, value in first.shown.state_dict().items():
        torch.testing.assert_close(second.generator.state_dict()[key], value)
    for key, value in first.state.modules["discriminator"].state_dict().items():
        torch.testing.assert_close(second.state.modules["discriminator"].state_dict()[key], value)


def test_training_without_hold_out_and_without_discriminator(pairs_folder: Path, tmp_path: Path) -> None:
    recipe = tiny_recipe(validation_share=0, objective={"adversarial_weight": 0}, epochs=1)
    run = train(pairs_folder, recipe, RunOptions(tmp_path / "run", cache=tmp_path, quiet=True))
    assert list(run.state.modules) == ["generator"]
    assert run.data.n_train == N_PAIRS
    assert (tmp_path / "run" / "grids" / "epoch_0001.png").exists()


def test_learning_rate_is_constant_then_linear_to_zero() -> None:
    factors = [learning_rate_factor(step, 10, 30) for step in range(30)]
    assert factors[:11] == [1.0] * 11
    assert np.allclose(np.diff(factors[10:]), -1 / 20)
    assert factors[-1] == pytest.approx(1 / 20)


BAD = {
    "run exists": (tiny_recipe, "epochs", 1, OutputError, "already holds a run"),
    "crop is no multiple of the stride": (tiny_recipe, "augmentation", {"crop_px": 30}, RecipeError, "stride"),
    "no such argument": (
        tiny_recipe, "generator", {"architecture": "unet", "configuration": {"n_levles": 3}}, RecipeError, "n_levles",
    ),
    "no such statistics": (
        tiny_recipe, "generator", {"architecture": "unet", "configuration": {"normalization": "own"}},
        RecipeError, "own",
    ),
    "everything held out": (tiny_recipe, "validation_share", 0.999, Sat2mapError, "nothing to train on"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_wrong_run_is_refused_in_one_line(case: str, pairs_folder: Path, tmp_path: Path) -> None:
    make, key, value, error, message = BAD[case]
    if case == "run exists":
        (tmp_path / checkpoint.FILE_NAME).write_bytes(b"")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(error, match=message) as caught:
        train(pairs_folder, make(**{key: value}), RunOptions(tmp_path, cache=tmp_path.parent / "cache", quiet=True))
    assert caught.value.hint
    assert "\n" not in str(caught.value)
    assert sorted(tmp_path.iterdir()) == before


def test_what_a_killed_run_left_half_written_is_removed(pairs_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    left = tmp_path / "run" / ".generator_last.0123abcd.part.safetensors"
    left.write_bytes(b"half")
    train(pairs_folder, tiny_recipe(epochs=1), RunOptions(tmp_path / "run", cache=tmp_path / "cache", quiet=True))
    assert not left.exists()


def test_run_may_be_made_longer_while_its_learning_rate_is_constant(pairs_folder: Path, tmp_path: Path) -> None:
    def go(name: str, recipe: Recipe) -> bytes:
        train(pairs_folder, recipe, RunOptions(tmp_path / name, resume="auto", cache=tmp_path, quiet=True))
        return (tmp_path / name / "generator_last.safetensors").read_bytes()

    short, long = tiny_recipe(epochs=2, constant_epochs=2), tiny_recipe(epochs=4, constant_epochs=3)
    go("changed", short)
    assert go("changed", long) == go("straight", long)
    with pytest.raises(CheckpointError, match="epochs"):
        go("changed", tiny_recipe(epochs=5, constant_epochs=3))


def test_adversarial_term_may_change_before_it_begins(pairs_folder: Path, tmp_path: Path) -> None:
    def go(name: str, epochs: int, weight: float) -> bytes:
        term = {"adversarial_from_epoch": 2, "adversarial_weight": weight}
        rate = {"learning_rate": 1e-4 * weight}
        recipe = tiny_recipe(epochs=epochs, constant_epochs=2, objective=term, discriminator_optimiser=rate)
        train(pairs_folder, recipe, RunOptions(tmp_path / name, resume="auto", cache=tmp_path, quiet=True))
        return (tmp_path / name / "generator_last.safetensors").read_bytes()

    go("changed", 2, 1)
    assert go("changed", 3, 5) == go("straight", 3, 5)
    with pytest.raises(CheckpointError, match="objective"):
        go("changed", 3, 4)


def test_discriminator_may_see_one_colour_a_pixel(pairs_folder: Path, tmp_path: Path) -> None:
    def go(output: str) -> bytes:
        recipe = tiny_compact_recipe(epochs=1)
        objective = recipe.objective.model_copy(update={"adversarial_from_epoch": 0, "adversarial_head": output})
        folder = tmp_path / output
        train(
            pairs_folder,
            recipe.model_copy(update={"objective": objective}),
            RunOptions(folder, cache=tmp_path, quiet=True),
        )
        return (folder / "generator_last.safetensors").read_bytes()

    assert go("smooth") != go("crisp")


@pytest.mark.parametrize("how", [{"jitter": 0.5}, {"class_dice_weight": 1}], ids=["jitter", "dice"])
def test_finish_changes_the_last_epochs_and_may_itself_be_changed_before(
    pairs_folder: Path, tmp_path: Path, how: dict[str, float]
) -> None:
    def go(name: str, epochs: int, **finish: float) -> bytes:
        augmentation = {"load_px": [36, 36], "crop_px": 32, "gain": 0.5}
        recipe = tiny_compact_recipe(
            epochs=epochs, constant_epochs=2, augmentation=augmentation, finish={"from_epoch": 2, **finish}
        )
        train(pairs_folder, recipe, RunOptions(tmp_path / name, resume="auto", cache=tmp_path, quiet=True))
        return (tmp_path / name / "generator_last.safetensors").read_bytes()

    assert go("changed", 2) == go("plain", 2)
    assert go("changed", 3, **how) != go("plain", 3)
    assert go("straight", 3, **how) == go("changed", 3, **how)
    with pytest.raises(CheckpointError, match="finish"):
        go("changed", 3)


def test_validation_comes_as_often_as_the_recipe_says(pairs_folder: Path, tmp_path: Path) -> None:
    train(
        pairs_folder, tiny_recipe(epochs=5, validate_every=2), RunOptions(tmp_path / "run", cache=tmp_path, quiet=True)
    )
    with (tmp_path / "run" / "epochs.csv").open() as table:
        assert [row["epoch"] for row in csv.DictReader(table)] == ["1", "3", "4"]


def test_card_tells_the_levels_of_the_training_images(pairs_folder: Path, tmp_path: Path) -> None:
    run = train(pairs_folder, tiny_recipe(epochs=1), RunOptions(tmp_path / "run", cache=tmp_path, quiet=True))
    card = safetensors_file.read_card(tmp_path / "run" / "generator_last.safetensors")
    sources = np.concatenate([image.reshape(-1, 3) for image in run.data.pairs[0].images()])
    assert card.levels is not None
    np.testing.assert_allclose(np.array(card.levels).T, np.percentile(sources, (2, 98), axis=0), atol=16)
