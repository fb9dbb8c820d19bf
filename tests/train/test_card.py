"""A card says what is true of its run: its data, their number, licence and GSD, and what it began from."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.transform import from_origin

from sat2map.errors import ModelFileError, RecipeError
from sat2map.model import safetensors_file
from sat2map.model.card import Card
from sat2map.train.loop import train
from sat2map.train.open_data import open_data
from sat2map.train.recipe import Recipe, load_recipe, recipe_names

from .conftest import N_PAIRS, options, tiny_compact_recipe, tiny_recipe


def card_of(folder: Path, recipe: Recipe, tmp_path: Path) -> Card:
    train(folder, recipe, options(tmp_path))
    return safetensors_file.read_card(tmp_path / "run" / "generator_last.safetensors")


def one_epoch(**changes: object) -> Recipe:
    return tiny_recipe(epochs=1, gsd_m=None, **changes)


@pytest.fixture
def rasters(tmp_path: Path) -> Path:
    """Four pairs of GeoTIFFs of 40 px, 0.3 m per pixel, in the folders A and B."""
    rng = np.random.default_rng(0)
    for i in range(4):
        for side in "AB":
            (tmp_path / "yards" / side).mkdir(parents=True, exist_ok=True)
            profile = {"driver": "GTiff", "width": 40, "height": 40, "count": 3, "dtype": "uint8", "crs": "EPSG:32632"}
            place = from_origin(400_000 + 100 * i, 5_600_000, 0.3, 0.3)
            with rasterio.open(tmp_path / "yards" / side / f"{i}.tif", "w", transform=place, **profile) as out:
                out.write(rng.integers(0, 256, (3, 40, 40), np.uint8))
    return tmp_path / "yards"


def test_gsd_of_georeferenced_pairs_comes_from_their_files(rasters: Path, tmp_path: Path) -> None:
    card = card_of(rasters, one_epoch(validation_share=0), tmp_path)
    # 40 px of 0.3 m, resized to 36 px.
    assert card.gsd_m == pytest.approx((1 / 3, 1 / 3), rel=0.01)
    assert card.training_data == "yards (4 pairs, 0.3 m)"
    assert (card.training_data_licence, card.licence) == ("yards: not stated", "not stated")


def test_georeferenced_pairs_are_brought_to_the_gsd_of_the_recipe(rasters: Path, tmp_path: Path) -> None:
    recipe = tiny_recipe(epochs=1, validation_share=0, gsd_m=[0.5, 0.6])
    run = train(rasters, recipe, options(tmp_path))
    assert run.data.gsd_m == (0.5, 0.6)
    assert run.data.pairs[0].resampled


def test_gsd_that_is_stated_and_contradicts_the_files_is_refused(rasters: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"GSD of 0.3 m, and not of: '2 m'"):
        train(rasters, one_epoch(pairs_gsd_m=2), options(tmp_path))


def test_gsd_of_a_source_that_contradicts_its_files_is_refused(rasters: Path, tmp_path: Path) -> None:
    source = {"folder": str(rasters), "kind": "pairs", "share": 1, "gsd_m": 2}
    with pytest.raises(RecipeError, match=r"images of the source yards .* GSD of 0.3 m, and not of: '2 m'") as caught:
        train(None, one_epoch(sources=[source]), options(tmp_path))
    assert "gsd_m of yards" in (caught.value.hint or "")
    (rasters / "A").rename(rasters / "image")
    (rasters / "B").rename(rasters / "mask")
    labels = [source | {"kind": "roads"}]
    with pytest.raises(RecipeError, match=r"images of the source yards .* GSD of 0.3 m, and not of: '2 m'"):
        open_data(None, tiny_compact_recipe(sources=labels), cache=tmp_path)
    assert open_data(None, tiny_compact_recipe(sources=[labels[0] | {"gsd_m": 0.3}]), cache=tmp_path).gsd_m == (1, 1)


def test_gsd_of_a_folder_that_is_not_given_is_refused(rasters: Path, tmp_path: Path) -> None:
    source = {"folder": str(rasters), "kind": "pairs", "share": 1, "gsd_m": 0.3}
    with pytest.raises(RecipeError, match=r"`gsd` is of a folder of pairs, and none is given: '0.3 m'"):
        train(None, one_epoch(sources=[source], pairs_gsd_m=0.3), options(tmp_path))


@pytest.mark.parametrize(("stated", "expected"), [(0.5, 0.5 * 40 / 36), (None, 1)])
def test_gsd_that_nobody_stated_is_said_to_be_assumed(
    pairs_folder: Path, tmp_path: Path, stated: float | None, expected: float, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "sat2map")
    card = card_of(pairs_folder, one_epoch(pairs_gsd_m=stated), tmp_path)
    assert card.gsd_m == pytest.approx((expected, expected), rel=0.01)
    n_train = N_PAIRS - card.metrics["validation"]["n_images"]
    gsd = f"{stated:g} m" if stated else "0.9 m, assumed"
    assert card.training_data == f"{pairs_folder.name} ({n_train} pairs, {gsd})"
    assert ("assumed" in caplog.text) == (stated is None)


def test_what_is_stated_of_the_data_is_in_the_card(pairs_folder: Path, tmp_path: Path) -> None:
    stated = {"training_data": "Our town", "training_data_licence": "CC BY 4.0", "licence": "CC0"}
    card = card_of(pairs_folder, one_epoch(pairs_gsd_m=0.9, **stated), tmp_path)
    assert card.training_data == "Our town (8 pairs, 0.9 m)"
    assert (card.training_data_licence, card.licence) == ("Our town: CC BY 4.0", "CC0")


@pytest.mark.parametrize("name", recipe_names())
def test_no_recipe_that_ships_knows_what_it_will_be_trained_on(name: str) -> None:
    recipe = load_recipe(name)
    assert not recipe.training_data
    assert not recipe.training_data_licence
    assert recipe.licence == "not stated"
    assert recipe.gsd_m is None or recipe.sources


def test_card_names_what_the_run_began_from_also_after_it_was_resumed(pairs_folder: Path, tmp_path: Path) -> None:
    train(pairs_folder, one_epoch(licence="CC0", name="first"), options(tmp_path))
    began = options(tmp_path, folder=tmp_path / "next", init=[str(tmp_path / "run")])
    train(pairs_folder, one_epoch(name="second"), began)
    train(pairs_folder, one_epoch(name="renamed"), replace(began, init=(), resume="auto"))
    card = safetensors_file.read_card(tmp_path / "next" / "generator_frozen.safetensors")
    (said,) = card.init
    assert said == f"first, generator (trained on {pairs_folder.name} (8 pairs, 0.9 m, assumed); licence CC0)"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("newyork", "weights are not of the recipe's generator but of another compact"),
        ("some.onnx", "weights of an ONNX file cannot be trained on"),
    ],
)
def test_model_without_weights_to_go_on_from_is_refused_for_what_it_is(
    pairs_folder: Path, tmp_path: Path, name: str, said: str
) -> None:
    file = name if name == "newyork" else str(tmp_path / name)
    if name != "newyork":
        Path(file).write_bytes(b"")
    with pytest.raises(ModelFileError, match=said):
        train(pairs_folder, one_epoch(), options(tmp_path, init=[file]))
    assert not (tmp_path / "run").exists()


def test_image_of_another_place_is_seen_at_the_gsd_of_the_card(pairs_folder: Path, tmp_path: Path) -> None:
    wide = tmp_path / "wide"
    wide.mkdir()
    rng = np.random.default_rng(0)
    for i in range(3):
        halves = [rng.integers(0, 100, (40, 60, 3), np.uint8), np.full((40, 60, 3), 229, np.uint8)]
        Image.fromarray(np.concatenate(halves, 1)).save(wide / f"{i}.png")
    run = train(wide, one_epoch(pairs_gsd_m=0.9, validation_share=0), options(tmp_path))
    # The shorter side, 40 px, goes to 36.
    assert run.data.gsd_m == (1, 1)
