"""Ground that people keep among towns: cemeteries and golf courses, which maps draw as parks, and blocks of flats."""

from __future__ import annotations

import numpy as np

from sat2map.city.geometry import Plot, Points, boxes, rectangle, rotation
from sat2map.landscape.crops import divided
from sat2map.landscape.ground import BUILDING, MAP, Floats, Terrain, gain, mixed
from sat2map.landscape.trees import WOODS, Grove, grove, spread
from sat2map.landscape.water import FRESH, fill, winding
from sat2map.landscape.ways import LEAST_HALF_M, SURFACES, way

LAND, PARK, ROAD = MAP["land"][0], MAP["park"][0], MAP["road"][0]
GRASS = np.array([(98, 112, 62), (84, 98, 54), (124, 124, 80), (72, 84, 50), (112, 104, 72)], float)
TREES = ("broadleaf", "mixed", "conifer", "dark", "autumn", "bare")


def cemetery(ground: Terrain) -> list[Grove]:
    """Lawns with rows of stones, loose trees and lanes that wind; the streets of a town along two of its sides."""
    rng = ground.rng
    _grass(ground)
    ground.label(np.ones(ground.shape, np.float32), PARK)
    tone = SURFACES[rng.integers(len(SURFACES))] * rng.uniform(0.85, 1.1)
    half = rng.uniform(1.6, 2.8)
    for _ in range(int(rng.integers(2, 7))):
        line = winding(ground, rng.uniform(10, 60), rng.uniform(90, 260))
        ground.paint(ground.stroke(line, half), gain(tone, 0.06 * ground.worn()), level=True)
        ground.label(ground.stroke(line, max(half, LEAST_HALF_M)), ROAD)
    _stones(ground)
    return [_loose_trees(ground, rng.uniform(0.15, 0.9))]


def golf(ground: Terrain) -> list[Grove]:
    """Fairways and greens that are mown, sand, ponds, and trees between them."""
    rng = ground.rng
    _grass(ground)
    ground.label(np.ones(ground.shape, np.float32), PARK)
    mown = GRASS[rng.integers(2)] * rng.uniform(1.05, 1.35)
    fairways = np.zeros(ground.shape, np.float32)
    for _ in range(int(rng.integers(4, 10))):
        line = way(ground, bend=0.06)
        first = int(rng.integers(0, max(len(line) - 60, 1)))
        part = line[first : first + int(rng.integers(24, 60))]
        fairways = np.maximum(fairways, ground.stroke(part, rng.uniform(10, 22)))
        ground.paint(_round(ground, part[-1], rng.uniform(9, 15)), mown * np.array([0.95, 1.15, 0.9]))
        for _ in range(int(rng.integers(1, 5))):
            bunker = part[-1] + rng.normal(0, 22, 2)
            ground.paint(_round(ground, bunker, rng.uniform(3, 8)), (214, 202, 176))
    ground.paint(fairways * 0.8, gain(mown, 0.05 * ground.noise(60, 3)))
    for _ in range(int(rng.integers(0, 4))):
        pond = _round(ground, rng.uniform(0.1, 0.9, 2) * ground.size_m, rng.uniform(9, 32))
        fill(ground, pond, FRESH[rng.integers(len(FRESH))], rough=0.1, detail=False)
    trees = _loose_trees(ground, rng.uniform(0.3, 0.95))
    return [trees.only(ground.at(fairways, trees.positions) < 0.5)]


def flats(ground: Terrain) -> list[Grove]:
    """Tall blocks of flats among lawns and many trees, between streets: gardens, and so land."""
    rng = ground.rng
    tone = SURFACES[rng.integers(4)] * rng.uniform(0.75, 1.15)
    ground.paint(np.ones(ground.shape, np.float32), gain(tone, 0.06 * ground.worn()), ROAD)
    bodies: list[Points] = []
    gardens = np.zeros(ground.shape, np.float32)
    for plot in divided(ground, rng.uniform(110, 230), rng.uniform(4, 7), slant=0.08):
        share = ground.covered([plot.corners])
        grass = GRASS[rng.integers(len(GRASS))] * rng.uniform(0.75, 1.05)
        ground.paint(share, gain(grass, 0.12 * ground.worn(20, 4)), LAND)
        gardens = np.maximum(gardens, share)
        bodies += _blocks(ground, plot)
    for _ in range(int(rng.integers(4, 14))):
        share = ground.stroke(way(ground, bend=0.06), rng.uniform(0.8, 1.6)) * gardens
        ground.paint(share, (132, 126, 114))
    roof = np.array([(120, 84, 70), (96, 92, 88), (150, 146, 140), (72, 68, 66), (176, 172, 164)])[rng.integers(5)]
    colours = roof * rng.uniform(0.8, 1.2, (len(bodies), 1))
    ground.build(bodies, colours, np.full(len(bodies), rng.uniform(14, 45)), BUILDING)
    return [_loose_trees(ground, rng.uniform(0.35, 1.0), gardens)]


def _blocks(ground: Terrain, plot: Plot) -> list[Points]:
    """Slabs, crosses and angles in loose rows within a plot."""
    rng = ground.rng
    step, wide, long_ = rng.uniform(34, 60), rng.uniform(10, 15), rng.uniform(22, 48)
    turn = rotation(ground.turn + rng.choice((0.0, np.pi / 2, np.pi / 4)))
    middle, reach = plot.corners.mean(0), float(np.hypot(*np.ptp(plot.corners, axis=0)))
    kind = rng.integers(3)
    found: list[Points] = []
    for x, y in np.stack(np.meshgrid(*[np.arange(-reach, reach, step)] * 2), -1).reshape(-1, 2):
        at = np.array([x, y]) + rng.normal(0, 3, 2)
        wings = [rectangle(-long_ / 2, -wide / 2, long_ / 2, wide / 2)]
        if kind == 1:
            wings.append(rectangle(-wide / 2, -long_ / 2, wide / 2, long_ / 2))
        elif kind == 2:
            wings.append(rectangle(long_ / 2 - wide, -wide / 2, long_ / 2, long_ / 2))
        shapes = [middle + (at + wing) @ turn for wing in wings]
        if (plot.depths(np.vstack(shapes)) > 3).all() and rng.random() < 0.85:
            found += shapes
    return found


def _grass(ground: Terrain) -> None:
    rng = ground.rng
    a, b = GRASS[rng.integers(len(GRASS), size=2)] * rng.uniform(0.75, 1.15)
    colour = mixed(a, b, 0.5 + 0.4 * ground.noise(rng.uniform(40, 160), 6, fall=0.7))
    ground.colour = colour * (1 + 0.07 * ground.noise(5, 3))[..., None]


def _stones(ground: Terrain) -> None:
    """Rows of graves on a part of the lawns: stones as small as a pixel or two, and their shadows."""
    rng = ground.rng
    where = ground.below(ground.noise(90, 3), rng.uniform(-0.4, 1.4)) * (ground.map_index == PARK)
    positions = spread(ground, where, rng.uniform(2.2, 4), angle=ground.turn, jitter=0.3, row_m=3.2, kept=0.7)
    turn = rotation(ground.turn)
    shapes = boxes(positions, turn[0] * 1.3, turn[1] * 0.8)
    ground.build(list(shapes), rng.uniform(96, 205, (len(shapes), 1)) * np.ones(3), np.full(len(shapes), 0.9))


def _loose_trees(ground: Terrain, share: float, where: Floats | None = None) -> Grove:
    """Trees that stand alone or in clumps."""
    rng = ground.rng
    thick = ground.below(ground.noise(rng.uniform(40, 120), 3), float(rng.uniform(-0.3, 2.0)))
    positions = spread(ground, thick if where is None else thick * where, rng.uniform(6, 10), jitter=1.3, kept=share)
    return grove(rng, positions, WOODS[str(rng.choice(TREES))], rng.uniform(0.7, 1.1))


def _round(ground: Terrain, middle: Points, radius_m: float) -> Floats:
    away = np.hypot(ground.x - middle[0], (ground.y - middle[1]) * np.float32(ground.rng.uniform(0.7, 1.4)))
    return ground.below(away + 0.12 * radius_m * ground.noise(12, 1), radius_m)
