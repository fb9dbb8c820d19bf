"""`bench seams` and `bench translate`, on scenes small enough to know what must come out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from click.testing import CliRunner, Result

from sat2map.arrays import UInt8
from sat2map.bench.seams import bench_seams
from sat2map.bench.translate import bench_translate, bench_versus, time_stages
from sat2map.cli.main import sat2map
from sat2map.errors import SceneError
from sat2map.model.card import Card, WantedPrecision
from sat2map.translate import Settings, Translator

from ..scene.rasters import random_bands, write_raster
from ..translate.test_scene import GRID, ground


class ByWindow:
    """A network with a seam: each window is as bright as its first pixel says."""

    def __init__(self, card: Card) -> None:
        self.card, self.precision, self.outputs = card, card.precision, card.heads

    def run_outputs(self, sat_bhwc: UInt8, outputs: Sequence[str]) -> dict[str, UInt8]:
        drawn = np.broadcast_to(sat_bhwc[:, :1, :1], sat_bhwc.shape).copy()
        return dict.fromkeys(outputs, drawn)

    def run(self, sat_bhwc: UInt8, head: str) -> UInt8:
        return self.run_outputs(sat_bhwc, [head])[head]

    def with_precision(self, _precision: WantedPrecision) -> ByWindow:
        return self

    def shared_by(self, _n_runs: int) -> None:
        pass

    def with_instance_normalization(self) -> ByWindow:
        return self


@pytest.fixture(scope="module")
def translator() -> Translator:
    return Translator.load(n_threads=1)


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    return write_raster(tmp_path / "a.tif", ground(800, 800), **GRID)


def test_exact_mode_has_no_seam_and_the_truth_of_itself_is_perfect(translator: Translator, scene: Path) -> None:
    truth = scene.with_name("truth.tif")
    translator.translate_file(scene, truth)
    records = bench_seams(translator, scene, truth, Settings(core_px=256), ["exact", "fast", "instance"])
    exact, fast, own = records
    assert exact["shift_difference"]["share"] <= 1e-5
    assert exact["border_ratio"] == exact["border_ratio_of_exact"]
    assert (exact["quality"]["acc5"], exact["quality"]["miou"]) == (100, 1)
    assert fast["mode"] == "fast"
    assert "normalization" in own["not measured"]


def test_network_with_a_seam_is_found_out(translator: Translator, scene: Path) -> None:
    broken = Translator(ByWindow(translator.engine.card))
    (record,) = bench_seams(broken, scene, None, Settings(core_px=64, margin_px=0), ["fast"])
    assert record["shift_difference"]["share"] > 0.5
    assert record["border_ratio"] > 1.5


def test_truth_of_another_size_is_refused(translator: Translator, scene: Path) -> None:
    truth = write_raster(scene.with_name("truth.tif"), random_bands(3), **GRID)
    with pytest.raises(SceneError, match="not on the scene's grid"):
        bench_seams(translator, scene, truth, Settings(), ["exact"])


def test_timing_tells_the_stages_which_are_the_whole(translator: Translator, scene: Path) -> None:
    report = bench_translate(translator, scene, Settings(core_px=400))
    assert report["n_px"] == 800 * 800
    assert report["stages"].keys() == {"reading", "network", "writing"}
    assert all(seconds > 0 for seconds in report["stages"].values())
    assert 0.5 < report["cpu_over_stages"] < 2
    assert sorted(path.name for path in scene.parent.iterdir()) == ["a.tif"]


def test_stages_draw_what_a_translation_draws(translator: Translator, scene: Path) -> None:
    whole, by_stages = scene.with_name("whole.tif"), scene.with_name("stages.tif")
    translator.translate_file(scene, whole, Settings(core_px=400))
    time_stages(translator, scene, by_stages, Settings(core_px=400))
    with rasterio.open(whole) as a, rasterio.open(by_stages) as b:
        np.testing.assert_array_equal(a.read(), b.read())


def test_timing_beside_another_model_is_by_turns_in_tiles_and_exact(
    translator: Translator, scene: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[tuple[int, int | None]] = []
    translate_file = Translator.translate_file

    def noted(self: Translator, source: Path, out: Path, settings: Settings, **how: Any) -> object:
        drawn.append((settings.core_px, settings.margin_px))
        return translate_file(self, source, out, settings, **how)

    monkeypatch.setattr(Translator, "translate_file", noted)
    rates = bench_versus(translator, translator, scene, Settings(core_px=400), n_rounds=2)
    assert drawn == [(400, None), (256, 0), (400, None), (256, 0), (Settings().core_px, None)]
    assert rates["over_other_tiles"] == pytest.approx(rates["model"] / rates["other_tiles"])


def run(*arguments: object) -> Result:
    return CliRunner().invoke(sat2map, ["bench", *map(str, arguments)])


def test_commands_print_lines_or_json(scene: Path) -> None:
    seams = run("seams", scene, "--modes", "exact", "--window", "256")
    assert seams.exit_code == 0, seams.output
    assert "half a window further" in seams.stdout
    timing = run("translate", scene, "--json")
    assert timing.exit_code == 0, timing.output
    report = json.loads(timing.stdout)
    assert report["px_per_s"] > 0
    assert "not measured" in report["peak"] or report["peak"]["float32"]["share"] > 0
    assert run("seams", scene, "--modes", "exakt").exit_code == 2
