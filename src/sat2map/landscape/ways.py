"""Roads through open country: tracks, lanes of gravel and asphalt, motorways with two carriageways, railways."""

from __future__ import annotations

import numpy as np

from sat2map.city.geometry import Points, boxes, normals, ribbon
from sat2map.landscape.ground import MAP, Terrain, gain
from sat2map.landscape.water import crossing

ROAD, LAND, MAJOR = MAP["road"][0], MAP["land"][0], MAP["major road"]
SURFACES = np.array(
    [(96, 96, 95), (74, 74, 74), (122, 120, 116), (56, 56, 57), (168, 156, 136), (190, 178, 156), (150, 128, 100),
     (164, 112, 80), (140, 134, 124)], float
)  # fmt: skip
"""New and old asphalt, concrete, gravel, sand, soil, laterite."""
N_PAVED = 4
LEAST_HALF_M = 2.9
"""Of a road on the map: maps draw narrow roads wider than they are."""
CARS = np.array([(190, 190, 190), (140, 140, 140), (225, 225, 225), (38, 38, 42), (60, 66, 84), (120, 50, 46)], float)


def way(ground: Terrain, angle: float | None = None, bend: float | None = None) -> Points:
    """A line across the ground that bends a little: shape (n, 2)."""
    rng = ground.rng
    start, ahead, length = crossing(rng, ground.size_m, angle)
    size = rng.choice((0.0, 0.02, 0.06), p=(0.3, 0.4, 0.3)) if bend is None else bend
    u = np.arange(0, length, 6.0)
    v = np.zeros_like(u)
    for k in (1, 2, 4):
        wave = length / k * rng.uniform(0.7, 1.4)
        v += size * wave * rng.normal(0, 0.6) * np.sin(2 * np.pi * u / wave + rng.uniform(0, 2 * np.pi))
    line: Points = start + u[:, None] * ahead + v[:, None] * np.array([-ahead[1], ahead[0]])
    return line


def track(ground: Terrain, line: Points) -> None:
    """Two ruts, or a path: too small for the map."""
    rng = ground.rng
    tone = SURFACES[rng.integers(N_PAVED, len(SURFACES))] * rng.uniform(0.8, 1.1)
    for aside in (-0.9, 0.9):
        share = ground.covered([ribbon(line, 0.45, aside)]) * np.clip(0.7 + 0.3 * ground.worn(30, 2), 0, 1)
        ground.paint(share * 0.8 * (1 - ground.water), tone)


def lane(ground: Terrain, line: Points) -> None:
    """A country road, which is a road on the map."""
    rng = ground.rng
    paved = rng.random() < 0.6
    half = rng.uniform(2.4, 4.2) if paved else rng.uniform(1.7, 3.2)
    kind = rng.integers(N_PAVED) if paved else rng.integers(N_PAVED, len(SURFACES))
    tone = SURFACES[kind] * rng.uniform(0.85, 1.15)
    if not paved:
        # Such roads are made of the ground about them.
        tone = tone + rng.uniform(0, 0.75) * (_beside(ground, line) * rng.uniform(1.1, 1.35) - tone)
    worn = 0.05 * ground.worn(12, 3) + 0.05 * ground.worn(100, 2)
    verge = _beside(ground, line) * 0.7 + np.array([36, 33, 26])
    ground.paint(ground.stroke(line, half + rng.uniform(0.6, 2.5)), gain(verge, 0.12 * ground.worn(6, 2)), level=True)
    share = ground.stroke(line, half)
    ground.paint(share, gain(tone, worn), level=True)
    ground.label(ground.stroke(line, max(half, LEAST_HALF_M)), ROAD)
    ground.water *= share < 0.5
    if paved and half > 2.8 and rng.random() < 0.6:
        _line(ground, line, 0.0, dashed=rng.random() < 0.6)
    traffic(ground, line, (-0.45, 0.45), half, 0.02)


def _beside(ground: Terrain, line: Points) -> Points:
    """The usual colour of the ground along a line: shape (3,)."""
    colour: Points = np.median(ground.at(ground.colour, line), axis=0).astype(float)
    return colour


def major(ground: Terrain, line: Points) -> None:
    """A wide road of one carriageway, which maps draw in yellow."""
    rng = ground.rng
    half = rng.uniform(4.2, 8)
    tone = SURFACES[rng.integers(N_PAVED - 1)] * rng.uniform(0.85, 1.2)
    ground.paint(
        ground.stroke(line, half + rng.uniform(1, 5)), gain((112, 106, 84), 0.12 * ground.worn(8, 3)), LAND, level=True
    )
    ground.paint(
        ground.stroke(line, half), gain(tone, 0.04 * ground.worn(60, 4)), int(rng.choice(MAJOR[1:])), level=True
    )
    _line(ground, line, 0.0, dashed=False)
    for aside in (-0.92, 0.92):
        _line(ground, line, aside * half, dashed=False)
    traffic(ground, line, (-0.7, -0.3, 0.3, 0.7) if half > 6 else (-0.45, 0.45), half, 0.05)


def motorway(ground: Terrain, line: Points) -> None:
    """Two carriageways with a strip between them, which maps draw in orange."""
    rng = ground.rng
    half, gap = rng.uniform(4.6, 8.5), rng.uniform(1.4, 9)
    tone = SURFACES[rng.integers(N_PAVED)] * rng.uniform(0.85, 1.25)
    verge = np.array([(96, 102, 64), (128, 116, 88), (70, 80, 50), (170, 152, 122)][rng.integers(4)])
    aside = half + gap / 2
    wide = ground.stroke(line, aside + half + rng.uniform(3, 14))
    ground.paint(wide, gain(verge, 0.1 * ground.noise(10, 4)), LAND, level=True)
    if rng.random() < 0.5:
        ground.paint(ground.stroke(line, gap / 2), gain(tone * 1.15, 0.05 * ground.noise(10, 2)), LAND)
    for side in (-1, 1):
        middle = line + side * aside * normals(line)
        ground.paint(ground.stroke(middle, half), gain(tone, 0.035 * ground.worn(60, 4)), MAJOR[0], level=True)
        for at in (-0.85, 0.85):
            _line(ground, middle, at * half, dashed=False)
        for at in (-0.28, 0.28) if half > 6 else (0.0,):
            _line(ground, middle, at * half, dashed=True)
        traffic(ground, middle, (-0.55, 0.0, 0.55) if half > 6 else (-0.4, 0.4), half, 0.09)


def railway(ground: Terrain, line: Points) -> None:
    """Ballast and rails, which are land."""
    rng = ground.rng
    ground.paint(
        ground.stroke(line, rng.uniform(3, 6)), gain((104, 94, 84), 0.08 * ground.noise(6, 2)), LAND, level=True
    )
    for aside in (-0.75, 0.75):
        ground.paint(ground.covered([ribbon(line, 0.25, aside)]), (60, 54, 50))


def _line(ground: Terrain, line: Points, aside_m: float, *, dashed: bool) -> None:
    side = normals(line)
    middle = line + side * aside_m
    quads = np.stack((middle[:-1] + side[:-1] * 0.18, middle[1:] + side[1:] * 0.18,
                      middle[1:] - side[1:] * 0.18, middle[:-1] - side[:-1] * 0.18), 1)  # fmt: skip
    ground.paint(ground.covered(list(quads[:: 2 if dashed else 1])) * 0.6, (206, 202, 188))


def traffic(ground: Terrain, line: Points, lanes: tuple[float, ...], half_m: float, share: float) -> None:
    """Cars and lorries on their way, with their shadows."""
    rng, side = ground.rng, normals(line)
    along = np.stack((-side[:, 1], side[:, 0]), -1)
    bodies, colours, heights = [], [], []
    for position in lanes:
        for k in np.flatnonzero(rng.random(len(line)) < share):
            lorry = rng.random() < 0.18
            size = rng.uniform(9, 16) if lorry else rng.uniform(4, 5)
            corner = line[k] + side[k] * (position * half_m - 0.95) - along[k] * size / 2
            bodies.append(boxes(corner, along[k] * size, side[k] * (2.4 if lorry else 1.8)))
            colours.append(CARS[rng.integers(len(CARS))] * rng.uniform(0.85, 1.1))
            heights.append(3.4 if lorry else 1.5)
    ground.build(bodies, np.array(colours), np.array(heights))


def wades(ground: Terrain, line: Points, share: float) -> bool:
    """Whether more than a share of a line lies over water."""
    wet = ground.at(ground.water, line)
    inside = ((line > 0) & (line < ground.size_m)).all(-1)
    return bool((wet[inside] > 0.5).mean() > share) if inside.any() else False
