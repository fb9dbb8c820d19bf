"""Benchmark of translation: a whole scene, compared with the network alone and with reading and writing alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from sat2map.arrays import UInt8
from sat2map.classes import COLOURS_RGB
from sat2map.engine import Engine
from sat2map.model.card import Card, WantedPrecision
from sat2map.model.onnx_file import CONFIDENCE, FAMILIARITY
from sat2map.scene.source import open_scene
from sat2map.tiling.blending import TILE_PX
from sat2map.translate import Settings, Translator
from sat2map.translate.scene_drawing import make_runner


class Instant:
    """An engine that takes no time: it looks up a colour of the palette for each brightness."""

    def __init__(self, card: Card) -> None:
        self.card, self.precision = card, card.precision
        self._table = COLOURS_RGB[np.arange(256) * len(COLOURS_RGB) // 256]

    def run(self, sat_bhwc: UInt8, output: str) -> UInt8:
        """See `Engine.run`."""
        drawn: UInt8 = self._table[sat_bhwc[..., 1]]
        return drawn

    @property
    def outputs(self) -> tuple[str, ...]:
        """See `Engine.outputs`."""
        return (*self.card.heads, CONFIDENCE, *([FAMILIARITY] if self.card.familiar_entropy else []))

    def run_outputs(self, sat_bhwc: UInt8, outputs: Sequence[str]) -> dict[str, UInt8]:
        """See `Engine.run_outputs`."""
        stride = self.card.stride
        others = {CONFIDENCE: sat_bhwc[..., :1], FAMILIARITY: sat_bhwc[:, ::stride, ::stride, :1]}
        return {name: others[name] if name in others else self.run(sat_bhwc, name) for name in outputs}

    def with_precision(self, _precision: WantedPrecision) -> Engine:
        """See `Engine.with_precision`."""
        return self

    def with_instance_normalization(self) -> Engine:
        """See `Engine.with_instance_normalization`."""
        return self


def bench_translate(translator: Translator, scene_path: str | Path, settings: Settings) -> dict[str, Any]:
    """Time the translation of a scene, the network alone, and reading and writing alone, one after the other.

    Args:
        translator: draws the map.
        scene_path: scene that is translated.
        settings: settings of the drawing.

    Returns:
        The pixels of the scene; seconds (`s`) and processor seconds (`cpu_s`) of the whole, of the network alone (all
        windows that are not empty, read beforehand) and of reading and writing alone (the network replaced by a table);
        and ratios of these.
    """
    with TemporaryDirectory() as folder:
        out = Path(folder) / "map.tif"
        whole = _timed(lambda: translator.translate_file(scene_path, out, settings))
        moved = Translator(Instant(translator.engine.card))
        transfer = _timed(lambda: moved.translate_file(scene_path, out, settings, overwrite=True))
    network = _network_alone(translator, scene_path, settings)
    with open_scene(scene_path) as scene:
        n_px = scene.grid.height * scene.grid.width
    larger = max(network["cpu_s"], transfer["cpu_s"])
    return {
        "n_px": n_px, "whole": whole, "network": network, "transfer": transfer,
        "px_per_s": n_px / whole["s"], "clock_over_larger_cpu": whole["s"] / larger,
        "clock_over_larger_clock": whole["s"] / max(network["s"], transfer["s"]),
        "cpu_over_sum": whole["cpu_s"] / (network["cpu_s"] + transfer["cpu_s"]),
    }  # fmt: skip


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


def _network_alone(translator: Translator, scene_path: str | Path, settings: Settings) -> dict[str, float]:
    spent = {"s": 0.0, "cpu_s": 0.0}
    run = make_runner(translator.engine, settings)
    with open_scene(scene_path, rule=translator.stretch_rule) as scene:
        drawing = translator.drawing(scene, settings)
        for window in drawing.plan.windows:
            sat_hwc = drawing.read(window).sat_hwc
            if sat_hwc is None:
                continue
            one = _timed(lambda sat_hwc=sat_hwc: run(sat_hwc))  # type: ignore[misc]
            spent = {key: spent[key] + one[key] for key in spent}
    return spent


def _timed(work: Callable[[], object]) -> dict[str, float]:
    clock, cpu = time.perf_counter(), time.process_time()
    work()
    return {"s": time.perf_counter() - clock, "cpu_s": time.process_time() - cpu}
