"""Which file a model's name means."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path

from sat2map.errors import ModelFileError
from sat2map.model import onnx_file, safetensors_file
from sat2map.model.card import Card

DEFAULT = "compact"
KEPT = Path(__file__).parents[3] / "weights"
"""Where the repository keeps models that the package has no room for."""
READERS: Mapping[str, Callable[[Path], Card]] = {
    ".onnx": onnx_file.read_card,
    ".safetensors": safetensors_file.read_card,
}


def known_files() -> dict[str, Path]:
    """Files of the models that have a name: those of the package and, in a checkout of the repository, of `weights`."""
    bundled = [Path(str(p)) for p in files("sat2map.bundled").iterdir() if p.name.endswith(".onnx")]
    return {file.stem: file for file in [*KEPT.glob("*.safetensors"), *bundled]}


def resolve(model: str | Path | None = None) -> Path:
    """The file of a model: the bundled default, one that has a name, or a path.

    Raises:
        ModelFileError: there is no such model, or its ending says that it is no model file.
    """
    name, known = str(model or DEFAULT), known_files()
    if name in known:
        return known[name]
    path = Path(name)
    if path.is_dir():
        raise ModelFileError("model is a folder", name, hint=f"give a file in it: {' or '.join(READERS)}")
    if not path.exists():
        raise ModelFileError("no such model", name, hint=f"a file, or one of: {', '.join(sorted(known))}")
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
