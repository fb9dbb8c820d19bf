"""Villages, desert and tropical towns: streets, houses, walls, yards and trees in the manner of the country."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sat2map.city.bend import Bend
from sat2map.city.geometry import Points, axis, boxes, rectangle, rotation
from sat2map.landscape.ground import BUILDING, MAP, Floats, Terrain, gain
from sat2map.landscape.trees import WOODS, Grove, Leaves, grove, spread
from sat2map.landscape.ways import LEAST_HALF_M, SURFACES

ROAD, LAND, PLACE = MAP["road"][0], MAP["land"][0], MAP["place"]


class TownStyle(NamedTuple):
    """How the towns of a country look."""

    roofs: tuple[tuple[int, int, int], ...]
    pitched: float
    """Share of pitched roofs."""
    house_m: tuple[float, float]
    high_m: tuple[float, float]
    lot_m: tuple[float, float]
    """Distance from house to house along a street."""
    block_m: tuple[float, float]
    street_m: tuple[float, float]
    surfaces: tuple[int, int]
    """Rows of `SURFACES` that streets have: first and one after the last."""
    ground: tuple[tuple[int, int, int], ...]
    walls: float
    """Share of lots with a wall around them."""
    trees: str
    lush: float
    avenue: bool = False
    """Whether trees along the streets close over them."""
    n_public: int = 10
    """Schools, hospitals and squares: fewer than this many."""


STYLES = {
    "village": TownStyle(
        roofs=((142, 84, 62), (120, 72, 58), (92, 84, 78), (76, 72, 70), (160, 108, 82), (168, 166, 160), (50, 50, 52)),
        pitched=0.85, house_m=(8, 17), high_m=(4, 8), lot_m=(11, 23), block_m=(45, 110), street_m=(5, 10),
        surfaces=(0, 4), ground=((92, 104, 62), (122, 120, 84), (140, 134, 118), (104, 110, 74)), walls=0.0,
        trees="broadleaf", lush=0.9,
    ),
    "desert": TownStyle(
        roofs=((214, 202, 180), (236, 230, 218), (188, 170, 142), (168, 152, 128), (246, 246, 242), (150, 140, 126)),
        pitched=0.03, house_m=(8, 17), high_m=(3, 8), lot_m=(12, 20), block_m=(34, 70), street_m=(5, 11),
        surfaces=(2, 8), ground=((196, 176, 144), (178, 160, 132), (210, 198, 178)), walls=0.8, trees="dry", lush=0.12,
    ),
    "tropical": TownStyle(
        roofs=((150, 94, 70), (206, 204, 198), (112, 84, 70), (92, 116, 140), (204, 200, 192), (128, 116, 104),
               (74, 96, 82)),
        pitched=0.75, house_m=(6, 12), high_m=(3, 6), lot_m=(8, 16), block_m=(40, 110), street_m=(3.4, 7.5),
        surfaces=(3, 9), ground=((130, 104, 76), (106, 108, 66), (146, 122, 94)), walls=0.1, trees="lush", lush=0.9,
    ),
    "bright": TownStyle(
        roofs=((172, 100, 74), (190, 118, 88), (206, 200, 188), (158, 90, 66), (220, 214, 204)),
        pitched=0.75, house_m=(8, 16), high_m=(4, 9), lot_m=(11, 18), block_m=(40, 90), street_m=(5, 9),
        surfaces=(0, 6), ground=((142, 128, 98), (112, 108, 76)), walls=0.2, trees="dry", lush=0.3,
    ),
    "leafy": TownStyle(
        roofs=((96, 92, 88), (132, 90, 74), (70, 68, 68), (176, 172, 166), (112, 82, 70), (146, 140, 132),
               (206, 202, 196)),
        pitched=0.6, house_m=(7, 14), high_m=(6, 11), lot_m=(8, 15), block_m=(42, 66), street_m=(6, 10),
        surfaces=(0, 4), ground=((78, 92, 54), (96, 102, 66), (108, 104, 80)), walls=0.0, trees="broadleaf", lush=1.2,
        avenue=True, n_public=3,
    ),
}  # fmt: skip


def town(ground: Terrain, name: str, *, share: tuple[float, float] = (0.6, 1.0)) -> list[Grove]:
    """A town or a part of one: its ground, streets, houses and trees."""
    rng, style = ground.rng, STYLES[name]
    field = np.hypot(
        ground.x - ground.size_m[0] * rng.uniform(0.2, 0.8), ground.y - ground.size_m[1] * rng.uniform(0.2, 0.8)
    )
    field = field + 50 * ground.noise(150, 3)
    area = ground.below(field, float(np.quantile(field, rng.uniform(*share))) + 1)
    area = area * (ground.water < 0.5) * ~np.isin(ground.map_index, (ROAD, *MAP["major road"]))
    tone = np.array(style.ground)[rng.integers(len(style.ground))] * rng.uniform(0.85, 1.1)
    ground.paint(area, gain(tone, 0.1 * ground.noise(25, 4) + 0.06 * ground.noise(3, 2)), LAND, level=True)
    lines = [line for line in streets(ground, style) if (ground.at(area, line) >= 0.5).sum() > 4]
    _lots(ground, style, lines, area)
    for _ in range(int(rng.integers(0, style.n_public))):
        _public(ground, area)
    pave(ground, style, lines, area)
    houses(ground, style, lines, area)
    gardens = area * (ground.map_index == LAND)
    groves = [garden_trees(ground, style, gardens)]
    return [*groves, street_trees(ground, style, lines, area)] if style.avenue else groves


def _public(ground: Terrain, area: Floats) -> None:
    """A school, a hospital or a square, which is a place on the map: halls, courts and lawns."""
    rng = ground.rng
    middle = rng.uniform(0.1, 0.9, 2) * ground.size_m
    half = rng.uniform(18, 60, 2)
    turn = rotation(ground.turn)
    plot = middle + rectangle(-half[0], -half[1], half[0], half[1]) @ turn
    if ground.at(area, plot).min() < 0.5:
        return
    tone = np.array([(104, 112, 72), (136, 130, 120), (150, 132, 104), (92, 92, 90)])[rng.integers(4)]
    ground.paint(
        ground.covered([plot]) * area, gain(tone, 0.06 * ground.worn(30, 4)), int(rng.choice(PLACE)), level=True
    )
    inner = np.array([(x, y) for x in np.arange(-0.8, 0.7, 0.55) for y in (-0.75, 0.15)]) * half
    parts = [middle + (corner + rectangle(0, 0, *(half * rng.uniform(0.15, 0.5, 2)))) @ turn for corner in inner]
    kept = rng.random(len(parts)) < 0.6
    high = np.where(rng.random(len(parts)) < 0.3, 0, rng.uniform(5, 14, len(parts)))
    tones = np.array([(196, 192, 184), (150, 146, 140), (142, 92, 72), (88, 116, 80), (126, 84, 70)])[
        rng.integers(5, size=len(parts))
    ]
    ground.build([p for p, k in zip(parts, kept, strict=True) if k], tones[kept], high[kept])


def streets(ground: Terrain, style: TownStyle) -> list[Points]:
    """The middle lines of a bent grid, some of them missing."""
    rng = ground.rng
    bend = Bend(rng, rng.uniform(0.2, 1.8))
    reach = float(np.hypot(*ground.size_m)) * 0.75
    blocks = rng.uniform(*style.block_m), rng.uniform(*style.block_m) * rng.uniform(1, 2)
    turn = axis(ground.turn + rng.normal(0, 0.3) * (rng.random() < 0.3))
    middle = ground.size_m / 2 - bend((ground.size_m / 2)[None])[0]
    found = []
    for k, step in enumerate(blocks):
        ahead = turn if k == 0 else np.array([-turn[1], turn[0]])
        aside = np.array([-ahead[1], ahead[0]])
        for at in np.arange(-reach, reach, step):
            if rng.random() < 0.85:
                first, last = np.sort(rng.uniform(-reach, reach, 2)) if rng.random() < 0.25 else (-reach, reach)
                u = np.arange(first, last, 8.0)[:, None]
                if len(u) > 3:
                    line = ground.size_m / 2 + aside * (at + rng.uniform(-0.2, 0.2) * step) + ahead * u
                    found.append(bend(line) + middle)
    return found


def pave(ground: Terrain, style: TownStyle, lines: list[Points], area: Floats) -> None:
    """Lay the streets of a town, which are roads on the map."""
    rng = ground.rng
    first, after = style.surfaces
    tone = SURFACES[rng.integers(first, after)] * rng.uniform(0.85, 1.15)
    for line in lines:
        half = rng.uniform(*style.street_m) / 2
        on = ground.at(area, line) >= 0.5
        for part in np.split(line, np.flatnonzero(np.diff(on.astype(int))) + 1):
            if len(part) > 2 and ground.at(area, part[len(part) // 2][None])[0] >= 0.5:
                share = ground.stroke(part, half)
                own = tone if rng.random() < 0.8 else SURFACES[rng.integers(first, after)]
                ground.paint(share, gain(own, 0.07 * ground.worn()), level=True)
                major = np.isin(ground.map_index, MAP["major road"])
                ground.label(np.where(major, np.float32(0), ground.stroke(part, max(half, LEAST_HALF_M))), ROAD)


def _lots(ground: Terrain, style: TownStyle, lines: list[Points], area: Floats) -> None:
    """Yards of other colours, and walls about them."""
    rng, shapes, colours, heights = ground.rng, [], [], []
    for line in lines:
        for corner, along, aside in _beside(ground, line, style.lot_m, area):
            deep, wide = rng.uniform(14, 26), rng.uniform(*style.lot_m)
            yard = boxes(corner + aside * style.street_m[1] / 2, along * wide, aside * deep)
            tone = np.array(style.ground)[rng.integers(len(style.ground))] * rng.uniform(0.75, 1.2)
            if rng.random() < style.walls:
                shapes.append(yard)
                colours.append(tone * 1.15)
                heights.append(2.2)
                middle = yard.mean(0)
                yard = middle + (yard - middle) * 0.94
            shapes.append(yard)
            colours.append(tone)
            heights.append(0.01)
    ground.build(shapes, np.array(colours), np.array(heights), within=area)


def houses(ground: Terrain, style: TownStyle, lines: list[Points], area: Floats) -> None:
    """Houses along the streets, none on another or on a street."""
    rng = ground.rng
    taken = ground.map_index != LAND
    bodies, slopes, colours, tops, heights = [], [], [], [], []
    usual = np.array(style.roofs, float)
    for line in lines:
        for corner, along, aside in _beside(ground, line, style.lot_m, area):
            long_, deep = rng.uniform(*style.house_m, 2)
            start = corner + aside * (style.street_m[1] / 2 + rng.uniform(1, 7))
            body = boxes(start, along * long_, aside * deep)
            if not ((body > 0) & (body < ground.size_m)).all() or _is_taken(ground, taken, body):
                continue
            tone = usual[min(rng.geometric(0.3) - 1, len(usual) - 1)] * rng.uniform(0.85, 1.12)
            high = rng.uniform(*style.high_m)
            bodies.append(body)
            colours.append(tone)
            heights.append(high)
            if rng.random() < style.pitched:
                ridge = (body[0] + body[3]) / 2, (body[1] + body[2]) / 2
                slopes.append(np.stack((body[0], body[1], ridge[1], ridge[0])))
                tops.append(tone * rng.choice((0.72, 1.22)))
    ground.build(bodies, np.array(colours), np.array(heights), BUILDING)
    ground.build(slopes, np.array(tops), np.zeros(len(slopes)))


def _beside(
    ground: Terrain, line: Points, step_m: tuple[float, float], area: Floats
) -> list[tuple[Points, Points, Points]]:
    """Corners of lots on both sides of a street, with the unit vectors along and away from it."""
    rng, found = ground.rng, []
    steps = np.hypot(*np.diff(line, axis=0).T)
    way = np.concatenate(((0.0,), np.cumsum(steps)))
    for side in (1, -1):
        at = rng.uniform(0, step_m[1])
        while at < way[-1] - 1:
            k = int(np.searchsorted(way, at) - 1) if at > 0 else 0
            along = (line[k + 1] - line[k]) / max(steps[k], 1e-6)
            corner = line[k] + along * (at - way[k])
            if ground.at(area, corner[None])[0] >= 0.5:
                found.append((corner, along, side * np.array([-along[1], along[0]])))
            at += rng.uniform(*step_m)
    return found


def _is_taken(ground: Terrain, taken: Floats, body: Points) -> bool:
    """Whether a house would stand on something; if not, its ground is taken from now on."""
    middle = body.mean(0)
    reach = middle + (body - middle) * 1.25
    inner = np.linspace(reach, np.roll(reach, -1, 0), 4).reshape(-1, 2)
    if ground.at(taken, np.vstack((inner, middle[None]))).any():
        return True
    low, high = np.floor(body.min(0) / ground.gsd_m).astype(int), np.ceil(body.max(0) / ground.gsd_m).astype(int)
    taken[max(low[1], 0) : high[1], max(low[0], 0) : high[0]] = True
    return False


def garden_trees(ground: Terrain, style: TownStyle, area: Floats) -> Grove:
    """Trees of gardens and streets: land on the map."""
    rng = ground.rng
    where = area * (ground.noise(60, 2) < rng.uniform(-0.5, 2) * 1.0)
    positions = spread(ground, where, rng.uniform(6, 9), jitter=1.2, kept=style.lush * rng.uniform(0.4, 1.3))
    leaves = WOODS[style.trees]
    if style.trees == "dry" and rng.random() < 0.5:
        leaves = Leaves(((70, 92, 54), (58, 78, 46)), (1.2, 3.0), 2.6, 0.6, (0, 0, 0))
    return grove(rng, positions, leaves, rng.uniform(0.5, 0.85))


def street_trees(ground: Terrain, style: TownStyle, lines: list[Points], area: Floats) -> Grove:
    """Rows of trees along the streets, whose crowns meet over some of them: the map shows the street."""
    rng, found = ground.rng, []
    for line in lines:
        share = rng.choice((0.3, rng.uniform(0.5, 1.0)))
        corners = _beside(ground, line, (5.0, 9.0), area)
        at = [corner + aside * (style.street_m[1] / 2 + rng.uniform(-1, 2)) for corner, _, aside in corners]
        found += [position for position in at if rng.random() < share]
    positions = np.array(found).reshape(-1, 2)
    kind = str(rng.choice(("broadleaf", "broadleaf", "lush", "mixed", "autumn")))
    return grove(rng, positions, WOODS[kind], rng.uniform(0.9, 1.3))._replace(over_streets=True)
