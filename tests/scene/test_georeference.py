"""Where a scene lies: boxes whatever turn their longitudes are on, and where one sheet of the Earth ends."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rasterio import Affine
from rasterio.crs import CRS
from rasterio.errors import CRSError
from rasterio.transform import from_origin
from rasterio.warp import transform

from sat2map.errors import OutputError, SceneError
from sat2map.scene.destination import check_grid
from sat2map.scene.georeference import Grid, box_window, ends_where_web_tiles_end, raster_grid
from sat2map.scene.gsd import ground_gsd
from sat2map.scene.options import ReadOptions
from sat2map.scene.source import open_scene
from sat2map.tiling import Window

from .rasters import PLACE, random_bands, write_raster

(FIJI_X,), (FIJI_Y,) = transform("EPSG:4326", "EPSG:32760", [179.9999], [-17.0])
PLACES: dict[str, tuple[str, Affine, str]] = {
    "UTM 60S across": ("EPSG:32760", from_origin(FIJI_X - 100, FIJI_Y, 1, 1), "180th meridian"),
    "degrees across": ("EPSG:4326", from_origin(179.999, 10, 1e-5, 1e-5), "180th meridian"),
    "Mercator of the Pacific across": ("EPSG:3832", from_origin(3339584 - 150, 1000, 1, 1), "180th meridian"),
    "north pole": ("EPSG:3413", from_origin(-100, 100, 1, 1), "pole"),
    "south pole": ("EPSG:3031", from_origin(-100, 100, 1, 1), "pole"),
    "beyond 85 degrees": ("EPSG:4326", from_origin(10, 86, 1e-5, 1e-5), "pole"),
    "around the pole": ("EPSG:3413", from_origin(-2e6, 2e6, 2e4, 2e4), "pole"),
    "Mars": ("+proj=longlat +R=3396190", from_origin(10, 10, 1e-5, 1e-5), "degrees on the Earth"),
    "UTM 60S beside": ("EPSG:32760", from_origin(FIJI_X - 300, FIJI_Y, 1, 1), ""),
    "longitude 286": ("EPSG:4326", from_origin(286, 41, 1e-5, 1e-5), ""),
    "to the very meridian": ("EPSG:4326", from_origin(180 - 200e-5, 10, 1e-5, 1e-5), ""),
    "whole Earth": ("EPSG:4326", from_origin(-180, 90, 1.8, 0.9), ""),
    "whole Web Mercator": ("EPSG:3857", from_origin(-20037508.34, 20037508.34, 200375.0834, 200375.0834), ""),
    "Greenwich": ("EPSG:32630", from_origin(700000, 5700000, 1, 1), ""),
}


@pytest.mark.parametrize("place", PLACES)
def test_web_tiles_are_refused_before_any_work_where_they_end(place: str) -> None:
    crs, where, expected = PLACES[place]
    grid = Grid(200, 200, CRS.from_user_input(crs), where)
    reason = ends_where_web_tiles_end(grid)
    assert (reason is None) == (not expected), reason
    assert expected in (reason or "")
    for ending in ("mbtiles", "pmtiles"):
        if expected:
            with pytest.raises(OutputError, match=expected):
                check_grid(Path(f"map.{ending}"), grid)
        else:
            check_grid(Path(f"map.{ending}"), grid)
    check_grid(Path("map.tif"), grid)


@pytest.mark.parametrize("west", [286.0, -74.0, 646.0])
@pytest.mark.parametrize("turn", [-360, 0, 360])
@pytest.mark.parametrize("box_crs", [None, "EPSG:4326"])
def test_box_in_degrees_is_found_on_whatever_turn_either_counts(west: float, turn: int, box_crs: str | None) -> None:
    grid = Grid(200, 300, CRS.from_epsg(4326), from_origin(west, 41, 0.01, 0.01))
    box = (-73.5 + turn, 40.0, -73.0 + turn, 40.5)
    assert box_window(grid, box, box_crs, "a.tif") == Window(50, 50, 50, 50)
    with pytest.raises(SceneError, match="beside the scene"):
        box_window(grid, (-20.0, 40.0, -19.0, 40.5), box_crs, "a.tif")


def test_box_of_web_mercator_is_found_in_longitudes_beyond_180() -> None:
    grid = Grid(200, 300, CRS.from_epsg(4326), from_origin(286, 41, 0.01, 0.01))
    (west, east), (south, north) = transform("EPSG:4326", "EPSG:3857", [-73.5, -73.0], [40.0, 40.5])
    assert box_window(grid, (west, south, east, north), "EPSG:3857", "a.tif") == Window(50, 50, 50, 50)


class Unspeakable:
    """A dataset with a CRS that PROJ cannot express."""

    transform, height, width = from_origin(0, 9, 1, 1), 9, 9

    @property
    def crs(self) -> Any:
        raise CRSError("The WKT could not be parsed.\nOGR Error code 6")


def test_crs_that_cannot_be_expressed_is_one_line_and_another_can_be_given() -> None:
    with pytest.raises(SceneError, match=r"cannot be expressed .*parsed\. OGR Error code 6") as caught:
        raster_grid(Unspeakable(), None, "a.tif", [])
    assert caught.value.hint == "`crs` says which it is"
    assert raster_grid(Unspeakable(), "EPSG:2263", "a.tif", []).crs == CRS.from_epsg(2263)


@pytest.mark.parametrize("asked", [None, "EPSG:2263"])
def test_crs_whose_name_is_not_utf8_is_one_line_and_another_can_be_given(tmp_path: Path, asked: str | None) -> None:
    bands, laea = random_bands(3), CRS.from_string("+proj=laea +lat_0=52 +lon_0=10 +ellps=GRS80")
    path = write_raster(tmp_path / "a.tif", bands, crs=laea, transform=PLACE["transform"], photometric="RGB")
    content = path.read_bytes()
    # A citation, as German programs write one.
    path.write_bytes(content.replace(b"unknown|", b"unb\xfcrgt|", 1))
    assert path.read_bytes() != content
    if asked is None:
        with pytest.raises(SceneError, match="CRS cannot be expressed") as caught, open_scene(path):
            pass
        assert caught.value.hint == "`crs` says which it is"
        return
    with open_scene(path, ReadOptions(crs=asked)) as scene:
        assert (scene.grid.crs, scene.grid.transform) == (CRS.from_user_input(asked), PLACE["transform"])
        np.testing.assert_array_equal(scene.read(Window(0, 0, 40, 50)), np.moveaxis(bands, 0, -1))
        assert scene.files == (path,)


@pytest.mark.parametrize("numbers", [(0, 0, 5e5, 0, 0, 4e6), (float("nan"), 0, 5e5, 0, -1, 4e6), (1, 2, 0, 2, 4, 0)])
def test_transform_that_leads_nowhere_is_none_and_that_is_said(tmp_path: Path, numbers: tuple[float, ...]) -> None:
    path = write_raster(tmp_path / "a.tif", random_bands(3), crs="EPSG:32618", transform=Affine(*numbers))
    with open_scene(path) as scene:
        assert (scene.grid.transform, scene.grid.crs) == (None, None)
        assert [remark[:28] for remark in scene.remarks] == ["has a transform that leads n"]
        assert ground_gsd(scene.grid) is None


def test_crs_without_a_transform_is_said_to_be_lost(tmp_path: Path) -> None:
    with open_scene(write_raster(tmp_path / "a.tif", random_bands(3), crs="EPSG:32618")) as scene:
        assert scene.remarks == ("has a CRS and no transform, so its map has no georeference",)


def test_scene_with_rpcs_alone_says_that_its_map_lies_nowhere(tmp_path: Path) -> None:
    from rasterio.rpc import RPC

    numbers = {f"{kind}_{side}": 1.0 for kind in ("line", "samp", "lat", "long", "height") for side in ("off", "scale")}
    lists = {f"{kind}_{part}_coeff": [1.0] + [0.0] * 19 for kind in ("line", "samp") for part in ("num", "den")}
    path = write_raster(tmp_path / "a.tif", random_bands(3), rpcs=RPC(**numbers, **lists))
    with warnings.catch_warnings(), open_scene(path) as scene:
        assert scene.remarks == ("has RPCs and no transform, so its map has no georeference",)
