from __future__ import annotations

import math
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from rasterio import Affine
from rasterio.crs import CRS
from rasterio.transform import from_origin

from sat2map.scene.georeference import Grid
from sat2map.scene.gsd import ground_gsd
from sat2map.scene.model_grid import ModelGrid, ResampledSource, choose_model_grid
from sat2map.scene.source import Source
from sat2map.tiling import Window

KNOWN = (1.2, 2.1)
MARS = (
    'PROJCS["Equirectangular MARS",GEOGCS["GCS_MARS",DATUM["D_MARS",SPHEROID["MARS_localRadius",3395000,0]],'
    'PRIMEM["Reference_Meridian",0],UNIT["degree",0.0174532925199433]],PROJECTION["Equirectangular"],'
    'PARAMETER["latitude_of_origin",0],PARAMETER["central_meridian",180],PARAMETER["standard_parallel_1",10],'
    'PARAMETER["false_easting",0],PARAMETER["false_northing",0],UNIT["metre",1]]'
)
SITE = (
    'ENGCRS["site",EDATUM["site"],CS[Cartesian,2],AXIS["e",east],AXIS["n",north],'
    'LENGTHUNIT["US survey foot",0.304800609601219]]'
)
UNKNOWN = 'LOCAL_CS["somewhere",UNIT["unknown",1]]'


def grid(crs: Any, x: float, y: float, px: float, py: float | None = None) -> Grid:
    return Grid(100, 100, CRS.from_user_input(crs), from_origin(x - 50 * px, y + 50 * (py or px), px, py or px))


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (grid(32618, 585000, 4510000, 0.9), (0.9, 0.9)),
        (grid(3857, -8238310, 4970241, 1.0), (math.cos(math.radians(40.71)),) * 2),
        (grid(4326, -74, 40.71, 1e-5), (1e-5 * 84_470, 1e-5 * 111_041)),
        (grid(4326, 10, 0, 1e-5), (1e-5 * 111_320, 1e-5 * 110_574)),
        (grid(2263, 980000, 200000, 3.0), (3.0 * 0.3048006,) * 2),
        (grid(MARS, 0, 0, 5.0), (5.0, 5.0)),
        (grid('LOCAL_CS["site",UNIT["foot",0.3048]]', 0, 0, 5.0), (5.0 * 0.3048,) * 2),
        (grid(SITE, 0, 0, 5.0), (5.0 * 0.3048006,) * 2),
        (grid('LOCAL_CS["mine",UNIT["metre",1]]', 0, 0, 5.0), (5.0, 5.0)),
        (grid('LOCAL_CS["mine",UNIT["kilometre",1000]]', 0, 0, 0.005), (5.0, 5.0)),
    ],
    ids=[
        "metres",
        "web mercator",
        "degrees",
        "degrees at the equator",
        "feet",
        "mars",
        "local feet",
        "local survey feet",
        "local metres",
        "local kilometres",
    ],
)
def test_ground_resolution_is_in_metres_whatever_the_crs(where: Grid, expected: tuple[float, float]) -> None:
    assert ground_gsd(where) == pytest.approx(expected, rel=0.003)


def test_ground_resolution_of_a_rotated_scene_is_the_length_of_its_pixels() -> None:
    turned = Affine(0.9, 0, 585000, 0, -0.9, 4510000) @ Affine.rotation(30) @ Affine.scale(1, 2)
    assert ground_gsd(Grid(10, 10, CRS.from_epsg(32618), turned)) == pytest.approx((0.9, 1.8), rel=0.002)


@pytest.mark.parametrize(
    "where",
    [Grid(9, 9), grid(UNKNOWN, 0, 0, 1.0)],
    ids=["no place", "unknown unit"],
)
def test_unknown_ground_resolution_leaves_the_scene_as_it_is_and_says_so(where: Grid) -> None:
    assert ground_gsd(where) is None
    model_grid = choose_model_grid(where, KNOWN)
    assert model_grid.is_scene_grid
    assert "give the GSD" in model_grid.reason
    assert model_grid.is_doubtful


@pytest.mark.parametrize(
    ("transform", "seen_px", "words"),
    [
        (
            from_origin(580000, 4510000, 4.0, 4.0),
            1905,
            "taken for metres (give the CRS or the GSD if you know it): 4 m",
        ),
        (from_origin(0, 0, 0.3, 0.3), 250, "taken for metres"),
        (from_origin(580000, 4510000, 1.5, 1.5), 1000, "taken for metres"),
        (from_origin(580000, 4510000, 30, 30), 1000, "too coarse"),
        (from_origin(10, 0.005, 2e-6, 2e-6), 184, "taken for degrees"),
    ],
)
def test_pixels_without_a_crs_are_counted_in_metres_or_degrees_and_that_is_said(
    transform: Affine, seen_px: int, words: str
) -> None:
    model_grid = choose_model_grid(Grid(1000, 1000, None, transform), KNOWN)
    assert model_grid.height == seen_px
    assert words in model_grid.reason
    assert model_grid.is_doubtful
    assert not choose_model_grid(Grid(1000, 1000, None, transform), KNOWN, gsd_m=1.5).is_doubtful


@pytest.mark.parametrize(
    ("gsd_m", "seen_px", "poor"),
    [
        (1.2, 1000, False),
        (1.081, 1000, False),
        (1.079, 899, False),
        (2.309, 1000, False),
        (0.3, 250, False),
        (2.4, 1143, False),
        (4.19, 1995, False),
        (4.21, 1000, True),
        (30, 1000, True),
    ],
)
def test_scene_outside_the_models_range_is_brought_to_its_nearest_end(gsd_m: float, seen_px: int, poor: bool) -> None:
    model_grid = choose_model_grid(Grid(1000, 1000), KNOWN, gsd_m)
    assert (model_grid.height, model_grid.width) == (seen_px, seen_px)
    assert (model_grid.is_scene_grid, model_grid.is_too_coarse) == (seen_px == 1000, poor)
    assert f"{gsd_m:.3g} m/px" in model_grid.reason


def test_pixels_that_are_not_square_become_square() -> None:
    model_grid = choose_model_grid(grid(4326, 10, 60, 5e-6), KNOWN)
    assert model_grid.height / model_grid.width == pytest.approx(2, rel=0.02)


class Array:
    """A source of an array."""

    def __init__(self, rgb: np.ndarray, valid: np.ndarray | None = None) -> None:
        self.rgb, self.mask, self.has_mask = rgb, valid, valid is not None
        self.grid = Grid(*rgb.shape[:2])

    def read(self, window: Window) -> np.ndarray:
        assert window == window.clipped(*self.rgb.shape[:2])
        return self.rgb[window.slices]

    def valid(self, window: Window) -> np.ndarray:
        assert self.mask is not None
        return self.mask[window.slices]


def array(rgb: np.ndarray, valid: np.ndarray | None = None) -> Source:
    return cast(Source, Array(rgb, valid))


def noise(height: int, width: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


sides = st.one_of(st.just(1), st.integers(1, 90))


@settings(max_examples=40)
@given(sides, sides, st.floats(0.1, 2), st.booleans(), st.integers(0, 2**32 - 1), st.data())
def test_windows_of_the_resampled_scene_agree_with_the_whole(
    height: int, width: int, factor: float, masked: bool, seed: int, data: st.DataObject
) -> None:
    seen_h, seen_w = max(1, round(height * factor)), max(1, round(width * factor))
    valid = np.random.default_rng(seed + 1).random((height, width)) < 0.7 if masked else None
    source = ResampledSource(array(noise(height, width, seed), valid), ModelGrid(height, width, seen_h, seen_w))
    whole, whole_valid = source.read(Window(0, 0, seen_h, seen_w))
    row, col = data.draw(st.integers(0, seen_h - 1)), data.draw(st.integers(0, seen_w - 1))
    window = Window(row, col, data.draw(st.integers(1, seen_h - row)), data.draw(st.integers(1, seen_w - col)))
    part, part_valid = source.read(window)
    np.testing.assert_array_equal(part, whole[window.slices])
    if masked:
        assert whole_valid is not None
        np.testing.assert_array_equal(part_valid, whole_valid[window.slices])


def test_resampling_in_strips_is_resampling_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    source = ResampledSource(array(noise(300, 200, 0)), ModelGrid(300, 200, 75, 51))
    at_once, _ = source.read(Window(0, 0, 75, 51))
    monkeypatch.setattr("sat2map.scene.model_grid.LARGEST_READ_PX", 5000)
    np.testing.assert_array_equal(source.read(Window(0, 0, 75, 51))[0], at_once)


@pytest.mark.parametrize("factor", [0.25, 0.6, 1.7])
def test_resampled_scene_is_what_pillow_makes_of_it(factor: float) -> None:
    rgb = np.asarray(Image.fromarray(noise(20, 30, 0)).resize((300, 200), Image.Resampling.BICUBIC))
    size = round(200 * factor), round(300 * factor)
    drawn, _ = ResampledSource(array(rgb), ModelGrid(200, 300, *size)).read(Window(0, 0, *size))
    expected = np.asarray(Image.fromarray(rgb).resize(size[::-1], Image.Resampling.BILINEAR))
    assert np.abs(drawn.astype(int) - expected)[2:-2, 2:-2].max() <= 2


@pytest.mark.parametrize("factor", [0.3, 1.5])
def test_no_dark_fringe_appears_beside_what_is_not_there(factor: float) -> None:
    rgb = np.full((80, 80, 3), 180, np.uint8)
    valid = np.ones((80, 80), bool)
    valid[20:50, :33] = False
    rgb[~valid] = 0
    size = round(80 * factor)
    drawn, seen = ResampledSource(array(rgb, valid), ModelGrid(80, 80, size, size)).read(Window(0, 0, size, size))
    assert seen is not None
    assert (drawn[seen] == 180).all()
    assert 0 < (~seen).mean() < (~valid).mean() + 0.02


@settings(max_examples=60)
@given(sides, sides, sides, sides, st.integers(9, 40), st.booleans(), st.integers(0, 99))
def test_laid_back_windows_are_a_partition_and_agree_with_the_whole(
    height: int, width: int, seen_h: int, seen_w: int, core: int, smooth: bool, seed: int
) -> None:
    model_grid = ModelGrid(height, width, seen_h, seen_w)
    image = noise(seen_h, seen_w, seed)
    everything = Window(0, 0, seen_h, seen_w)
    assert model_grid.scene_window(everything) == Window(0, 0, height, width)
    whole = model_grid.to_scene_grid(image, everything, model_grid.scene_window(everything), smooth=smooth)
    count = np.zeros((height, width), int)
    for row in range(0, seen_h, core):
        for col in range(0, seen_w, core):
            cell = Window(row, col, core, core).clipped(seen_h, seen_w)
            seen = cell.grown(1).clipped(seen_h, seen_w)
            home = model_grid.scene_window(cell)
            count[home.slices] += 1
            drawn = model_grid.to_scene_grid(image[seen.slices], seen, home, smooth=smooth)
            np.testing.assert_array_equal(drawn, whole[home.slices])
    assert (count == 1).all()


def test_flat_image_stays_flat_and_colours_stay_themselves() -> None:
    model_grid = ModelGrid(37, 53, 12, 80)
    image = np.where(np.indices((12, 80)).sum(0)[..., None] % 2, 10, 250).astype(np.uint8).repeat(3, -1)
    everything, home = Window(0, 0, 12, 80), Window(0, 0, 37, 53)
    assert set(np.unique(model_grid.to_scene_grid(image, everything, home, smooth=False))) == {10, 250}
    flat = np.full_like(image, 77)
    assert (model_grid.to_scene_grid(flat, everything, home, smooth=True) == 77).all()
