"""The plugin in Debian's QGIS, without a screen: by `qgis_process`, and in a project."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import zipfile
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pytest
import rasterio
from PIL import Image

from sat2map.classes import CLASS_NAMES, CLASSES

from ..need import DEBIANS_PYTHON, QGIS_PROCESS, need_qgis

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
FAKE = """
import json, os, signal, sys, time
from pathlib import Path
here = Path(__file__).parent
(here / "arguments.json").write_text(json.dumps(sys.argv[1:]))
(here / "environment.json").write_text(json.dumps(dict(os.environ)))
{body}
"""


def write_program(path: Path, script: Path | str) -> Path:
    """Write a program that runs a Python script, or `-m` a module, by the Python of the tests."""
    # QGIS's variables are no longer there, so the package is named anew.
    source = ROOT / "src"
    path.write_text(f'#!/bin/sh\nPYTHONPATH="{source}" exec "{sys.executable}" {script} "$@"\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


class Qgis:
    """QGIS with a profile of its own, in which the settings name a program as sat2map."""

    def __init__(self, home: Path) -> None:
        self.home = home
        settings = home / "QGIS" / "profiles" / "default" / "QGIS" / "QGIS3.ini"
        settings.parent.mkdir(parents=True)
        self.environment = {
            "PATH": "/usr/bin:/bin", "HOME": str(home), "QT_QPA_PLATFORM": "offscreen", "LANG": "C.UTF-8",
            "QGIS_CUSTOM_CONFIG_PATH": str(home / "QGIS"), "QGIS_PLUGINPATH": str(ROOT / "qgis"),
            "XDG_RUNTIME_DIR": str(home), "PYTHONPYCACHEPREFIX": str(home / "cache"), "GDAL_DATA": "/usr/share/gdal",
        }  # fmt: skip
        home.chmod(0o700)
        self.settings = settings
        self.run_as(write_program(home / "sat2map", "-m sat2map"))

    def run_as(self, program: Path | None) -> None:
        """Name another program in the settings; None: none."""
        lines = ["[PythonPlugins]", "sat2map_qgis=true", "[sat2map]", f"program={program or ''}"]
        self.settings.write_text("\n".join(lines) + "\n")

    def run_as_fake(self, body: str) -> None:
        """Name a program that notes its arguments and environment, and does something."""
        script = self.home / "fake.py"
        script.write_text(FAKE.format(body=body))
        self.run_as(write_program(self.home / "fake", f'"{script}"'))

    def noted(self, name: str) -> Any:
        """What the fake program noted."""
        return json.loads((self.home / f"{name}.json").read_text("utf-8"))

    def process(self, *arguments: str) -> str:
        """Run `qgis_process`; return what it prints."""
        command = [QGIS_PROCESS, "run", *arguments]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=280)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def inside(self, scenario: str, *arguments: object) -> Any:
        """Run a function of `in_qgis`; return what it returns."""
        command = [DEBIANS_PYTHON, str(Path(__file__).with_name("in_qgis.py")), scenario, *map(str, arguments)]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=280)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture
def qgis(tmp_path: Path) -> Qgis:
    need_qgis()
    (tmp_path / "home").mkdir()
    return Qgis(tmp_path / "home")


@pytest.fixture
def naip(tmp_path: Path) -> Path:
    """A copy, since QGIS writes statistics beside what it shows."""
    path = tmp_path / "naip.tif"
    path.write_bytes((files("sat2map.bundled") / "naip.tif").read_bytes())
    return path


def test_qgis_process_translates_and_vectorizes(qgis: Qgis, naip: Path, tmp_path: Path) -> None:
    classes, vectors = tmp_path / "classes.tif", tmp_path / "map.gpkg"
    said = qgis.process("sat2map:translate", "--", f"INPUT={naip}", f"OUTPUT={classes}", "CONFIDENCE=true")
    assert f"CONFIDENCE_LAYER:\t{tmp_path / 'classes_confidence.tif'}" in said
    expected = tmp_path / "expected.tif"
    command = [sys.executable, "-m", "sat2map", "translate", str(naip), "-o", str(expected), "--classes", "--quiet"]
    subprocess.run(command, check=True)
    with rasterio.open(classes) as made, rasterio.open(expected) as by_hand:
        pixels = made.read(1)
        assert np.array_equal(pixels, by_hand.read(1))
        assert made.transform == by_hand.transform
    said = qgis.process("sat2map:vectorize", "--", f"INPUT={classes}", f"OUTPUT={vectors}", "MIN_AREA=5")
    assert f"AREAS:\t{vectors}|layername=areas" in said
    areas = pyogrio.read_dataframe(vectors, layer="areas")
    assert areas["area_m2"].min() >= 5
    # Of the pixels that are roads, whatever small areas of others became.
    share = areas["area_m2"][areas["class"].isin(["road", "major road"])].sum() / areas["area_m2"].sum()
    assert share == pytest.approx(np.isin(pixels, [1, 2]).mean(), abs=0.005)
    assert len(pyogrio.read_dataframe(vectors, layer="roads")) >= 1


def test_part_of_a_scene_is_drawn(qgis: Qgis, naip: Path, tmp_path: Path) -> None:
    west, north, east, south = 557719.3, 3648357.1, 557779.3, 3648317.1
    box = f"EXTENT={west},{east},{south},{north} [EPSG:26911]"
    qgis.process("sat2map:translate", "--", f"INPUT={naip}", f"OUTPUT={tmp_path / 'a.tif'}", box, "DRAW=1")
    with rasterio.open(tmp_path / "a.tif") as made:
        assert made.count == 3
        assert np.allclose(made.bounds, (west, south, east, north), atol=0.7)


def test_project_shows_names_and_colours_of_classes(qgis: Qgis, naip: Path, tmp_path: Path) -> None:
    found = qgis.inside("project", naip, tmp_path)
    assert found["layers"] == ["Roads", "Junctions", "Areas", "Map", "image"]
    assert found["legends"]["Map"][1:] == list(CLASS_NAMES)
    assert found["legends"]["Areas"] == list(CLASS_NAMES)
    assert found["legends"]["Roads"] == ["road", "major road"]
    with rasterio.open(tmp_path / "classes.tif") as made:
        share = (made.read(1) == 2).mean()
    for name in ("shown_1.png", "shown_2.png"):
        with Image.open(tmp_path / name) as image:
            pixels = np.asarray(image.convert("RGB")).astype(float)
        # The lines of roads are drawn over the areas, in three fifths of their colour.
        shade = pixels[..., :1] / 251
        is_major = (abs(pixels - shade * (251, 158, 38)).max(-1) < 8) & (shade[..., 0] > 0.58)
        assert is_major.mean() == pytest.approx(share, abs=0.015), name


def test_live_map_is_a_layer_and_ends(qgis: Qgis, naip: Path, tmp_path: Path) -> None:
    found = qgis.inside("serve", naip, tmp_path)
    assert found == {"status": 200, "name": "naip (live map)", "ended": True}
    with Image.open(tmp_path / "live.png") as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    tones = CLASSES[2].colours_rgb
    assert (np.abs(pixels[..., None, :] - tones).max(-1) < 8).any(-1).mean() > 0.05


def test_cancel_ends_the_process(qgis: Qgis, naip: Path, tmp_path: Path) -> None:
    # It may be interrupted as soon as it has printed.
    wait = "try: print('progress: 7 %', flush=True); time.sleep(200)"
    qgis.run_as_fake(f"{wait}\nexcept KeyboardInterrupt: (here / 'tidied').touch()")
    found = qgis.inside("cancel", naip, tmp_path)
    assert found["progress"] == [7]
    assert found["found"].get("OUTPUT") is None
    assert found["seconds"] < 60
    assert (qgis.home / "tidied").exists()


def test_process_gets_nothing_of_qgis_and_its_error_is_shown(qgis: Qgis, naip: Path, tmp_path: Path) -> None:
    qgis.run_as_fake("print('error: bad scene: é'); print('hint: another'); sys.exit(2)")
    assert qgis.inside("fail", naip, tmp_path) == "error: bad scene: é\nhint: another"
    assert "GDAL_DATA" not in qgis.noted("environment")
    qgis.run_as(None)
    assert "Settings > Options > sat2map" in qgis.inside("fail", naip, tmp_path)
    qgis.run_as(tmp_path / "nothing")
    assert "cannot be run" in qgis.inside("fail", naip, tmp_path)


def test_adapt_takes_layers_as_they_are_shown(qgis: Qgis, naip: Path) -> None:
    features = [
        {"type": "Feature", "properties": {"highway": kind}, "geometry": {"type": "Point", "coordinates": [-116, 32]}}
        for kind in ("primary", "service")
    ]
    town = qgis.home / "town.geojson"
    town.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    qgis.run_as_fake("")
    found = qgis.inside("adapt", naip, qgis.home)
    assert found["words"][:2] == ["adapt", str(naip)]
    assert found["words"][-2:] == ["-o", str(qgis.home / "town.onnx")]
    # Each file once; a layer with a filter, and one of memory, as copies.
    assert found["vectors"][0] == str(town)
    assert found["counts"] == [2, 1, 0]


def test_button_runs_what_it_says(qgis: Qgis, tmp_path: Path) -> None:
    wheel = tmp_path / "sat2map-9-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("sat2map_nine.py", "def main(): print('nine')\n")
        archive.writestr("sat2map-9.dist-info/METADATA", "Metadata-Version: 2.1\nName: sat2map\nVersion: 9\n")
        archive.writestr("sat2map-9.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("sat2map-9.dist-info/entry_points.txt", "[console_scripts]\nsat2map = sat2map_nine:main\n")
        archive.writestr("sat2map-9.dist-info/RECORD", "")
    qgis.run_as(None)
    found = qgis.inside("install", wheel, tmp_path)
    ran = [line[2:] for line in found["output"].splitlines() if line.startswith("> ")]
    assert ran == found["shown"].splitlines()
    assert found["output"].splitlines()[-1] == "installed"
    done = subprocess.run([found["program"]], check=True, capture_output=True, text=True, env=os.environ)
    assert done.stdout == "nine\n"
