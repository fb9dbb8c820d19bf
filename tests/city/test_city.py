from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from scipy.ndimage import binary_erosion

from sat2map.arrays import UInt8
from sat2map.city import City, CityOptions, city, truth_path, write, write_pairs, write_scene
from sat2map.city.narrow import narrowed
from sat2map.city.options import STEEPEST, light
from sat2map.classes import CLASS_NAMES, CLASSES, COLOURS_RGB, ROAD_CLASSES, classify
from sat2map.data.pairs import Pair, list_pairs, read_pair
from sat2map.errors import OutputError
from sat2map.tiling import Window
from tests.peak import PRINT_PEAK_MIB

BUILDING_RGB = CLASSES[0].colours_rgb[1]
MOTORWAY_RGB = CLASSES[2].colours_rgb[0]
MUCH_CROSSES = CityOptions(river_every_m=700, motorway_every_m=700)
NOTHING_CROSSES = CityOptions(river_every_m=1e9, railway_every_m=1e9, motorway_every_m=1e9)


@pytest.fixture(scope="module")
def towns() -> list[Pair]:
    return [city(400, 400, seed=seed, options=MUCH_CROSSES) for seed in range(6)]


def _shares(map_hwc: UInt8) -> dict[str, float]:
    counts = np.bincount(classify(map_hwc).ravel(), minlength=len(CLASSES))
    return dict(zip(CLASS_NAMES, counts / counts.sum(), strict=True))


@cache
def _mean_share(options: CityOptions, name: str) -> float:
    return float(np.mean([_shares(city(256, 256, seed=seed, options=options).target_hwc)[name] for seed in range(3)]))


def _inner(mask: np.ndarray) -> np.ndarray:
    """Without edges, which are soft in the image."""
    return binary_erosion(mask, iterations=2)


def test_city_same_seed_gives_same_pixels(towns: list[Pair]) -> None:
    again = city(400, 400, seed=1, options=MUCH_CROSSES)
    assert np.array_equal(towns[1].source_hwc, again.source_hwc)
    assert np.array_equal(towns[1].target_hwc, again.target_hwc)


def test_city_other_seed_gives_another_city(towns: list[Pair]) -> None:
    assert (towns[1].target_hwc != towns[2].target_hwc).any(-1).mean() > 0.2


@pytest.mark.parametrize("size_px", [(1, 1), (64, 200), (257, 96)])
def test_city_has_the_size_asked_for(size_px: tuple[int, int]) -> None:
    for half in city(*size_px, seed=3):
        assert half.shape == (*size_px, 3)
        assert half.dtype == np.uint8


def test_light_shows_as_much_of_the_hills_wherever_the_sun_stands() -> None:
    lights = [light(CityOptions(), np.random.default_rng(seed)) for seed in range(20)]
    shown = [np.hypot(*one.relief.sizes) / np.hypot(*one.shadow) for one in lights]
    assert np.allclose(shown, STEEPEST)


@pytest.mark.parametrize("corner", [(0, 0), (230, 240), (129, 7)])
def test_window_is_the_same_ground_as_in_a_larger_one(towns: list[Pair], corner: tuple[int, int]) -> None:
    """A polygon whose edge passes exactly between two pixels may differ there: hence not all pixels."""
    window = Window(*corner, 150, 130)
    part = City(1, options=MUCH_CROSSES).draw(window)
    whole = Pair(*(half[window.slices] for half in towns[1]))
    assert (part.target_hwc != whole.target_hwc).any(-1).mean() < 2e-4
    assert (part.source_hwc != whole.source_hwc).any(-1).mean() < 1e-3


def test_window_does_not_depend_on_what_was_drawn_before() -> None:
    drawn = City(4)
    first = drawn.draw(Window(-90, 40, 80, 100))
    drawn.draw(Window(-60, 90, 80, 100))
    drawn.draw(Window(40_000, -70_000, 64, 64))
    again = drawn.draw(Window(-90, 40, 80, 100))
    assert np.array_equal(first.source_hwc, again.source_hwc)
    assert np.array_equal(first.target_hwc, again.target_hwc)
    assert first.source_hwc.std() > 5


def test_map_has_no_colour_outside_the_palette(towns: list[Pair]) -> None:
    found = np.unique(np.stack([town.target_hwc for town in towns]).reshape(-1, 3), axis=0)
    assert {tuple(rgb) for rgb in found.tolist()} <= {tuple(rgb) for rgb in COLOURS_RGB.tolist()}


def test_towns_together_have_every_class(towns: list[Pair]) -> None:
    shares = _shares(np.concatenate([town.target_hwc for town in towns]))
    assert min(shares.values()) > 0.001, shares
    assert 0.08 < shares["road"] + shares["major road"] < 0.3, shares
    assert shares["land"] > 0.4, shares


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"street_m": 16.0}, "road"),
        ({"avenue_m": 45.0}, "road"),
        ({"park_share": 0.9}, "park"),
        ({"block_m": (60.0, 45.0)}, "road"),
    ],
)
def test_plan_changes_what_it_names(change: dict[str, Any], name: str) -> None:
    usual, other = (_mean_share(options, name) for options in (NOTHING_CROSSES, replace(NOTHING_CROSSES, **change)))
    assert other > usual + 0.02


@pytest.mark.parametrize(
    ("family", "rgb"),
    [("motorway_every_m", MOTORWAY_RGB), ("river_every_m", CLASSES[3].colours_rgb[0])],
)
def test_plan_says_how_often_something_crosses(family: str, rgb: tuple[int, int, int]) -> None:
    change: dict[str, Any] = {family: 420.0}
    options = replace(NOTHING_CROSSES, **change)
    assert (city(400, 400, seed=1, options=options).target_hwc == rgb).all(-1).mean() > 0.01


def test_plan_without_curves_has_straight_streets() -> None:
    options = replace(NOTHING_CROSSES, curviness=0.0, irregularity=0.0)
    straight = City(2, options=options)._layout.bend
    line = straight(np.linspace((0.0, 0.0), (900.0, 300.0), 20))
    assert np.allclose(np.diff(line, 2, axis=0), 0, atol=1e-9)


def test_season_changes_the_image_and_not_the_map() -> None:
    summer, winter = (
        city(200, 200, seed=2, options=replace(CityOptions(), season=season)) for season in ("summer", "winter")
    )
    assert np.array_equal(summer.target_hwc, winter.target_hwc)
    assert (summer.source_hwc != winter.source_hwc).any(-1).mean() > 0.02


def test_map_says_what_the_image_shows(towns: list[Pair]) -> None:
    grey = np.stack([town.source_hwc.mean(-1) for town in towns])
    of_class = np.stack([classify(town.target_hwc) for town in towns])
    buildings = np.stack([(town.target_hwc == BUILDING_RGB).all(-1) for town in towns])
    road, roof, water, green = (
        np.stack([_inner(mask) for mask in masks])
        for masks in (
            np.isin(of_class, ROAD_CLASSES),
            buildings,
            of_class == CLASS_NAMES.index("water"),
            of_class == CLASS_NAMES.index("park"),
        )
    )
    assert min(mask.sum() for mask in (road, roof, water, green)) > 1000
    assert 40 < np.median(grey[road]) < 85
    assert grey[roof].std() > 1.5 * grey[road].std()
    assert np.median(grey[water]) < 0.75 * np.median(grey[road])
    red, green_level, blue = np.stack([town.source_hwc for town in towns])[green].mean(0)
    assert green_level > red
    assert green_level > blue


def test_map_lies_exactly_on_the_image(towns: list[Pair]) -> None:
    """The grey of the images is explained best by the map where it is, not by the map a pixel or two aside."""

    def unexplained(town: Pair, shift: tuple[int, int]) -> float:
        grey = town.source_hwc.mean(-1)
        labels = np.unique(town.target_hwc.reshape(-1, 3), axis=0, return_inverse=True)[1].reshape(grey.shape)
        moved = np.roll(labels, shift, (0, 1))[4:-4, 4:-4].ravel()
        levels = grey[4:-4, 4:-4].ravel()
        n = np.bincount(moved)
        mean = np.bincount(moved, levels) / np.maximum(n, 1)
        return float(((levels - mean[moved]) ** 2).mean())

    # Shadows fall to the north and move roofs' look, so only the shift from west to east is sharp.
    shifts = range(-3, 4)
    assert min(shifts, key=lambda x: sum(unexplained(town, (0, x)) for town in towns)) == 0


def test_pairs_open_as_pairs(tmp_path: Path) -> None:
    write_pairs(tmp_path / "pairs", 2, size_px=128, seed=9)
    paths = list_pairs(tmp_path / "pairs")
    assert [p.name for p in paths] == ["1.png", "2.png"]
    pair = read_pair(paths[1])
    expected = city(128, 128, seed=(9, 2))
    assert np.array_equal(pair.source_hwc, expected.source_hwc)
    assert np.array_equal(pair.target_hwc, narrowed(expected.target_hwc))


def test_scene_has_a_place_and_its_truth_the_same(tmp_path: Path) -> None:
    path = tmp_path / "city.tif"
    assert write_scene(path, (200, 120), seed=6, gsd_m=0.5) == truth_path(path) == tmp_path / "city_truth.tif"
    expected = city(200, 120, seed=6, gsd_m=0.5)
    with rasterio.open(path) as scene, rasterio.open(truth_path(path)) as truth:
        assert scene.crs.to_epsg() == truth.crs.to_epsg() == 32618
        assert scene.res == truth.res == (0.5, 0.5)
        assert scene.transform == truth.transform
        assert np.array_equal(np.moveaxis(scene.read(), 0, -1), expected.source_hwc)
        assert np.array_equal(np.moveaxis(truth.read(), 0, -1), expected.target_hwc)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["city.tif", "city_truth.tif"]


def test_scene_of_many_windows_has_no_seam(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write, "WINDOW_PX", 96)
    write_scene(tmp_path / "city.tif", 200, seed=6)
    expected = city(200, 200, seed=6)
    with rasterio.open(tmp_path / "city.tif") as scene, rasterio.open(tmp_path / "city_truth.tif") as truth:
        assert (np.moveaxis(scene.read(), 0, -1) != expected.source_hwc).any(-1).mean() < 1e-3
        assert (np.moveaxis(truth.read(), 0, -1) != expected.target_hwc).any(-1).mean() < 1e-3


@pytest.mark.slow
def test_scene_memory_does_not_grow(tmp_path: Path) -> None:
    def peak_mib(side_px: int) -> int:
        code = (
            "import pathlib; from sat2map.city import write_scene;"
            f"write_scene(pathlib.Path(r'{tmp_path / 'city.tif'}'), {side_px});"
            f"{PRINT_PEAK_MIB}"
        )
        result = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
        return int(result.stdout.split()[-1])

    assert peak_mib(4 * write.WINDOW_PX) < peak_mib(2 * write.WINDOW_PX) + 60


def test_pairs_refuse_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError):
        write_pairs(tmp_path / "file" / "pairs", 1, size_px=64)
