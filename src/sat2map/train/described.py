"""What a folder of pairs says of itself, taken over into the recipe that learns from it."""

from __future__ import annotations

from typing import Any

from sat2map.data.ground_file import GroundFile, described_in
from sat2map.data.pairs import PairFolder
from sat2map.errors import RecipeError
from sat2map.train.recipe import Recipe


def as_data_say(recipe: Recipe, folder: PairFolder | None) -> Recipe:
    """The recipe with the classes, GSD, name and licence of a folder's `data.toml`, where it says nothing of them.

    Raises:
        DataError: the file is wrong.
        RecipeError: the recipe names other classes.
    """
    if folder is None:
        return recipe
    described = described_in(folder)
    if described is None:
        return recipe
    if recipe.classes not in (None, described.classes):
        raise RecipeError(
            f"classes of the recipe ({recipe.classes}) are not those of the pairs ({described.classes})", folder,
            hint="leave `classes` out of the recipe, or draw the pairs again with a style that has the same",
        )  # fmt: skip
    said: dict[str, Any] = {"classes": described.classes, "pairs_gsd_m": recipe.pairs_gsd_m or described.gsd_m}
    # One's name beside the other's licence would say what is not true.
    if not recipe.training_data and not recipe.training_data_licence:
        said |= {"training_data": described.title, "training_data_licence": licence_of(described)}
    return recipe.model_copy(update=said)


def licence_of(described: GroundFile) -> str:
    """Licence of a data set's maps, and whom to name; empty where nothing is known."""
    parts = [described.licence] if described.licence else []
    if described.source and described.source not in described.licence:
        parts.append(f"source: {described.source}")
    return f"maps: {', '.join(parts)}; images: their own" if parts else ""
