from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio import Affine

from sat2map.classes import CLASSES, COLOURS_RGB, MapClass, classify
from sat2map.errors import DataError, SceneError
from sat2map.tiling import Window
from sat2map.vector.class_file import ColourTable, open_class_raster, read_class_table

PLACE: dict[str, Any] = {"crs": "EPSG:32633", "transform": Affine(1, 0, 5e5, 0, -1, 5e6)}
RNG = np.random.default_rng(0)


def raster(path: Path, bands: Any, palette: Any = None, mask: Any = None, **profile: Any) -> Path:
    """Write bands, shape (B, H, W)."""
    bands = np.asarray(bands)
    size = {"count": len(bands), "height": bands.shape[1], "width": bands.shape[2], "dtype": bands.dtype}
    profile = PLACE | profile | size
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "w", driver="GTiff", **profile) as dataset:
        if palette:
            dataset.write_colormap(1, palette)
        dataset.write(bands)
        if mask is not None:
            dataset.write_mask(mask)
    return path


def test_colours_are_looked_up_as_the_table_says() -> None:
    rgb = RNG.integers(0, 256, (50, 60, 3), np.uint8)
    table = ColourTable(CLASSES)
    for _ in range(2):
        np.testing.assert_array_equal(table.classify(np.moveaxis(rgb, -1, 0)), classify(rgb))


def test_a_map_with_its_mask_and_the_confidence_beside_it(tmp_path: Path) -> None:
    rgb = COLOURS_RGB[RNG.integers(0, len(COLOURS_RGB), (8, 9))]
    valid = RNG.random((8, 9)) < 0.7
    path = raster(tmp_path / "a.tif", np.moveaxis(rgb, -1, 0), mask=valid)
    confidence = RNG.integers(0, 256, (8, 9), np.uint8)
    raster(tmp_path / "a_confidence.tif", confidence[None])
    with open_class_raster(path) as classes:
        assert (classes.grid.height, classes.grid.width) == (8, 9)
        read = classes.read(Window(2, 3, 5, 4))
    np.testing.assert_array_equal(read.classes_hw, classify(rgb)[2:7, 3:7])
    np.testing.assert_array_equal(read.valid_hw, valid[2:7, 3:7])
    assert read.confidence_hw is not None
    np.testing.assert_array_equal(read.confidence_hw, confidence[2:7, 3:7])


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint32])
def test_numbers_of_classes(tmp_path: Path, dtype: Any) -> None:
    numbers = RNG.integers(0, 6, (5, 5)).astype(dtype)
    numbers[0, 0] = 99
    path = raster(tmp_path / "a.tif", numbers[None], nodata=99)
    with open_class_raster(path) as classes:
        read = classes.read(Window(0, 0, 5, 5))
    assert read.valid_hw.sum() == 24
    np.testing.assert_array_equal(read.classes_hw[read.valid_hw], numbers[read.valid_hw])


FOREIGN = {0: (0, 100, 0), 1: (0, 0, 255)}


@pytest.mark.parametrize(
    ("bands", "options", "words"),
    [
        (np.zeros((1, 4, 4), np.float32), {}, "neither classes nor a map"),
        (np.zeros((3, 4, 4), np.uint16), {}, "neither classes nor a map"),
        (np.zeros((5, 4, 4), np.uint8), {}, "neither classes nor a map"),
        (np.full((1, 4, 4), 6, np.uint8), {}, "holds 6, and the classes are 0 to 5"),
        (np.full((1, 4, 4), -1, np.int16), {}, "holds -1"),
        (np.full((3, 4, 4), 40, np.uint8), {}, "no map"),
        (np.zeros((1, 4, 4), np.uint8), {"crs": None}, "no CRS"),
        (np.zeros((1, 4, 4), np.uint8), {"palette": FOREIGN}, "colour table"),
    ],
)
def test_what_is_no_raster_of_classes_is_told(tmp_path: Path, bands: Any, options: Any, words: str) -> None:
    path = raster(tmp_path / "a.tif", bands, **options)
    with pytest.raises(SceneError, match=words), open_class_raster(path) as classes:
        classes.read(Window(0, 0, 4, 4))


def test_a_missing_or_broken_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "b.tif").write_bytes(b"II*\0 is no raster")
    for name, words in (("a.tif", "no such file"), ("b.tif", "cannot be opened")):
        with pytest.raises(SceneError, match=words), open_class_raster(tmp_path / name):
            pass


def test_confidence_of_another_size_is_told(tmp_path: Path) -> None:
    path = raster(tmp_path / "a.tif", np.zeros((1, 4, 4), np.uint8))
    other = raster(tmp_path / "b.tif", np.zeros((1, 3, 4), np.uint8))
    with pytest.raises(SceneError, match="confidence"), open_class_raster(path, confidence=other):
        pass


@pytest.mark.parametrize(
    ("n_bands", "place"), [(1, {"transform": Affine(1, 0, 5e5 + 4, 0, -1, 5e6)}), (3, {})], ids=["elsewhere", "a map"]
)
def test_confidence_of_another_place_and_a_map_are_no_confidence(tmp_path: Path, n_bands: int, place: Any) -> None:
    path = raster(tmp_path / "a.tif", np.zeros((1, 4, 4), np.uint8))
    other = raster(tmp_path / "b.tif", np.zeros((n_bands, 4, 4), np.uint8), **place)
    with pytest.raises(SceneError, match="on the grid of its map"), open_class_raster(path, confidence=other):
        pass


def test_confidence_of_an_older_map_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = raster(tmp_path / "a.tif", np.zeros((1, 4, 4), np.uint8))
    beside = raster(tmp_path / "a_confidence.tif", np.full((1, 4, 4), 99, np.uint8))
    for model, is_its_own in (("open", True), ("newyork", False)):
        for file, product, drawn_by in ((path, "map", "open"), (beside, "confidence", model)):
            with rasterio.open(file, "r+") as dataset:
                dataset.update_tags(SAT2MAP_MODEL=drawn_by, SAT2MAP_PRODUCT=product)
        with open_class_raster(path) as classes:
            assert (classes.read(Window(0, 0, 4, 4)).confidence_hw is not None) == is_its_own
        assert ("of another map" in caplog.text) != is_its_own


def test_classes_of_others(tmp_path: Path) -> None:
    file = tmp_path / "classes.toml"
    file.write_text(
        '[[classes]]\nname = "forest"\ncolours_rgb = [[0, 100, 0]]\n'
        '[[classes]]\nname = "sea"\ncolours_rgb = [[0, 0, 255], [0, 0, 200]]\n'
    )
    table = read_class_table(file)
    assert table == (MapClass("forest", ((0, 100, 0),)), MapClass("sea", ((0, 0, 255), (0, 0, 200))))
    numbers = RNG.integers(0, 2, (1, 4, 4)).astype(np.uint8)
    path = raster(tmp_path / "a.tif", numbers, palette=FOREIGN)
    with open_class_raster(path, table) as classes:
        np.testing.assert_array_equal(classes.read(Window(0, 0, 4, 4)).classes_hw, numbers[0])


@pytest.mark.parametrize(
    "text",
    ["", "classes = 3", "[[classes]]\nname='a'", "[[classes]]\nname='a'\ncolours_rgb=[[1,2]]",
     "[[classes]]\nname='a'\ncolours_rgb=[[1,2,300]]", "[[classes]]\nname='a'\ncolours_rgb=[]", "\xff="],
)  # fmt: skip
def test_a_class_table_that_is_none_is_told(tmp_path: Path, text: str) -> None:
    file = tmp_path / "classes.toml"
    file.write_text(text, encoding="latin-1")
    with pytest.raises(DataError, match="class table"):
        read_class_table(file)
