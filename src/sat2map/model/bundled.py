"""Named models: finds the file and the card of a model by its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path

from sat2map.errors import ModelFileError, did_you_mean
from sat2map.model import onnx_file, safetensors_file
from sat2map.model.card import Card

DEFAULT = "open"
"""The model that is used where none is named: the one that anyone may use at work."""
WEIGHTS = Path(__file__).parents[3] / "weights"
"""Folder of the repository with models that are too large for the package."""
WEIGHTS_SUFFIX = "-generator"
"""Of the name of the weights that a named model was exported from."""
RUN_MODEL_FILE = "generator_best.safetensors"
"""The model in the folder of a run."""
READERS: Mapping[str, Callable[[Path], Card]] = {
    ".onnx": onnx_file.read_card,
    ".safetensors": safetensors_file.read_card,
}


def named_files() -> dict[str, Path]:
    """Return the files of all named models, by name: those of the package, and of `weights` in a checkout."""
    bundled = [Path(str(p)) for p in files("sat2map.bundled").iterdir() if p.name.endswith(tuple(READERS))]
    return {file.stem: file for file in [*WEIGHTS.glob("*.safetensors"), *bundled]}


def resolve(model: str | Path | None = None) -> Path:
    """Find the file of a model by its name, its path or the folder of its run; None means the default model.

    Raises:
        ModelFileError: there is no such model, or its suffix is not that of a model file.
    """
    name, named = DEFAULT if model is None else str(model), named_files()
    if name in named:
        return named[name]
    path = Path(name)
    if path.is_dir():
        path /= RUN_MODEL_FILE
        if not path.is_file():
            raise ModelFileError(
                f"folder is no run, for it holds no {RUN_MODEL_FILE}", name,
                hint=f"give the folder of a run that was validated once, or a file ({' or '.join(READERS)})",
            )  # fmt: skip
    if not path.exists():
        hint = f"a file, or one of: {', '.join(sorted(named))}{did_you_mean(name, named)}"
        raise ModelFileError("no such model", name, hint=hint)
    if path.suffix not in READERS:
        raise ModelFileError("file is no model file", name, hint=f"model files end in {' or '.join(READERS)}")
    return path


def resolve_weights(model: str | Path | None = None) -> Path:
    """Find the weights of a model that can be trained on; of a named model those that it was exported from.

    None means the default model.

    Raises:
        ModelFileError: what `resolve` raises.
    """
    return named_files().get(f"{DEFAULT if model is None else model}{WEIGHTS_SUFFIX}") or resolve(model)


def read_card(model: str | Path | None = None) -> Card:
    """Read the card of a model, by name or path.

    Raises:
        ModelFileError: there is no such model, or its file is not one.
    """
    path = resolve(model)
    return READERS[path.suffix](path)
