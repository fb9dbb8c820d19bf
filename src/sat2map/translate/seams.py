"""How far two ways of tiling the same scene lie apart, measured on the scene itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from sat2map.arrays import UInt8
from sat2map.model.card import Card
from sat2map.tiling import Difference, Window, difference, padded_size
from sat2map.tiling.blending import STEP_PX
from sat2map.translate.scene_drawing import SceneDrawing
from sat2map.translate.settings import Settings

PROBE_CORE_PX = 512
"""Side of the windows on which a mode's difference is measured."""

Translate = Callable[[UInt8, Settings], UInt8]


def mode_difference(drawing: SceneDrawing, card: Card, translate: Translate) -> Difference | None:
    """Measure, in the middle of a scene, what a mode that is not exact costs.

    The mode `fast` is compared with the exact margin, the others with a tiling half a window further.

    Returns:
        None where the mode is exact, or the scene is drawn in one window.
    """
    plan, settings = drawing.plan, drawing.settings
    mode = settings.mode_for(card)
    if mode == "exact" or len(plan.windows) == 1:
        return None
    side = 3 * PROBE_CORE_PX
    middle = Window((plan.height - side) // 2, (plan.width - side) // 2, side, side)
    image = drawing.read_model_grid(middle.clipped(plan.height, plan.width))
    probe = dataclasses.replace(settings, core_px=PROBE_CORE_PX, confidence=False, familiarity=False, classes=False)
    if mode == "fast":
        return difference(translate(image, probe), translate(image, dataclasses.replace(probe, mode="exact")))
    return shift_difference(image, card, probe, translate)


def shift_difference(image_hwc: UInt8, card: Card, settings: Settings, translate: Translate) -> Difference:
    """Compare a tiling with the same one half a window further, away from the image's border.

    Args:
        image_hwc: uint8, shape (H, W, 3), sides of more than two windows.
        card: of the model.
        settings: how the image is tiled.
        translate: draws an image with some settings.
    """
    # By a whole number of strides: else the network itself would see the ground at another phase.
    half_px = padded_size(settings.core_px // 2, 0, card.stride)[0]
    shift = STEP_PX // 2 if settings.mode_for(card) == "blend" else half_px
    # Near the image's own border the two tilings see it in different positions.
    away = min(card.margin_px + card.stride, (min(image_hwc.shape[:2]) - shift) // 3)
    first = translate(image_hwc, settings)[shift:, shift:]
    second = translate(image_hwc[shift:, shift:], settings)
    inner = np.s_[away:-away, away:-away]
    return difference(first[inner], second[inner])
