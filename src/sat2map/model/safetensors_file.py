"""Model files in safetensors, which hold weights as numpy arrays and the card in their metadata."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from sat2map.errors import ModelFileError, OutputError
from sat2map.files import replacing
from sat2map.model.card import HEADER_KEY, Card

Tensors = Mapping[str, npt.NDArray[Any]]


def save(path: Path, tensors: Tensors, card: Card) -> None:
    """Write weights and a card to a model file.

    Raises:
        ModelFileError: a weight is no finite number.
        OutputError: the folder is missing or cannot be written, or the disk is full.
    """
    _check_finite(tensors, path)
    with replacing(path) as work:
        try:
            save_file(
                {k: np.ascontiguousarray(v) for k, v in tensors.items()}, work, {HEADER_KEY: card.model_dump_json()}
            )
        except SafetensorError as error:
            raise OutputError(
                f"model file cannot be written ({error})", path, hint="make room, or choose another disk"
            ) from error


def _check_finite(tensors: Tensors, path: Path) -> None:
    for name, value in tensors.items():
        if np.issubdtype(value.dtype, np.floating) and not np.isfinite(value).all():
            raise ModelFileError(
                f"weights are not finite numbers ({name})", path,
                hint="they are of a run that diverged, or too large for this precision; give another file",
            )  # fmt: skip


def halved(tensors: Tensors) -> Tensors:
    """Convert weights to half precision, except 1-D ones, since variances may exceed its range."""
    return {key: value.astype(np.float16) if value.ndim > 1 else value for key, value in tensors.items()}


def read_card(path: Path) -> Card:
    """Read the card of a model file without its weights.

    Raises:
        ModelFileError: the file is missing, truncated or no safetensors file, or has no card that this version reads.
    """
    return _open(path, with_tensors=False)[1]


def load(path: Path) -> tuple[Tensors, Card]:
    """Read weights and the card of a model file.

    Raises:
        ModelFileError: the file is missing, truncated or no safetensors file, has no card that this version reads, or
            weights that are no finite numbers.
    """
    tensors, card = _open(path, with_tensors=True)
    _check_finite(tensors, path)
    return tensors, card


def _open(path: Path, *, with_tensors: bool) -> tuple[Tensors, Card]:
    if not path.is_file():
        raise ModelFileError("no such model file", path, hint="sat2map train writes them into its run's folder")
    if path.suffix == ".onnx":
        raise ModelFileError(
            "weights of an ONNX file cannot be trained on, nor read back", path,
            hint="give the .safetensors file that it was exported from",
        )  # fmt: skip
    try:
        with safe_open(path, framework="np") as content:
            metadata = content.metadata() or {}
            keys = content.keys() if with_tensors else []
            tensors = {key: content.get_tensor(key) for key in keys}
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelFileError(
            "model file is truncated or no safetensors", path, hint="copy or download it again"
        ) from error
    return tensors, Card.from_header(metadata.get(HEADER_KEY), path)
