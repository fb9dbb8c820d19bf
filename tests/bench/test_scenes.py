"""`bench seams` and `bench translate`, on scenes small enough to know what must come out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from sat2map.bench.seams import bench_seams
from sat2map.bench.translate import Instant, bench_translate, bench_versus
from sat2map.cli.main import sat2map
from sat2map.errors import SceneError
from sat2map.translate import Settings, Translator

from ..scene.rasters import random_bands, write_raster
from ..translate.test_scene import GRID, ground


class ByWindow(Instant):
    """A network with a seam: each window is as bright as its first pixel says."""

    def run(self, sat_bhwc: np.ndarray, output: str) -> np.ndarray:
        return np.broadcast_to(sat_bhwc[:, :1, :1], sat_bhwc.shape).copy()


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


def test_timing_tells_the_three_parts(translator: Translator, scene: Path) -> None:
    report = bench_translate(translator, scene, Settings(core_px=400))
    assert report["n_px"] == 800 * 800
    assert report["whole"]["cpu_s"] > report["transfer"]["cpu_s"]
    assert report["network"]["cpu_s"] > report["transfer"]["cpu_s"]
    assert 0.5 < report["cpu_over_sum"] < 2
    assert sorted(path.name for path in scene.parent.iterdir()) == ["a.tif"]


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
    assert json.loads(timing.stdout)["px_per_s"] > 0
    assert run("seams", scene, "--modes", "exakt").exit_code == 2
