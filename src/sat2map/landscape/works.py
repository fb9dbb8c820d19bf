"""Large works in open country: greenhouses, solar fields, quarries, airfields, harbours, halls with car parks."""

from __future__ import annotations

import numpy as np

from sat2map.city.geometry import Plot, Points, axis, boxes, rectangle, rotation
from sat2map.landscape.crops import divided
from sat2map.landscape.farmland import farmland
from sat2map.landscape.ground import BUILDING, MAP, Floats, Terrain, gain
from sat2map.landscape.trees import Grove
from sat2map.landscape.water import fill
from sat2map.landscape.ways import CARS, SURFACES, lane, way
from sat2map.landscape.wild import clearing, desert, scattered_trees, scrub

LAND, GREY, PLACE = MAP["land"][0], MAP["land"][2], MAP["place"]

CONTAINERS = np.array(
    [(132, 62, 52), (58, 82, 116), (96, 106, 98), (176, 174, 170), (150, 96, 58), (70, 74, 78), (66, 98, 84)]
)


def _rows(plot: Plot, angle: float, step_m: float, wide_m: float, long_m: float, gap_m: float = 2.0) -> Points:
    """Boxes in rows along a direction, those that lie within a plot: shape (n, 4, 2)."""
    along, across = axis(angle), axis(angle + np.pi / 2)
    u, v = plot.corners @ along, plot.corners @ across
    grid = np.stack(np.meshgrid(np.arange(u.min(), u.max(), long_m + gap_m), np.arange(v.min(), v.max(), step_m)), -1)
    shapes = boxes(grid.reshape(-1, 2) @ np.stack((along, across)), along * long_m, across * wide_m)
    inside: Points = shapes[(plot.depths(shapes) > 1).all((1, 2))]
    return inside


def _angle(plot: Plot) -> float:
    edge = plot.edges[int(plot.lengths.argmax())]
    return float(np.arctan2(edge[1], edge[0]))


def greenhouses(ground: Terrain) -> list[Grove]:
    """Roofs of glass and foil in long rows: bright, blue or grey; land."""
    rng = ground.rng
    groves = farmland(ground)
    for plot in divided(ground, rng.uniform(70, 180), rng.uniform(3, 9), slant=0.05):
        if rng.random() > 0.65:
            continue
        ground.paint(ground.covered([plot.corners]), gain((132, 120, 98), 0.08 * ground.worn()), LAND)
        wide = rng.uniform(5, 12)
        shapes = _rows(plot, _angle(plot), wide + rng.choice((0.4, 1.5, 3.0)), wide, rng.uniform(25, 90))
        tone = np.array([(222, 226, 224), (196, 206, 208), (152, 168, 176), (238, 238, 232), (110, 128, 136)])[
            rng.integers(5)
        ]
        colours = tone * rng.uniform(0.86, 1.06, (len(shapes), 1))
        ground.build(list(shapes), colours, np.full(len(shapes), 3.5), BUILDING)
    return groves


def solar(ground: Terrain) -> list[Grove]:
    """Fields of panels: dark blue or black, in rows; land."""
    rng = ground.rng
    groves = (clearing(ground) or [scattered_trees(ground, 14, 0.2)]) if rng.random() < 0.5 else desert(ground)
    turn = rng.uniform(-0.2, 0.2)
    for plot in divided(ground, rng.uniform(120, 280), rng.uniform(6, 14), slant=0.05):
        if rng.random() > 0.7:
            continue
        soil = np.array([(128, 120, 94), (104, 112, 74), (168, 152, 124)][rng.integers(3)])
        ground.paint(ground.covered([plot.corners]), gain(soil, 0.07 * ground.worn()), LAND, level=True)
        wide = rng.uniform(2.2, 4.2)
        shapes = _rows(plot, turn, wide * rng.uniform(1.5, 2.6), wide, rng.uniform(18, 60), 1.2)
        tone = np.array([(30, 36, 56), (24, 26, 34), (44, 56, 86), (52, 56, 66)])[rng.integers(4)]
        ground.build(list(shapes), tone * rng.uniform(0.85, 1.15, (len(shapes), 1)), np.full(len(shapes), 1.6))
        groves = [_outside(grove, plot) for grove in groves]
    return groves


def _outside(trees: Grove, plot: Plot) -> Grove:
    free = np.asarray((plot.depths(trees.positions) < 0).any(-1))
    return trees.only(free)


def quarry(ground: Terrain) -> list[Grove]:
    """A pit in steps, with heaps, roads of spoil, and perhaps water at its bottom."""
    rng = ground.rng
    groves = scrub(ground) if rng.random() < 0.5 else (clearing(ground) or [scattered_trees(ground, 9, 0.5)])
    depth = ground.noise(rng.uniform(160, 300), 3, fall=0.4)
    level = float(np.quantile(depth, rng.uniform(0.35, 0.7)))
    pit = ground.below(depth, level)
    stone = np.array(
        [(196, 188, 172), (170, 160, 146), (206, 182, 146), (142, 138, 134), (70, 66, 64), (182, 134, 104)]
    )
    tone = stone[rng.integers(len(stone))] * rng.uniform(0.85, 1.05)
    benches = np.floor((level - depth) * rng.uniform(3, 6))
    light = 0.06 * ground.noise(40, 5) + 0.04 * np.sin(benches * 2.4)
    ground.paint(pit, gain(tone, light), LAND, level=True)
    high = np.where(pit > 0.5, -benches * rng.uniform(3, 7) + 1.2 * np.clip(ground.noise(12, 2), 0, 2), 0)
    ground.relief = ground.relief + high.astype(np.float32)
    if rng.random() < 0.5:
        bottom = ground.below(depth, float(np.quantile(depth, rng.uniform(0.06, 0.2))))
        fill(
            ground,
            bottom,
            np.array([(88, 150, 146), (54, 92, 96), (122, 132, 110), (30, 44, 48)])[rng.integers(4)],
            rough=0.1,
        )
    inside = [ground.at(pit, trees.positions) > 0.2 for trees in groves]
    return [trees.only(~gone) for trees, gone in zip(groves, inside, strict=True)]


def airfield(ground: Terrain) -> list[Grove]:
    """Runways, taxiways and aprons, all of them land on the map, on mown grass or sand."""
    rng = ground.rng
    tones = np.array([(104, 116, 70), (134, 126, 90), (82, 98, 58), (178, 156, 124)])
    tone = tones[rng.integers(4)]
    ground.colour = gain(tone, 0.1 * ground.noise(90, 5) + 0.05 * ground.noise(3, 2))
    angle = rng.uniform(0, np.pi)
    turn, middle = rotation(angle), ground.size_m * rng.uniform(0.3, 0.7, 2)
    half = rng.uniform(11, 30)
    surface = SURFACES[rng.integers(4)] * rng.uniform(0.6, 1.3)
    away = half + rng.uniform(40, 110)
    for _ in range(int(rng.integers(0, 3))):
        lane(ground, way(ground))
    lay = [(-900, -half, 900, half), (-900, away - 9, 900, away + 9)]
    lay += [(x, 0, x + rng.uniform(14, 26), away) for x in rng.uniform(-300, 300, 3)]
    lay += [(-160, away, 220, away + rng.uniform(50, 160))] if rng.random() < 0.6 else []
    for n, (x0, y0, x1, y1) in enumerate(lay):
        share = ground.covered([middle + rectangle(x0, y0, x1, y1) @ turn])
        own = surface if n == 0 or rng.random() < 0.6 else SURFACES[rng.integers(3)]
        ground.paint(share, gain(own, 0.06 * ground.worn(30, 4)), LAND)
    v = (ground.x - middle[0]) * -np.sin(angle) + (ground.y - middle[1]) * np.cos(angle)
    rubber = np.exp(-((v / (half * 0.35)) ** 2)) * np.clip(0.5 + 0.4 * ground.noise(200, 2), 0, 1)
    ground.paint((rubber * (np.abs(v) < half) * rng.uniform(0, 0.7)).astype(np.float32), (44, 44, 44))
    marks = [rectangle(x, -0.5, x + 30, 0.5) for x in range(-900, 900, 50)]
    marks += [rectangle(-900, s * half * 0.93 - 0.5, 900, s * half * 0.93 + 0.5) for s in (-1, 1)]
    end = rng.uniform(-120, 120)
    marks += [rectangle(end, y, end + 30, y + 1.8) for y in np.arange(-half * 0.85, half * 0.8, 3.6)]
    shapes = [middle + mark @ turn for mark in marks]
    ground.build(shapes, np.full((len(shapes), 3), 222.0), np.zeros(len(shapes)))
    if rng.random() < 0.6:
        _hangars(ground, middle, turn, away)
    return []


def _hangars(ground: Terrain, middle: Points, turn: Points, away: float) -> None:
    """Halls beside the apron, and aircraft on it."""
    rng = ground.rng
    halls = [
        middle + rectangle(x, away + 60, x + 46, away + 100) @ turn for x in np.arange(-150, 200, rng.uniform(60, 90))
    ]
    ground.build(
        halls, rng.choice((228.0, 180.0, 130.0), (len(halls), 1)) * np.ones(3), np.full(len(halls), 12.0), BUILDING
    )
    planes = []
    for x in np.arange(-140, 200, rng.uniform(34, 70)):
        size, at = rng.uniform(5, 18), np.array([x, away + rng.uniform(16, 40)])
        planes += [
            middle + (at + rectangle(-size * 0.1, -size, size * 0.1, size)) @ turn,
            middle
            + (at + np.array([(-size, 0.25 * size), (0, -0.2 * size), (size, 0.25 * size), (0, 0.1 * size)])) @ turn,
        ]
    ground.build(planes, np.full((len(planes), 3), 236.0), np.full(len(planes), 3.0))


def harbour(ground: Terrain, inland_m: Floats) -> None:
    """Quays, piers, ships, cranes' shadows and stacks of containers along a shore."""
    rng = ground.rng
    quay = np.array([(150, 146, 138), (108, 106, 102), (128, 116, 98)])[rng.integers(3)]
    dry = ground.below(-inland_m, 0.0) * ground.below(inland_m, rng.uniform(70, 200))
    ground.paint(dry, gain(quay, 0.06 * ground.worn(30, 4)), GREY if rng.random() < 0.5 else LAND, level=True)
    slope = np.gradient(inland_m)
    out = -np.array([float(slope[1].mean()), float(slope[0].mean())])
    out = out / max(np.hypot(*out), 1e-6)
    angle = float(np.arctan2(out[1], out[0]))
    turn = rotation(angle)
    rows, columns = np.nonzero(np.abs(inland_m) < 3)
    if not len(rows):
        return
    for k in rng.integers(len(rows), size=rng.integers(2, 7)):
        root = np.array([columns[k], rows[k]]) * ground.gsd_m
        long_, half = rng.uniform(30, 160), rng.uniform(4, 26)
        pier = root + rectangle(-8, -half, long_, half) @ turn
        ground.paint(
            ground.covered([pier]), gain(quay * rng.uniform(0.85, 1.1), 0.05 * ground.worn()), GREY, level=True
        )
        _ships(ground, root, turn, long_, half)
    spots = _spots(ground, 60)
    for spot in spots[ground.at(dry, spots) > 0.5]:
        shapes = boxes(spot + rng.uniform(-20, 20, (24, 2)).round(-1) @ turn, turn[0] * 12, turn[1] * 2.6)
        ground.build(
            list(shapes),
            CONTAINERS[rng.integers(len(CONTAINERS), size=24)] * rng.uniform(0.7, 1.1, (24, 1)),
            rng.choice((2.6, 5.2, 7.8), 24),
        )


def _spots(ground: Terrain, n: int) -> Points:
    return ground.rng.uniform(0, 1, (n, 2)) * ground.size_m


def _ships(ground: Terrain, root: Points, turn: Points, long_m: float, half_m: float) -> None:
    """Ships along both sides of a pier: they hide water, and the map shows the water."""
    rng = ground.rng
    for side in (-1, 1):
        if rng.random() < 0.7:
            size = min(rng.uniform(14, 90), long_m)
            wide = size * rng.uniform(0.14, 0.2)
            hull = np.array([(0, 0), (0, 1), (0.8, 1), (1, 0.5), (0.8, 0)]) * (size, wide)
            at = np.array([rng.uniform(0, long_m - size + 1), side * (half_m + 1) - (wide if side < 0 else 0)])
            body = root + (at + hull) @ turn
            deck = body.mean(0) + (body - body.mean(0)) * (0.35, 0.35)
            ground.build([body, deck], rng.uniform(50, 235, (2, 1)) * np.ones(3), np.array([4.0, 9.0]))


def halls(ground: Terrain) -> list[Grove]:
    """Shops and works at the edge of a town: large roofs, black or white, asphalt and cars; schools are places."""
    rng = ground.rng
    everywhere = np.ones(ground.shape, np.float32)
    ground.paint(everywhere, gain(SURFACES[rng.integers(4)], 0.05 * ground.worn()), MAP["road"][0])
    for plot in divided(ground, rng.uniform(60, 140), rng.uniform(8, 12), slant=0.05):
        position = rng.random() < 0.2
        sealed = rng.random() < 0.75
        tone = SURFACES[rng.integers(4)] * rng.uniform(0.6, 1.1) if sealed else np.array((96, 106, 66))
        label = int(rng.choice(PLACE)) if position else LAND
        ground.paint(ground.covered([plot.corners]), gain(tone, 0.06 * ground.worn(30, 4)), label)
        inner = plot.inset(rng.uniform(6, 18))
        if len(inner.corners) > 2 and rng.random() < 0.65:
            roof = rng.choice((238.0, 200.0, 150.0, 90.0, 48.0, 34.0)) * np.array([1, 1, rng.uniform(0.95, 1.04)])
            middle = inner.corners.mean(0)
            body = middle + (inner.corners - middle) * (rng.uniform(0.5, 1), rng.uniform(0.6, 1))
            ground.build([body], roof[None], np.array([rng.uniform(5, 14)]), None if position else BUILDING)
            continue
        if not sealed:
            continue
        cars = _rows(plot, _angle(plot), rng.uniform(5.5, 9), 1.9, 4.4, 0.9)
        cars = cars[rng.random(len(cars)) < rng.uniform(0.1, 0.8)]
        ground.build(list(cars), CARS[rng.integers(len(CARS), size=len(cars))], np.full(len(cars), 1.5))
    return [scattered_trees(ground, 11, 0.25)]
