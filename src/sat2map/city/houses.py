"""Blocks of houses in rows along their streets, with yards and trees behind; sets them out, and paints nothing."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sat2map.city.geometry import Points, boxes
from sat2map.city.site import Site
from sat2map.city.things import (
    CONCRETE,
    DRY_LAWN,
    LAWN,
    PAVED,
    SHINGLES,
    SOIL,
    YARD,
    Colours,
    Solid,
    roofs,
    tone,
)

GARDENS = np.array([LAWN, LAWN, YARD, PAVED, CONCRETE, SOIL, DRY_LAWN, (46, 52, 36)], float)
GARDEN_SHARES = np.array(
    [(0.06, 0.1, 0.26, 0.2, 0.16, 0.1, 0.08, 0.04), (0.3, 0.2, 0.12, 0.06, 0.04, 0.04, 0.08, 0.16)]
)
"""Where a district is bare, and where it is lush."""


class Row(NamedTuple):
    """Lots side by side along one edge of a block."""

    corner: Points
    """Where each meets the street, shape (n, 2)."""
    along: Points
    inward: Points
    """Unit vectors, shape (2,)."""
    width: Points
    depth: Points
    """Of the houses, metres, shape (n, 1)."""
    setback: float

    def strip(self, start: Points | float, end: Points | float, left: Points | float, right: Points | float) -> Points:
        """Part of each lot: from the street inward, and along it as shares of the width; shape (n, 4, 2)."""
        corner = self.corner + self.inward * start + self.along * (self.width * left)
        return boxes(corner, self.along * self.width * (right - left), self.inward * (np.asarray(end) - start))

    @property
    def houses(self) -> Points:
        """Shape (n, 4, 2)."""
        return self.strip(self.setback, self.setback + self.depth, 0.0, 1.0)


def rows(site: Site) -> None:
    """Attached houses with flat roofs."""
    rng = site.rng
    site.ground(site.land.corners, YARD)
    deep, usual = rng.uniform(11.5, 17), rng.uniform(5.4, 7.6)
    bright = float(np.clip(site.style.bright + rng.normal(0, 0.12), 0, 1))
    for row in _rows(site, (usual, usual * 1.06), (deep, 1.6), rng.uniform(2.2, 5), gap_share=0.06):
        n = len(row.corner)
        run = np.cumsum(rng.random(n) < 0.3)
        colours = roofs(rng, n, bright)[run - run[0]] * rng.uniform(0.9, 1.06, (n, 1))
        heights = rng.choice((8.5, 9.5, 10.5, 13.0), n, p=(0.2, 0.4, 0.3, 0.1))[run - run[0]]
        _yards(site, row, 13)
        site.build(Solid(row.houses, heights, colours, "flat"))
        back = row.setback + row.depth
        behind = row.strip(back, back + rng.uniform(2, 5.5, (n, 1)), 0.05, rng.uniform(0.4, 0.9, (n, 1)))
        some = rng.random(n) < 0.45
        site.build(
            Solid(behind[some], heights[some] - 3, roofs(rng, int(some.sum()), bright * 0.8), "flat"), equipped=False
        )
    site.clutter(site.land, 1 / 70)
    site.scatter_trees(site.land.inset(row_depth := deep + 6.0), 1 / 70)
    site.scatter_trees(site.land.inset(row_depth - 5), 1 / 300)


def houses(site: Site) -> None:
    """Detached houses with pitched roofs, drives and gardens."""
    rng = site.rng
    site.ground(site.land.corners, LAWN if site.style.lush > 0.4 else YARD)
    wide = rng.uniform(8.5, 12)
    usual = SHINGLES[rng.integers(len(SHINGLES))]
    for row in _rows(site, (wide, wide * 1.5), (rng.uniform(9.5, 14), 4), rng.uniform(4.5, 8.5), gap_share=0.04):
        n = len(row.corner)
        _yards(site, row, 16)
        drive = row.strip(
            -3.0, row.setback + row.depth + rng.uniform(2, 8, (n, 1)), 0.0, np.minimum(3 / row.width, 0.3)
        )
        site.patches(drive[rng.random(n) < 0.7], PAVED)
        share = np.minimum(2.6 / row.width, 0.28)
        start = row.setback + rng.normal(0, 0.7, (n, 1))
        bodies = row.strip(
            start, start + row.depth * rng.uniform(0.8, 1.1, (n, 1)), share, rng.uniform(0.9, 0.98, (n, 1))
        )
        own = rng.random((n, 1)) < 0.45
        colours = np.where(own, SHINGLES[rng.integers(len(SHINGLES), size=n)], usual)
        flat = rng.random(n) < 0.5 * site.style.bright
        heights = rng.choice((6.5, 7.5, 8.5), n)
        site.build(Solid(bodies[~flat], heights[~flat], tone(rng, colours[~flat], int((~flat).sum()), 0.1), "gable"))
        site.build(
            Solid(bodies[flat], heights[flat], roofs(rng, int(flat.sum()), site.style.bright), "flat"), equipped=False
        )
        _wings(site, row, colours, heights)
        back = row.setback + row.depth + rng.uniform(7, 13, (n, 1))
        sheds = row.strip(
            back, back + rng.uniform(3, 5.5, (n, 1)), 0.02, np.minimum(rng.uniform(2.5, 5, (n, 1)) / row.width, 0.5)
        )
        some = rng.random(n) < 0.4
        shed_colours = roofs(rng, int(some.sum()), 0.35)
        site.build(Solid(sheds[some], np.full(some.sum(), 3.0), shed_colours, "flat"), equipped=False)
    site.clutter(site.land, 1 / 120)
    site.scatter_trees(site.land, 1 / 230, (1.6, 3.6))
    site.scatter_trees(site.land.inset(15), 1 / 95, (2.0, 5.2))


def _wings(site: Site, row: Row, colours: Colours, heights: Points) -> None:
    """Porches and wings at some houses."""
    rng, n = site.rng, len(row.corner)
    back = row.setback + row.depth * 0.9
    wings = row.strip(
        back, back + rng.uniform(2.5, 5, (n, 1)), rng.uniform(0.35, 0.5, (n, 1)), rng.uniform(0.75, 0.95, (n, 1))
    )
    some = rng.random(n) < 0.5
    site.build(Solid(wings[some], heights[some] - 2, tone(rng, colours[some], int(some.sum())), "gable"))


def _yards(site: Site, row: Row, long_m: float) -> None:
    """Gardens before and behind houses, each in a colour of its own."""
    rng, n, lush = site.rng, len(row.corner), site.style.lush
    shares = (1 - lush) * GARDEN_SHARES[0] + lush * GARDEN_SHARES[1]
    back = row.setback + row.depth
    behind = row.strip(back, back + long_m * rng.uniform(0.5, 1, (n, 1)), 0.0, rng.uniform(0.7, 1, (n, 1)))
    site.patches(behind, GARDENS[rng.choice(len(GARDENS), n, p=shares)])
    site.patches(
        row.strip(0.0, row.setback, 0.0, rng.uniform(0.6, 1, (n, 1))), GARDENS[rng.choice(len(GARDENS), n, p=shares)]
    )


def _rows(
    site: Site, widths_m: tuple[float, float], depth_m: tuple[float, float], setback_m: float, *, gap_share: float
) -> list[Row]:
    """Lots along the edges of a block, the longest first; where two rows would meet in a corner, the first has it."""
    rng, land = site.rng, site.land
    edges, lengths = land.edges, land.lengths
    need = np.full(len(lengths), 1.2)
    found = []
    for rank, k in enumerate(np.argsort(-lengths, kind="stable").tolist()):
        ends = rank >= 2 and (lengths[k] < 45 or rng.random() < 0.5)
        if lengths[k] < 16 or ends:
            continue
        along = edges[k] / lengths[k]
        inward = np.array([-along[1], along[0]])
        n = int(lengths[k] / widths_m[0]) + 1
        width, depth = rng.uniform(*widths_m, n), depth_m[0] + depth_m[1] * rng.uniform(-0.5, 0.5, n)
        gaps = np.where(rng.random(n) < gap_share, rng.uniform(2, 9, n), 0.0)
        start = 0.8 + np.cumsum(width + gaps) - width
        row = Row(land.corners[k] + start[:, None] * along, along, inward, width[:, None], depth[:, None], setback_m)
        away = land.depths(row.houses).min(1)
        fits = (np.delete(away, k, 1) > np.delete(need, k)).all(1)
        if fits.any():
            found.append(row._replace(corner=row.corner[fits], width=row.width[fits], depth=row.depth[fits]))
            need[k] = setback_m + depth_m[0] + 4
    return found
