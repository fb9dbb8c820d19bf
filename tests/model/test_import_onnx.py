"""Weights of an exported model come back: it draws the same, and can be trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from sat2map.errors import ModelFileError
from sat2map.model.bundled import resolve
from sat2map.model.export import export
from sat2map.model.import_onnx import load_exported
from sat2map.nn import build
from sat2map.nn.normalization import Norm2d
from tests.model.networks import images, tiny


def test_weights_read_back_give_the_logits_of_the_network_that_was_exported(tmp_path: Path) -> None:
    model = tiny("compact")
    export(model.generator, model.card, tmp_path / "m.onnx", images(2, 32, 48))
    tensors, card = load_exported(tmp_path / "m.onnx")
    assert card == model.card
    assert tensors.keys() == model.generator.state_dict().keys()
    network = build(card.architecture, card.configuration).eval()
    network.load_state_dict({name: torch.from_numpy(value) for name, value in tensors.items()})
    sat = torch.rand(2, 3, 32, 48) * 2 - 1
    with torch.inference_mode():
        expected, got = model.generator.eval()(sat), network(sat)
    assert expected.std() > 0.1
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-4)
    norms = [m for m in network.modules() if isinstance(m, Norm2d)]
    assert len(norms) > 3
    assert all((norm.running_mean == 0).all() and (norm.running_var == 1).all() for norm in norms)


def test_the_model_that_ships_can_be_trained_on() -> None:
    tensors, card = load_exported(resolve("open"))
    assert card.name == "open"
    assert all(np.isfinite(value).all() for value in tensors.values())


def test_other_exports_are_refused(tmp_path: Path) -> None:
    model = tiny("unet")
    export(model.generator, model.card, tmp_path / "u.onnx", images(2, 32, 48))
    with pytest.raises(ModelFileError, match="weights of an ONNX file of unet, float32, cannot be trained on"):
        load_exported(tmp_path / "u.onnx")


def test_a_file_whose_maps_are_not_those_of_its_weights_is_refused(tmp_path: Path) -> None:
    model = tiny("compact")
    export(model.generator, model.card, tmp_path / "m.onnx", images(2, 32, 48))
    proto = onnx.load(tmp_path / "m.onnx")
    node = next(node for node in proto.graph.node if node.op_type == "Relu")
    node.op_type = "Abs"
    for tensor in proto.graph.initializer:
        if tensor.name == "generator.head.weight":
            tensor.CopyFrom(numpy_helper.from_array(20 * numpy_helper.to_array(tensor), tensor.name))
    onnx.save(proto, tmp_path / "m.onnx")
    with pytest.raises(ModelFileError, match="weights cannot be read back from this ONNX file"):
        load_exported(tmp_path / "m.onnx")
