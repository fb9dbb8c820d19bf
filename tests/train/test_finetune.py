"""Runs that begin with a model, take over what their data say, and end when they stop gaining."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from sat2map.classes import CLASSES, ClassTable, MapClass
from sat2map.data.ground_file import GroundFile, write_ground_file
from sat2map.errors import DataError, RecipeError
from sat2map.model import safetensors_file
from sat2map.model.export import export
from sat2map.nn.normalization import Norm2d
from sat2map.train.begin import begin_from
from sat2map.train.build import build_state
from sat2map.train.described import as_data_say
from sat2map.train.loop import train
from sat2map.train.recipe import Recipe, load_recipe
from sat2map.train.run import open_run
from tests.model.networks import images, tiny

from .conftest import options, tiny_compact_recipe

OWN = ClassTable([
    MapClass("ground", ((232, 229, 222),)),
    MapClass("building", ((200, 60, 40),)),
    MapClass("road", ((10, 10, 10), (251, 158, 38)), is_road=True),
])  # fmt: skip


def recipe_of_tiny(**changes: object) -> Recipe:
    """Of the network `tests.model.networks.tiny`."""
    recipe = tiny_compact_recipe(**changes)
    network = recipe.generator.model_copy(
        update={"configuration": {"widths": [4, 6], "dilations": [[1]], "head_width": 4}}
    )
    return recipe.model_copy(update={"generator": network})


def test_exported_model_begins_a_run_as_it_draws(pairs_folder: Path, tmp_path: Path) -> None:
    model = tiny("compact")
    export(model.generator, model.card, tmp_path / "m.onnx", images(2, 32, 48))
    run = open_run(pairs_folder, recipe_of_tiny(init=[str(tmp_path / "m.onnx")]), options(tmp_path))
    assert run.state.init == ["tiny-compact, generator (trained on not stated; licence none)"]
    sat = torch.rand(1, 3, 32, 32) * 2 - 1
    with torch.inference_mode():
        expected, got = model.generator.eval()(sat), run.generator.eval()(sat)
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-3)
    norms = [m for m in run.generator.modules() if isinstance(m, Norm2d)]
    # It trains by the statistics of batches, which are nearly those that it begins with.
    assert {norm.normalization for norm in norms} == {"batch"}
    assert any((norm.running_mean != 0).any() for norm in norms)


def test_head_for_other_classes_takes_over_colours_and_names(tmp_path: Path) -> None:
    model = tiny("compact")
    file = model.save(tmp_path / "m.safetensors")
    state = build_state(recipe_of_tiny(classes=OWN), torch.device("cpu"))
    fresh = state.modules["generator"].state_dict()["head.weight"].clone()
    begin_from(state, [file], OWN, lambda: [])
    weight = state.modules["generator"].state_dict()["head.weight"]
    old = model.generator.state_dict()["head.weight"]
    colours = [rgb for kind in CLASSES for rgb in kind.colours_rgb]
    assert weight.shape[0] == 4
    torch.testing.assert_close(weight[0], old[0])
    torch.testing.assert_close(weight[1], fresh[1])
    # Of a colour that the old table lacks it is that of the class of the same name.
    torch.testing.assert_close(weight[2], old[colours.index((255, 255, 255))])
    torch.testing.assert_close(weight[3], old[colours.index((251, 158, 38))])


def test_a_run_ends_when_validations_stop_gaining_and_stays_ended(pairs_folder: Path, tmp_path: Path) -> None:
    rate = {"muon": True, "learning_rate": 1e-30}
    recipe = tiny_compact_recipe(epochs=9, patience=2, ema_decay=0, validation_px=32, select_by="miou")
    recipe = recipe.model_copy(update={"generator_optimiser": recipe.generator_optimiser.model_copy(update=rate)})
    first = train(pairs_folder, recipe, options(tmp_path))
    n_epochs = first.state.step // first.steps_per_epoch
    # The first validation is the best one so far; then two must bring nothing.
    assert 3 <= n_epochs < 9
    assert first.state.n_stale == 2
    again = train(pairs_folder, recipe, options(tmp_path, resume="auto"))
    assert again.state.step == first.state.step


def described(folder: Path, **changes: object) -> Path:
    folder.mkdir(exist_ok=True)
    values = {"title": "a town", "gsd_m": 0.6, "licence": "ODbL", "source": "us", "classes": OWN}
    write_ground_file(folder / "data.toml", GroundFile.model_validate(values | changes))
    return folder


def test_recipe_takes_over_what_the_data_say(tmp_path: Path) -> None:
    folder = described(tmp_path / "data")
    told = as_data_say(load_recipe("finetune"), folder)
    assert (told.classes, told.table, told.pairs_gsd_m) == (OWN, OWN, 0.6)
    assert (told.training_data, told.training_data_licence) == ("a town", "maps: ODbL, source: us; images: their own")
    own = load_recipe("finetune", [("training_data", "mine"), ("pairs_gsd_m", "0.7")])
    told = as_data_say(own, folder)
    assert (told.training_data, told.training_data_licence, told.pairs_gsd_m) == ("mine", "", 0.7)
    assert as_data_say(own, tmp_path) == own


def test_other_classes_in_recipe_and_data_are_refused(tmp_path: Path) -> None:
    folder = described(tmp_path / "data")
    recipe = load_recipe("finetune").model_copy(update={"classes": CLASSES})
    with pytest.raises(
        RecipeError, match=r"classes of the recipe \(land, road.* are not those of the pairs \(ground, b"
    ):
        as_data_say(recipe, folder)


@pytest.mark.parametrize("n", [1, 25])
def test_tables_of_too_few_or_too_many_classes_are_refused(tmp_path: Path, n: int) -> None:
    rows = "".join(f'[[classes]]\nname = "c{i}"\ncolours_rgb = [[{i}, 0, 0]]\n' for i in range(n))
    (tmp_path / "data.toml").write_text(rows)
    with pytest.raises(DataError, match="classes must be 2 to 24"):
        as_data_say(load_recipe("finetune"), tmp_path)


def test_runs_of_other_classes_are_no_resumption(pairs_folder: Path, tmp_path: Path) -> None:
    recipe = tiny_compact_recipe(epochs=1)
    train(pairs_folder, recipe, options(tmp_path))
    card = safetensors_file.read_card(tmp_path / "run" / "generator_last.safetensors")
    assert card.classes == CLASSES
    # The default classes, said or not said, are the same ones.
    train(pairs_folder, recipe.model_copy(update={"classes": CLASSES}), options(tmp_path, resume="auto"))
    other = recipe.model_copy(update={"classes": OWN})
    with pytest.raises(Exception, match="recipe differs from the one that the checkpoint was made with, in: 'classes'"):
        train(pairs_folder, other, options(tmp_path, resume="auto"))


def test_source_of_other_classes_is_refused(pairs_folder: Path, tmp_path: Path) -> None:
    for file in pairs_folder.iterdir():
        (described(tmp_path / "other") / file.name).write_bytes(file.read_bytes())
    source = {"folder": str(tmp_path / "other"), "kind": "pairs", "gsd_m": 1, "share": 0.5}
    with pytest.raises(RecipeError, match=r"classes of a source \(ground, building, road\) are not those of the rec"):
        train(pairs_folder, tiny_compact_recipe(epochs=1, sources=[source]), options(tmp_path))
