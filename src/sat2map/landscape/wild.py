"""Ground that nobody tills: meadow, moor, scrub, desert, rock and snow; all of it is land."""

from __future__ import annotations

import numpy as np

from sat2map.landscape.ground import MAP, Terrain, gain, mixed, outline
from sat2map.landscape.trees import WOODS, Grove, Leaves, grove, spread, wood

LAND = MAP["land"][0]


def forest(ground: Terrain) -> list[Grove]:
    """Woods of one or two kinds, with clearings."""
    rng = ground.rng
    clearing(ground)
    kinds = rng.choice(list(WOODS), 2, replace=False, p=(0.16, 0.2, 0.17, 0.12, 0.1, 0.1, 0.11, 0.04))
    rows = rng.random() < 0.15
    field = ground.noise(rng.uniform(160, 400), 4, fall=0.45)
    closed = float(np.quantile(field, rng.choice((1.0, rng.uniform(0.55, 0.97)))))
    everywhere = ground.below(field, closed + 1e-3)
    groves = [wood(ground, everywhere, str(kinds[0]), rows=rows)]
    if rng.random() < 0.45:
        second = ground.below(ground.noise(180, 3), rng.uniform(-0.8, 0.4)) * everywhere
        first = groves[0]
        outside = ground.at(second, first.positions) < 0.5
        groves = [first.only(outside), wood(ground, second, str(kinds[1]))]
    if rng.random() < 0.5:
        hills(ground, rng.uniform(15, 60))
    return groves


def clearing(ground: Terrain) -> list[Grove]:
    """Grass, heath or felled ground; without trees."""
    rng = ground.rng
    tones = np.array([(98, 108, 66), (122, 112, 78), (84, 92, 58), (112, 94, 74), (134, 128, 92), (70, 66, 48)])
    a, b = tones[rng.integers(len(tones), size=2)] * rng.uniform(0.85, 1.15, (2, 1))
    soil = mixed(a, b, 0.5 + 0.4 * ground.noise(rng.uniform(60, 200), 7, fall=0.72))
    ground.colour = soil * (1 + 0.09 * ground.noise(7, 4, fall=0.85))[..., None]
    return []


def glades(ground: Terrain, n: int) -> None:
    """Even grass with the outlines of ponds, so that neither evenness nor outline alone tells water."""
    rng = ground.rng
    tones = np.array([(98, 108, 66), (84, 100, 58), (112, 122, 76), (72, 88, 50), (120, 114, 78), (66, 76, 48)])
    for _ in range(n):
        middle = rng.uniform(0.05, 0.95, 2) * ground.size_m
        grass = ground.covered([outline(rng, middle, rng.uniform(8, 60))])
        tone = tones[rng.integers(len(tones))] * rng.uniform(0.8, 1.15)
        ground.paint(
            grass * (1 - ground.water), gain(tone, rng.uniform(0.01, 0.05) * ground.noise(60, 3)), LAND, level=True
        )


def meadow(ground: Terrain) -> list[Grove]:
    """Pasture and rough grass, with trees and bushes here and there."""
    clearing(ground)
    return [scattered_trees(ground, ground.rng.uniform(7, 15), ground.rng.uniform(0.05, 0.6))]


def moor(ground: Terrain) -> list[Grove]:
    """Bog and heath: dark, brown and wet, with pools too small for the map."""
    rng = ground.rng
    tones = np.array([(58, 50, 38), (72, 60, 44), (48, 46, 36), (88, 78, 54), (66, 68, 44)])
    a, b, c = tones[rng.choice(len(tones), 3, replace=False)] * rng.uniform(0.75, 1.1)
    ground.colour = mixed(mixed(a, b, 0.5 + 0.4 * ground.noise(90, 7, fall=0.7)), c, ground.noise(25, 5, fall=0.75))
    ground.colour *= (1 + 0.12 * ground.noise(5, 3))[..., None]
    if rng.random() < 0.5:
        angle = rng.uniform(0, np.pi)
        across = ground.along(angle) + 2 * ground.noise(80, 2)
        ground.paint((np.abs(across % rng.uniform(14, 40) - 7) < 0.9).astype(np.float32) * 0.6, (34, 30, 26))
    return [scattered_trees(ground, 12, rng.uniform(0, 0.3))]


def marsh(ground: Terrain) -> list[Grove]:
    """Reeds, rushes and heather, often as dark as water and never even: rust, brown, grey and green; with bushes."""
    rng = ground.rng
    tones = np.array(
        [(96, 66, 48), (78, 56, 42), (62, 48, 38), (110, 92, 62), (84, 84, 54), (72, 62, 58), (54, 50, 36)]
    )
    a, b, c = tones[rng.choice(len(tones), 3, replace=False)] * rng.uniform(0.4, 1.15)
    colour = mixed(mixed(a, b, 0.5 + 0.5 * ground.noise(rng.uniform(30, 200), 6, fall=0.75)), c, ground.noise(14, 4))
    light = rng.uniform(0.06, 0.2) * ground.noise(4, 3, fall=0.9, stretch=rng.choice((1.0, 2.5)))
    ground.colour = colour * (1 + light)[..., None]
    if rng.random() < 0.5:
        ditch = np.abs(ground.noise(rng.uniform(50, 120), 4, fall=0.5))
        ground.paint(ground.below(ditch, 0.03) * rng.uniform(0.3, 0.9), (30, 30, 28))
    return [scattered_trees(ground, 8, rng.uniform(0, 0.5))]


def scattered_trees(ground: Terrain, step_m: float, share: float, kind: str | None = None) -> Grove:
    """Single trees and clumps on open ground: they are not woodland."""
    rng = ground.rng
    name = kind or str(rng.choice(("broadleaf", "conifer", "mixed", "dry", "autumn")))
    where = ground.below(ground.noise(60, 3), float(rng.uniform(-0.5, 2)))
    return grove(rng, spread(ground, where, step_m, kept=share), WOODS[name], rng.uniform(0.6, 1.1))


def scrub(ground: Terrain) -> list[Grove]:
    """Chaparral, maquis, savanna: bushes with bare soil between them."""
    rng = ground.rng
    soils = np.array(
        [(176, 146, 112), (186, 168, 136), (158, 138, 106), (164, 156, 108), (140, 112, 86), (120, 112, 84)]
    )
    soil = soils[rng.integers(len(soils))] * rng.uniform(0.9, 1.15)
    ground.colour = gain(soil, 0.06 * ground.noise(110, 6, fall=0.7) + 0.05 * ground.noise(2.0, 1))
    bush = np.array([(82, 68, 48), (62, 62, 42), (48, 54, 36), (88, 86, 60), (58, 48, 38), (40, 46, 32)])
    pick = bush[rng.choice(len(bush), 2, replace=False)]
    leaves = Leaves(tuple(map(tuple, pick.tolist())), (0.5, rng.uniform(1.3, 2.6)), 0.9, 0.5, (0, 0, 0))
    groves = []
    for grain in (rng.uniform(20, 60), rng.uniform(100, 200)):
        where = ground.below(ground.noise(grain, 3), float(rng.uniform(-0.2, 2.2)))
        groves.append(
            grove(rng, spread(ground, where, rng.uniform(2.2, 4.2), jitter=1.2, kept=rng.uniform(0.4, 0.95)), leaves)
        )
    if rng.random() < 0.5:
        hills(ground, rng.uniform(10, 40))
    return groves


def desert(ground: Terrain) -> list[Grove]:
    """Sand, dunes, gravel plains and dry river beds."""
    rng = ground.rng
    sands = np.array(
        [(204, 180, 144), (222, 206, 178), (196, 152, 112), (172, 150, 122), (212, 200, 188), (150, 132, 114),
         (110, 100, 92)]
    )  # fmt: skip
    a, b = sands[rng.integers(len(sands), size=2)] * rng.uniform(0.85, 1.08)
    ground.colour = mixed(a, b, 0.35 + 0.4 * ground.noise(150, 5)) * (1 + 0.03 * ground.noise(3, 2))[..., None]
    kind = rng.random()
    if kind < 0.4:
        _dunes(ground)
    elif kind < 0.75:
        _wadis(ground)
    if rng.random() < 0.4:
        rock(ground, part=rng.uniform(-1.3, -0.3))
    where = ground.below(ground.noise(50, 3), float(rng.uniform(-2.4, -0.2)))
    leaves = Leaves(((104, 98, 72), (84, 82, 56)), (0.5, 1.8), 0.9, 0.5, (0, 0, 0))
    return [grove(rng, spread(ground, where, 5, kept=0.6), leaves)]


def _dunes(ground: Terrain) -> None:
    """Ridges across the wind, steep in its lee, with ripples on them."""
    rng = ground.rng
    wind, length = rng.uniform(0, 2 * np.pi), rng.uniform(25, 130)
    phase = ground.along(wind) / length + 0.35 * ground.noise(length * 2.2, 3, fall=0.45)
    saw = phase % 1.0
    ridge = np.where(saw < 0.75, saw / 0.75, (1 - saw) / 0.25)
    size = length * rng.uniform(0.05, 0.1) * np.clip(0.8 + 0.4 * ground.noise(length * 3, 2), 0.1, 2)
    ground.relief = (ridge * size).astype(np.float32)
    ripple = 0.12 * np.sin(2 * np.pi * (ground.along(wind) / rng.uniform(3, 8) + 0.8 * ground.noise(30, 2)))
    ground.relief = ground.relief + ripple.astype(np.float32)


def _wadis(ground: Terrain) -> None:
    """Beds of streams that are dry: bright or dark, never water."""
    rng = ground.rng
    ridge = np.abs(ground.noise(rng.uniform(120, 260), 5, fall=0.5)) + 0.05 * ground.noise(20, 3)
    bed = np.array([(224, 212, 190), (196, 182, 160), (104, 96, 86), (150, 136, 112)])[rng.integers(4)]
    share = np.clip(1.4 - ridge / rng.uniform(0.04, 0.14), 0, 1)
    ground.paint(share, gain(bed, 0.06 * ground.noise(12, 4, stretch=3)))
    ground.relief = (ground.noise(140, 6, fall=0.55) * rng.uniform(2, 9)).astype(np.float32)


def rock(ground: Terrain, part: float = 9.0) -> list[Grove]:
    """Bare rock: layers, cracks and scree, where noise lies below `part`."""
    rng = ground.rng
    tones = np.array(
        [(128, 120, 110), (104, 98, 92), (150, 136, 118), (142, 104, 82), (84, 80, 78), (60, 58, 58), (168, 160, 150)]
    )
    where = ground.below(ground.noise(160, 5), part)
    hills_m = ground.noise(rng.uniform(90, 200), 7, fall=0.56) * rng.uniform(10, 34)
    layer = np.sin(hills_m / rng.uniform(0.8, 3.0) + ground.noise(60, 2))
    tone = tones[rng.integers(len(tones))] * rng.uniform(0.85, 1.1)
    light = 0.07 * layer * np.clip(ground.noise(90, 2), 0, 1) + 0.10 * ground.noise(30, 5)
    ground.paint(where, gain(tone, light), LAND)
    ground.relief = (ground.relief * (1 - where) + where * hills_m).astype(np.float32)
    return []


def mountains(ground: Terrain) -> list[Grove]:
    """Rock with grass, scree, dwarf trees, and snow above them."""
    rng = ground.rng
    clearing(ground)
    hills(ground, rng.uniform(20, 60))
    rock(ground, part=rng.uniform(-0.5, 2.5))
    steep = np.abs(ground.noise(50, 4))
    if rng.random() < 0.5:
        snow = ground.below(ground.noise(170, 5) + 0.6 * steep, float(rng.uniform(-0.8, 1.8)))
        ground.paint(snow, gain((226, 230, 236), 0.03 * ground.noise(40, 4)), LAND)
    return [scattered_trees(ground, 9, rng.uniform(0, 0.5), "dark")]


def snow(ground: Terrain) -> list[Grove]:
    """Snow over fields and clearings, with dark trees and what shows through."""
    rng = ground.rng
    ground.colour = gain((218, 222, 228), 0.03 * ground.noise(120, 5))
    if rng.random() < 0.6:
        bare = np.clip(ground.noise(40, 5) - rng.uniform(0.2, 1.4), 0, 1)
        ground.paint(bare, gain((112, 102, 84), 0.1 * ground.noise(6, 2)))
    hills(ground, rng.uniform(3, 40))
    groves = [scattered_trees(ground, 10, rng.uniform(0.05, 0.6), str(rng.choice(("dark", "bare", "conifer"))))]
    if rng.random() < 0.6:
        where = ground.below(ground.noise(150, 4), float(rng.uniform(-0.9, 0.3)))
        groves.append(wood(ground, where, str(rng.choice(("dark", "conifer", "bare"))), density=0.8))
    return groves


def hills(ground: Terrain, high_m: float) -> None:
    """Let the ground roll."""
    fall = ground.rng.uniform(0.35, 0.5)
    ground.relief = ground.relief + ground.noise(ground.rng.uniform(180, 420), 5, fall=fall) * np.float32(high_m / 2)
