"""Benchmark of seams: how well windows meet in each mode, and how good the map is; writes no file."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sat2map.arrays import UInt8
from sat2map.classes import CLASSES
from sat2map.errors import ModelFileError, SceneError
from sat2map.evaluate.metrics import score_image, total
from sat2map.evaluate.predictor import check_table
from sat2map.scene.source import Source, open_scene
from sat2map.tiling import Window, border_ratio, difference
from sat2map.tiling.blending import STEP_PX
from sat2map.translate import Mode, SceneDrawing, Settings, Translator
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
        ModelFileError: the model's classes are not those of the truth, which are the default ones.
    """
    with open_scene(scene_path, rule=translator.stretch_rule) as scene:
        drawing = translator.drawing(scene, settings)
        if drawing.plan.height * drawing.plan.width > LARGEST_PX:
            raise SceneError("scene is too large to be held whole", scene_path, hint="measure on a part of it")
        if truth_path:
            check_table(translator.card, CLASSES, "the true map")
        truth_hwc = None if truth_path is None else _truth(truth_path, scene)
        modes_of_scene = _ModesOfScene(translator, scene, drawing, settings, truth_hwc)
        return [modes_of_scene.record(mode) for mode in modes]


class _ModesOfScene:
    """One scene, held whole on the model grid, that is drawn in one mode after the other.

    Args:
        translator: the model.
        scene: the scene, open.
        drawing: of the scene; its plan and its model grid are those of every mode.
        settings: how it is drawn, but for the mode.
        truth_hwc: its true map (uint8, shape (H, W, 3)) on the scene's grid, or None.
    """

    def __init__(
        self,
        translator: Translator,
        scene: Source,
        drawing: SceneDrawing,
        settings: Settings,
        truth_hwc: UInt8 | None,
    ) -> None:
        self._translator, self._scene, self._settings, self._truth_hwc = translator, scene, settings, truth_hwc
        self._plan = drawing.plan
        self._everything = Window(0, 0, self._plan.height, self._plan.width)
        self._sat_hwc = drawing.read_model_grid(self._everything)
        self._exact_hwc: UInt8 | None = None

    def record(self, mode: Mode) -> dict[str, Any]:
        """Draw the scene in a mode, and measure its map."""
        settings = dataclasses.replace(self._settings, mode=mode)
        begun = time.process_time()
        try:
            map_hwc = self._translator.translate(self._sat_hwc, settings)
        except ModelFileError as error:
            return {"mode": mode, "not measured": f"{error}; {error.hint}"}
        record: dict[str, Any] = {"mode": mode, "cpu_s": round(time.process_time() - begun, 1)}
        if mode == "exact":
            self._exact_hwc = map_hwc
        record |= self._seams(map_hwc, settings)
        if self._truth_hwc is not None:
            record["quality"] = _quality(self._on_scene_grid(map_hwc, settings), self._truth_hwc, self._scene)
        return record

    def _seams(self, map_hwc: UInt8, settings: Settings) -> dict[str, Any]:
        """How well windows meet: against other windows, at their borders, and against the exact map."""
        translator = self._translator
        shift = shift_difference(self._sat_hwc, translator.card, settings, translator.translate)
        side_px = STEP_PX if settings.mode == "blend" else settings.core_px
        seams = {"shift_difference": shift._asdict(), "border_ratio": border_ratio(map_hwc, side_px)}
        if self._exact_hwc is not None:
            # Where streets happen to run along a border, a map without any seam has no ratio of 1 either.
            seams["border_ratio_of_exact"] = border_ratio(self._exact_hwc, side_px)
            seams["from_exact"] = difference(map_hwc, self._exact_hwc)._asdict()
        return seams

    def _on_scene_grid(self, map_hwc: UInt8, settings: Settings) -> UInt8:
        whole = Window(0, 0, self._scene.grid.height, self._scene.grid.width)
        smooth = settings.head is not None and settings.head != "crisp"
        return self._plan.model_grid.to_scene_grid(map_hwc, self._everything, whole, smooth=smooth)


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
