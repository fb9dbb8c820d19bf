"""Runs that begin with a model, take over what their data say, and end when they stop gaining."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sat2map.classes import CLASSES, ClassTable, MapClass
from sat2map.data.ground_file import GroundFile, write_ground_file
from sat2map.engine import load_engine
from sat2map.errors import DataError, ModelFileError, RecipeError
from sat2map.model import safetensors_file
from sat2map.train.begin import begin_from
from sat2map.train.build import build_state
from sat2map.train.described import as_data_say
from sat2map.train.loop import train
from sat2map.train.recipe import Recipe, load_recipe
from sat2map.train.run import open_run
from tests.model.networks import tiny

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


def test_the_model_that_ships_begins_a_run_with_the_weights_that_it_was_exported_from(
    pairs_folder: Path, tmp_path: Path
) -> None:
    run = open_run(pairs_folder, load_recipe("finetune"), options(tmp_path))
    assert run.state.init[0].startswith("open, generator (trained on synthetic landscapes")
    with Image.open(str(files("sat2map.bundled") / "naip.tif")) as image:
        sat = np.array(image)[:192, :192, :3]
    with torch.inference_mode():
        logits = run.generator.eval()(torch.from_numpy(sat).permute(2, 0, 1)[None] / 127.5 - 1)
    got = CLASSES.colours_rgb[logits.argmax(1).numpy()]
    shipped = load_engine("open").run(sat[None], "crisp")
    assert len(np.unique(shipped.reshape(-1, 3), axis=0)) > 2
    # The file that ships computes in 8-bit integers.
    assert (got == shipped).all(-1).mean() > 0.95


def test_generator_is_as_wide_as_the_model_that_it_begins_with(pairs_folder: Path, tmp_path: Path) -> None:
    start = tiny("compact").save(tmp_path / "narrow.safetensors")
    changes = [("epochs", "1"), ("constant_epochs", "1"), ("steps_per_epoch", "1"), ("gsd_m", "[1, 1]")]
    small = [("batch_size", "1"), ("augmentation.crop_px", "32"), ("validation_px", "32")]
    recipe = load_recipe("finetune", [*changes, *small])
    train(pairs_folder, recipe, options(tmp_path, init=[str(start)]))
    with pytest.raises(ModelFileError, match="not of the recipe's generator but of another compact"):
        open_run(pairs_folder, load_recipe("city"), options(tmp_path / "own", init=[str(start)]))
    start.unlink()
    run = open_run(pairs_folder, recipe, options(tmp_path, resume="auto"))
    made = safetensors_file.read_card(tmp_path / "run" / "generator_last.safetensors").configuration
    shapes = {"widths": [4, 6], "dilations": [[1]], "head_width": 4}
    assert run.recipe.generator.configuration == shapes
    assert made.items() >= shapes.items()


def test_head_for_other_classes_takes_over_colours_and_names(tmp_path: Path) -> None:
    model = tiny("compact")
    file = model.save(tmp_path / "m.safetensors")
    state = build_state(recipe_of_tiny(classes=OWN), torch.device("cpu"))
    fresh = state.modules["generator"].state_dict()["head.weight"].clone()
    begin_from(state, [file], OWN)
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
