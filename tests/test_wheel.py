"""The built wheel by itself, as a user without a checkout has it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from .scene.rasters import PLACE, random_bands, write_raster

ROOT = Path(__file__).parent.parent


@pytest.mark.slow
def test_wheel_alone_translates_a_image_and_a_raster(tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}

    def run(*command: object) -> str:
        done = subprocess.run(
            [str(c) for c in command], cwd=tmp_path, env=environment, check=True, capture_output=True, text=True
        )
        return done.stdout

    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", tmp_path, ROOT)
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.stat().st_size < 16e6
    with zipfile.ZipFile(wheel) as content:
        assert {Path(name).name for name in content.namelist()} >= {"LICENSE", "NOTICE", "open.onnx", "newyork.onnx"}
    run(sys.executable, "-m", "venv", tmp_path / "empty")
    python = tmp_path / "empty" / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "-c", ROOT / "requirements" / "dev.txt", wheel)
    assert "torch" not in run(python, "-m", "pip", "list")

    Image.fromarray(np.moveaxis(random_bands(3, 300, 200), 0, -1)).save(tmp_path / "a.png")
    write_raster(tmp_path / "a.tif", random_bands(3, 300, 200), **PLACE)
    sat2map = tmp_path / "empty" / "bin" / "sat2map"
    for name in ("a.png", "a.tif"):
        run(sat2map, "translate", tmp_path / name, "-o", tmp_path / f"map_{name}")
    with Image.open(tmp_path / "map_a.png") as drawn:
        assert drawn.size == (200, 300)
    assert (tmp_path / "map_a.tif").stat().st_size > 0
    cards = [json.loads(run(sat2map, "model", "info", *name, "--json")) for name in ((), ("open",), ("newyork",))]
    assert [card["name"] for card in cards] == ["open", "open", "newyork"]
    assert [card["licence"].split()[0] for card in cards[1:]] == ["Apache-2.0", "for"]
