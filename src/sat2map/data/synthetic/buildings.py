"""What stands on the ground of a city: houses, halls, trees and cars, each only where there is room for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from sat2map.data.synthetic.canvas import (
    BUILDING_LAND,
    PLANTED,
    STREET,
    Block,
    Box,
    Canvas,
    Colour,
    District,
    Points,
    Rng,
    Solid,
    blob,
    jitter,
)

ROOFS = ((48, 48, 50), (76, 74, 71), (112, 110, 106), (158, 157, 153), (215, 215, 212), (98, 72, 60), (124, 110, 92))
ROOF_SHARES = (0.17, 0.21, 0.2, 0.16, 0.13, 0.06, 0.07)
CARS = ((150, 150, 150), (185, 185, 185), (38, 38, 40), (58, 64, 76), (84, 48, 44), (104, 104, 102))


def park_cars(canvas: Canvas, rng: Rng, blocks: list[Block]) -> None:
    """Cars along the kerbs of the blocks' long sides."""
    for block in blocks:
        for v in (block.box.v0 - 1.3, block.box.v1 + 1.3):
            for u in np.arange(block.box.u0 + 8, block.box.u1 - 8, 5.6):
                if rng.random() < 0.6:
                    _park(canvas, rng, block.district, Box(u, v - 0.95, u + 4.5, v + 0.95), STREET)


def _park(canvas: Canvas, rng: Rng, district: District, box: Box, use: int) -> None:
    body = district.corners(box)
    if canvas.admits(body, use) and len(district.clipped(body)) == 4:
        canvas.paint("albedo", body, CARS[rng.integers(len(CARS))])


def fill(canvas: Canvas, rng: Rng, block: Block) -> Iterator[Solid]:
    """Whatever stands in a block and has room there: no building on a road, a park or water."""
    district, box = block.district, block.box.grown(-2)
    if block.kind in ("rows", "houses"):
        solids = _houses(rng, district, box, rows=block.kind == "rows")
    elif block.kind == "park":
        solids = _trees(rng, district, box, 1 / 70)
    else:
        solids = _lots(canvas, rng, district, box, block.kind)
    for solid in solids:
        if _has_room(canvas, district, solid):
            yield solid
            if solid.style == "flat":
                yield from _equipment(rng, solid)


def _has_room(canvas: Canvas, district: District, solid: Solid) -> bool:
    middle = solid.footprint.mean(0)
    if solid.style == "tree":  # its crown may hang over a road, and then is as hard for a model as in real pictures
        return bool((middle - district.origin) @ district.inward > 0) and canvas.admits(
            middle[None], PLANTED, BUILDING_LAND
        )
    probes = np.vstack((solid.footprint, (solid.footprint + np.roll(solid.footprint, 1, 0)) / 2, middle))
    inside = ((probes - district.origin) @ district.inward > 0).all()
    return bool(inside) and canvas.admits(probes, BUILDING_LAND)


def _houses(rng: Rng, district: District, box: Box, *, rows: bool) -> Iterator[Solid]:
    """Houses along both long sides, gardens with trees between them."""
    yield from _trees(rng, district, Box(box.u0, box.v0 + 17, box.u1, box.v1 - 17), 1 / 80)
    yield from _trees(rng, district, box.grown(-1), 1 / 260)
    for front, inward in ((box.v0, 1), (box.v1, -1)):
        u, colour = box.u0 + 2, _roof(rng)
        while u < box.u1 - 8:
            width = rng.uniform(5.8, 7.5) if rows else rng.uniform(7, 9.5)
            depth = rng.uniform(13, 18) if rows else rng.uniform(11, 15)
            setback = (2 if rows else 4) + rng.uniform(0, 1)
            colour = colour if rows and rng.random() < 0.45 else _roof(rng)
            v = sorted((front + inward * setback, front + inward * (setback + depth)))
            house = district.corners(Box(u, v[0], u + width, v[1]))
            yield Solid(rng.uniform(8, 11) if rows else rng.uniform(6, 9), house, colour, "flat" if rows else "pitched")
            u += width + (0.0 if rows and rng.random() < 0.93 else rng.uniform(2.5, 5))


def _lots(canvas: Canvas, rng: Rng, district: District, box: Box, kind: str) -> Iterator[Solid]:
    """Larger buildings with flat roofs, and car parks."""
    limit_m, inset_m, tall_m = {"lots": (24, 1.2, 26), "works": (62, 2.5, 12), "campus": (70, 11, 20)}[kind]
    for lot in _halved(rng, box, limit_m, lambda lot: canvas.admits(district.corners(lot), BUILDING_LAND)):
        if kind == "campus":
            yield from _trees(rng, district, lot, 1 / 200)
        elif rng.random() < 0.16:
            _lay_car_park(canvas, rng, district, lot)
            continue
        inset = inset_m * rng.uniform(0.5, 2)
        footprint = district.corners(lot.grown(-inset))
        yield Solid(rng.uniform(6, tall_m), footprint, _roof(rng), "flat")


def _lay_car_park(canvas: Canvas, rng: Rng, district: District, lot: Box) -> None:
    if canvas.admits(district.corners(lot), BUILDING_LAND):
        canvas.paint("albedo", district.clipped(district.corners(lot)), jitter(rng, (72, 72, 72)))
    for v in np.arange(lot.v0 + 2, lot.v1 - 6, 8.5):
        for u in np.arange(lot.u0 + 2, lot.u1 - 3, 2.8):
            if rng.random() < 0.55:
                _park(canvas, rng, district, Box(u, v, u + 1.9, v + 4.5), BUILDING_LAND)


def _halved(rng: Rng, box: Box, limit_m: float, fits: Callable[[Box], bool]) -> Iterator[Box]:
    """Lots: the longer side is cut until it is short enough, and further where the lot does not fit."""
    wide, high = box.u1 - box.u0, box.v1 - box.v0
    share = rng.uniform(0.35, 0.65)
    longest = max(wide, high)
    if longest < limit_m * rng.uniform(0.8, 1.6) and (longest < 14 or fits(box)):
        yield box
    elif wide > high:
        cut = box.u0 + share * wide
        yield from _halved(rng, box._replace(u1=cut), limit_m, fits)
        yield from _halved(rng, box._replace(u0=cut), limit_m, fits)
    else:
        cut = box.v0 + share * high
        yield from _halved(rng, box._replace(v1=cut), limit_m, fits)
        yield from _halved(rng, box._replace(v0=cut), limit_m, fits)


def _trees(rng: Rng, district: District, box: Box, per_m2: float) -> Iterator[Solid]:
    area_m2 = max(box.u1 - box.u0, 0) * max(box.v1 - box.v0, 0)
    for _ in range(rng.poisson(area_m2 * per_m2)):
        u, v = box.point(rng)
        yield _tree(rng, district.corners(Box(u, v, u, v))[0])


def street_trees(canvas: Canvas, rng: Rng, blocks: list[Block]) -> list[Solid]:
    """Trees on the pavements of the blocks' long sides."""
    trees = []
    for district, box, kind in ((b.district, b.box, b.kind) for b in blocks):
        for u in np.arange(box.u0 + 5, box.u1 - 5, 7.5):
            if rng.random() < (0.25 if kind in ("lots", "works") else 0.55):
                place = Box(u, box.v0 + 1, u, box.v0 + 1) if rng.random() < 0.5 else Box(u, box.v1 - 1, u, box.v1 - 1)
                trees.append(_tree(rng, district.corners(place)[0]))
    return [tree for tree in trees if canvas.admits(tree.footprint[:1], STREET, BUILDING_LAND, PLANTED)]


def _tree(rng: Rng, place: Points) -> Solid:
    radius = rng.uniform(1.8, 4.6)
    return Solid(1.6 * radius, blob(rng, place, radius, 0.15), jitter(rng, (48, 60, 34)), "tree")


def _equipment(rng: Rng, building: Solid) -> Iterator[Solid]:
    """Stairheads, tanks and coolers on a flat roof."""
    corner, along, _, across = building.footprint
    along, across = along - corner, across - corner
    lengths = np.hypot(*along), np.hypot(*across)
    for _ in range(rng.poisson(lengths[0] * lengths[1] / 130)):
        size = rng.uniform(1.5, 4, 2) / lengths
        at = rng.uniform(0.08, 0.9 - np.minimum(size, 0.8), 2)
        if (size < 0.5).all():
            a, b = at[0] * along, at[1] * across
            du, dv = size[0] * along, size[1] * across
            box = corner + np.stack((a + b, a + b + du, a + b + du + dv, a + b + dv))
            yield Solid(building.height_m + 2.5, box, _roof(rng), "flat", building.height_m)


def _roof(rng: Rng) -> Colour:
    return jitter(rng, ROOFS[rng.choice(len(ROOFS), p=ROOF_SHARES)])
