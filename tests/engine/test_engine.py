from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnxruntime
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sat2map.arrays import UInt8
from sat2map.engine import Engine, check_outputs, choose_head, load_engine, run_whole
from sat2map.engine.onnx import OnnxEngine
from sat2map.engine.torch import TorchEngine
from sat2map.errors import MissingExtraError, ModelFileError, Sat2mapError
from sat2map.model.bundled import resolve
from sat2map.model.card import Card
from sat2map.model.export import export
from sat2map.translate import Translator
from tests.model.networks import images, tiny


@pytest.fixture(scope="module", params=["unet", "compact"])
def engines(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[OnnxEngine, TorchEngine]:
    model = tiny(request.param)
    folder = tmp_path_factory.mktemp("models")
    export(model.generator, model.card, folder / "m.onnx", images(1, 32, 32))
    by_onnx = load_engine(folder / "m.onnx")
    by_torch = load_engine(model.save(folder / "m.safetensors"), "cpu")
    assert isinstance(by_onnx, OnnxEngine)
    assert isinstance(by_torch, TorchEngine)
    return by_onnx, by_torch


def test_both_engines_draw_the_same_maps(engines: tuple[OnnxEngine, TorchEngine]) -> None:
    by_onnx, by_torch = engines
    sat = images(2, 24, 40)
    drawn = {}
    for output in by_onnx.card.heads:
        a, b = by_onnx.run(sat, output), by_torch.run(sat, output)
        assert a.shape == b.shape == sat.shape
        assert a.dtype == b.dtype == np.uint8
        assert np.abs(a.astype(int) - b).max() <= 1
        drawn[output] = a
    assert len({a.tobytes() for a in drawn.values()}) == len(drawn)


def test_several_outputs_at_once_are_those_of_one_alone(engines: tuple[OnnxEngine, TorchEngine]) -> None:
    sat = images(1, 24, 40)
    for engine in engines:
        assert engine.outputs == (*engine.card.heads, *(["confidence"] if engine.card.palette else []))
        together = engine.run_outputs(sat, engine.outputs[::-1])
        assert list(together) == list(engine.outputs[::-1])
        for name, drawn in together.items():
            np.testing.assert_array_equal(drawn, engine.run_outputs(sat, [name])[name])
        np.testing.assert_array_equal(together[engine.card.heads[0]], engine.run(sat, engine.card.heads[0]))


def test_runs_at_once_share_the_threads_and_give_the_same(engines: tuple[OnnxEngine, TorchEngine]) -> None:
    assert [engine.shared_by(2) for engine in engines] == [None, None], "floats"
    shipped, sat = OnnxEngine(resolve(None), n_threads=4), images(1, 32, 32)
    halves = shipped.shared_by(2)
    assert halves is not None
    assert halves is shipped.shared_by(2)
    assert shipped.shared_by(5) is None
    with ThreadPoolExecutor(2) as pool:
        for drawn in pool.map(lambda _: halves.run(sat, "crisp"), range(4)):
            np.testing.assert_array_equal(drawn, shipped.run(sat, "crisp"))


def test_output_that_a_model_lacks_is_named(engines: tuple[OnnxEngine, TorchEngine]) -> None:
    for engine in engines:
        check_outputs(engine, [])
        with pytest.raises(ModelFileError, match="no familiarity: 'tiny") as caught:
            check_outputs(engine, ["familiarity"])
        assert caught.value.hint is not None
        assert "sat2map model calibrate" in caught.value.hint


def test_images_of_a_batch_do_not_touch_each_other(engines: tuple[OnnxEngine, TorchEngine]) -> None:
    sat = images(3, 16, 16)
    for engine in engines:
        output = engine.card.heads[0]
        together = engine.run(sat, output)
        for i in range(3):
            assert np.abs(engine.run(sat[i : i + 1], output)[0].astype(int) - together[i]).max() <= 1


def test_torch_takes_a_image_that_must_not_be_written(engines: tuple[OnnxEngine, TorchEngine]) -> None:
    sat = images(1, 16, 16)
    sat.flags.writeable = False
    for engine in engines:
        engine.run(sat, engine.card.heads[0])


def _computed(path: Path, folder: Path, feeds: dict[str, object]) -> set[str]:
    """Kinds of node that ONNX Runtime computes for `crisp`, by its own account."""
    options = onnxruntime.SessionOptions()
    options.enable_profiling = True
    options.profile_file_prefix = str(folder / "profile")
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    session.run(["crisp"], feeds)
    events = json.loads(Path(session.end_profiling()).read_text())
    return {event["args"]["op_name"] for event in events if event["name"].endswith("kernel_time")}


def test_output_that_is_not_asked_for_is_not_computed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, path = tiny("compact"), tmp_path / "m.onnx"
    export(model.generator, model.card, path, images(1, 16, 16))
    engine = OnnxEngine(path)
    fed: dict[str, object] = {}

    class Spy:
        def run(self, _outputs: list[str], feeds: dict[str, object]) -> list[UInt8]:
            fed.update(feeds)
            return [images(1, 16, 16)]

    monkeypatch.setattr(engine, "_session", Spy())
    engine.run(images(1, 16, 16), "crisp")
    assert "Softmax" in _computed(path, tmp_path, {"satellite": fed["satellite"]})
    by_engine = _computed(path, tmp_path, fed)
    assert "Softmax" not in by_engine
    assert "ArgMax" in by_engine


class _Echo:
    """Gives the image back, and insists on whole strides."""

    card = tiny("unet").card

    def run(self, sat_bhwc: UInt8, output: str) -> UInt8:
        assert output == "rgb"
        self.seen = sat_bhwc
        assert all(side % self.card.stride == 0 for side in sat_bhwc.shape[1:3])
        return sat_bhwc


@given(st.integers(1, 40), st.integers(1, 40))
def test_whole_image_is_mirrored_up_to_the_stride_and_cropped(height: int, width: int) -> None:
    (image,) = images(1, height, width)
    echo = _Echo()
    np.testing.assert_array_equal(run_whole(cast(Engine, echo), image), image)
    stride = echo.card.stride
    padding = [(0, -height % stride), (0, -width % stride), (0, 0)]
    np.testing.assert_array_equal(echo.seen[0], np.pad(image, padding, mode="symmetric"))


def test_output_is_the_first_by_default_and_must_be_one_of_the_model() -> None:
    card = tiny("compact").card
    assert choose_head(card, None) == "crisp"
    assert choose_head(card, "smooth") == "smooth"
    with pytest.raises(ModelFileError, match="model has no such head: 'rgb'") as caught:
        choose_head(card, "rgb")
    assert caught.value.hint == "set head to one of: crisp, smooth"


def test_device_that_cannot_be_had_is_refused(engines: tuple[OnnxEngine, TorchEngine], tmp_path: Path) -> None:
    model = tiny("unet")
    export(model.generator, model.card, tmp_path / "m.onnx", images(1, 16, 16))
    with pytest.raises(ModelFileError, match="ONNX models run on the processor, not on cuda"):
        load_engine(tmp_path / "m.onnx", "cuda")
    absent = "mps" if not torch.backends.mps.is_available() else "cuda"
    with pytest.raises(Sat2mapError, match="torch finds no such device"):
        load_engine(model.save(tmp_path / "m.safetensors"), absent)


def test_torch_model_without_torch_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tiny("unet").save(tmp_path / "m.safetensors")
    monkeypatch.delitem(sys.modules, "sat2map.engine.torch")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match="torch") as caught:
        load_engine(path)
    assert caught.value.hint == "pip install 'sat2map[torch]'"


def test_engine_and_package_load_no_torch(tmp_path: Path) -> None:
    model = tiny("compact")
    export(model.generator, model.card, tmp_path / "m.onnx", images(1, 16, 16))
    code = f"""
import sys, sat2map
assert not {{"torch", "rasterio", "onnxruntime"}} & sys.modules.keys(), "import sat2map"
import numpy as np
from sat2map.engine import load_engine, run_whole
run_whole(load_engine({str(tmp_path / "m.onnx")!r}), np.zeros((9, 7, 3), np.uint8))
assert not {{"torch", "onnx", "rasterio"}} & sys.modules.keys(), "an ONNX model"
"""
    subprocess.run([sys.executable, "-c", code], check=True)


PEAK = """
import re, sys
from pathlib import Path
import numpy as np
from sat2map.engine.onnx import OnnxEngine

engine = OnnxEngine(Path(sys.argv[1]), n_threads=1)
for shape in sys.argv[2:]:
    engine.run(np.zeros((1, *map(int, shape.split("x")), 3), np.uint8), "smooth")
# The peak that getrusage tells would be that of the process that started this one.
print(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
def test_memory_over_windows_of_many_shapes_is_that_of_the_largest(tmp_path: Path) -> None:
    model, path = tiny("compact"), tmp_path / "m.onnx"
    export(model.generator, model.card, path, images(1, 16, 16))

    def peak_kib(*shapes: str) -> int:
        command = [sys.executable, "-c", PEAK, str(path), *shapes]
        return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    alone, nothing = peak_kib("1024x1024"), peak_kib("16x16")
    many = peak_kib("768x768", "768x1024", "1024x768", "1024x1024", "512x1024", "768x1024")
    assert many - nothing < 1.5 * (alone - nothing)


def test_card_is_that_of_the_file(engines: tuple[OnnxEngine, TorchEngine]) -> None:
    by_onnx, by_torch = engines
    assert isinstance(by_onnx.card, Card)
    assert by_onnx.card == by_torch.card


@pytest.mark.parametrize("copied", [lambda x: pickle.loads(pickle.dumps(x)), copy.deepcopy, copy.copy])
def test_translator_of_the_bundled_model_crosses_to_another_process_and_is_copied(copied: Any) -> None:
    translator = Translator.load()
    image = images(1, 40, 56)[0]
    np.testing.assert_array_equal(copied(translator).translate(image), translator.translate(image))


def test_engine_finds_its_file_again_from_another_folder(
    engines: tuple[OnnxEngine, TorchEngine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = engines[0].__reduce__()[1][0]
    monkeypatch.chdir(path.parent)
    here = OnnxEngine(Path(path.name), 1)
    monkeypatch.chdir(tmp_path)
    assert pickle.loads(pickle.dumps(here)).card == here.card
