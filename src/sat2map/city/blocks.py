"""What is in a block, whatever its kind: its pavement, its street trees, the cars along its kerbs; paints nothing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sat2map.city import estates, houses, lots, open_land
from sat2map.city.geometry import Points, boxes, rng_of
from sat2map.city.layout import Block
from sat2map.city.options import Season
from sat2map.city.site import Site
from sat2map.city.things import ASPHALT, MAP, PAVEMENT, Contents

FILL: dict[str, Callable[[Site], None]] = {
    "rows": houses.rows, "houses": houses.houses, "apartments": lots.apartments, "lots": lots.lots,
    "works": lots.works, "towers": lots.towers, "school": lots.school, "car park": open_land.car_park,
    "fallow": open_land.fallow, "park": open_land.green, "green": open_land.green, "meadow": open_land.meadow,
    "wood": open_land.wood, "campus": estates.campus, "mall": estates.mall,
}  # fmt: skip
GREEN = ("park", "green", "meadow", "wood")


def contents(block: Block, seed: tuple[int, ...], season: Season) -> Contents:
    """All that is in a block, before the city is bent."""
    rng = rng_of(seed, 5, *block.key)
    land = block.plot.inset(rng.uniform(2.2, 3.6))
    # What is built at once looks alike: blocks of a district differ more than the houses of a block.
    style = block.style._replace(bright=0.6 * block.style.bright + 0.4 * rng.beta(1.6, 1.4))
    site = Site(block.plot, land, block.angle, style, season, rng, Contents(), [], [], [])
    site.ground(block.plot.corners, PAVEMENT, MAP["land"][0])
    if land.area_m2 > 60:
        FILL[block.kind](site)
    for k, length in enumerate(block.plot.lengths):
        if length > 22:
            _line_street(site, k, float(length), busy=block.kind not in GREEN)
    return site.finish()


def _line_street(site: Site, edge: int, length_m: float, *, busy: bool) -> None:
    """Mended asphalt, cars along the kerb and a few on their way, and trees on the pavement."""
    rng = site.rng
    corner, along = site.plot.corners[edge], site.plot.edges[edge] / length_m
    outward = np.array([along[1], -along[0]])

    def positions(step_m: float, aside_m: float) -> Points:
        at = np.arange(7.0, length_m - 7, step_m)[:, None]
        line: Points = corner + along * at + outward * aside_m
        return line

    starts = rng.uniform(0, length_m * 0.7, (rng.poisson(0.9), 1))
    shapes = boxes(corner + along * starts + outward * 0.3, along * rng.uniform(0.1, 0.3, starts.shape) * length_m,
                   np.broadcast_to(outward * rng.uniform(2.5, 4), (len(starts), 2)))  # fmt: skip
    site.patches(shapes, ASPHALT, 0.2)
    for at in (1.5, length_m - 4.0):
        bars = boxes(
            corner + along * at + outward * np.arange(0.4, 4.4, 1.3)[:, None],
            along * 2.6,
            np.broadcast_to(outward * 0.6, (4, 2)),
        )
        if rng.random() < 0.35:
            site.patches(bars, (138, 138, 134))
    site.park(positions(5.7, 1.25), along, rng.uniform(0.35, 0.85) if busy else 0.3)
    site.park(positions(19.0, 3.5), along, 0.12)
    trees = positions(rng.uniform(7, 11), -1.3)
    trees += along * rng.normal(0, 2.0, (len(trees), 1)) + outward * rng.normal(0, 0.5, (len(trees), 1))
    site.plant(trees[rng.random(len(trees)) < 0.08 + 0.7 * site.style.lush], (1.5, 5.2))
