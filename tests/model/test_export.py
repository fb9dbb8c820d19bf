from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from sat2map.arrays import UInt8
from sat2map.classes import COLOURS_RGB
from sat2map.errors import ModelFileError
from sat2map.model.card import HEADER_KEY, Card, class_of_colour, inference_arguments
from sat2map.model.export import export
from sat2map.model.onnx_file import open_session, read_card
from sat2map.nn.inference import InferenceModel
from tests.model.networks import Model, images, tiny

ARCHITECTURES = ("unet", "compact")


@pytest.fixture(scope="module", params=ARCHITECTURES)
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Model, Path]]:
    model = tiny(request.param)
    path = tmp_path_factory.mktemp(request.param) / "m.onnx"
    export(model.generator, model.card, path, images(2, 32, 48))
    yield model, path
    assert [p.name for p in path.parent.iterdir()] == ["m.onnx"]


def _in_torch(model: Model, sat_bhwc: UInt8) -> list[UInt8]:
    with torch.inference_mode():
        answers = InferenceModel(model.generator, class_of_colour(model.card))(torch.tensor(sat_bhwc))
        return [answer.numpy() for answer in answers]


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 16, 40), (2, 64, 24)])
def test_onnx_draws_what_torch_draws_at_any_shape(exported: tuple[Model, Path], shape: tuple[int, int, int]) -> None:
    model, path = exported
    sat = images(*shape)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    got = session.run(None, {"satellite": sat})
    for drawn, expected in zip(got, _in_torch(model, sat), strict=True):
        assert drawn.shape == expected.shape
        assert drawn.shape[:3] == sat.shape[:3]
        assert drawn.dtype == np.uint8
        assert expected.std() > 1
        assert np.abs(drawn.astype(int) - expected).max() <= 1


def test_file_is_one_valid_onnx_with_the_card_and_the_agreed_ports(exported: tuple[Model, Path]) -> None:
    model, path = exported
    proto = onnx.load(path, load_external_data=False)
    onnx.checker.check_model(proto, full_check=True)
    assert all(tensor.data_location == onnx.TensorProto.DEFAULT for tensor in proto.graph.initializer)
    assert proto.opset_import[0].version >= 17
    properties = {p.key: p.value for p in proto.metadata_props}
    assert Card.model_validate_json(properties[HEADER_KEY]) == model.card == read_card(path)
    session, _ = open_session(path)
    (satellite,) = session.get_inputs()
    assert (satellite.name, satellite.type, satellite.shape) == (
        "satellite", "tensor(uint8)", ["batch", "height", "width", 3],
    )  # fmt: skip
    assert [port.name for port in session.get_outputs()] == [
        *model.card.heads, *(["confidence"] if model.card.palette else []),
    ]  # fmt: skip


def test_crisp_image_holds_palette_colours_alone(tmp_path: Path) -> None:
    model = tiny("compact")
    export(model.generator, model.card, tmp_path / "m.onnx", images(1, 16, 16))
    session, _ = open_session(tmp_path / "m.onnx")
    crisp, smooth = session.run(["crisp", "smooth"], {"satellite": images(1, 32, 32)})
    palette = {tuple(colour) for colour in COLOURS_RGB.tolist()}
    assert {tuple(colour) for colour in crisp.reshape(-1, 3).tolist()} <= palette
    assert not {tuple(colour) for colour in smooth.reshape(-1, 3).tolist()} <= palette


def test_familiarity_is_exported_behind_its_own_switch(tmp_path: Path) -> None:
    model, path = tiny("compact"), tmp_path / "m.onnx"
    card = model.card.model_copy(update={"familiar_entropy": 0.4})
    export(model.generator, card, path, images(2, 32, 48))
    session, written = open_session(path)
    assert written == card
    outputs = ["crisp", "smooth", "confidence", "familiarity"]
    assert [port.name for port in session.get_outputs()] == outputs
    sat = images(2, 24, 40)
    expected = InferenceModel(model.generator, **inference_arguments(card))(torch.tensor(sat))[-1].numpy()
    assert expected.shape == (2, 24 // card.stride, 40 // card.stride, 1)
    assert expected.std() > 1
    (got,) = session.run(["familiarity"], {"satellite": sat, **switches(outputs, "familiarity")})
    assert np.abs(got.astype(int) - expected).max() <= 1
    (crisp, nothing) = session.run(["crisp", "familiarity"], {"satellite": sat, **switches(outputs, "crisp")})
    assert crisp.shape == sat.shape
    assert nothing.size == 0


def switches(outputs: list[str], *wanted: str) -> dict[str, np.ndarray]:
    return {f"want_{name}": np.array(name in wanted) for name in outputs}


def test_network_in_training_mode_is_exported_without_its_noise(tmp_path: Path) -> None:
    model = tiny("unet")
    model.generator.train()
    export(model.generator, model.card, tmp_path / "m.onnx", images(1, 32, 32))
    assert not model.generator.training


def _differing(monkeypatch: pytest.MonkeyPatch, level: int, n_pixels: int) -> None:
    """Let torch's images differ from what was exported by `level` on `n_pixels`."""
    forward = InferenceModel.forward

    def spoilt(self: InferenceModel, satellite: torch.Tensor) -> tuple[torch.Tensor, ...]:
        answers = forward(self, satellite)
        if not torch.onnx.is_in_onnx_export():
            for answer in answers:
                flat = answer.view(-1, answer.shape[-1])[:n_pixels]
                flat.copy_(torch.where(flat > 127, flat - level, flat + level))
        return answers

    monkeypatch.setattr(InferenceModel, "forward", spoilt)


@pytest.mark.parametrize(
    ("architecture", "level", "n_pixels", "found"),
    [
        ("unet", 1, 2**10, None),
        ("unet", 2, 1, "exported rgb differs from torch by up to [23] of 255"),
        ("compact", 2, 1, "exported crisp differs from torch"),
    ],
)
def test_export_that_differs_is_refused_and_not_written(
    architecture: str, level: int, n_pixels: int, found: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    model, path = tiny(architecture), tmp_path / "m.onnx"
    _differing(monkeypatch, level, n_pixels)
    if found is None:
        export(model.generator, model.card, path, images(1, 16, 16))
        assert path.exists()
        return
    with pytest.raises(ModelFileError, match=found):
        export(model.generator, model.card, path, images(1, 16, 16))
    assert list(tmp_path.iterdir()) == []


def test_exporting_says_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    model = tiny("compact")
    with caplog.at_level(logging.WARNING):
        export(model.generator, model.card, tmp_path / "m.onnx", images(1, 16, 16))
    assert capfd.readouterr() == ("", "")
    assert not caplog.records
