"""The layout of a raster follows from its file and from what is asked, before any pixel is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from sat2map.scene.georeference import Grid
from sat2map.scene.layout import NodataMask, OwnMask, RasterLayout, raster_layout
from sat2map.scene.options import MaskBand, MaskFile, NoMask, ReadOptions, parse_mask
from sat2map.tiling import Window

from .rasters import PLACE, random_bands, write_raster


class NoPixels:
    """A dataset that tells everything but its pixels."""

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset

    def __getattr__(self, name: str) -> Any:
        assert not name.startswith("read"), "pixels are read"
        return getattr(self._dataset, name)


def layout(path: Path, **options: Any) -> RasterLayout:
    with rasterio.open(path) as dataset:
        return raster_layout(NoPixels(dataset), ReadOptions(**options), path)


def test_layout_of_a_raster_of_three_bands(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", random_bands(3), photometric="RGB", **PLACE)
    grid = Grid(40, 50, PLACE["crs"], PLACE["transform"])
    assert layout(path) == RasterLayout(Window(0, 0, 40, 50), grid, (1, 2, 3), np.dtype("uint8"), None, NoMask())


def test_part_of_a_raster_has_the_georeference_of_the_part(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", random_bands(3), **PLACE)
    whole = Grid(40, 50, PLACE["crs"], PLACE["transform"])
    part = whole.part(Window(5, 10, 20, 30))
    west, north = part.transform.c, part.transform.f
    box = (west, north + 20 * part.transform.e, west + 30 * part.transform.a, north)
    found = layout(path, bbox=box)
    assert (found.window, found.grid) == (Window(5, 10, 20, 30), part)


def test_what_is_asked_of_the_mask_wins_over_the_file(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", random_bands(3), nodata=0, **PLACE)
    cases: list[tuple[dict[str, Any], object]] = [
        ({}, OwnMask()),
        ({"nodata": 3.0}, NodataMask(3.0)),
        ({"nodata": 3.0, "mask": NoMask()}, NoMask()),
        ({"mask": MaskBand(2)}, MaskBand(2)),
        ({"mask": MaskFile("m.tif")}, MaskFile("m.tif")),
    ]
    for options, expected in cases:
        found = layout(path, **options)
        assert (found.valid_where, found.has_mask) == (expected, expected != NoMask())


@pytest.mark.parametrize("is_mask", [True, False])
def test_alpha_counts_where_its_values_are_those_of_a_mask(tmp_path: Path, is_mask: bool) -> None:
    bands = random_bands(4)
    if is_mask:
        bands[3] = np.where(bands[3] > 100, 255, 0)
    path = write_raster(tmp_path / "a.tif", bands, photometric="RGB", alpha="yes", **PLACE)
    with rasterio.open(path) as dataset:
        found = raster_layout(dataset, ReadOptions(), path)
    assert found.valid_where == (MaskBand(4) if is_mask else NoMask())
    assert [remark.endswith(f"so it is ignored: {path}") for remark in found.remarks] == [True] * (not is_mask)


def test_layout_of_a_raster_of_indices_holds_their_colours(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    with rasterio.open(path, "w", driver="GTiff", height=4, width=5, count=1, dtype="uint8", **PLACE) as dataset:
        dataset.write(np.ones((1, 4, 5), np.uint8))
        dataset.write_colormap(1, {1: (9, 8, 7, 255)})
    found = layout(path)
    assert found.palette is not None
    assert (found.bands, found.palette[1], len(found.palette)) == ((1, 1, 1), (9, 8, 7), 256)


def test_numbers_that_can_be_none_are_a_mask_of_their_own(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", random_bands(3).astype(np.float32), **PLACE)
    found = layout(path, mask=NoMask())
    assert (found.valid_where, found.has_mask) == (NoMask(), True)


def test_mask_is_read_from_words() -> None:
    assert [parse_mask(text) for text in (None, "none", "4", "4.tif", "²")] == [
        None, NoMask(), MaskBand(4), MaskFile("4.tif"), MaskFile("²"),
    ]  # fmt: skip
