"""At what scale `adapt` learns and compares."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio import Affine

from sat2map.adapt.request import AdaptRequest
from sat2map.adapt.scale import scale_of
from sat2map.data.ground import GroundOptions
from sat2map.vector.draw_style import load_style


@pytest.mark.parametrize(("gsd_m", "model_m"), [(0.2, 0.8), (0.9, 0.9), (3.0, 2.4)])
def test_models_are_compared_at_the_scale_at_which_the_first_one_draws_the_scene(
    tmp_path: Path, gsd_m: float, model_m: float
) -> None:
    scene = tmp_path / "scene.tif"
    grid = {"crs": "EPSG:32618", "transform": Affine(gsd_m, 0, 580_000, 0, -gsd_m, 4_510_000)}
    with rasterio.open(scene, "w", driver="GTiff", height=1600, width=1600, count=3, dtype="uint8", **grid) as dataset:
        dataset.write(np.full((3, 1600, 1600), 90, np.uint8))
    request = AdaptRequest((str(scene),), (), tmp_path / "town.onnx", load_style("areas"), GroundOptions())
    scale = scale_of(request)
    assert scale.model_m == pytest.approx(model_m, rel=0.01)
    assert scale.scored_px * scale.model_m == pytest.approx(scale.pair_px * gsd_m, rel=0.05)
