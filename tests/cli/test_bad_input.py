"""What a user can get wrong ends in one line that names it, one with the remedy, exit 2, and nothing half-written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from PIL import Image

from sat2map.cli.main import sat2map

from ..scene.test_source import bomb, truncated

Make = Callable[[Path], list[str]]


def _picture(path: Path) -> Path:
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 50, 3), np.uint8)).save(path)
    return path


def _file(path: Path, content: bytes = b"") -> Path:
    path.write_bytes(content)
    return path


def _foreign_onnx(path: Path) -> Path:
    value = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in "xy"]
    graph = onnx.helper.make_graph([onnx.helper.make_node("Identity", ["x"], ["y"])], "g", value[:1], value[1:])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(model, path)
    return path


def _pair(folder: Path) -> Path:
    folder.mkdir()
    Image.new("RGB", (64, 32)).save(folder / "1.png")
    return folder


def _made(path: Path, make: Callable[[Path], object]) -> Path:
    make(path)
    return path


def _translate(source: Path, out: Path, *more: str) -> list[str]:
    return ["translate", str(source), "-o", str(out), *more]


CASES: dict[str, tuple[Make, str]] = {
    "unreadable picture": (lambda d: _translate(_file(d / "a.png", b"no picture"), d / "o.png"), "a.png"),
    "truncated picture": (lambda d: _translate(_made(d / "a.png", truncated), d / "o.png"), "a.png"),
    "zero-size picture": (lambda d: _translate(_file(d / "a.jpg"), d / "o.png"), "a.jpg"),
    "zero-size raster": (lambda d: _translate(_file(d / "a.tif"), d / "o.tif"), "a.tif"),
    "decompression bomb": (lambda d: _translate(_made(d / "a.png", bomb), d / "o.png"), "3600000000 px"),
    "missing source": (lambda d: _translate(d / "nowhere.tif", d / "o.tif"), "nowhere.tif"),
    "missing model": (lambda d: _translate(_picture(d / "a.png"), d / "o.png", "--model", "nosuch"), "nosuch"),
    "foreign model": (
        lambda d: _translate(_picture(d / "a.png"), d / "o.png", "--model", str(_foreign_onnx(d / "m.onnx"))), "m.onnx",
    ),
    "truncated model": (
        lambda d: _translate(
            _picture(d / "a.png"), d / "o.png", "--model", str(_file(d / "m.safetensors", b"\x99" * 100))
        ),
        "m.safetensors",
    ),
    "no such output of the model": (
        lambda d: _translate(_picture(d / "a.png"), d / "o.png", "--output", "crips"), "crips",
    ),
    "unwritable folder": (lambda d: _translate(_picture(d / "a.png"), Path("/proc/o.png")), "/proc"),
    "missing folder": (lambda d: _translate(_picture(d / "a.png"), d / "none" / "o.png"), "none"),
    "output over its own input": (
        lambda d: _translate(_picture(d / "a.png"), d / "a.png", "--overwrite"), "input itself",
    ),
    "existing output": (lambda d: _translate(_picture(d / "a.png"), _picture(d / "o.png")), "o.png"),
    "folder with nothing in it to translate": (
        lambda d: _translate(_made(d / "empty", Path.mkdir), d / "maps"), "empty",
    ),
    "folder with nothing in it to score": (lambda d: ["evaluate", str(_made(d / "empty", Path.mkdir))], "empty"),
    "folder with nothing in it to train on": (
        lambda d: ["train", str(_made(d / "empty", Path.mkdir)), "--recipe", "paper", "--out", str(d / "run")], "empty",
    ),
    "broken pair": (
        lambda d: ["train", str(_file(_pair(d / "pairs") / "2.png", b"x").parent), "--recipe", "paper", "--out",
                   str(d / "run")],
        "2.png",
    ),
    "unknown recipe": (
        lambda d: ["train", str(_pair(d / "pairs")), "--recipe", "papr", "--out", str(d / "run")], "papr",
    ),
    "unknown recipe key": (
        lambda d: ["train", str(_pair(d / "pairs")), "--recipe", "paper", "--out", str(d / "run"), "--set",
                   "objective.lambda=3"],
        "objective.lambda",
    ),
    "unknown command": (lambda d: ["transalte"], "transalte"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_wrong_input_ends_in_one_line_and_a_hint(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAT2MAP_CACHE", str(tmp_path / "cache"))
    make, named = CASES[case]
    arguments = make(tmp_path)
    before = {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")}
    result = CliRunner().invoke(sat2map, arguments)
    assert result.exit_code == 2, result.output
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    hints = [line for line in result.stderr.splitlines() if line.startswith("hint: ")]
    assert (len(errors), len(hints)) == (1, 1), result.stderr
    assert named in result.stderr
    assert "Traceback" not in result.output
    left = {p: p.is_file() and p.read_bytes() for p in tmp_path.rglob("*") if "cache" not in p.name}
    assert left == before
