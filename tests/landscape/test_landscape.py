from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import rasterio
from click.testing import CliRunner

from sat2map.city import truth_path
from sat2map.city.narrow import narrowed
from sat2map.classes import CLASS_NAMES, COLOURS_RGB, classify
from sat2map.cli.main import sat2map
from sat2map.data.pairs import Pair, list_pairs, read_pair
from sat2map.errors import OutputError
from sat2map.landscape import NAMES, drawn_name, landscape, write_pairs, write_scene
from sat2map.landscape.camera import camera, photograph
from sat2map.landscape.ground import MAP, Terrain
from sat2map.landscape.kinds import LANDSCAPES
from sat2map.landscape.towns import town
from sat2map.landscape.trees import plant, wood
from sat2map.landscape.wild import glades

WATER, PARK, PLACE = (CLASS_NAMES.index(name) for name in ("water", "park", "place"))
SIDE_PX, GSD_M = 150, 1.6
HAS = {
    "forest": ("park", "road"), "fields": ("land", "road"), "river": ("water", "land"), "lake": ("water", "land"),
    "coast": ("water", "land"), "tidal": ("water", "land"), "open water": ("water",), "harbour": ("water", "land"),
    "village": ("road", "place"), "desert town": ("road", "place"), "tropical town": ("road", "place"),
    "halls": ("road", "place"), "paddies": ("land", "water"), "meadow": ("land", "road"), "moor": ("land", "water"),
    "marsh": ("land", "water"), "cemetery": ("park", "road"), "golf": ("park", "water"), "flats": ("land", "road"),
    "city": ("land", "road", "major road"),
}  # fmt: skip
"""Classes that some of a few images of a landscape must show; all others show land and roads."""
DRY = ("forest", "fields", "circles", "terraces", "orchards", "paddies", "meadow", "moor", "scrub", "desert",
       "mountains", "snow", "airfield", "halls", "solar", "greenhouses", "marsh", "cemetery", "flats")  # fmt: skip
"""Landscapes whose own ground, without rivers and ponds, is dry on the map however dark it is."""


@pytest.fixture(scope="module")
def drawn() -> dict[str, list[Pair]]:
    """Six small images of each landscape."""
    return {n: [landscape(SIDE_PX, SIDE_PX, seed=(3, s), name=n, gsd_m=GSD_M) for s in range(6)] for n in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_map_has_colours_of_the_table_alone(drawn: dict[str, list[Pair]], name: str) -> None:
    known = {tuple(rgb) for rgb in COLOURS_RGB.tolist()}
    for pair in drawn[name]:
        assert pair.source_hwc.shape == pair.target_hwc.shape == (SIDE_PX, SIDE_PX, 3)
        assert pair.source_hwc.dtype == pair.target_hwc.dtype == np.uint8
        assert {tuple(rgb) for rgb in np.unique(pair.target_hwc.reshape(-1, 3), axis=0).tolist()} <= known
        assert pair.source_hwc.std() > 1


@pytest.mark.parametrize("name", NAMES)
def test_landscape_shows_its_classes(drawn: dict[str, list[Pair]], name: str) -> None:
    shares = np.mean([_shares(pair) for pair in drawn[name]], axis=0)
    for wanted in HAS.get(name, ("land", "road")):
        assert shares[CLASS_NAMES.index(wanted)] > 0.002, (wanted, shares)


@pytest.mark.parametrize("name", ["city", "fields", "desert town", "coast"])
def test_same_seed_gives_the_same_pixels(drawn: dict[str, list[Pair]], name: str) -> None:
    again = landscape(SIDE_PX, SIDE_PX, seed=(3, 0), name=name, gsd_m=GSD_M)
    assert np.array_equal(again.source_hwc, drawn[name][0].source_hwc)
    assert np.array_equal(again.target_hwc, drawn[name][0].target_hwc)
    assert (again.source_hwc != drawn[name][1].source_hwc).any(-1).mean() > 0.5


@pytest.mark.parametrize("name", DRY)
def test_ground_without_rivers_and_ponds_is_dry(name: str) -> None:
    for seed in range(4):
        ground = Terrain(120, 120, 1.5, (seed,))
        for cover in LANDSCAPES[name].cover:
            cover(ground)
        assert not (classify(COLOURS_RGB[ground.map_index]) == WATER).any()


def test_closed_wood_is_a_park_and_trees_in_the_open_are_not() -> None:
    for name, least, most in (
        ("forest", 0.4, 1.0),
        ("orchards", 0.0, 0.0),
        ("scrub", 0.0, 0.0),
        ("flats", 0.0, 0.0),
    ):
        ground = Terrain(160, 160, 1.2, (5,))
        groves = LANDSCAPES[name].cover[0](ground)
        for trees in groves:
            plant(ground, trees)
        assert (ground.height > 0).mean() > 0.1
        assert least <= (classify(COLOURS_RGB[ground.map_index]) == PARK).mean() <= most


def test_even_grass_in_a_wood_is_land_and_bears_no_trees() -> None:
    ground = Terrain(200, 200, 1.0, (7,))
    wooded = wood(ground, np.ones(ground.shape, np.float32), "conifer")
    assert (ground.map_index == MAP["park"][0]).all()
    wet = ground.x < 60
    ground.paint(wet.astype(np.float32), (20, 30, 30), MAP["water"][0], level=True)
    glades(ground, 4)
    plant(ground, wooded)
    grass = ground.map_index == MAP["land"][0]
    assert 0.05 < grass.mean() < 0.6
    assert (ground.map_index[wet] == MAP["water"][0]).all()
    assert (ground.height[grass] > 0).mean() < 0.1 < (ground.height[~grass & ~wet] > 0).mean()


def test_shadows_are_blue_in_some_images_and_grey_in_others() -> None:
    ground = Terrain(120, 120, 1.0, (8,))
    ground.colour[:] = 100
    ground.height[50:70, 50:70] = 12
    shown = [photograph(ground, camera(np.random.default_rng(seed)))[..., [0, 2]].astype(float) for seed in range(60)]
    dark = [image[image.sum(-1) < np.quantile(image.sum(-1), 0.02)] for image in shown]
    blue = np.array([(pixels[:, 1] + 1).mean() / (pixels[:, 0] + 1).mean() for pixels in dark])
    assert (blue > 1.6).mean() > 0.2
    assert (blue < 1.4).mean() > 0.2


@pytest.mark.parametrize("name", ["forest", "scrub"])
def test_trees_stand_in_no_water_and_on_no_road(name: str) -> None:
    ground = Terrain(200, 200, 1.0, (6,))
    groves = LANDSCAPES[name].cover[0](ground)
    wet, paved = ((ground.x > low) & (ground.x < low + 40) for low in (80, 140))
    ground.paint(wet.astype(np.float32), (20, 30, 30), MAP["water"][0], level=True)
    ground.paint(paved.astype(np.float32), (90, 90, 90), MAP["road"][0], level=True)
    for trees in groves:
        plant(ground, trees, free=1.0)
    assert (ground.height[:, 85:115] == 0).all()
    assert (ground.height[:, 145:175] == 0).all()
    assert (ground.height[:, :70] > 0).mean() > 0.1


def test_trees_along_streets_hide_streets_that_the_map_shows() -> None:
    hidden = []
    for seed in range(4):
        ground = Terrain(200, 200, 1.0, (seed,))
        groves = town(ground, "leafy")
        streets = np.isin(ground.map_index, MAP["road"])
        for trees in groves:
            plant(ground, trees)
        assert np.array_equal(streets, np.isin(ground.map_index, MAP["road"]))
        hidden.append((ground.height[streets] > 0).mean())
    assert 0.1 < np.mean(hidden) < 0.8


def test_shadows_fall_away_from_the_sun() -> None:
    ground = Terrain(60, 60, 1.0, (1,))
    ground.colour[:] = 150
    square = np.array([(20, 20), (30, 20), (30, 30), (20, 30)], float)
    ground.build([square], np.full((1, 3), 150.0), np.array([10.0]))
    view = camera(ground.rng)._replace(shadow=np.array([1.0, 0.0]), haze=0.0, noise=0.0, blur_px=0.0, quality=0)
    grey = photograph(ground, view).mean(-1)
    assert grey[25, 33:39].max() < 0.8 * grey[25, 10:16].min()


@pytest.mark.parametrize(("name", "least"), [("lake", 0.25), ("coast", 0.3), ("village", 0.03), ("desert town", 0.03)])
def test_map_lies_exactly_on_the_image(name: str, least: float) -> None:
    """The image is explained best by the map where it is, not by the map two pixels aside."""
    pairs = [landscape(300, 300, seed=(8, s), name=name, gsd_m=1.0) for s in range(8)]
    moves = [(0, 0), (0, 3), (0, -3), (3, 0), (-3, 0)]
    explained = [np.mean([_explained(pair, move) for pair in pairs]) for move in moves]
    assert int(np.argmax(explained)) == 0, explained
    assert explained[0] > least * 0.2


def test_colour_alone_does_not_tell_water_from_land() -> None:
    """A rule that knows how often each colour is water is wrong for much of what it has not seen."""
    names = ("paddies", "fields", "forest", "river", "lake", "coast", "moor", "tidal")
    colours: list[list[npt.NDArray[np.int64]]] = [[], []]
    wet: list[list[npt.NDArray[np.bool_]]] = [[], []]
    for seed in range(8):
        for name in names:
            pair = landscape(100, 100, seed=(9, seed), name=name, gsd_m=2.0)
            bins = (pair.source_hwc.reshape(-1, 3).astype(np.int64) // 24) @ (121, 11, 1)
            colours[seed % 2].append(bins)
            wet[seed % 2].append((classify(pair.target_hwc) == WATER).ravel())
    learnt, asked = (np.concatenate(part) for part in colours)
    is_wet, was_wet = (np.concatenate(part) for part in wet)
    share = np.bincount(learnt, is_wet / is_wet.mean(), 1331) - np.bincount(learnt, ~is_wet / (~is_wet).mean(), 1331)
    said = share[asked] > 0
    balanced = (said[was_wet].mean() + (~said)[~was_wet].mean()) / 2
    assert 0.5 < balanced < 0.85


def test_mix_has_all_landscapes_and_is_seeded(tmp_path: Path) -> None:
    names = [drawn_name((4, i)) for i in range(400)]
    assert set(names) == set(NAMES)
    assert 0.08 < names.count("city") / 400 < 0.3
    assert {drawn_name((4, i), ("snow", "desert")) for i in range(20)} == {"snow", "desert"}
    write_pairs(tmp_path, 2, size_px=96, seed=4, names=("snow", "desert"))
    pair = read_pair(list_pairs(tmp_path)[1])
    expected = landscape(96, 96, seed=(4, 2), name=drawn_name((4, 2), ("snow", "desert")))
    assert np.array_equal(pair.source_hwc, expected.source_hwc)
    assert np.array_equal(pair.target_hwc, narrowed(expected.target_hwc))


def test_scene_lies_on_the_earth_as_its_truth_does(tmp_path: Path) -> None:
    path = tmp_path / "desert.tif"
    write_scene(path, 150, seed=2, name="desert", gsd_m=0.7)
    expected = landscape(150, 150, seed=2, name="desert", gsd_m=0.7)
    with rasterio.open(path) as scene, rasterio.open(truth_path(path)) as truth:
        assert scene.crs == truth.crs
        assert scene.res == (0.7, 0.7)
        assert scene.transform == truth.transform
        assert np.array_equal(np.moveaxis(scene.read(), 0, -1), expected.source_hwc)
        assert np.array_equal(np.moveaxis(truth.read(), 0, -1), expected.target_hwc)
    with pytest.raises(OutputError, match="too large"):
        write_scene(path, 5000)


def test_command_draws_what_is_asked_for(tmp_path: Path) -> None:
    def run(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(sat2map, ["data", "synth", *arguments])
        return result.exit_code, result.output

    code, text = run(str(tmp_path / "pairs"), "--pairs", "1", "--landscapes", "moor, snow")
    assert (code, text.splitlines()[0]) == (0, f"wrote 1 pairs to {tmp_path / 'pairs'}")
    assert run(str(tmp_path / "a.tif"), "--scene", "64", "--landscapes", "lake")[0] == 0
    code, text = run(str(tmp_path / "more"), "--pairs", "1", "--landscapes", "moon")
    assert code == 2
    assert "desert town" in text
    assert run(str(tmp_path / "b.tif"), "--scene", "64", "--landscapes", "lake,moor")[0] == 2


def _shares(pair: Pair) -> npt.NDArray[np.float64]:
    return np.bincount(classify(pair.target_hwc).ravel(), minlength=len(CLASS_NAMES)) / SIDE_PX**2


def _explained(pair: Pair, move: tuple[int, int]) -> float:
    """Share of the variance of the image that lies between classes of a map that is moved."""
    classes = np.roll(classify(pair.target_hwc), move, (0, 1))[8:-8, 8:-8].ravel()
    levels = pair.source_hwc[8:-8, 8:-8].reshape(-1, 3).astype(float)
    n = np.bincount(classes, minlength=len(CLASS_NAMES))
    means = (
        np.stack([np.bincount(classes, channel, len(CLASS_NAMES)) for channel in levels.T], -1)
        / np.maximum(n, 1)[:, None]
    )
    return 1 - float(((levels - means[classes]) ** 2).sum() / ((levels - levels.mean(0)) ** 2).sum())
