"""A run that is stopped and goes on ends as one that was not, and needs every part of its state for that."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from sat2map.errors import CheckpointError
from sat2map.train import checkpoint
from sat2map.train.loop import train
from sat2map.train.monitor import Monitor
from sat2map.train.recipe import Recipe
from sat2map.train.run import Run, RunOptions

from .conftest import tiny_compact_recipe, tiny_recipe

STOP_AT = 7
"""In the middle of the second of three epochs of four steps."""


class Stop(BaseException):
    pass


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAT2MAP_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


def weights(run: Run) -> list[torch.Tensor]:
    modules = [*run.state.modules.values(), run.shown]
    return [tensor for module in modules for tensor in module.state_dict().values()]


def same(a: Run, b: Run) -> bool:
    return all(torch.equal(x, y) for x, y in zip(weights(a), weights(b), strict=True))


def stopped_content(folder: Path, recipe: Recipe, run: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Content of the checkpoint of a run that was stopped in the middle of an epoch."""
    plain_step = Monitor.step

    def stop(monitor: Monitor, step: int, *rest: Any) -> None:
        if step > STOP_AT:
            raise Stop
        plain_step(monitor, step, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(Monitor, "step", stop)
        with pytest.raises(Stop):
            train(folder, recipe, RunOptions(run, quiet=True))
    return checkpoint.load(run / checkpoint.FILE_NAME)


@pytest.mark.parametrize("recipe", [tiny_recipe(), tiny_compact_recipe()], ids=["unet", "compact"])
def test_resume_ends_bitwise_as_if_never_stopped(
    recipe: Recipe, pairs_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(pairs_folder, recipe, RunOptions(tmp_path / "whole", quiet=True))
    content = stopped_content(pairs_folder, recipe, tmp_path / "stopped", monkeypatch)
    assert content["step"] == STOP_AT
    assert STOP_AT % whole.steps_per_epoch
    torch.manual_seed(12345)  # whatever the new process's state is
    resumed = train(pairs_folder, recipe, RunOptions(tmp_path / "stopped", resume="auto", quiet=True))
    assert same(whole, resumed)
    for name in ("generator_last", "generator_best", "discriminator_last", "discriminator_best"):
        files = [(tmp_path / run / f"{name}.safetensors").read_bytes() for run in ("whole", "stopped")]
        assert files[0] == files[1]
    tables = [(tmp_path / run / "epochs.csv").read_text().splitlines() for run in ("whole", "stopped")]
    assert [row.split(",")[0] for row in tables[0]] == [row.split(",")[0] for row in tables[1]]


def _zero_moment(network: str, moment: str) -> Callable[[dict[str, Any]], None]:
    def change(content: dict[str, Any]) -> None:
        for state in content["optimizers"][network]["state"].values():
            state[moment].zero_()

    return change


def _other_random_state(content: dict[str, Any]) -> None:
    content["random"] = torch.Generator().manual_seed(99).get_state()


def _forget_average(content: dict[str, Any]) -> None:
    for key, value in content["modules"]["generator"].items():
        content["ema"][f"module.{key}"] = value


def _forget_running_statistics(content: dict[str, Any]) -> None:
    for key, value in content["modules"]["generator"].items():
        if key.endswith("running_var"):
            value.fill_(1)


def _forget_network(name: str) -> Callable[[dict[str, Any]], None]:
    def change(content: dict[str, Any]) -> None:
        next(iter(content["modules"][name].values())).mul_(1.001)

    return change


def _one_step_off(content: dict[str, Any]) -> None:
    content["step"] -= 1


def _forget_count(content: dict[str, Any]) -> None:
    content["ema"]["n_averaged"].zero_()


LOSSES = {
    "first moment of G": (tiny_recipe, _zero_moment("generator", "exp_avg")),
    "second moment of G": (tiny_recipe, _zero_moment("generator", "exp_avg_sq")),
    "step count of G's optimiser": (tiny_recipe, _zero_moment("generator", "step")),
    "first moment of D": (tiny_recipe, _zero_moment("discriminator", "exp_avg")),
    "second moment of D": (tiny_recipe, _zero_moment("discriminator", "exp_avg_sq")),
    "step count of D's optimiser": (tiny_recipe, _zero_moment("discriminator", "step")),
    "random state": (tiny_recipe, _other_random_state),
    "average": (tiny_recipe, _forget_average),
    "number of averaged steps": (tiny_recipe, _forget_count),
    "weights of G": (tiny_recipe, _forget_network("generator")),
    "weights of D": (tiny_recipe, _forget_network("discriminator")),
    "place in the epoch": (tiny_recipe, _one_step_off),
    "running statistics": (tiny_compact_recipe, _forget_running_statistics),
}


@pytest.fixture(scope="module")
def stopped(pairs_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[Any, tuple[Run, dict[str, Any]]]:
    """For each recipe: the run that was never stopped, and the checkpoint of one that was."""
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        for make in (tiny_recipe, tiny_compact_recipe):
            folder = tmp_path_factory.mktemp("stopped")
            whole = train(pairs_folder, make(), RunOptions(folder / "whole", quiet=True))
            found[make] = whole, stopped_content(pairs_folder, make(), folder / "stopped", patch)
    return found


@pytest.mark.parametrize("what", LOSSES)
def test_resume_needs_every_part_of_the_state(
    what: str, stopped: dict[Any, tuple[Run, dict[str, Any]]], pairs_folder: Path, tmp_path: Path
) -> None:
    make, lose = LOSSES[what]
    whole, content = stopped[make][0], copy.deepcopy(stopped[make][1])
    lose(content)
    torch.save(content, tmp_path / "lossy.pt")
    resumed = train(pairs_folder, make(), RunOptions(tmp_path / "run", resume=str(tmp_path / "lossy.pt"), quiet=True))
    assert not same(whole, resumed)


def test_resume_of_another_recipe_names_the_key(
    stopped: dict[Any, tuple[Run, dict[str, Any]]], pairs_folder: Path, tmp_path: Path
) -> None:
    torch.save(stopped[tiny_recipe][1], tmp_path / "checkpoint.pt")
    with pytest.raises(CheckpointError, match="batch_size"):
        train(pairs_folder, tiny_recipe(batch_size=3), RunOptions(tmp_path, resume="auto", quiet=True))


def test_resume_elsewhere_goes_on_with_a_warning(
    stopped: dict[Any, tuple[Run, dict[str, Any]]],
    pairs_folder: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    content = copy.deepcopy(stopped[tiny_recipe][1])
    content["environment"]["threads"] += 1
    torch.save(content, tmp_path / "checkpoint.pt")
    train(pairs_folder, tiny_recipe(), RunOptions(tmp_path, resume="auto", quiet=True))
    assert "threads" in caplog.text


@pytest.mark.parametrize("broken", [b"", b"PK\x03\x04 truncated", b"not a checkpoint at all"])
def test_broken_checkpoint_is_named(broken: bytes, pairs_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "checkpoint.pt").write_bytes(broken)
    with pytest.raises(CheckpointError, match=r"checkpoint\.pt"):
        train(pairs_folder, tiny_recipe(), RunOptions(tmp_path, resume="auto", quiet=True))


def test_checkpoint_of_foreign_objects_runs_no_code(pairs_folder: Path, tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "ran",)

    torch.save({"step": Evil()}, tmp_path / "checkpoint.pt")
    with pytest.raises(CheckpointError):
        train(pairs_folder, tiny_recipe(), RunOptions(tmp_path, resume="auto", quiet=True))
    assert not (tmp_path / "ran").exists()
