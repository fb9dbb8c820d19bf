"""Blocks that are cut into lots with a larger building on each; sets them out, and paints nothing."""

from __future__ import annotations

import numpy as np

from sat2map.city.geometry import Plot, Points, boxes
from sat2map.city.open_land import lay_car_park, lay_courts
from sat2map.city.site import Site
from sat2map.city.things import (
    ASPHALT,
    CONCRETE,
    FIELD,
    LAWN,
    MAP,
    PAVED,
    SOIL,
    YARD,
    Solid,
    padded,
    roofs,
    size_m,
    tone,
)

SHAPES = {
    "whole": ((0, 0, 1, 1),),
    "notched": ((0, 0, 1, 0.68), (0.14, 0.6, 0.8, 1)),
    "L": ((0, 0, 1, 0.4), (0, 0.3, 0.38, 1)),
    "U": ((0, 0, 1, 0.36), (0, 0.3, 0.3, 1), (0.7, 0.3, 1, 1)),
    "H": ((0, 0, 0.36, 1), (0.64, 0, 1, 1), (0.3, 0.34, 0.7, 0.66)),
    "court": ((0, 0, 1, 0.28), (0, 0.72, 1, 1), (0, 0.2, 0.26, 0.8), (0.74, 0.2, 1, 0.8)),
    "comb": ((0, 0, 1, 0.42), (0, 0.38, 0.22, 1), (0.39, 0.38, 0.61, 1), (0.78, 0.38, 1, 1)),
    "light wells": ((0, 0, 1, 0.34), (0.16, 0.3, 0.84, 0.7), (0, 0.66, 1, 1)),
    "cross": ((0.34, 0, 0.66, 1), (0, 0.34, 1, 0.66)),
    "bars": ((0, 0, 1, 0.34), (0, 0.66, 1, 1)),
    "steps": ((0, 0, 0.4, 0.7), (0.3, 0.15, 0.75, 0.85), (0.65, 0.3, 1, 1)),
}
"""Parts of a building as shares of its lot: left, front, right, back."""
DENSE = ("whole", "notched", "L", "U", "H", "court", "comb", "light wells")
LOOSE = ("L", "U", "H", "cross", "bars", "steps", "notched")


def apartments(site: Site) -> None:
    """Large houses of flats about courts."""
    rng = site.rng
    site.ground(site.land.corners, YARD)
    limit = rng.uniform(24, 46)
    for lot in site.lots(site.land.inset(rng.uniform(0.5, 3)), limit):
        site.ground(lot.corners, YARD if rng.random() < 0.6 else PAVED)
        if rng.random() < 0.05:
            lay_car_park(site, lot)
        elif rng.random() < 0.07:
            site.scatter_trees(lot, 1 / 60)
        else:
            raise_building(site, lot.inset(rng.uniform(0.2, 2)), DENSE, rng.uniform(12, 24))
    site.clutter(site.land, 1 / 90)
    site.scatter_trees(site.land, 1 / 200)


def lots(site: Site) -> None:
    """Shops and offices that fill their lots, and car parks."""
    rng = site.rng
    site.ground(site.land.corners, PAVED)
    high = rng.choice((9.0, 15.0, 27.0), p=(0.55, 0.33, 0.12))
    for lot in site.lots(site.land, rng.uniform(18, 40)):
        if rng.random() < 0.13:
            lay_car_park(site, lot)
        else:
            raise_building(site, lot.inset(rng.uniform(0.1, 1.5)), DENSE, rng.uniform(0.5, 1.4) * high)
    site.clutter(site.land, 1 / 110)
    site.scatter_trees(site.land, 1 / 700)


def works(site: Site) -> None:
    """Halls, yards, tanks and lorries."""
    rng = site.rng
    site.ground(site.plot.corners, PAVED, MAP["land"][2] if rng.random() < 0.6 else MAP["land"][0])
    for lot in site.lots(site.land, rng.uniform(45, 85), gap_m=rng.uniform(0, 4)):
        site.ground(lot.corners, tone(rng, (ASPHALT, PAVED, CONCRETE, SOIL)[rng.integers(4)]))
        draw = rng.random()
        if draw < 0.62:
            hall = lot.inset(rng.uniform(1, 7))
            raise_building(site, hall, ("whole", "whole", "notched", "L"), rng.uniform(7, 13), ribbed=True)
        elif draw < 0.78:
            lay_car_park(site, lot)
        else:
            _stacks(site, lot)
    site.clutter(site.land, 1 / 90)
    site.scatter_trees(site.land, 1 / 900)


def towers(site: Site) -> None:
    """High houses far apart among lawns and trees."""
    rng = site.rng
    site.ground(site.land.corners, LAWN)
    height = rng.uniform(24, 52)
    shape = (LOOSE[rng.integers(len(LOOSE))],)
    for lot in site.lots(site.land, rng.uniform(48, 70)):
        if rng.random() < 0.2:
            lay_car_park(site, lot.inset(3))
            continue
        _paths(site, lot)
        raise_building(site, lot.inset(size_m(lot.corners) * rng.uniform(0.12, 0.2)), shape, height)
        site.scatter_trees(lot, 1 / 75)


def school(site: Site) -> None:
    """A school with its yard and its field."""
    rng = site.rng
    site.ground(site.plot.corners, CONCRETE, MAP["place"][int(rng.random() < 0.25)])
    pieces = list(site.lots(site.land, max(50.0, 0.6 * size_m(site.land.corners))))
    for n, lot in enumerate(pieces):
        if n == 0:
            raise_building(site, lot.inset(4), LOOSE, rng.uniform(9, 15), on_map=False)
        elif n % 2:
            site.ground(lot.inset(2).corners, FIELD if rng.random() < 0.5 else ASPHALT)
            lay_courts(site, lot.inset(5))
        else:
            lay_car_park(site, lot)
    site.scatter_trees(site.land, 1 / 260)


def raise_building(
    site: Site, lot: Plot, shapes: tuple[str, ...], height_m: float, *, ribbed: bool = False, on_map: bool = True
) -> None:
    """One building on a lot: of several parts where the lot has four corners, else it fills it."""
    rng = site.rng
    if lot.area_m2 < 45:
        return
    height = np.round(2 * height_m) / 2
    colour = roofs(rng, 1, site.style.bright * (0.75 if height_m > 18 else 1))
    if len(lot.corners) != 4:
        site.build(Solid(padded(lot.corners), np.array([height]), colour, "flat", on_map))
        return
    corner, side, _, other = np.roll(lot.corners, int(rng.integers(4)), 0)
    parts = np.array(SHAPES[shapes[rng.integers(len(shapes))]], float)
    a0, b0, a1, b1 = parts.T[..., None]
    along, across = side - corner, other - corner
    # A lot is hardly ever a rectangle; its building is.
    footprints = boxes(corner + along * a0 + across * b0, along * (a1 - a0), across * (b1 - b0))
    footprints = footprints[(lot.depths(footprints) > -1.5).all((1, 2))]
    n = len(footprints)
    if not n:
        return
    levels = np.full(n, height) if rng.random() < 0.7 else height - 3.0 * rng.integers(0, 2, n)
    site.build(
        Solid(
            footprints,
            np.maximum(levels, 4),
            np.repeat(colour, n, 0) * rng.uniform(0.9, 1.05, (n, 1)),
            "flat",
            on_map=on_map,
        )
    )
    if ribbed and n == 1:
        _ribs(site, footprints[0], height, colour)


def _ribs(site: Site, hall: Points, height_m: float, colour: Points) -> None:
    """Ridges or skylights right across the roof of a hall."""
    rng = site.rng
    corner, side, _, other = hall if rng.random() < 0.5 else np.roll(hall, 1, 0)
    n = max(2, int(np.hypot(*(side - corner)) / rng.uniform(5, 12)))
    at = (np.arange(1, n) / n)[:, None]
    ribs = boxes(
        corner + (side - corner) * at + (other - corner) * 0.04,
        (side - corner) / n * rng.uniform(0.12, 0.5),
        (other - corner) * 0.92,
    )
    base = np.full(n - 1, height_m)
    shades = np.repeat(colour, n - 1, 0) * rng.uniform(0.75, 1.12)
    site.build(Solid(ribs, base + 0.8, shades, "flat", False, base), equipped=False)


def _paths(site: Site, lot: Plot) -> None:
    middle = lot.corners.mean(0)
    for target in lot.corners[::2] if site.rng.random() < 0.5 else (lot.corners + np.roll(lot.corners, 1, 0)) / 2:
        way = target - middle
        length = np.hypot(*way)
        if length > 5:
            aside = np.array([-way[1], way[0]]) / length
            site.patches(boxes(middle - aside, way, aside * 2)[None], CONCRETE)


def _stacks(site: Site, lot: Plot) -> None:
    """Containers, lorries, heaps or tanks."""
    rng = site.rng
    if rng.random() < 0.3:
        positions = site_grid(site, lot, 16, 16)
        if len(positions):
            angle = np.linspace(0, 2 * np.pi, 16, endpoint=False)
            radii = rng.uniform(3, 7, (len(positions), 1, 1))
            round_ = positions[:, None] + radii * np.stack((np.cos(angle), np.sin(angle)), -1)
            site.build(
                Solid(round_, np.full(len(positions), 8.0), roofs(rng, len(positions), 0.9), "flat"), equipped=False
            )
        return
    positions = site_grid(site, lot, 13.5, 3.4)
    positions = positions[rng.random(len(positions)) < 0.6]
    shapes = boxes(positions, site.along * 12, np.broadcast_to(site.across * 2.5, positions.shape))
    paint = rng.choice((225.0, 160.0, 90.0, 60.0), (len(positions), 1)) * rng.uniform(0.7, 1.1, (len(positions), 3))
    site.build(Solid(shapes, np.full(len(positions), 3.0), paint, "flat", on_map=False), equipped=False)


def site_grid(site: Site, lot: Plot, along_m: float, across_m: float) -> Points:
    """Positions in rows along the streets, within a lot: shape (n, 2)."""
    u, v = lot.corners @ site.along, lot.corners @ site.across
    grid = np.stack(
        np.meshgrid(np.arange(u.min() + 2, u.max() - 2, along_m), np.arange(v.min() + 2, v.max() - 2, across_m)), -1
    )
    positions = grid.reshape(-1, 2) @ np.stack((site.along, site.across))
    reach = positions + site.along * along_m * 0.85 + site.across * across_m * 0.85
    inside = (
        (lot.depths(positions) > 1).all(-1) & (lot.depths(reach) > 1).all(-1) if len(positions) else np.zeros(0, bool)
    )
    found: Points = positions[inside]
    return found
