"""At what scale a model learns its ground, and is compared with the one that it began with."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from sat2map.adapt.request import AdaptRequest
from sat2map.errors import DataError
from sat2map.model.bundled import read_card
from sat2map.scene.gsd import ground_gsd
from sat2map.scene.model_grid import choose_model_grid
from sat2map.scene.source import UNSTRETCHED, open_scene

PAIR_SIDES_PX = (608, 448, 304)
"""Of pairs at the scale at which the model draws: the largest of which there are enough."""
ENOUGH = 36


class Scale(NamedTuple):
    """At what scale a model learns, and how large pairs are."""

    gsd_m: float
    """Of the scenes, the median."""
    model_m: float
    """Of the model, metres per pixel."""
    pair_px: int
    """Side of a pair, in pixels of the scene."""

    @property
    def scored_px(self) -> int:
        """Side at which pairs are scored: that of the model's scale."""
        return round(self.pair_px * self.gsd_m / self.model_m / 16) * 16


def scale_of(request: AdaptRequest) -> Scale:
    """Look at the scenes: their GSD, the model's, and the largest pairs of which there are enough.

    At another scale than it knows, the model that this begins with would look worse than it is.
    """
    sizes, gsds, models_m = [], [], []
    known_m = read_card(request.model).gsd_m
    for scene in request.scenes:
        with open_scene(scene, request.ground.read, shared=UNSTRETCHED) as source:
            gsd = ground_gsd(source.grid)
            if gsd is None:
                raise DataError("scene has no georeference", scene, hint="rio edit-info --crs --transform")
            gsds.append((gsd[0] * gsd[1]) ** 0.5)
            sizes.append((source.grid.height, source.grid.width))
            sides = choose_model_grid(source.grid, known_m).scene_px_per_px
            models_m.append(gsds[-1] * math.prod(sides) ** 0.5)
    gsd_m, model_m = float(np.median(gsds)), float(np.median(models_m))
    pairs_px = [round(side * model_m / gsd_m / 16) * 16 for side in PAIR_SIDES_PX]
    numbers = [sum((height // side) * (width // side) for height, width in sizes) for side in pairs_px]
    side = next((side for side, n in zip(pairs_px, numbers, strict=True) if n >= ENOUGH), pairs_px[-1])
    return Scale(gsd_m, model_m, request.size_px or side)
