"""Benchmark of translation: a whole scene, its stages one after the other, and the share of the processor's peak."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import rasterio

from sat2map.bench.peak import bench_peak
from sat2map.errors import MissingExtraError
from sat2map.scene.pieces import ENVIRONMENT
from sat2map.scene.source import open_scene
from sat2map.tiling.blending import TILE_PX
from sat2map.translate import Progress, SceneDrawing, Settings, TranslationJob, Translator
from sat2map.translate.job import RowWriter


def bench_translate(translator: Translator, scene_path: str | Path, settings: Settings) -> dict[str, Any]:
    """Time the translation of a scene, as it is and its stages one after the other, of which nothing overlaps.

    Args:
        translator: draws the map.
        scene_path: scene that is translated.
        settings: settings of the drawing.

    Returns:
        `n_px` of the scene, `px_per_s` delivered; seconds (`s`) and processor seconds (`cpu_s`) of the `whole`;
        processor seconds of the `stages` reading, network and writing; `clock_over_cores`, the time by the clock over
        the stages' processor seconds shared by all cores; and `peak` of `bench_peak`, or why it was not measured.
    """
    with TemporaryDirectory() as folder:
        out = Path(folder) / "map.tif"
        whole = _timed(lambda: translator.translate_file(scene_path, out, settings))
        stages = time_stages(translator, scene_path, out, settings)
    with open_scene(scene_path) as scene:
        n_px = scene.grid.height * scene.grid.width
    sum_s = sum(stages.values())
    return {
        "n_px": n_px, "px_per_s": n_px / whole["s"], "whole": whole, "stages": stages,
        "cpu_over_stages": whole["cpu_s"] / sum_s,
        "clock_over_cores": whole["s"] / (sum_s / (os.cpu_count() or 1)), "peak": _peak(translator),
    }  # fmt: skip


def time_stages(translator: Translator, scene_path: str | Path, out: Path, settings: Settings) -> dict[str, float]:
    """Translate a scene to a file, one stage of one window after the other: processor seconds of each stage."""
    spent = dict.fromkeys(("reading", "network", "writing"), 0.0)
    last_s = time.process_time()

    def mark(stage: str) -> None:
        nonlocal last_s
        now_s = time.process_time()
        spent[stage] += now_s - last_s
        last_s = now_s

    def draw_in_turn(drawing: SceneDrawing, job: TranslationJob, _progress: Progress) -> None:
        mark("reading")  # opening, and deciding a stretch
        writer = RowWriter(job)
        for row, windows in enumerate(job.plan.rows):
            for window in windows:
                with rasterio.Env(**ENVIRONMENT):
                    read = drawing.read(window)
                mark("reading")
                layers = drawing.draw_read(read)
                mark("network")
                writer.write(row, read, layers)
                mark("writing")
        writer.finish()

    translator.translate_file(scene_path, out, settings, overwrite=True, draw_rows=draw_in_turn)
    mark("writing")
    return spent


def _peak(translator: Translator) -> dict[str, Any]:
    try:
        return {str(kind): rates for kind, rates in bench_peak(translator.engine).items()}
    except MissingExtraError as error:
        return {"not measured": str(error)}


def bench_versus(
    translator: Translator, other: Translator, scene_path: str | Path, settings: Settings, n_rounds: int = 3
) -> dict[str, float]:
    """Time the translation of a scene by two models, by turns.

    Args:
        translator: first model, which draws the scene with `settings`.
        other: second model, which draws the scene in tiles of 256 px without a margin, which is fastest and has seams;
            and at the end once without seams.
        scene_path: scene that both models see at the same GSD, since otherwise they do not do the same work.
        settings: settings for the first model.
        n_rounds: number of rounds, of which medians are taken.

    Returns:
        Pixels per second of `model`, `other_tiles` and `other_exact`, and the ratios of the first to the others.
    """
    tiles = Settings(core_px=TILE_PX, margin_px=0, mode="fast")
    with TemporaryDirectory() as folder, open_scene(scene_path) as scene:
        out, n_px = Path(folder) / "map.tif", scene.grid.height * scene.grid.width

        def seconds(by: Translator, of_settings: Settings) -> float:
            return _timed(lambda: by.translate_file(scene_path, out, of_settings, overwrite=True))["s"]

        rounds = [(seconds(translator, settings), seconds(other, tiles)) for _ in range(n_rounds)]
        own_s, tiles_s = (median(column) for column in zip(*rounds, strict=True))
        exact_s = seconds(other, Settings())
    return {
        "model": n_px / own_s, "other_tiles": n_px / tiles_s, "other_exact": n_px / exact_s,
        "over_other_tiles": tiles_s / own_s, "over_other_exact": exact_s / own_s,
    }  # fmt: skip


def _timed(work: Callable[[], object]) -> dict[str, float]:
    clock, cpu = time.perf_counter(), time.process_time()
    work()
    return {"s": time.perf_counter() - clock, "cpu_s": time.process_time() - cpu}
