"""The layout of a raster follows from its file and from what is asked, before any pixel is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from sat2map.errors import SceneError
from sat2map.scene.georeference import Grid
from sat2map.scene.layout import RasterLayout, raster_layout
from sat2map.scene.mask import NodataMask, OwnMask
from sat2map.scene.options import MaskBand, MaskFile, NoMask, ReadOptions, parse_mask
from sat2map.scene.source import open_scene
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
        ({}, OwnMask((1, 2, 3))),
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
    assert [remark.endswith("so it is ignored") for remark in found.remarks] == [True] * (not is_mask)


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


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["blue", "green", "red"], (3, 2, 1)),
        (["Blue", "Green", "Red", "NIR"], (3, 2, 1)),
        (["coastal_blue", "blue", "green_band", "yellow", "Red (665 nm)", "red edge", "Near-Infrared red"], (5, 3, 2)),
        (["B02 blue", "B03 green", "B04 red", "B05 red edge 1"], (3, 2, 1)),
        (["green", "red", "nir"], (1, 2, 3)),
        (["red", "red", "green", "blue"], (1, 2, 3)),
    ],
)
def test_bands_are_found_by_their_descriptions(
    tmp_path: Path, names: list[str], expected: tuple[int, int, int]
) -> None:
    path = write_raster(tmp_path / "a.tif", random_bands(len(names)), photometric="minisblack", **PLACE)
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = names
    found = layout(path)
    assert found.bands == expected
    assert any("said to be red, green and blue" in remark for remark in found.remarks) == (expected != (1, 2, 3))
    assert layout(path, bands=(1, 2, 3)).bands == (1, 2, 3)


def test_descriptions_say_more_than_colours_that_gdal_gave_by_itself(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", random_bands(3), photometric="RGB", **PLACE)
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = ["blue", "green", "red"]
    assert layout(path).bands == (3, 2, 1)


@pytest.mark.parametrize("nodata_in", [(1, 2, 3), (2,), (4,)])
def test_bands_that_have_no_nodata_value_make_nothing_valid(tmp_path: Path, nodata_in: tuple[int, ...]) -> None:
    bands = random_bands(4)
    bands[:3, :7] = 0
    bands[3] = 9
    write_raster(tmp_path / "a.tif", bands, photometric="minisblack", **PLACE)
    rows = "".join(
        f'<VRTRasterBand dataType="Byte" band="{i}">{"<NoDataValue>0</NoDataValue>" if i in nodata_in else ""}'
        f'<SimpleSource><SourceFilename relativeToVRT="1">a.tif</SourceFilename><SourceBand>{i}</SourceBand>'
        "</SimpleSource></VRTRasterBand>"
        for i in range(1, 5)
    )
    vrt = tmp_path / "a.vrt"
    vrt.write_text(f'<VRTDataset rasterXSize="50" rasterYSize="40">{rows}</VRTDataset>')
    with open_scene(vrt) as scene:
        valid = scene.valid(Window(0, 0, 40, 50))
    np.testing.assert_array_equal(valid, (bands[0] != 0) | (nodata_in == (4,)))


def test_crs_that_is_asked_for_is_the_scenes(tmp_path: Path) -> None:
    alone = write_raster(tmp_path / "a.tif", random_bands(3), transform=PLACE["transform"])
    wrong = write_raster(tmp_path / "b.tif", random_bands(3), **PLACE)
    for path in (alone, wrong):
        found = layout(path, crs="EPSG:2263")
        assert (found.grid.crs.to_epsg(), found.grid.transform, found.remarks) == (2263, PLACE["transform"], ())
    with pytest.raises(SceneError, match="`crs` is none that is known"):
        layout(alone, crs="EPSG:999999")
    nowhere = write_raster(tmp_path / "c.tif", random_bands(3))
    with pytest.raises(SceneError, match="no transform"), open_scene(nowhere, ReadOptions(crs="EPSG:2263")):
        pass
