"""What a model sees of the roads of a scene: what vectors are aligned to."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np
import rasterio

from sat2map.arrays import Bool
from sat2map.errors import ModelFileError
from sat2map.scene.options import ReadOptions
from sat2map.tiling import Window
from sat2map.translate.settings import Settings
from sat2map.translate.translator import Translator

PredictedRoads = Callable[[Window], Bool]


def road_model(translator: Translator, reading: ReadOptions) -> Callable[[str], AbstractContextManager[PredictedRoads]]:
    """Make what opens a scene's roads as a model sees them, for `sat2map.data.ground.write_ground_pairs`.

    It draws the scene's classes once, to a file that is removed.

    Raises:
        ModelFileError: no class of the model is a road.
    """
    roads = translator.card.classes.road_classes
    if not roads:
        raise ModelFileError("model's classes have no roads to align by", translator.card.name, hint="`model` open")

    @contextmanager
    def open_predicted(scene: str) -> Iterator[PredictedRoads]:
        with tempfile.TemporaryDirectory() as folder:
            drawn = Path(folder) / "classes.tif"
            translator.translate_file(scene, drawn, Settings(classes=True), reading=reading)
            with rasterio.open(drawn) as dataset:
                yield lambda w: np.isin(dataset.read(1, window=w.slices), roads)

    return open_predicted
