from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sat2map.errors import RecipeError
from sat2map.model import safetensors_file
from sat2map.train.loop import train
from sat2map.train.run import RunOptions

from .conftest import tiny_recipe

NO_NOISE = {"architecture": "unet", "configuration": {"n_levels": 3, "width": 4, "dropout": 0}}


def weights(run: Path) -> Mapping[str, np.ndarray]:
    return safetensors_file.load(run / "generator_last.safetensors")[0]


# What torch's compiler says of torch's own code while it is imported.
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.parametrize(("graphs", "mode"), [(False, None), (True, "reduce-overhead")])
def test_compile_reaches_both_networks_and_changes_nothing_else(
    graphs: bool, mode: str | None, pairs_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled = []

    def fake_compile(network: Callable[..., Any], **how: object) -> Callable[..., Any]:
        compiled.append((type(network).__name__, how["mode"]))
        return lambda *inputs: network(*inputs)

    monkeypatch.setattr(torch, "compile", fake_compile)
    train(pairs_folder, tiny_recipe(epochs=1), RunOptions(tmp_path / "plain", quiet=True))
    assert not compiled
    recipe = tiny_recipe(epochs=1, compile=True, cuda_graphs=graphs)
    train(pairs_folder, recipe, RunOptions(tmp_path / "compiled", quiet=True))
    assert compiled == [("UNetGenerator", mode), ("PatchDiscriminator", mode)]
    expected, answer = weights(tmp_path / "plain"), weights(tmp_path / "compiled")
    assert all(np.array_equal(answer[name], tensor) for name, tensor in expected.items())


@pytest.mark.slow
def test_compiled_run_follows_the_plain_one(pairs_folder: Path, tmp_path: Path) -> None:
    for name, is_compiled in (("plain", False), ("compiled", True)):
        with warnings.catch_warnings():
            # Of torch's compiler, about itself.
            warnings.simplefilter("ignore")
            recipe = tiny_recipe(epochs=1, generator=NO_NOISE, compile=is_compiled)
            train(pairs_folder, recipe, RunOptions(tmp_path / name, quiet=True))
    for name, tensor in weights(tmp_path / "plain").items():
        np.testing.assert_allclose(weights(tmp_path / "compiled")[name], tensor, rtol=1e-4, atol=1e-6, err_msg=name)


def test_cuda_graphs_without_compile_are_refused() -> None:
    with pytest.raises(RecipeError, match="cuda_graphs"):
        tiny_recipe(cuda_graphs=True)
