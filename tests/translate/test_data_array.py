"""A scene of xarray's gives the map that its file gives, with the same georeference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import rioxarray
import xarray
from rasterio import Affine
from rasterio.transform import from_origin

from sat2map import Settings, Translator
from sat2map.errors import SceneError
from sat2map.scene.options import ReadOptions
from sat2map.scene.stretch import StretchOption, StretchRule
from sat2map.translate.data_array import open_data_array
from tests.scene.rasters import PLACE, write_raster

from .test_scene import GRID, ground

NUMBERS = np.maximum(ground(90, 120), 1)
HOLE = np.zeros((90, 120), bool)
HOLE[10:40, 20:60] = True


@pytest.fixture(scope="module")
def bundled() -> Translator:
    return Translator.load(n_threads=1)


def opened(path: Path, **options: Any) -> Any:
    with rioxarray.open_rasterio(path, **options) as scene:
        return scene.load()


@pytest.mark.parametrize(
    ("numbers", "profile", "options"),
    [
        (NUMBERS, GRID, {}),
        (NUMBERS, PLACE, {}),
        (np.where(HOLE, 0, NUMBERS), {**GRID, "nodata": 0}, {}),
        (np.where(HOLE, 0, NUMBERS), {**GRID, "nodata": 0}, {"masked": True}),
        (NUMBERS.astype(np.uint16) * 20, GRID, {}),
        (np.where(HOLE, np.nan, NUMBERS).astype(np.float32), GRID, {}),
        (NUMBERS[:1], {**GRID, "transform": Affine(1.2, -0.9, 580000, -0.9, -1.2, 4510000)}, {}),
        (NUMBERS, {**GRID, "transform": from_origin(580000, 4510000, 1.5, -1.5)}, {}),
        (NUMBERS, {}, {}),
    ],
    ids=["bytes", "resampled", "nodata", "masked", "16 bits", "NaN", "grey, rotated", "south up", "no georeference"],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_map_of_an_array_is_that_of_its_file(
    bundled: Translator, tmp_path: Path, numbers: np.ndarray, profile: dict[str, Any], options: dict[str, Any]
) -> None:
    source, settings = write_raster(tmp_path / "a.tif", numbers, **profile), Settings("smooth", core_px=64)
    scene = opened(source, **options)
    # Where rioxarray has made decimal numbers of bytes, only this says that they were bytes.
    stretch: StretchOption | None = "none" if options else None
    drawn = bundled.translate_scene(scene, settings, stretch=stretch)
    bundled.translate_file(source, tmp_path / "map.tif", settings, reading=ReadOptions(stretch=stretch))
    expected = opened(tmp_path / "map.tif", mask_and_scale=False)
    np.testing.assert_array_equal(drawn, expected)
    assert drawn.dims == ("band", "y", "x")
    assert drawn.dtype == np.uint8
    assert drawn.rio.crs == scene.rio.crs == expected.rio.crs
    assert drawn.rio.transform() == scene.rio.transform() == expected.rio.transform()
    with rasterio.open(tmp_path / "map.tif") as dataset:
        is_valid = dataset.dataset_mask() > 0
    assert drawn.rio.nodata == (None if is_valid.all() else 0)
    np.testing.assert_array_equal((drawn != 0).any("band"), is_valid)


def test_part_of_an_array_lies_where_its_coordinates_say(bundled: Translator, tmp_path: Path) -> None:
    scene = opened(write_raster(tmp_path / "a.tif", NUMBERS, **GRID))
    part = scene.isel(x=slice(10, 60), y=slice(5, 45))
    drawn = bundled.translate_scene(part)
    assert drawn.rio.transform() == GRID["transform"] @ Affine.translation(10, 5)
    assert drawn.rio.bounds() == part.rio.bounds()
    for array in (part, part.drop_vars("spatial_ref"), part[:, :1, :1]):
        with open_data_array(array, None, StretchRule()) as source:
            assert source.grid.transform.almost_equals(part.rio.transform())
    with open_data_array(scene.isel(x=slice(None, None, 2), y=slice(None, None, 2)), None, StretchRule()) as source:
        assert (source.grid.transform.a, source.grid.transform.e) == (3.0, -3.0)


def test_classes_are_one_band_with_a_nodata_value(bundled: Translator, tmp_path: Path) -> None:
    scene = opened(write_raster(tmp_path / "a.tif", np.where(HOLE, 0, NUMBERS), nodata=0, **GRID))
    drawn = bundled.translate_scene(scene, Settings(classes=True, confidence=True))
    assert (drawn.shape, drawn.name, drawn.rio.nodata) == ((1, 90, 120), "classes", 255)
    np.testing.assert_array_equal(drawn[0] == 255, HOLE)


@pytest.mark.parametrize(
    ("scene", "found"),
    [
        (NUMBERS, "no DataArray"),
        (xarray.DataArray(NUMBERS, dims=("y", "x", "band")), "no DataArray of dims band, y, x"),
        (xarray.DataArray(NUMBERS > 9, dims=("band", "y", "x")), "no image"),
        (xarray.DataArray(NUMBERS[:2], dims=("band", "y", "x")), "2 bands"),
        (xarray.DataArray(NUMBERS, {"x": np.arange(120.0) ** 2, "y": np.arange(90.0)}, ("band", "y", "x")), "evenly"),
        (
            xarray.DataArray(
                NUMBERS, {"spatial_ref": ((), 0, {"crs_wkt": "nowhere"})}, ("band", "y", "x")
            ),
            "none that is known",
        ),
    ],
    ids=["an array", "other dims", "no numbers", "two bands", "uneven", "unknown CRS"],
)  # fmt: skip
def test_what_is_no_scene_is_refused(bundled: Translator, scene: Any, found: str) -> None:
    with pytest.raises(SceneError, match=found) as caught:
        bundled.translate_scene(scene)
    assert caught.value.hint
