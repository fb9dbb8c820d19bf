"""Land without houses, or with few: parks, woods, fields, car parks, campuses; sets out things, and paints nothing."""

from __future__ import annotations

import numpy as np

from sat2map.city.geometry import Plot, Points, Rng, blob, boxes, ribbon
from sat2map.city.site import Site
from sat2map.city.things import (
    ASPHALT,
    CONCRETE,
    DRY_LAWN,
    FIELD,
    LAWN,
    MAP,
    PAVED,
    SAND,
    SOIL,
    WATER,
    Colours,
    scattered,
    tone,
)

PATH = (124, 119, 106)
COURTS = np.array([(62, 78, 96), (72, 92, 66), (112, 74, 62), ASPHALT, (60, 88, 78)], float)


def lay_car_park(site: Site, lot: Plot) -> None:
    """Asphalt, bays and cars, in rows."""
    rng = site.rng
    if lot.area_m2 < 100:
        return
    site.ground(lot.corners, (tone(rng, ASPHALT) if rng.random() < 0.7 else tone(rng, PAVED)))
    u, v = lot.corners @ site.along, lot.corners @ site.across
    full = rng.uniform(0.1, 0.8)
    axes = np.stack((site.along, site.across))
    for n, at in enumerate(np.arange(v.min() + 4, v.max() - 3, 8.2)):
        positions = (
            np.stack(
                (
                    np.arange(u.min() + 3, u.max() - 2, 2.75),
                    np.full(len(np.arange(u.min() + 3, u.max() - 2, 2.75)), at),
                ),
                -1,
            )
            @ axes
        )
        if not len(positions):
            return
        positions = positions[(lot.depths(positions) > 2.4).all(-1)]
        lines = boxes(
            positions - site.along * 1.45 - site.across * 2.4,
            site.along * 0.25,
            np.broadcast_to(site.across * 4.8, positions.shape),
        )
        site.patches(lines, (128, 128, 126))
        site.park(positions, site.across if n % 7 else -site.across, full)


def lay_courts(site: Site, lot: Plot) -> None:
    """Courts for ball games, each with its lines; none on a lot of which nothing is left."""
    if not len(lot.corners):
        return
    rng = site.rng
    u, v = lot.corners @ site.along, lot.corners @ site.across
    colour = COURTS[rng.integers(len(COURTS))]
    for a in np.arange(u.min() + 2, u.max() - 17, 20):
        for b in np.arange(v.min() + 2, v.max() - 30, 34):
            corner = a * site.along + b * site.across
            court = boxes(corner, site.along * 15, site.across * 28)
            if rng.random() < 0.7 and (lot.depths(court) > 0).all():
                site.patches(court[None], (150, 150, 148))
                site.patches(
                    boxes(corner + 0.6 * (site.along + site.across), site.along * 13.8, site.across * 26.8)[None],
                    colour,
                )
                site.patches(
                    boxes(corner + site.across * 13.7, site.along * 15, site.across * 0.6)[None], (150, 150, 148)
                )


def car_park(site: Site) -> None:
    """A block that is one car park."""
    site.ground(site.land.corners, PAVED)
    lay_car_park(site, site.land.inset(1.5))
    site.scatter_trees(site.land, 1 / 900)


def fallow(site: Site) -> None:
    """Bare and overgrown ground."""
    rng = site.rng
    site.ground(site.land.corners, tone(rng, SOIL))
    _spots(site, site.land, (DRY_LAWN, LAWN, SOIL, CONCRETE, (84, 78, 66)), 1 / 380, (3, 15))
    site.clutter(site.land, 1 / 60)
    site.scatter_trees(site.land, 1 / 420)


def green(site: Site) -> None:
    """A small park."""
    rng = site.rng
    site.ground(site.plot.corners, CONCRETE, MAP["park"][0])
    site.ground(site.land.inset(0.5).corners, tone(rng, LAWN))
    _spots(site, site.land, (DRY_LAWN, LAWN, FIELD), 1 / 500, (4, 12))
    lay_ways(site, site.land, int(rng.integers(2, 5)))
    if rng.random() < 0.5 and site.land.area_m2 > 4000:
        site.ground(blob(rng, site.land.corners.mean(0), (14, 11), 0.1), tone(rng, ASPHALT))
        lay_courts(site, site.land.inset(10))
    site.scatter_trees(site.land, 1 / 95, (2.2, 5.0))


def meadow(site: Site) -> None:
    """A large park: lawns, woods, ways, ball fields and sometimes a lake."""
    rng, land = site.rng, site.land
    site.ground(site.plot.corners, LAWN, MAP["park"][0])
    dry = rng.random()
    _spots(site, land, (DRY_LAWN, LAWN, FIELD, SOIL) if dry < 0.4 else (LAWN, FIELD, DRY_LAWN), 1 / 900, (6, 34))
    lakes = _lakes(site, land, 2 if rng.random() < 0.55 else 0)
    lay_ways(site, land, int(rng.integers(3, 7)))
    taken = [*lakes]
    for _ in range(int(rng.integers(1, 4))):
        position = scattered(rng, land.corners, 1e-3)[:1]
        if (
            len(position)
            and (land.depths(position) > 48).all()
            and all(np.hypot(*(position[0] - c)) > r + 50 for c, r in taken)
        ):
            lay_ball_field(site, position[0])
            taken.append((position[0], 46.0))
    _grow(site, land, taken, rng.uniform(0.25, 0.75))


def wood(site: Site) -> None:
    """A dark wood, with clearings and perhaps a pond."""
    site.ground(site.plot.corners, (52, 58, 38), MAP["park"][0])
    _spots(site, site.land, (DRY_LAWN, LAWN, SOIL), 1 / 1500, (6, 24))
    lakes = _lakes(site, site.land, int(site.rng.random() < 0.4))
    lay_ways(site, site.land, 2)
    _grow(site, site.land, lakes, site.rng.uniform(0.7, 0.86))


def lay_ball_field(site: Site, home: Points) -> None:
    """A diamond of sand in a quarter round of grass."""
    rng = site.rng
    turn = rng.uniform(0, 2 * np.pi) + np.linspace(0, np.pi / 2, 14)
    arc = np.stack((np.cos(turn), np.sin(turn)), -1)
    start = home - 22 * arc[7]
    site.ground(np.vstack((start, start + 62 * arc)), tone(rng, FIELD, spread=0.2), MAP["park"][1])
    site.ground(np.vstack((start - 2 * arc[7], start + 29 * arc)), tone(rng, SAND))
    inner = start + 3 * arc[7]
    site.ground(np.stack((inner, inner + 19 * arc[0], inner + 19 * (arc[0] + arc[-1]), inner + 19 * arc[-1])), FIELD)


def _spots(
    site: Site, land: Plot, colours: tuple[tuple[int, int, int], ...], per_m2: float, radii_m: tuple[float, float]
) -> None:
    """Uneven ground: patches of other colours."""
    rng = site.rng
    for position in scattered(rng, land.corners, per_m2):
        radius = rng.uniform(*radii_m)
        if (land.depths(position) > radius).all():
            site.ground(blob(rng, position, (radius * rng.uniform(0.6, 1.4), radius), 0.25, 20), _mixed(rng, colours))


def _mixed(rng: Rng, colours: tuple[tuple[int, int, int], ...]) -> Colours:
    return np.average(np.array(colours, float), axis=0, weights=rng.dirichlet(np.full(len(colours), 0.7)))


def lay_ways(site: Site, land: Plot, n: int) -> None:
    """Winding paths from edge to edge."""
    rng = site.rng
    count = len(land.corners)
    for _ in range(n):
        a, b = rng.choice(count, 2, replace=False)
        start, end = (
            land.corners[k] + (land.corners[(k + 1) % count] - land.corners[k]) * rng.uniform(0.1, 0.9) for k in (a, b)
        )
        length = np.hypot(*(end - start))
        if length < 20:
            continue
        share = np.linspace(0, 1, max(8, int(length / 6)))[:, None]
        aside = np.array([-(end - start)[1], (end - start)[0]]) / length
        swing = length * (rng.normal(0, 0.12) * np.sin(np.pi * share) + rng.normal(0, 0.06) * np.sin(2 * np.pi * share))
        line = start + (end - start) * share + aside * swing
        if (land.depths(line) > -0.5).all():
            site.ground(ribbon(line, rng.uniform(1.1, 2.4)), PATH)


def _lakes(site: Site, land: Plot, n: int) -> list[tuple[Points, float]]:
    """Up to n lakes; of each the middle and how far it reaches."""
    rng = site.rng
    lakes: list[tuple[Points, float]] = []
    for position in scattered(rng, land.corners, 1e-3)[:n]:
        room = float(land.depths(position).min())
        if room > 24 and not lakes:
            radius = room * rng.uniform(0.4, 0.62)
            shore = blob(rng, position, (radius * rng.uniform(0.7, 1.05), radius), 0.3)
            site.ground(position + (shore - position) * 1.12, (74, 72, 54))
            site.ground(shore, WATER, MAP["water"][0])
            lakes.append((position, float(np.hypot(*(shore - position).T).max())))
    return lakes


def _grow(site: Site, land: Plot, open_: list[tuple[Points, float]], share: float) -> None:
    """Woods on a share of the land, single trees on the rest, and none in the open rounds."""
    rng = site.rng
    low, high = land.corners.min(0), land.corners.max(0)
    step = 5.6
    grid = np.stack(np.meshgrid(*(np.arange(a, b, step) for a, b in zip(low, high, strict=True))), -1).reshape(-1, 2)
    positions = grid + rng.uniform(-0.8, 0.8, grid.shape) * step
    waves = 2 * np.pi * rng.normal(0, 1, (6, 2)) / rng.uniform(70, 240, (6, 1))
    level = np.sin(positions @ waves.T + rng.uniform(0, 2 * np.pi, 6)).sum(1)
    wooded = level < np.quantile(level, share) if len(level) else level < 0
    kept = wooded & (rng.random(len(positions)) < 0.9) | (rng.random(len(positions)) < 0.05)
    for middle, radius in open_:
        kept &= np.hypot(*(positions - middle).T) > radius * 0.97
    site.plant(positions[kept], (1.9, 5.6))
