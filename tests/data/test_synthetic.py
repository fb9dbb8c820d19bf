from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from scipy.ndimage import binary_erosion

from sat2map.data.pairs import Pair, list_pairs, read_pair
from sat2map.data.synthetic import city, truth_path, write_pairs, write_scene
from sat2map.errors import OutputError
from sat2map.palette import CLASS_NAMES, CLASSES, COLOURS_RGB, ROAD_CLASSES, UInt8, classify

BUILDING_RGB = CLASSES[0].colours_rgb[1]


@pytest.fixture(scope="module")
def town() -> Pair:
    return city(600, 600, seed=1)


def _shares(map_hwc: UInt8) -> dict[str, float]:
    counts = np.bincount(classify(map_hwc).ravel(), minlength=len(CLASSES))
    return dict(zip(CLASS_NAMES, counts / counts.sum(), strict=True))


def _inner(mask: np.ndarray) -> np.ndarray:
    """Without edges, which are soft in the picture."""
    return binary_erosion(mask, iterations=2)


def test_city_same_seed_gives_same_pixels(town: Pair) -> None:
    again = city(600, 600, seed=1)
    assert np.array_equal(town.source_hwc, again.source_hwc)
    assert np.array_equal(town.target_hwc, again.target_hwc)


def test_city_other_seed_gives_another_city(town: Pair) -> None:
    other = city(600, 600, seed=2)
    assert (town.target_hwc != other.target_hwc).any(-1).mean() > 0.2


@pytest.mark.parametrize("size_px", [(1, 1), (64, 200), (257, 96)])
def test_city_has_the_size_asked_for(size_px: tuple[int, int]) -> None:
    for half in city(*size_px, seed=3):
        assert half.shape == (*size_px, 3)
        assert half.dtype == np.uint8


def test_map_has_no_colour_outside_the_palette(town: Pair) -> None:
    found = np.unique(town.target_hwc.reshape(-1, 3), axis=0)
    assert {tuple(rgb) for rgb in found.tolist()} <= {tuple(rgb) for rgb in COLOURS_RGB.tolist()}


@pytest.mark.parametrize("seed", [4, 5])
def test_wide_city_has_every_class(seed: int) -> None:
    shares = _shares(city(900, 900, seed=seed).target_hwc)
    assert min(shares.values()) > 0.001, shares
    assert 0.15 < shares["road"] + shares["major road"] < 0.45, shares


def test_picture_is_as_dark_and_as_varied_as_new_york() -> None:
    pictures = np.stack([city(400, 400, seed=seed).source_hwc for seed in range(6)])
    assert 55 < pictures.mean() < 80
    assert 25 < pictures.std() < 55


def test_map_says_what_the_picture_shows(town: Pair) -> None:
    grey = town.source_hwc.mean(-1)
    of_class = classify(town.target_hwc)
    road = _inner(np.isin(of_class, ROAD_CLASSES))
    roof = _inner((town.target_hwc == BUILDING_RGB).all(-1))
    water = _inner(of_class == CLASS_NAMES.index("water"))
    green = _inner(of_class == CLASS_NAMES.index("park"))
    assert min(mask.sum() for mask in (road, roof, water, green)) > 1000
    assert 60 < np.median(grey[road]) < 100
    assert grey[roof].std() > 1.5 * grey[road].std()
    assert np.median(grey[water]) < 0.6 * np.median(grey[road])
    red, green_level, blue = town.source_hwc[green].mean(0)
    assert green_level > red
    assert green_level > 1.1 * blue


def test_map_lies_exactly_on_the_picture(town: Pair) -> None:
    """The grey of the picture is explained best by the map where it is, not by the map a pixel or two aside."""
    grey = town.source_hwc.mean(-1)
    labels = np.unique(town.target_hwc.reshape(-1, 3), axis=0, return_inverse=True)[1].reshape(grey.shape)

    def unexplained(shift: tuple[int, int]) -> float:
        moved = np.roll(labels, shift, (0, 1))[4:-4, 4:-4].ravel()
        levels = grey[4:-4, 4:-4].ravel()
        n = np.bincount(moved)
        mean = np.bincount(moved, levels) / np.maximum(n, 1)
        return float(((levels - mean[moved]) ** 2).mean())

    # Shadows fall to the north and move roofs' look, so only the shift from west to east is sharp.
    shifts = range(-3, 4)
    assert min(shifts, key=lambda x: unexplained((0, x))) == 0


def test_pairs_open_as_pairs(tmp_path: Path) -> None:
    write_pairs(tmp_path / "pairs", 2, size_px=128, seed=9)
    paths = list_pairs(tmp_path / "pairs")
    assert [p.name for p in paths] == ["1.png", "2.png"]
    pair = read_pair(paths[1])
    expected = city(128, 128, seed=(9, 2))
    assert np.array_equal(pair.source_hwc, expected.source_hwc)
    assert np.array_equal(pair.target_hwc, expected.target_hwc)


def test_scene_has_a_place_and_its_truth_the_same(tmp_path: Path) -> None:
    path = tmp_path / "city.tif"
    assert write_scene(path, 200, seed=6, gsd_m=0.5) == truth_path(path) == tmp_path / "city_truth.tif"
    expected = city(200, 200, seed=6, gsd_m=0.5)
    with rasterio.open(path) as scene, rasterio.open(truth_path(path)) as truth:
        assert scene.crs.to_epsg() == truth.crs.to_epsg() == 32618
        assert scene.res == truth.res == (0.5, 0.5)
        assert scene.transform == truth.transform
        assert np.array_equal(np.moveaxis(scene.read(), 0, -1), expected.source_hwc)
        assert np.array_equal(np.moveaxis(truth.read(), 0, -1), expected.target_hwc)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["city.tif", "city_truth.tif"]


def test_pairs_refuse_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError):
        write_pairs(tmp_path / "file" / "pairs", 1, size_px=64)
