"""Estates as large as a district: a university, a hospital, a mall; sets out things, and paints nothing."""

from __future__ import annotations

import numpy as np

from sat2map.city.geometry import Plot
from sat2map.city.lots import LOOSE, raise_building
from sat2map.city.open_land import lay_car_park, lay_ways
from sat2map.city.site import Site
from sat2map.city.things import ASPHALT, CONCRETE, FIELD, LAWN, MAP, size_m


def campus(site: Site) -> None:
    """Large houses among lawns, lanes, trees and car parks: a university, a hospital."""
    rng = site.rng
    hospital = rng.random() < 0.3
    site.ground(site.plot.corners, LAWN, MAP["place"][int(hospital)])
    for lot in site.lots(site.land, rng.uniform(58, 84), gap_m=5.5):
        _lane(site, lot)
        draw = rng.random()
        if draw < 0.16:
            lay_car_park(site, lot.inset(2))
        elif draw < 0.28:
            site.ground(lot.inset(3).corners, FIELD, MAP["park"][0])
            site.scatter_trees(lot, 1 / 180)
        else:
            site.ground(lot.corners, LAWN if rng.random() < 0.6 else CONCRETE)
            lay_ways(site, lot, 2)
            raise_building(
                site, lot.inset(size_m(lot.corners) * rng.uniform(0.07, 0.16)), LOOSE, rng.uniform(11, 26), on_map=False
            )
            site.scatter_trees(lot, 1 / 110)
    site.clutter(site.land, 1 / 150)


def mall(site: Site) -> None:
    """Large shops with larger car parks."""
    rng = site.rng
    site.ground(site.plot.corners, ASPHALT, MAP["land"][0])
    for n, lot in enumerate(site.lots(site.land, rng.uniform(95, 140), gap_m=6)):
        if n % 3 == 0:
            raise_building(
                site, lot.inset(rng.uniform(4, 14)), ("whole", "L", "notched", "U"), rng.uniform(8, 12), ribbed=True
            )
        else:
            lay_car_park(site, lot.inset(2))
            site.scatter_trees(lot, 1 / 900, (1.5, 2.8))
    site.clutter(site.land, 1 / 220)


def _lane(site: Site, lot: Plot) -> None:
    """A narrow road along one side of a lot, which the map shows."""
    edge = int(site.rng.integers(len(lot.corners)))
    start, end = lot.corners[edge], lot.corners[(edge + 1) % len(lot.corners)]
    length = np.hypot(*(end - start))
    if length > 30 and site.rng.random() < 0.7:
        out = np.array([(end - start)[1], -(end - start)[0]]) / length
        lane = np.stack((start, end, end + out * 5.5, start + out * 5.5))
        if (site.plot.depths(lane) > -6).all():
            site.ground(lane, ASPHALT, MAP["road"][0])
