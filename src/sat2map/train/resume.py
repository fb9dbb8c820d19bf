"""Whether a run may go on from a checkpoint: what its weights follow from must be the same, and no more."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sat2map.classes import CLASSES
from sat2map.errors import CheckpointError
from sat2map.scene.class_tag import as_tag
from sat2map.train.checkpoint import environment

NO_WEIGHT = (
    "name", "training_data", "training_data_licence", "licence", "checkpoint_steps", "validate_every",
    "validation_px", "validation", "select_by", "patience",
    # These act through the data alone, whose identity is compared.
    "gsd_m", "pairs_gsd_m", "validation_share",
    # Passes of another kind end with other last bits, as another machine's do.
    "compile", "cuda_graphs",
)  # fmt: skip
"""Keys of a recipe that change no weight, or only in ways that are looked at elsewhere."""
NO_WEIGHT_OF_FOLDER = ("folder", "name", "title", "licence", "only", "without", "gsd_m", "chip_gsd_m")
"""Likewise of a source. What its files are is compared, and the scale of its chips on its own."""
DEFAULT_CLASSES = json.loads(as_tag(CLASSES))
"""A recipe without classes has these."""
SELECTION = ("select_by", "validation_px", "validation", "gsd_m")
"""Keys by which the best network is chosen."""


def decisive(values: Mapping[str, Any], epoch: float) -> dict[str, Any]:
    """What of a recipe's values the weights followed from before `epoch`.

    Left out are texts, what only validations, checkpoints and the card look at, and what makes no difference yet: the
    run's length, its finish, and the discriminator's part.
    """
    known = {key: value for key, value in values.items() if key not in NO_WEIGHT}
    known["init"] = known.get("init") or []
    known["classes"] = known.get("classes") or DEFAULT_CLASSES
    known["sources"] = [_decisive_source(source, values) for source in values.get("sources", ())]
    objective = dict(known["objective"])
    if known["generator"]["architecture"] != "compact":
        objective |= dict.fromkeys(("dice_weight", "colour_balance", "adversarial_head"))
    if not objective["adversarial_weight"]:
        known["discriminator"] = known["discriminator_optimiser"] = None
        objective |= dict.fromkeys(("adversarial", "adversarial_head", "adversarial_from_epoch"))
    elif epoch <= objective["adversarial_from_epoch"]:
        objective |= {"adversarial_from_epoch": None, "adversarial_head": None, "adversarial_weight": True}
        known["discriminator_optimiser"] = {**known["discriminator_optimiser"], "learning_rate": None}
    known["objective"] = objective
    if known["finish"] and epoch <= known["finish"]["from_epoch"]:
        known["finish"] = None
    if epoch <= known["constant_epochs"]:
        known["epochs"] = known["constant_epochs"] = None
    return known


def _decisive_source(source: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in source.items() if key not in NO_WEIGHT_OF_FOLDER}
    chip_gsd_m = source["chip_gsd_m"] or values["gsd_m"]
    # Chips are drawn at so many times the scale of the images.
    return kept | {"scale": chip_gsd_m and [side / source["gsd_m"] for side in chip_gsd_m]}


def check_same_run(content: Mapping[str, Any], recipe: Mapping[str, Any], data: str, epoch: float) -> list[str]:
    """See whether the weights of a checkpoint are those that this recipe would have made of this data.

    Args:
        content: of the checkpoint.
        recipe: values of the run's.
        data: identity of the run's data.
        epoch: that the checkpoint has come to.

    Returns:
        What differs in the environment, so that the run goes on, but not bit by bit.

    Raises:
        CheckpointError: recipe or data differ.
    """
    before, now = (decisive(values, epoch) for values in (content["recipe"], recipe))
    changed = [key for key in now if before.get(key) != now[key]]
    # Data come first, for of other data an epoch may have another number of steps. But another seed divides them anew.
    if content["data"] != data and "seed" not in changed:
        raise CheckpointError(
            "training data differ from those that the checkpoint was made with, in their bytes, order, groups or GSD",
            data, hint="give the same files, wherever they lie, or start another run with `init`",
        )  # fmt: skip
    if changed:
        raise CheckpointError(
            "recipe differs from the one that the checkpoint was made with, in", ", ".join(changed),
            hint="resume with the same recipe and `set`, or start another run with `init`",
        )  # fmt: skip
    return _other_environment(content, recipe)


def _other_environment(content: Mapping[str, Any], recipe: Mapping[str, Any]) -> list[str]:
    now, before = environment(), content["environment"]
    n_then = before.get("processes", 1)
    if n_then != now["processes"]:
        raise CheckpointError(
            f"checkpoint was made by {n_then} processes, not by", now["processes"],
            hint=f"torchrun --nproc-per-node {n_then}, for an epoch has another number of steps",
        )  # fmt: skip
    passes = {key: content["recipe"].get(key) for key in ("compile", "cuda_graphs")}
    now |= {key: recipe[key] for key in passes}
    return [f"{key} was {value}, is {now[key]}" for key, value in {**before, **passes}.items() if now[key] != value]


def selects_alike(content: Mapping[str, Any], recipe: Mapping[str, Any], validation: str) -> bool:
    """Whether the best network of a checkpoint was chosen by what this run chooses by."""

    def criteria(values: Mapping[str, Any]) -> dict[str, Any]:
        folders = [{key: f[key] for key in ("kind", "gsd_m")} for f in values["validation"]]
        return {key: values[key] for key in SELECTION} | {"validation": folders}

    return content["validation"] == validation and criteria(content["recipe"]) == criteria(recipe)
