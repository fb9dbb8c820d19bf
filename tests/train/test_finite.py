"""A run that diverges ends in one line, keeps its last sound checkpoint, and leaves no model that is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sat2map.errors import DivergenceError, ModelFileError
from sat2map.model import safetensors_file
from sat2map.train import checkpoint, loop
from sat2map.train.loop import train
from sat2map.train.recipe import Recipe

from ..model.networks import tiny
from .conftest import options, tiny_compact_recipe, tiny_recipe

WILD = {"generator_optimiser": {"learning_rate": 1e30}}


def finite(values: Any) -> bool:
    tensors = values.values() if isinstance(values, dict) else values
    return all(bool(torch.as_tensor(v).isfinite().all()) for v in tensors)


@pytest.mark.parametrize("checkpoint_steps", [1, 500])
@pytest.mark.parametrize(
    "recipe",
    [
        tiny_recipe(**WILD),
        tiny_recipe(discriminator_optimiser={"learning_rate": 1e38}),
        tiny_recipe(**WILD, objective={"adversarial_weight": 0}, ema_decay=0, epochs=1, constant_epochs=1),
        tiny_compact_recipe().model_copy(
            update={"generator_optimiser": tiny_compact_recipe().generator_optimiser.model_copy(
                update={"learning_rate": 1e30, "muon": False})}
        ),
    ],
    ids=["generator", "discriminator", "alone", "compact"],
)  # fmt: skip
def test_run_that_diverges_ends_and_leaves_nothing_broken(
    recipe: Recipe, checkpoint_steps: int, pairs_folder: Path, tmp_path: Path
) -> None:
    recipe = recipe.model_copy(update={"checkpoint_steps": checkpoint_steps})
    with pytest.raises(DivergenceError, match=r"diverged in epoch 1, step \d: ") as caught:
        train(pairs_folder, recipe, options(tmp_path))
    assert "learning_rate" in (caught.value.hint or "")
    assert not list((tmp_path / "run").glob("*.safetensors"))
    kept = tmp_path / "run" / checkpoint.FILE_NAME
    assert not kept.exists() or all(finite(m) for m in checkpoint.load(kept)["modules"].values())


def test_last_sound_checkpoint_is_kept(pairs_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = loop.update

    def spoil(run: Any, *rest: Any) -> dict[str, float]:
        values = plain(run, *rest)
        if run.state.step == 5:
            # A weight alone; the loss of this step is as it was.
            next(run.generator.parameters()).data.view(-1)[0] = float("nan")
        return values

    monkeypatch.setattr(loop, "update", spoil)
    with pytest.raises(DivergenceError, match=r"epoch 2, step 6: weights are not finite: of the: 'generator'"):
        train(pairs_folder, tiny_recipe(), options(tmp_path))
    content = checkpoint.load(tmp_path / "run" / checkpoint.FILE_NAME)
    assert content["step"] == 5
    assert all(finite(m) for m in content["modules"].values())
    assert safetensors_file.load(tmp_path / "run" / "generator_best.safetensors")


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_model_file_with_what_is_no_number_is_neither_written_nor_read(bad: float, tmp_path: Path) -> None:
    model = tiny("unet")
    tensors = {name: value.numpy().copy() for name, value in model.generator.state_dict().items()}
    name = next(iter(tensors))
    tensors[name].flat[0] = bad
    with pytest.raises(ModelFileError, match="not finite"):
        safetensors_file.save(tmp_path / "a.safetensors", tensors, model.card)
    assert list(tmp_path.iterdir()) == []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(safetensors_file, "_check_finite", lambda *_: None)
        safetensors_file.save(tmp_path / "b.safetensors", tensors, model.card)
    with pytest.raises(ModelFileError, match=rf"not finite numbers \({name}\)"):
        safetensors_file.load(tmp_path / "b.safetensors")


def test_weights_too_large_for_half_precision_are_refused(tmp_path: Path) -> None:
    model = tiny("unet")
    tensors = {name: 1e6 + value.numpy() for name, value in model.generator.state_dict().items()}
    with pytest.warns(RuntimeWarning, match="overflow"), pytest.raises(ModelFileError, match="not finite"):
        safetensors_file.save(tmp_path / "half.safetensors", safetensors_file.halved(tensors), model.card)


def test_export_refuses_a_generator_whose_maps_are_no_numbers(tmp_path: Path) -> None:
    from sat2map.model.export import export

    model = tiny("compact")
    with torch.no_grad():
        for parameter in model.generator.parameters():
            parameter.mul_(1e30)
    images = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3), np.uint8)
    with pytest.raises(ModelFileError, match="no finite numbers"):
        export(model.generator, model.card, tmp_path / "m.onnx", images)
    assert list(tmp_path.iterdir()) == []
