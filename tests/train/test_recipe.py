from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sat2map.classes import CLASSES
from sat2map.errors import RecipeError
from sat2map.model.bundled import read_card
from sat2map.nn import PatchDiscriminator, UNetGenerator
from sat2map.train.build import build_network
from sat2map.train.recipe import load_recipe, parse_recipe, recipe_names

RUNS = Path(__file__).parents[2] / "docs" / "runs"


def test_paper_recipe_is_the_papers() -> None:
    recipe = load_recipe("paper")
    assert (recipe.batch_size, recipe.epochs, recipe.constant_epochs) == (1, 200, 100)
    assert (recipe.objective.adversarial, recipe.objective.adversarial_weight, recipe.objective.l1_weight) == (
        "log",
        1,
        100,
    )
    for optimiser in (recipe.generator_optimiser, recipe.discriminator_optimiser):
        assert (optimiser.learning_rate, optimiser.betas, optimiser.weight_decay) == (2e-4, (0.5, 0.999), 0)
    assert (recipe.augmentation.load_px, recipe.augmentation.crop_px, recipe.augmentation.mirror) == (
        (286, 286),
        256,
        True,
    )
    generator, discriminator = build_network(recipe.generator, CLASSES), build_network(recipe.discriminator, CLASSES)
    assert isinstance(generator, UNetGenerator)
    assert isinstance(discriminator, PatchDiscriminator)
    assert sum(p.numel() for p in generator.parameters()) == 54_413_955
    assert sum(p.numel() for p in discriminator.parameters()) == 2_768_705


@pytest.mark.parametrize("name", recipe_names())
def test_named_recipe_is_complete_and_builds(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    build_network(recipe.generator, CLASSES)
    build_network(recipe.discriminator, CLASSES)


def test_change_of_a_nested_key_keeps_the_others() -> None:
    recipe = load_recipe("paper", [("objective.l1_weight", "50"), ("name", "mine"), ("augmentation.mirror", "false")])
    assert (recipe.objective.l1_weight, recipe.objective.adversarial, recipe.name) == (50, "log", "mine")
    assert recipe.augmentation.mirror is False
    assert recipe.augmentation.load_px == (286, 286)


BAD_CHANGES = [
    ("objectiv.l1_weight", "50", "no such key", "objective"),
    ("objective.l1_wieght", "50", "no such key", "l1_weight"),
    ("batch_size", "0", "batch_size", "greater than 0"),
    ("batch_size", "many", "batch_size", "integer"),
    ("augmentation.crop_px", "1024", "augmentation", "crop_px"),
    ("constant_epochs", "999", "recipe", "more than epochs"),
    ("objective.adversarial", "wgan", "adversarial", "least_squares"),
    ("objective.adversarial_head", "crisp", "recipe", "palette head"),
    ("finish", "{from_epoch = 1, class_dice_weight = 1}", "recipe", "palette head"),
    ("name.first", "x", "no keys below it", "`set`"),
]


@pytest.mark.parametrize(("key", "value", "found", "hint"), BAD_CHANGES)
def test_wrong_change_is_named_with_a_remedy(key: str, value: str, found: str, hint: str) -> None:
    with pytest.raises(RecipeError, match=found) as caught:
        load_recipe("paper", [(key, value)])
    assert hint in (caught.value.hint or "")


@pytest.mark.parametrize("text", ["name = ", "\x00", "[generator"])
def test_recipe_that_is_no_toml_is_named(text: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(RecipeError, match=r"mine\.toml"):
        load_recipe(str(path))


def test_missing_recipe_lists_the_named_ones() -> None:
    with pytest.raises(RecipeError, match="no such recipe") as caught:
        load_recipe("papr")
    assert "paper" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("name", "others"),
    # `newyork` had its own rate in its short second training, other shares, and labels that were not completed.
    [("open", ()), ("newyork", ("generator_optimiser", "sources"))],
)
def test_a_model_that_ships_is_of_its_recipe(name: str, others: tuple[str, ...]) -> None:
    card = read_card(name).recipe
    # Texts for the card; and schedule and precision, since the file was trained in parts (docs/model-card.md).
    texts_of_card = ("training_data", "training_data_licence", "licence", "pairs_gsd_m")
    schedule = ("epochs", "constant_epochs", "finish", "validate_every", "checkpoint_steps", "precision")
    free = dict.fromkeys((*texts_of_card, *schedule, *others))
    texts = {"title": "", "licence": ""}
    of_card, of_recipe = (
        {**recipe, "sources": [{**source, **texts} for source in _in_hundredths(recipe["sources"])], **free}
        for recipe in (parse_recipe(card).model_dump(mode="json"), load_recipe(name).model_dump(mode="json"))
    )
    assert of_card == of_recipe


def _in_hundredths(sources: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """With the shares, which are relative, as hundredths of all chips."""
    total = sum(source["share"] for source in sources)
    return [{**source, "share": round(100 * source["share"] / total)} for source in sources]


def test_the_record_of_compact_is_of_the_recipe_compact() -> None:
    recorded = json.loads((RUNS / "compact" / "recipe.json").read_text("utf-8"))
    # The record also says what that run's data and their GSD were, which no recipe can know.
    of_the_run = dict.fromkeys(("training_data", "training_data_licence"), "") | {"licence": "", "gsd_m": None}
    ours = load_recipe("compact").model_copy(update=of_the_run)
    assert parse_recipe(recorded).model_copy(update=of_the_run) == ours
