"""A plain ONNX file runs in ONNX Runtime and in OpenCV as it is, and says to QGIS's Deepness what it is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from click.testing import CliRunner

from sat2map.classes import CLASS_NAMES
from sat2map.cli.main import sat2map
from sat2map.engine.torch import TorchEngine
from sat2map.errors import ModelFileError
from sat2map.model.card import Card
from sat2map.model.export import export_plain
from sat2map.model.onnx_file import read_card
from tests.model.networks import Model, images, tiny

TILE_PX = 64
ARCHITECTURES = ("compact", "unet")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Model, Path]]:
    folder = tmp_path_factory.mktemp("plain")
    made = {}
    for architecture in ARCHITECTURES:
        model = tiny(architecture)
        weights, out = model.save(folder / f"{architecture}.safetensors"), folder / f"{architecture}.onnx"
        arguments = ["model", "export", weights, "-o", out, "--plain", "--tile", TILE_PX]
        done = CliRunner().invoke(sat2map, list(map(str, arguments)))
        assert done.exit_code == 0, done.output
        made[architecture] = model, out
    return made


def as_input(image_hwc: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(image_hwc.transpose(2, 0, 1)[None].astype(np.float32) / 255)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_plain_file_is_float32_nchw_of_a_fixed_size_without_control_flow(
    architecture: str, files: dict[str, tuple[Model, Path]]
) -> None:
    graph = onnx.load(files[architecture][1]).graph
    assert [node.op_type for node in graph.node if node.op_type in ("If", "Loop", "Scan")] == []
    (taken,), (given,) = graph.input, graph.output
    n_channels = len(CLASS_NAMES) if architecture == "compact" else 3
    for port, shape in ((taken, (1, 3, TILE_PX, TILE_PX)), (given, (1, n_channels, TILE_PX, TILE_PX))):
        assert port.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
        assert tuple(side.dim_value for side in port.type.tensor_type.shape.dim) == shape


def run_onnxruntime(path: Path, image: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (answer,) = session.run(None, {"image": as_input(image)})
    return answer


def run_opencv(path: Path, image: np.ndarray) -> np.ndarray:
    import cv2

    net = cv2.dnn.readNetFromONNX(str(path))
    # As its users do it: BGR in memory, scaled and swapped by the blob.
    net.setInput(cv2.dnn.blobFromImage(np.ascontiguousarray(image[..., ::-1]), 1 / 255, swapRB=True))
    return net.forward()


@pytest.mark.parametrize("run", [run_onnxruntime, run_opencv], ids=["onnxruntime", "opencv"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_other_tools_draw_what_sat2map_draws(
    architecture: str, run: object, files: dict[str, tuple[Model, Path]]
) -> None:
    model, path = files[architecture]
    engine = TorchEngine(model.generator, model.card, "cpu")
    for image in images(2, TILE_PX, TILE_PX):
        answer = run(path, image)[0]  # type: ignore[operator]
        if architecture == "unet":
            drawn = engine.run(image[None], "rgb")[0]
            assert np.abs(np.rint(255 * answer.transpose(1, 2, 0)) - drawn).max() <= 1
            continue
        assert answer.sum(0) == pytest.approx(np.ones((TILE_PX, TILE_PX)), abs=1e-4)
        confidence = engine.run_outputs(image[None], ["confidence"])["confidence"]
        # The most probable class is at least as probable as that of the most probable colour.
        assert (np.rint(255 * answer.max(0)) >= confidence[0, ..., 0].astype(int) - 1).all()
        assert len(np.unique(answer.argmax(0))) > 1


def test_probabilities_are_as_sharp_as_the_confidence(tmp_path: Path) -> None:
    model, path = tiny("compact"), tmp_path / "m.onnx"
    card = model.card.model_copy(update={"confidence_sharpness": 0.01})
    export_plain(model.generator, card, path, images(1, TILE_PX, TILE_PX))
    (image,) = images(1, TILE_PX, TILE_PX)
    confidence = TorchEngine(model.generator, card, "cpu").run_outputs(image[None], ["confidence"])["confidence"]
    answer = run_onnxruntime(path, image)[0]
    assert confidence.max() < 200
    assert (np.rint(255 * answer.max(0)) >= confidence[0, ..., 0].astype(int) - 1).all()
    assert answer.max() < 0.8


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_metadata_is_what_deepness_reads(architecture: str, files: dict[str, tuple[Model, Path]]) -> None:
    model, path = files[architecture]
    properties = {p.key: p.value for p in onnx.load(path).metadata_props}
    read = {key: json.loads(value) for key, value in properties.items()}
    assert read["model_type"] == ("Segmentor" if architecture == "compact" else "Regressor")
    names = list(CLASS_NAMES) if architecture == "compact" else ["red", "green", "blue"]
    assert [read["class_names"][str(i)] for i in range(len(names))] == names
    # Trained for 0.5 to 2 m: one metre, in centimetres.
    assert read["resolution"] == 100
    assert read["tile_size"] == TILE_PX
    assert 0 <= read["tiles_overlap"] <= 90
    assert read["tiles_overlap"] >= min(90, 200 * model.card.margin_px / TILE_PX)
    assert Card.model_validate(read["sat2map.plain_card"]) == model.card


def test_plain_file_is_no_model_of_sat2map(files: dict[str, tuple[Model, Path]]) -> None:
    with pytest.raises(ModelFileError, match="no sat2map card"):
        read_card(files["compact"][1])


def test_tile_is_a_multiple_of_the_stride(tmp_path: Path) -> None:
    weights = tiny("unet").save(tmp_path / "m.safetensors")
    arguments = ["model", "export", weights, "-o", tmp_path / "o.onnx", "--plain", "--tile", 60]
    done = CliRunner().invoke(sat2map, list(map(str, arguments)))
    assert done.exit_code == 2
    assert "64 is one" in done.stderr
    assert not (tmp_path / "o.onnx").exists()
