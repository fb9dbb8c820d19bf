from __future__ import annotations

import json
from pathlib import Path

import pytest

from sat2map.engine import load_engine, precision
from sat2map.engine.onnx import OnnxEngine
from sat2map.engine.precision import fastest_precision
from sat2map.errors import ModelFileError
from sat2map.model.export import export
from sat2map.model.quantize import quantize
from sat2map.translate import Settings, Translator
from tests.model.networks import images, tiny


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model in floats, and in 8-bit integers."""
    folder, model = tmp_path_factory.mktemp("models"), tiny("compact")
    export(model.generator, model.card, folder / "float32.onnx", images(1, 32, 32))
    quantize(folder / "float32.onnx", folder / "int8.onnx", list(images(2, 32, 32)), "noise")
    return folder


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where it is remembered, on a processor that does not say what it can."""
    monkeypatch.setenv("SAT2MAP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(precision, "_processor", lambda: "unknown")
    return tmp_path / "cache"


def _let_be_fastest(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    order = iter(names)

    def timed(*_: object) -> dict[str, float]:
        first = next(order)
        return {name: 1.0 + (name != first) for name in ("float32", "int8")}

    monkeypatch.setattr(precision, "_time", timed)


@pytest.mark.parametrize("fastest", ["int8", "float32"])
def test_auto_is_the_faster_and_is_remembered(folder: Path, fastest: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _let_be_fastest(monkeypatch, fastest)
    assert [load_engine(folder / "int8.onnx").with_precision("auto").precision for _ in range(3)] == [fastest] * 3


def test_another_model_thread_count_or_processor_is_timed_anew(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _let_be_fastest(monkeypatch, "int8", "float32", "int8")
    assert fastest_precision(folder / "int8.onnx", 1) == "int8"
    assert fastest_precision(folder / "int8.onnx", 2) == "float32"
    assert fastest_precision(folder / "int8.onnx", 1) == "int8"
    monkeypatch.setattr(precision, "_processor", lambda: "another")
    assert fastest_precision(folder / "int8.onnx", 2) == "int8"


def test_damaged_or_unwritable_memory_is_no_obstacle(
    folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _let_be_fastest(monkeypatch, "int8", "float32", "int8", "float32")
    fastest_precision(folder / "int8.onnx")
    (file,) = (cache / "precision").iterdir()
    for text in ("{", json.dumps({"fastest": "int4"})):
        file.write_text(text)
        fastest_precision(folder / "int8.onnx")
    assert json.loads(file.read_text())["fastest"] == "int8"
    monkeypatch.setenv("SAT2MAP_CACHE", str(file / "no folder"))
    assert fastest_precision(folder / "int8.onnx") == "float32"


@pytest.mark.parametrize("flag", ["avx2", "avx512_vnni", "avx_vnni", "asimddp"])
def test_a_processor_that_multiplies_integers_fast_needs_no_timing(
    folder: Path, cache: Path, flag: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _let_be_fastest(monkeypatch)
    monkeypatch.setattr(precision, "_processor", lambda: f"flags : fpu {flag} sse2")
    assert fastest_precision(folder / "int8.onnx") == "int8"
    assert not cache.exists()


def test_both_are_timed_on_this_machine(folder: Path, cache: Path) -> None:
    assert fastest_precision(folder / "int8.onnx", 1) in ("int8", "float32")
    (file,) = (cache / "precision").iterdir()
    assert all(0 < seconds < 60 for seconds in json.loads(file.read_text())["seconds"].values())


def test_model_in_floats_has_no_choice(folder: Path, cache: Path, tmp_path: Path) -> None:
    for path in (folder / "float32.onnx", tiny("compact").save(tmp_path / "m.safetensors")):
        engine = load_engine(path, "cpu")
        assert engine.precision == "float32"
        assert engine.with_precision("auto") is engine.with_precision("float32") is engine
        with pytest.raises(ModelFileError, match="model has no 8-bit integers"):
            engine.with_precision("int8")
    assert not cache.exists()


def test_sessions_are_opened_once(folder: Path) -> None:
    engine = OnnxEngine(folder / "int8.onnx")
    floats = engine.with_precision("float32")
    assert floats is engine.with_precision("float32")
    assert floats.with_precision("int8") is engine


def test_scene_is_drawn_in_the_precision_that_was_asked_for(folder: Path) -> None:
    translator, (image,) = Translator.load(folder / "int8.onnx"), images(1, 40, 56)
    drawn = {p: translator.translate(image, Settings("smooth", precision=p)) for p in ("int8", "float32")}
    assert (drawn["int8"] != drawn["float32"]).any()
    wanted = Translator.load(folder / "float32.onnx").translate(image, Settings("smooth"))
    assert abs(drawn["float32"].astype(int) - wanted).mean() < abs(drawn["int8"].astype(int) - wanted).mean()
    assert Settings(precision="float32").for_engine(translator.engine).precision == "float32"
