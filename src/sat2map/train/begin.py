"""The weights that a run begins with, where they are those of models that there are already."""

from __future__ import annotations

from collections.abc import Sequence
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

HEAD = ("head.weight", "head.bias")


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
        raise ModelFileError(
            f"weights are not of the recipe's {card.role} but of another {card.architecture}", path,
            hint=f"sat2map model info {path}",
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
