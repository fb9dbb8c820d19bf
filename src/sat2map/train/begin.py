"""The weights that a run begins with, where they are those of models that there are already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from sat2map.classes import ClassTable
from sat2map.errors import ModelFileError
from sat2map.model import safetensors_file
from sat2map.model.card import NOT_STATED, Card
from sat2map.model.safetensors_file import Tensors
from sat2map.train.checkpoint import State
from sat2map.train.recipe import Recipe

HEAD = ("head.weight", "head.bias")
OF_A_FILE = ("palette", "normalization", "temperature")
"""Keys of a configuration that are no shapes: they follow from the classes, and from what was done after training."""


def as_init_is(recipe: Recipe, files: Sequence[Path]) -> Recipe:
    """The recipe with the configuration of the generator that a run begins with, where it says nothing of its own.

    Raises:
        ModelFileError: a file cannot be trained on.
    """
    cards = [card for path in files if (card := safetensors_file.read_card(path)).role == "generator"]
    if not cards or cards[0].architecture != recipe.generator.architecture:
        return recipe
    return with_shapes(recipe, {key: value for key, value in cards[0].configuration.items() if key not in OF_A_FILE})


def with_shapes(recipe: Recipe, configuration: Mapping[str, Any]) -> Recipe:
    """The recipe with this configuration of the generator, where it says nothing of its own."""
    if recipe.generator.configuration:
        return recipe
    generator = recipe.generator.model_copy(update={"configuration": dict(configuration)})
    return recipe.model_copy(update={"generator": generator})


def begin_from(state: State, files: Sequence[Path], table: ClassTable) -> list[str]:
    """Begin with the weights of model files; each goes to the network of its role.

    A palette head for other classes takes over the colours that both have, and else those of classes of one name.

    Args:
        state: of the run.
        files: of models.
        table: classes of the run.

    Returns:
        What each is, in words, for the card.

    Raises:
        ModelFileError: a file's weights are not of the recipe's network, or cannot be trained on.
    """
    began = []
    for path in files:
        tensors, card = safetensors_file.load(path)
        if card.role not in state.modules:
            raise ModelFileError(f"recipe trains no {card.role}", path, hint="leave this file out")
        module = state.modules[card.role]
        if card.palette is not None and card.classes != table:
            tensors = {**tensors, **_head(tensors, card, table, module.state_dict())}
        _load_into(module, tensors, card, path)
        before = "".join(f"; begun with {earlier}" for earlier in card.init)
        learned = card.training_data or NOT_STATED
        began.append(f"{card.name}, {card.role} (trained on {learned}; licence {card.licence}{before})")
    return began


def _load_into(module: nn.Module, tensors: Tensors, card: Card, path: Path) -> None:
    try:
        module.load_state_dict({k: torch.from_numpy(v.copy()) for k, v in tensors.items()})
    except RuntimeError as error:
        own = "`set` generator.configuration={} where only widths or depth differ; " if card.role == "generator" else ""
        raise ModelFileError(
            f"weights are not of the recipe's {card.role} but of another {card.architecture}", path,
            hint=f"{own}sat2map model info {path}",
        ) from error  # fmt: skip


def _head(tensors: Tensors, card: Card, table: ClassTable, fresh: dict[str, Any]) -> Tensors:
    """The head for other classes: each colour's row is that of the same colour, else of the same class, else new."""
    head = {name: fresh[name].cpu().numpy().copy() for name in HEAD}
    old = {kind.name: kind.colours_rgb[0] for kind in card.classes}
    rows = {rgb: row for row, rgb in enumerate(card.palette or ())}
    n = 0
    for kind in table:
        for rgb in kind.colours_rgb:
            row = rows.get(rgb, rows.get(old.get(kind.name, rgb)))
            for name, values in head.items():
                if row is not None and name in tensors:
                    values[n] = tensors[name][row].astype(np.float32)
            n += 1
    return head
