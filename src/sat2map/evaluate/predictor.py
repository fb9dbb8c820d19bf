"""What is scored: a model with one of its heads, or one constant colour."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from sat2map.classes import ClassTable
from sat2map.errors import ModelFileError
from sat2map.evaluate.protocol import Predict, by_engine, constant

if TYPE_CHECKING:
    from sat2map.engine import Engine
    from sat2map.model.card import Card, WantedPrecision


class Predictor(NamedTuple):
    """A model or a constant colour, ready to predict maps."""

    predict: Predict
    description: dict[str, Any]
    """What the protocol says of it: model, head, direction."""
    engine: Engine | None = None
    files: Mapping[str, Path] | None = None
    """Maps that another program made, by the names of the pairs."""


def check_table(card: Card, table: ClassTable, of: str) -> None:
    """See that a model's maps have the classes that they are scored with.

    Raises:
        ModelFileError: they have other ones.
    """
    if card.classes != table:
        raise ModelFileError(
            f"model's classes ({card.classes}) are not those of {of} ({table}), by name, colour and road", card.name,
            hint="score it on pairs of its own classes: a data.toml beside them, as `data pairs` writes it, names them",
        )  # fmt: skip


def constant_predictor(colour_rgb: tuple[int, ...]) -> Predictor:
    """Predict one colour everywhere."""
    description = {"model": None, "head": None, "constant_rgb": colour_rgb, "direction": "AtoB"}
    return Predictor(constant(colour_rgb), description)


def load_predictor(
    model: str | Path | None, head: str | None = None, device: str = "auto", precision: WantedPrecision = "auto"
) -> Predictor:
    """Load a model; it predicts with the head of that name, by default its first, and with numbers of that precision.

    Raises:
        ModelFileError: what `load_engine` raises, or the model has no such head or precision.
    """
    # Imported here: a constant colour needs no runtime.
    from sat2map.engine import load_engine

    engine = load_engine(model, device).with_precision(precision)
    card = engine.card
    direction = card.recipe.get("direction", "AtoB")
    description = {"model": card.name, "head": head or card.heads[0], "direction": direction}
    description["precision"] = engine.precision
    return Predictor(by_engine(engine, head), description, engine)


def load_baseline(baseline: str | Path, model: Predictor, device: str = "auto") -> Predictor:
    """Load the baseline of a comparison; it predicts with the model's head where it has one of that name.

    Raises:
        ModelFileError: as for `load_predictor`, or the two were trained in opposite directions, or for other classes.
    """
    loaded = load_predictor(baseline, device=device)
    direction = loaded.description["direction"]
    if direction != model.description["direction"]:
        raise ModelFileError(
            f"models translate in opposite directions ({direction})", baseline, hint="compare models of one task"
        )
    head = model.description["head"]
    assert loaded.engine is not None
    if model.engine:
        check_table(loaded.engine.card, model.engine.card.classes, "the other model")
    if head not in loaded.engine.card.heads:
        return loaded
    return loaded._replace(predict=by_engine(loaded.engine, head), description={**loaded.description, "head": head})
