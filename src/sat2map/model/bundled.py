"""Which file a model's name means."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path

from sat2map.errors import ModelFileError
from sat2map.model import onnx_file, safetensors_file
from sat2map.model.card import Card

DEFAULT = "compact"
READERS: Mapping[str, Callable[[Path], Card]] = {
    ".onnx": onnx_file.read_card,
    ".safetensors": safetensors_file.read_card,
}


def bundled_names() -> list[str]:
    """Names of the models that come with the package."""
    folder = files("sat2map.bundled")
    return sorted(p.name.removesuffix(".onnx") for p in folder.iterdir() if p.name.endswith(".onnx"))


def resolve(model: str | Path | None = None) -> Path:
    """The file of a model: the bundled default, a bundled one by name, or a path.

    Raises:
        ModelFileError: there is no such model, or its ending says that it is no model file.
    """
    name = str(model or DEFAULT)
    if name in bundled_names():
        return Path(str(files("sat2map.bundled") / f"{name}.onnx"))
    path = Path(name)
    if path.is_dir():
        raise ModelFileError("model is a folder", name, hint=f"give a file in it: {' or '.join(READERS)}")
    if not path.exists():
        raise ModelFileError("no such model", name, hint=f"a file, or one of: {', '.join(bundled_names())}")
    if path.suffix not in READERS:
        raise ModelFileError("file is no model file", name, hint=f"model files end in {' or '.join(READERS)}")
    return path


def read_card(model: str | Path | None = None) -> Card:
    """The card of a model, by name or path.

    Raises:
        ModelFileError: there is no such model, or its file is not one.
    """
    path = resolve(model)
    return READERS[path.suffix](path)
