from __future__ import annotations

import logging
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

from sat2map.arrays import UInt8
from sat2map.engine.onnx import OnnxEngine
from sat2map.engine.torch import load_generator
from sat2map.errors import ModelFileError
from sat2map.model.bundled import resolve
from sat2map.model.export import export
from sat2map.model.onnx_file import read_card
from sat2map.model.quantize import quantize
from tests.model.networks import images, tiny
from tests.need import need

PROGRAM = """
import sys
import numpy as np
import onnxruntime
options = onnxruntime.SessionOptions()
options.log_severity_level = 4
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
crisp, logits = session.run(["crisp", sys.argv[4]], {"satellite": np.load(sys.argv[2])})
np.savez(sys.argv[3], crisp=crisp, logits=logits)
"""
LOGITS = "crisp/logits"
MIB = 2**20


@pytest.fixture(scope="module")
def ground() -> UInt8:
    """Uint8, shape (H, W, 3): the aerial image of the package, nine times."""
    with Image.open(str(files("sat2map.bundled") / "naip.tif")) as image:
        return np.tile(np.asarray(image.convert("RGB")), (3, 3, 1))


@pytest.fixture(scope="module")
def floats(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model that ships, in floats."""
    path = tmp_path_factory.mktemp("models") / "floats.onnx"
    export(*load_generator(resolve("open-generator")), path, images(1, 64, 64))
    return path


@pytest.fixture(scope="module")
def quantized(ground: UInt8, floats: Path) -> Path:
    """The same, quantized."""
    path = floats.with_name("int8.onnx")
    crops = [np.ascontiguousarray(ground[row : row + 128, col : col + 192]) for row in (0, 128) for col in (0, 64)]
    quantize(floats, path, crops, "naip")
    return path


def test_card_says_what_the_file_is(quantized: Path, floats: Path) -> None:
    card = read_card(quantized)
    assert (card.precision, card.calibration_data, card.n_calibration_images) == ("int8", "naip", 4)
    same = {"precision": "float32", "calibration_data": "", "n_calibration_images": 0}
    assert card.model_copy(update=same) == read_card(floats)
    assert quantized.stat().st_size < 3 * MIB


def test_file_imports_the_standard_operators_alone_and_has_no_branches(quantized: Path) -> None:
    model = onnx.load(quantized)
    onnx.checker.check_model(model, full_check=True)
    assert [imported.domain for imported in model.opset_import] == [""]
    assert "If" not in {node.op_type for node in model.graph.node}


def test_no_activation_becomes_floats_for_its_shape(quantized: Path) -> None:
    nodes = onnx.load(quantized).graph.node
    floats = {node.output[0] for node in nodes if node.op_type == "DequantizeLinear"}
    assert not [node.name for node in nodes if node.op_type == "Shape" and node.input[0] in floats]


def test_weights_of_all_convolutions_have_seven_bits(quantized: Path) -> None:
    graph = onnx.load(quantized).graph
    maker = {name: node for node in graph.node for name in node.output}
    values = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    assert len(convolutions) == 25
    for node in convolutions:
        weight = values[maker[node.input[1]].input[0]]
        assert weight.dtype == np.int8
        assert 32 < np.abs(weight.astype(int)).max() <= 64


def test_both_precisions_draw_nearly_what_the_model_draws(quantized: Path, floats: Path, ground: UInt8) -> None:
    sat = np.ascontiguousarray(ground[None, :256, :256])
    wanted, integers = OnnxEngine(floats), OnnxEngine(quantized)
    rounded = integers.with_precision("float32")
    assert (integers.precision, rounded.precision) == ("int8", "float32")
    engines = integers, rounded
    differing = [(engine.run(sat, "crisp") != wanted.run(sat, "crisp")).any(-1).mean() for engine in engines]
    assert 0 < differing[1] < 0.03
    assert 0 < differing[0] < 0.04
    for engine in engines:
        crisp, confidence = engine.run_outputs(sat, ("crisp", "confidence")).values()
        np.testing.assert_array_equal(crisp, engine.run(sat, "crisp"))
        assert np.abs(confidence.astype(int) - wanted.run_outputs(sat, ["confidence"])["confidence"]).mean() < 8
        assert np.abs(engine.run(sat, "smooth").astype(int) - wanted.run(sat, "smooth")).mean() < 2


def test_floats_know_no_activation_quantizer(quantized: Path, tmp_path: Path) -> None:
    """Of the operators that ONNX Runtime computes, by its own account."""
    import json

    import onnxruntime

    from sat2map.model.onnx_file import MERGES_INTO_QUANTIZERS, WITHOUT_QUANTIZERS

    kinds = {}
    for precision in ("int8", "float32"):
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.enable_profiling = True
        options.profile_file_prefix = str(tmp_path / precision)
        if precision == "float32":
            for setting in WITHOUT_QUANTIZERS:
                options.add_session_config_entry(setting, "1")
        disabled = MERGES_INTO_QUANTIZERS if precision == "float32" else None
        session = onnxruntime.InferenceSession(
            quantized, options, providers=["CPUExecutionProvider"], disabled_optimizers=disabled
        )
        session.run(["crisp"], {"satellite": np.zeros((1, 32, 32, 3), np.uint8)})
        events = json.loads(Path(session.end_profiling()).read_text())
        kinds[precision] = {event["args"]["op_name"] for event in events if event["name"].endswith("kernel_time")}
    assert "QLinearConv" in kinds["int8"]
    assert "Conv" not in kinds["int8"]
    assert "Conv" in kinds["float32"]
    assert not {"QuantizeLinear", "DequantizeLinear", "QLinearConv"} & kinds["float32"]


@pytest.mark.parametrize("precision", ["int8", "float32"])
def test_windows_and_the_whole_have_the_same_logits(quantized: Path, ground: UInt8, precision: str) -> None:
    from sat2map.tiling import plan, translate_windows

    card = read_card(quantized)
    sat = np.ascontiguousarray(ground[:560, :608])
    engine = OnnxEngine(quantized).with_precision(precision)  # type: ignore[arg-type]
    whole = engine.run(sat[None], "smooth")[0]
    windows = plan(*sat.shape[:2], stride=card.stride, margin=card.margin_px, core=160)
    assert len(windows) > 1
    drawn = np.zeros_like(sat)
    for core, pixels in translate_windows(
        lambda w: np.ascontiguousarray(sat[w.slices]),
        lambda x: engine.run(x[None], "smooth")[0],
        windows,
        *sat.shape[:2],
    ):
        drawn[core.slices] = pixels
    assert np.abs(drawn.astype(int) - whole).max() <= (0 if precision == "int8" else 1)


@pytest.mark.parametrize("architecture", ["compact", "unet"])
def test_other_networks_are_quantized_too(architecture: str, tmp_path: Path) -> None:
    model = tiny(architecture)
    export(model.generator, model.card, tmp_path / "m.onnx", images(1, 32, 32))
    card = quantize(tmp_path / "m.onnx", tmp_path / "int8.onnx", list(images(3, 32, 48)), "noise")
    assert card.precision == "int8"
    wanted, engine = OnnxEngine(tmp_path / "m.onnx"), OnnxEngine(tmp_path / "int8.onnx")
    sat = images(2, 48, 32)
    head = card.heads[-1]
    for precision in ("int8", "float32"):
        drawn = engine.with_precision(precision).run(sat, head)
        assert np.abs(drawn.astype(int) - wanted.run(sat, head)).mean() < 8


def test_familiarity_is_in_the_file_in_both_precisions(tmp_path: Path) -> None:
    model = tiny("compact")
    card = model.card.model_copy(update={"familiar_entropy": 0.5, "confidence_sharpness": 0.5})
    export(model.generator, card, tmp_path / "m.onnx", images(1, 32, 32))
    quantize(tmp_path / "m.onnx", tmp_path / "int8.onnx", list(images(3, 32, 48)), "noise")
    wanted, engine = OnnxEngine(tmp_path / "m.onnx"), OnnxEngine(tmp_path / "int8.onnx")
    for sat in (images(2, 48, 32), images(1, card.stride, card.stride)):
        for precision in ("int8", "float32"):
            this = engine.with_precision(precision)
            assert this.outputs == wanted.outputs
            drawn, of_floats = (e.run_outputs(sat, e.outputs) for e in (this, wanted))
            for name in ("confidence", "familiarity"):
                assert drawn[name].shape == of_floats[name].shape
                assert np.abs(drawn[name].astype(int) - of_floats[name]).mean() < 8
                np.testing.assert_array_equal(this.run_outputs(sat, [name])[name], drawn[name])


def test_quantized_model_is_not_quantized_again(quantized: Path, ground: UInt8, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="model is int8 already"):
        quantize(quantized, tmp_path / "again.onnx", [ground[:64, :64]], "naip")
    assert list(tmp_path.iterdir()) == []


def test_quantizing_says_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    model = tiny("compact")
    export(model.generator, model.card, tmp_path / "m.onnx", images(1, 16, 16))
    with caplog.at_level(logging.WARNING):
        quantize(tmp_path / "m.onnx", tmp_path / "int8.onnx", list(images(2, 32, 32)), "noise")
        OnnxEngine(tmp_path / "int8.onnx").with_precision("float32")
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


@pytest.mark.slow
def test_logits_are_the_same_on_a_processor_without_vnni(quantized: Path, ground: UInt8, tmp_path: Path) -> None:
    import shutil

    emulator = shutil.which("qemu-x86_64")
    need("emulator", emulator, "apt-get install qemu-user")
    model = onnx.load(quantized)
    model.graph.output.append(onnx.helper.make_tensor_value_info(LOGITS, onnx.TensorProto.FLOAT, None))
    onnx.save(model, tmp_path / "m.onnx")
    np.save(tmp_path / "sat.npy", ground[None, :96, :128])
    for name, before in (("here", []), ("there", [str(emulator), "-cpu", "Haswell"])):
        command = [*before, sys.executable, "-c", PROGRAM]
        subprocess.run([*command, *(str(tmp_path / file) for file in ("m.onnx", "sat.npy", f"{name}.npz")), LOGITS],
                       check=True)  # fmt: skip
    here, there = (np.load(tmp_path / f"{name}.npz") for name in ("here", "there"))
    assert here["logits"].std() > 1
    for key in ("logits", "crisp"):
        np.testing.assert_array_equal(here[key], there[key])
