from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import rasterio
from click.testing import CliRunner, Result
from PIL import Image

from sat2map.arrays import UInt8
from sat2map.classes import CLASSES
from sat2map.cli import demo as demo_module
from sat2map.cli.main import sat2map
from sat2map.engine import Engine
from sat2map.model.card import Card
from sat2map.translate import Translator

RESULTS = [
    "city.tif", "city_map.tif", "city_sheet.png", "city_truth.tif", "naip.tif", "naip_map.tif", "naip_sheet.png",
    "town.png", "town_map.png", "town_sheet.png",
]  # fmt: skip


class Threshold:
    """Calls what is middling grey a road, and the rest land."""

    card = Card(
        name="threshold", architecture="compact", configuration={}, gsd_m=(0.5, 1.0), normalization="frozen",
        stride=8, receptive_radius_px=0, margin_px=0,
    )  # fmt: skip

    precision, outputs = "float32", card.heads

    def with_precision(self, _precision: str) -> Threshold:
        return self

    def shared_by(self, _n_runs: int) -> None:
        pass

    def run(self, sat_bhwc: UInt8, output: str) -> UInt8:
        grey = sat_bhwc.mean(-1, keepdims=True)
        return np.where((grey > 62) & (grey < 95), (255, 255, 255), (232, 229, 222)).astype(np.uint8)

    def run_outputs(self, sat_bhwc: UInt8, outputs: Sequence[str]) -> dict[str, UInt8]:
        return {name: self.run(sat_bhwc, name) for name in outputs}


@pytest.fixture
def small_demo(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The command in an empty folder, with a small city and a model that needs no file."""
    engine = cast(Engine, Threshold())
    monkeypatch.setattr(Translator, "load", classmethod(lambda cls, model: cls(engine)))
    monkeypatch.setattr(demo_module, "CITY_PX", 256)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(sat2map, arguments)


def test_demo_writes_maps_and_images_and_says_how_good_they_are(small_demo: Path) -> None:
    result = _run("demo")
    assert result.exit_code == 0, result.output
    assert sorted(p.name for p in (small_demo / "demo").iterdir()) == RESULTS
    assert "road_f1" in result.stdout
    assert "threshold" in result.stdout
    with rasterio.open("demo/city_map.tif") as drawn, rasterio.open("demo/city_truth.tif") as truth:
        assert drawn.transform == truth.transform
        assert drawn.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        right = np.moveaxis(truth.read(), 0, -1)
    with Image.open("demo/city_sheet.png") as sheet:
        pixels = np.asarray(sheet)
    # The sheet shows the truth last, enlarged twice.
    assert np.array_equal(pixels[: 2 * 256 : 2, -2 * 256 :: 2], right)
    caption, legend = pixels[2 * 256 : 2 * 256 + 30], pixels[2 * 256 + 30 :]
    assert (caption < 128).any(), "no caption"
    assert {rgb for kind in CLASSES for rgb in kind.colours_rgb} <= {
        tuple(map(int, rgb)) for rgb in legend.reshape(-1, 3)
    }
    assert result.stdout.index("Long Beach") < result.stdout.index("synthetic city")
    assert "next: sat2map translate YOUR_SCENE.tif -o map.tif\n" in result.stderr
    with Image.open("demo/town.png") as town, Image.open("demo/town_map.png") as town_map:
        assert town.size == town_map.size == (256, 256)


def test_demo_runs_again_in_its_own_folder(small_demo: Path) -> None:
    assert _run("demo").exit_code == 0
    first = (small_demo / "demo" / "city_map.tif").stat().st_mtime_ns
    again = _run("demo", "--quiet")
    assert again.exit_code == 0, again.output
    assert again.stdout == ""
    assert (small_demo / "demo" / "city_map.tif").stat().st_mtime_ns > first


def test_demo_spares_what_is_in_another_folder(small_demo: Path) -> None:
    (small_demo / "mine").mkdir()
    (small_demo / "mine" / "city_sheet.png").write_bytes(b"mine")
    result = _run("demo", "-o", "mine")
    assert result.exit_code == 2
    assert "output exists" in result.stderr
    assert [p.name for p in (small_demo / "mine").iterdir()] == ["city_sheet.png"]
    assert _run("demo", "-o", "mine", "--overwrite").exit_code == 0
    assert (small_demo / "mine" / "city_sheet.png").read_bytes() != b"mine"


def test_demo_works_without_the_extra_that_scores(small_demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "skimage.morphology", None)
    result = _run("demo")
    assert result.exit_code == 0, result.output
    assert "sat2map[eval]" in result.stderr
    assert sorted(p.name for p in (small_demo / "demo").iterdir()) == RESULTS


def test_synth_writes_a_scene_and_pairs(tmp_path: Path) -> None:
    scene = _run("data", "synth", str(tmp_path / "s.tif"), "--scene", "96", "--seed", "3")
    assert scene.exit_code == 0, scene.output
    pairs = _run("data", "synth", str(tmp_path / "p"), "--pairs", "1")
    assert pairs.exit_code == 0, pairs.output
    with Image.open(tmp_path / "p" / "1.png") as pair:
        assert pair.size == (1200, 600)
    assert {p.name for p in tmp_path.iterdir()} == {"s.tif", "s_truth.tif", "p"}


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["new"], "either --pairs or --scene"),
        (["new.tif", "--pairs", "1", "--scene", "96"], "either --pairs or --scene"),
        (["new.png", "--scene", "96"], "written as GeoTIFF"),
        (["old.tif", "--scene", "96"], "output exists: 'old.tif'"),
        (["half.tif", "--scene", "96"], "output exists: 'half_truth.tif'"),
        (["nowhere/new.tif", "--scene", "96"], "no such folder"),
        (["full", "--pairs", "1"], "not empty: 'full'"),
        (["old.tif", "--pairs", "1"], "not a folder: 'old.tif'"),
        (["new", "--pairs", "0"], "0"),
        (["new.tif", "--scene", "3"], "3"),
    ],
)
def test_synth_refuses(arguments: list[str], found: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    for name in ("old.tif", "half_truth.tif", "full/1.png"):
        (tmp_path / name).touch()
    before = sorted(tmp_path.rglob("*"))
    result = _run("data", "synth", *arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert found in result.stderr
    assert "hint: " in result.stderr
    assert sorted(tmp_path.rglob("*")) == before
