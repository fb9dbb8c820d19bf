"""Landscapes by name: what covers the ground of each, and what lies on it; draws a pair of image and map."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from sat2map.city.draw import City
from sat2map.city.geometry import rng_of
from sat2map.city.options import CityOptions
from sat2map.classes import COLOURS_RGB
from sat2map.data.pairs import Pair
from sat2map.landscape import farmland, lawns, terraces, towns, water, ways, wild, works
from sat2map.landscape.camera import camera, developed, photograph
from sat2map.landscape.ground import Terrain
from sat2map.landscape.trees import Grove, plant, wood
from sat2map.tiling import Window

Cover = Callable[[Terrain], list[Grove]]


class Landscape(NamedTuple):
    """What covers the ground, and how often something lies on it: shares of images from 0 to 1."""

    cover: tuple[Cover, ...]
    """One of these."""
    weight: float
    """How often it comes in the usual mix."""
    river: float = 0.0
    ponds: float = 0.0
    glades: float = 0.0
    lanes: float = 0.6
    major: float = 0.12
    motorway: float = 0.08
    railway: float = 0.04
    hamlet: float = 0.0
    houses: tuple[str, ...] = ("village",)
    """Styles of the houses, one of these."""
    built: tuple[float, float] = (0.05, 0.2)
    """Share of the image that is built on, where anything is."""
    woods: float = 0.0


def _paddies(ground: Terrain) -> list[Grove]:
    return terraces.terraces(ground, paddies=True)


def _terraces(ground: Terrain) -> list[Grove]:
    return terraces.terraces(ground, paddies=False)


def _lakes(ground: Terrain) -> list[Grove]:
    cover: Cover = _any(ground, (wild.forest, wild.meadow, wild.moor, farmland.farmland, wild.scrub, wild.marsh))
    groves = cover(ground)
    water.lakes(ground, grain_m=ground.rng.uniform(110, 420))
    return groves


def _rivers(ground: Terrain) -> list[Grove]:
    cover: Cover = _any(
        ground, (wild.forest, wild.meadow, farmland.farmland, wild.moor, wild.scrub, _paddies, wild.desert, wild.marsh)
    )
    groves = cover(ground)
    water.river(ground, wide_m=(14, 200))
    return groves


def _coast(ground: Terrain) -> list[Grove]:
    cover: Cover = _any(
        ground, (wild.scrub, wild.meadow, wild.forest, wild.desert, farmland.farmland, wild.moor, wild.marsh)
    )
    groves = cover(ground)
    water.sea(ground)
    return groves


def _tidal(ground: Terrain) -> list[Grove]:
    water.flats(ground)
    if ground.rng.random() < 0.4:
        water.sea(ground, share=(0.1, 0.4), surf=False)
    return []


def _harbour(ground: Terrain) -> list[Grove]:
    wild.clearing(ground)
    inland = water.sea(ground, share=(0.25, 0.6), surf=False)
    works.harbour(ground, inland)
    return [wild.scattered_trees(ground, 16, 0.2)]


def _open_water(ground: Terrain) -> list[Grove]:
    """A lake or a sea that fills the image, perhaps with an islet."""
    wild.clearing(ground)
    wet = ground.below(ground.noise(160, 4), 9.0 if ground.rng.random() < 0.5 else 1.8)
    colours = water.SALT if ground.rng.random() < 0.5 else water.FRESH
    water.fill(ground, wet, colours[ground.rng.integers(len(colours))], rough=ground.rng.uniform(0, 1.3))
    return []


def _jungle(ground: Terrain) -> list[Grove]:
    return [wood(ground, np.ones(ground.shape, np.float32), "lush")]


LANDSCAPES = {
    "forest": Landscape((wild.forest,), 1.6, glades=0.5, river=0.15, ponds=0.15, lanes=0.7, hamlet=0.15),
    "fields": Landscape(
        (farmland.farmland,), 2.0, glades=0.2, river=0.15, ponds=0.25, lanes=0.75, hamlet=0.3, woods=0.4, railway=0.08
    ),
    "circles": Landscape((farmland.circles,), 0.3, ponds=0.1, lanes=0.7),
    "terraces": Landscape((_terraces,), 0.4, river=0.1, ponds=0.1, hamlet=0.3, houses=("tropical",), woods=0.4),
    "orchards": Landscape((farmland.orchards,), 0.6, river=0.1, ponds=0.3, hamlet=0.3, houses=("bright",)),
    "paddies": Landscape((_paddies,), 0.9, river=0.25, ponds=0.45, hamlet=0.35, houses=("tropical",), woods=0.25),
    "meadow": Landscape((wild.meadow,), 0.6, glades=0.4, river=0.25, ponds=0.35, hamlet=0.3, woods=0.5),
    "moor": Landscape((wild.moor,), 0.6, glades=0.3, river=0.2, ponds=0.3, lanes=0.5, woods=0.2),
    "river": Landscape((_rivers,), 1.3, glades=0.3, hamlet=0.25, lanes=0.5, woods=0.3),
    "lake": Landscape((_lakes,), 1.2, glades=0.4, hamlet=0.25, lanes=0.5, ponds=0.1),
    "coast": Landscape((_coast,), 1.0, glades=0.2, hamlet=0.2, lanes=0.4, houses=("bright",)),
    "tidal": Landscape((_tidal,), 0.4, lanes=0.15, major=0.03, motorway=0.02),
    "open water": Landscape((_open_water,), 0.3, lanes=0.0, major=0.0, motorway=0.05),
    "harbour": Landscape((_harbour,), 0.6, lanes=0.7, railway=0.2, houses=("bright",)),
    "scrub": Landscape(
        (wild.scrub,), 0.8, glades=0.3, river=0.08, ponds=0.1, lanes=0.6, hamlet=0.12, houses=("desert",)
    ),
    "desert": Landscape((wild.desert,), 0.9, ponds=0.08, lanes=0.6, motorway=0.14, hamlet=0.12, houses=("desert",)),
    "mountains": Landscape((wild.mountains,), 0.5, river=0.15, ponds=0.1, lanes=0.35, major=0.05, motorway=0.02),
    "snow": Landscape((wild.snow,), 0.4, river=0.2, ponds=0.15, hamlet=0.1),
    "village": Landscape(
        (farmland.farmland, wild.meadow),
        1.1,
        river=0.15,
        ponds=0.15,
        lanes=0.5,
        major=0.3,
        woods=0.2,
        hamlet=1,
        houses=("village", "village", "bright"),
        built=(0.3, 0.9),
    ),
    "desert town": Landscape(
        (wild.desert, wild.desert, wild.scrub),
        1.2,
        ponds=0.05,
        lanes=0.2,
        major=0.35,
        motorway=0.15,
        hamlet=1,
        houses=("desert",),
        built=(0.6, 1),
    ),
    "tropical town": Landscape(
        (_jungle, wild.meadow, _paddies),
        0.9,
        river=0.25,
        ponds=0.15,
        lanes=0.3,
        major=0.25,
        hamlet=1,
        houses=("tropical",),
        built=(0.5, 1),
    ),
    "halls": Landscape((works.halls,), 0.7, ponds=0.0, lanes=0.0, major=0.3, motorway=0.25),
    "greenhouses": Landscape((works.greenhouses,), 0.4, ponds=0.4, lanes=0.7),
    "solar": Landscape((works.solar,), 0.4, ponds=0.1, lanes=0.6),
    "quarry": Landscape((works.quarry,), 0.4, lanes=0.6),
    "airfield": Landscape((works.airfield,), 0.5, ponds=0.1, lanes=0.0, major=0.0, motorway=0.0, railway=0.0),
    "marsh": Landscape(
        (wild.marsh,),
        0.9,
        glades=0.4,
        river=0.35,
        ponds=0.6,
        lanes=0.4,
        hamlet=0.5,
        houses=("village", "bright"),
        built=(0.2, 0.7),
    ),
    "cemetery": Landscape(
        (lawns.cemetery,), 0.7, ponds=0.15, lanes=0.1, major=0.2, hamlet=0.6, houses=("village",), built=(0.15, 0.5)
    ),
    "golf": Landscape((lawns.golf,), 0.6, river=0.08, lanes=0.3, hamlet=0.5, houses=("village", "bright")),
    "flats": Landscape((lawns.flats,), 0.9, lanes=0.0, major=0.3),
    "leafy town": Landscape(
        (wild.meadow,), 1.2, lanes=0.1, major=0.3, motorway=0.1, hamlet=1, houses=("leafy",), built=(0.7, 1)
    ),
}
"""All but the city, which `sat2map.city` draws."""
CITY_WEIGHT = 4.0
NAMES = ("city", *LANDSCAPES)


def landscape(
    height_px: int, width_px: int, *, seed: int | tuple[int, ...], name: str, gsd_m: float | None = None
) -> Pair:
    """Draw a landscape and its map.

    Args:
        height_px: rows of both images.
        width_px: columns.
        seed: the same seed gives the same pixels.
        name: one of `NAMES`.
        gsd_m: metres on the ground per pixel; None: 0.6 to 1.0, as the seed says.

    Returns:
        The aerial image and the map in colours of `classes.CLASSES`, not antialiased: uint8, shape (H, W, 3), RGB.
    """
    seeds = (seed,) if isinstance(seed, int) else seed
    if name == "city":
        return _city(height_px, width_px, seeds, gsd_m)
    number = list(LANDSCAPES).index(name)
    ground = Terrain(height_px, width_px, 0.9, (*seeds, 20, number))
    if gsd_m is None:
        gsd_m = float(ground.rng.uniform(0.6, 1.0))
    ground = Terrain(height_px, width_px, gsd_m, (*seeds, 20, number))
    view = camera(ground.rng)
    _fill(ground, LANDSCAPES[name])
    return Pair(photograph(ground, view), COLOURS_RGB[ground.map_index])


def _city(height_px: int, width_px: int, seed: tuple[int, ...], gsd_m: float | None) -> Pair:
    """A window from somewhere in a city of some kind, by some camera."""
    rng = rng_of(seed, 20)
    options = CityOptions(
        block_m=(rng.uniform(90, 240), rng.uniform(60, 100)), street_m=rng.uniform(7.5, 14),
        avenue_m=rng.uniform(13, 24),
        irregularity=rng.uniform(0, 0.7), curviness=rng.uniform(0, 1.8), motorway_every_m=1500, river_every_m=2000,
        park_share=rng.uniform(0.04, 0.2), major_share=0.4, motorway_m=rng.uniform(22, 34),
    )  # fmt: skip
    row, col = rng.integers(-50_000, 50_000, 2).tolist()
    town = City(seed, gsd_m or float(rng.uniform(0.6, 1.0)), options)
    pair = town.draw(Window(row, col, height_px, width_px))
    return Pair(
        developed(pair.source_hwc, camera(rng), rng) if rng.random() < 0.6 else pair.source_hwc, pair.target_hwc
    )


def drawn_name(seed: tuple[int, ...], names: tuple[str, ...] = NAMES) -> str:
    """The landscape of a pair: one of these, each as often as its weight says."""
    weights = np.array([CITY_WEIGHT if name == "city" else LANDSCAPES[name].weight for name in names])
    return names[int(np.random.default_rng([*seed, 19]).choice(len(names), p=weights / weights.sum()))]


def _fill(ground: Terrain, kind: Landscape) -> None:
    """Cover the ground, then lay on it what lies on it, the lowest first; trees come last."""
    rng = ground.rng
    cover: Cover = _any(ground, kind.cover)
    groves = cover(ground)
    if rng.random() < kind.woods:
        where = ground.below(ground.noise(rng.uniform(60, 160), 4), float(rng.uniform(-2, -0.6)))
        groves.append(
            wood(
                ground,
                where * (ground.water < 0.1),
                str(rng.choice(("broadleaf", "mixed", "conifer", "autumn", "dark"))),
            )
        )
    if rng.random() < kind.glades:
        wild.glades(ground, int(rng.integers(1, 5)))
    if rng.random() < kind.river:
        water.river(ground)
    if rng.random() < kind.ponds:
        water.ponds(ground, int(rng.integers(1, 5)))
    _ways(ground, kind)
    if rng.random() < kind.hamlet:
        groves += towns.town(ground, kind.houses[rng.integers(len(kind.houses))], share=kind.built)
    overhang = rng.uniform(0.2, 0.9)
    for trees in groves:
        plant(ground, trees, free=overhang)


def _ways(ground: Terrain, kind: Landscape) -> None:
    """Tracks, roads and rails; few of them run along a water."""
    rng = ground.rng
    angle = ground.turn
    if rng.random() < kind.lanes * 0.7:
        for _ in range(int(rng.integers(1, 4))):
            ways.track(ground, ways.way(ground))
    plan = [(ways.lane, kind.lanes)] * 2 + [(ways.lane, kind.lanes * 0.4), (ways.railway, kind.railway)]
    plan += [(ways.major, kind.major), (ways.motorway, kind.motorway)]
    for n, (lay, share) in enumerate(plan):
        if rng.random() < share:
            line = ways.way(ground, angle + n % 2 * np.pi / 2 + rng.normal(0, 0.25) * (rng.random() < 0.5))
            if not ways.wades(ground, line, 0.15 if n < 4 else 0.35):
                lay(ground, line)


def _any(ground: Terrain, choices: tuple[Cover, ...]) -> Cover:
    return choices[int(ground.rng.integers(len(choices)))]
