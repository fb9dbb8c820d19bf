"""Benchmark of seams: how well windows meet in each mode, and how good the map is; writes no file."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sat2map.arrays import UInt8
from sat2map.errors import ModelFileError, SceneError
from sat2map.evaluate.metrics import score_image, total
from sat2map.scene.source import Source, open_scene
from sat2map.tiling import Window, border_ratio, difference
from sat2map.tiling.blend import STEP_PX
from sat2map.translate import Mode, Settings, Translator
from sat2map.translate.seams import shift_difference

BLOCK_PX = 300
"""Side of the squares that are scored."""
LARGEST_PX = 2**26
"""Largest scene in pixels: it is held in memory whole."""


def bench_seams(
    translator: Translator, scene_path: str | Path, truth_path: Path | None, settings: Settings, modes: Sequence[Mode]
) -> list[dict[str, Any]]:
    """Measure the seams of a scene, and the quality of its map, in each mode.

    Args:
        translator: draws the maps.
        scene_path: scene that fits into memory.
        truth_path: true map of the scene on the same grid; None: quality is not measured.
        settings: settings of the drawing; their mode is replaced.
        modes: modes to measure; put `exact` first where the model has it, since the others are compared with it.

    Returns:
        One record per mode; for a mode that the model does not have, the record says why.

    Raises:
        SceneError: the scene is too large, or the truth lies on another grid.
    """
    with open_scene(scene_path, rule=translator.stretch_rule) as scene:
        drawing = translator.drawing(scene, settings)
        planned = drawing.plan
        if planned.height * planned.width > LARGEST_PX:
            raise SceneError("scene is too large to be held whole", scene_path, hint="measure on a part of it")
        everything = Window(0, 0, planned.height, planned.width)
        sat_hwc = drawing.read_model_grid(everything)
        truth_hwc = None if truth_path is None else _truth(truth_path, scene)
        exact: UInt8 | None = None
        records = []
        for mode in modes:
            of_mode = dataclasses.replace(settings, mode=mode)
            begun = time.process_time()
            try:
                map_hwc = translator.translate(sat_hwc, of_mode)
            except ModelFileError as error:
                records.append({"mode": mode, "not measured": f"{error}; {error.hint}"})
                continue
            record: dict[str, Any] = {"mode": mode, "cpu_s": round(time.process_time() - begun, 1)}
            shift = shift_difference(sat_hwc, translator.card, of_mode, translator.translate)
            record["shift_difference"] = shift._asdict()
            side_px = STEP_PX if mode == "blend" else of_mode.core_px
            record["border_ratio"] = border_ratio(map_hwc, side_px)
            exact = map_hwc if mode == "exact" else exact
            if exact is not None:
                # The ratio of a map without seams is not 1 either where streets happen to run along a border.
                record["border_ratio_of_exact"] = border_ratio(exact, side_px)
                record["from_exact"] = difference(map_hwc, exact)._asdict()
            if truth_hwc is not None:
                whole = Window(0, 0, scene.grid.height, scene.grid.width)
                smooth = of_mode.head is not None and of_mode.head != "crisp"
                map_on_scene = planned.model_grid.to_scene_grid(map_hwc, everything, whole, smooth=smooth)
                record["quality"] = _quality(map_on_scene, truth_hwc, scene)
            records.append(record)
    return records


def _truth(path: Path, scene: Source) -> UInt8:
    with open_scene(path) as truth:
        grid = truth.grid
        if (grid.height, grid.width) != (scene.grid.height, scene.grid.width):
            raise SceneError("true map is not on the scene's grid", path, hint="give one of the same size")
        return truth.read(Window(0, 0, grid.height, grid.width))


def _quality(map_hwc: UInt8, truth_hwc: UInt8, scene: Source) -> dict[str, float]:
    blocks = list(_blocks(scene))
    scores = [score_image(map_hwc[b.slices], truth_hwc[b.slices], BLOCK_PX) for b in blocks]
    if not scores:
        return {}
    measured = total(scores)
    names = ("road_f1", "cldice", "miou", "acc5", "rmse")
    return {"n_blocks": len(blocks), **{name: round(float(getattr(measured, name)), 4) for name in names}}


def _blocks(scene: Source) -> Iterator[Window]:
    """Iterate over the squares of a scene whose pixels are all valid."""
    for row in range(0, scene.grid.height - BLOCK_PX + 1, BLOCK_PX):
        for col in range(0, scene.grid.width - BLOCK_PX + 1, BLOCK_PX):
            block = Window(row, col, BLOCK_PX, BLOCK_PX)
            if not scene.has_mask or scene.valid(block).all():
                yield block
