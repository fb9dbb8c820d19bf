"""Files that are no model files, and what is said of each, by every way to open one."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from safetensors.numpy import save

from sat2map.engine import load_engine
from sat2map.errors import ModelFileError
from sat2map.model.bundled import read_card
from sat2map.model.card import HEADER_KEY
from sat2map.model.export import export
from tests.model.networks import images, tiny


def _safetensors(card: object = None) -> bytes:
    metadata = None if card is None else {HEADER_KEY: json.dumps(card)}
    return save({"a": np.zeros(4, np.float32)}, metadata)


def _foreign_onnx() -> bytes:
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", ports[:1], ports[1:])
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    content: bytes = proto.SerializeToString()
    return content


def _pickle() -> bytes:
    file = io.BytesIO()
    torch.save({"weight": torch.zeros(3)}, file)
    return file.getvalue()


def _truncated(name: str, share: float) -> Callable[[Path], bytes]:
    def make(folder: Path) -> bytes:
        model = tiny("compact")
        whole = folder / name
        if name.endswith(".onnx"):
            export(model.generator, model.card, whole, images(1, 16, 16))
        else:
            model.save(whole)
        content = whole.read_bytes()
        return content[: int(len(content) * share)]

    return make


OLD_CARD = {"format_version": 99}
ONNX = "model file is truncated or no ONNX"
SAFETENSORS = "model file is truncated or no safetensors"
BAD_FILES: list[tuple[str, str, Callable[[Path], bytes], str]] = [
    ("pickle", "m.pt", lambda _: _pickle(), "file is no model file"),
    ("text", "m.txt", lambda _: b"weights", "file is no model file"),
    ("no-ending", "model", lambda _: b"weights", "file is no model file"),
    ("empty-onnx", "m.onnx", lambda _: b"", "model file is truncated or no ONNX|no sat2map card"),
    ("empty-safetensors", "m.safetensors", lambda _: b"", SAFETENSORS),
    ("pickle-as-onnx", "m.onnx", lambda _: _pickle(), ONNX),
    ("pickle-as-safetensors", "m.safetensors", lambda _: _pickle(), SAFETENSORS),
    ("onnx-as-safetensors", "m.safetensors", lambda _: _foreign_onnx(), SAFETENSORS),
    ("safetensors-as-onnx", "m.onnx", lambda _: _safetensors(), ONNX),
    ("foreign-onnx", "m.onnx", lambda _: _foreign_onnx(), "model file carries no sat2map card"),
    ("foreign-safetensors", "m.safetensors", lambda _: _safetensors(), "model file carries no sat2map card"),
    ("half-onnx", "m.onnx", _truncated("w.onnx", 0.5), ONNX),
    ("onnx-but-a-bit", "m.onnx", _truncated("w.onnx", 0.999), ONNX),
    ("half-safetensors", "m.safetensors", _truncated("w.safetensors", 0.5), SAFETENSORS),
    ("safetensors-but-a-bit", "m.safetensors", _truncated("w.safetensors", 0.999), SAFETENSORS),
    ("future-card", "m.safetensors", lambda _: _safetensors(OLD_CARD), "not of a format that this version reads"),
    ("broken-card", "m.safetensors", lambda _: _safetensors("?"), "not of a format that this version reads"),
]


@pytest.mark.parametrize("open_model", [read_card, load_engine])
@pytest.mark.parametrize(("name", "make", "found"), [pytest.param(*row, id=key) for key, *row in BAD_FILES])
def test_bad_file_is_named_with_what_it_is(
    name: str, make: Callable[[Path], bytes], found: str, open_model: Callable[[Path], object], tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(make(tmp_path))
    with pytest.raises(ModelFileError, match=found) as caught:
        open_model(path)
    assert str(path) in str(caught.value)
    assert caught.value.hint
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("open_model", [read_card, load_engine])
def test_folder_and_missing_file_are_told_apart(open_model: Callable[[Path], object], tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="folder is no run"):
        open_model(tmp_path)
    with pytest.raises(ModelFileError, match=r"no such model: '.*nope.onnx'"):
        open_model(tmp_path / "nope.onnx")


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    unet, compact = tiny("unet"), tiny("compact")
    path = unet._replace(card=compact.card).save(tmp_path / "m.safetensors")
    with pytest.raises(ModelFileError, match=r"weights do not fit the network that the card names \(compact\)"):
        load_engine(path)


def test_discriminator_is_no_model_to_run(tmp_path: Path) -> None:
    unet = tiny("unet")
    path = unet._replace(card=unet.card.model_copy(update={"role": "discriminator"})).save(tmp_path / "d.safetensors")
    with pytest.raises(ModelFileError, match="model file holds a discriminator"):
        load_engine(path)


def test_every_row_differs_from_a_good_file(tmp_path: Path) -> None:
    model = tiny("compact")
    export(model.generator, model.card, tmp_path / "m.onnx", images(1, 16, 16))
    for path in (tmp_path / "m.onnx", model.save(tmp_path / "m.safetensors")):
        assert read_card(path) == load_engine(path).card == model.card
    onnx.checker.check_model(onnx.load_from_string(_foreign_onnx()))
