"""A block that is being filled: its land, its random numbers and what is in it so far; decides nothing itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from sat2map.city.geometry import Plot, Points, Rng, axis, boxes
from sat2map.city.layout import Style
from sat2map.city.options import Season
from sat2map.city.things import (
    Colours,
    Contents,
    Flat,
    Ground,
    MapColour,
    Solid,
    cars,
    equipment,
    joined_solids,
    scattered,
    tone,
    trees,
)


class Site(NamedTuple):
    """A block that is being filled."""

    plot: Plot
    """Up to the kerbs."""
    land: Plot
    """Within the pavement."""
    angle: float
    style: Style
    season: Season
    rng: Rng
    out: Contents
    bays: list[tuple[Points, Points]]
    """Where cars stand, and which way."""
    groves: list[tuple[Points, Points]]
    """Where trees stand, and their radii."""
    roofed: list[Solid]
    """Houses with things on their flat roofs."""

    @property
    def along(self) -> Points:
        """Direction of the block's streets."""
        return axis(self.angle)

    @property
    def across(self) -> Points:
        """A quarter turn from it."""
        return np.array([-self.along[1], self.along[0]])

    def ground(
        self, corners: Points, colour: tuple[int, int, int] | Colours, map_colour: MapColour | None = None
    ) -> None:
        """Lay ground in about this colour."""
        if len(corners) > 2:
            self.out.grounds.append(Ground(corners, tone(self.rng, colour), map_colour))

    def patches(self, shapes: Points, colour: tuple[int, int, int] | Colours, spread: float = 0.15) -> None:
        """Lay patches (n, k, 2) in about this colour each."""
        if len(shapes):
            self.out.flats.append(Flat(shapes, tone(self.rng, colour, len(shapes), spread)))

    def build(self, solid: Solid, *, equipped: bool = True) -> None:
        """Build houses, those with flat roofs with what stands on them."""
        if len(solid.shapes):
            self.out.solids.append(solid)
            if equipped and solid.style == "flat" and solid.shapes.shape[1] == 4:
                self.roofed.append(solid)

    def plant(self, positions: Points, radii_m: tuple[float, float] = (1.7, 4.4)) -> None:
        """Plant trees at positions (n, 2), those of them that are within the block."""
        if len(positions):
            positions = positions[(self.plot.depths(positions) > 0.8).all(-1)]
        if len(positions):
            low, high = radii_m
            # Many small ones, few large ones.
            self.groves.append((positions, low + (high - low) * self.rng.beta(1.1, 1.7, len(positions))))

    def scatter_trees(self, plot: Plot, per_m2: float, radii_m: tuple[float, float] = (1.7, 4.4)) -> None:
        """Plant trees all over a plot, more of them where the district is lush."""
        if len(plot.corners) > 2:
            positions = scattered(self.rng, plot.corners, per_m2 * (0.25 + 1.5 * self.style.lush))
            self.plant(positions[(plot.depths(positions) > 0).all(-1)], radii_m)

    def clutter(self, plot: Plot, per_m2: float = 1 / 60) -> None:
        """Small bright and dark things all over a plot: tables, sheds, heaps, covers."""
        if len(plot.corners) < 3:
            return
        positions = scattered(self.rng, plot.corners, per_m2)
        positions = positions[(plot.depths(positions) > 2).all(-1)]
        n = len(positions)
        sizes = self.rng.uniform(0.6, 2.6, (n, 2, 1))
        shapes = boxes(positions, self.along * sizes[:, 0], self.across * sizes[:, 1])
        self.patches(shapes, self.rng.choice((40.0, 70.0, 120.0, 170.0, 215.0), (n, 1)) * np.ones(3))

    def park(self, positions: Points, along: Points, share: float) -> None:
        """Park cars at a share of positions (n, 2)."""
        positions = positions[self.rng.random(len(positions)) < share]
        self.bays.append((positions, np.broadcast_to(along, positions.shape)))

    def finish(self) -> Contents:
        """All of the block, with the cars, the trees and what is on roofs, which are made all at once."""
        if self.bays:
            self.out.flats.append(cars(self.rng, *(np.concatenate(part) for part in zip(*self.bays, strict=True))))
        if self.groves:
            positions, radii = (np.concatenate(part) for part in zip(*self.groves, strict=True))
            self.out.solids.append(trees(self.rng, positions, self.season, radii))
        for solid in joined_solids(self.roofed):
            self.out.solids.append(equipment(self.rng, solid))
        return self.out

    def lots(self, plot: Plot, limit_m: float, gap_m: float = 0.0) -> Iterator[Plot]:
        """Cut land along the streets until no piece is much longer than the limit."""
        if plot.area_m2 < 60:
            return
        u, v = plot.corners @ self.along, plot.corners @ self.across
        longest = max(np.ptp(u), np.ptp(v))
        if longest < limit_m * self.rng.uniform(0.8, 1.5):
            yield plot
            return
        way, positions = (self.along, u) if np.ptp(u) >= np.ptp(v) else (self.across, v)
        at = way * (positions.min() + self.rng.uniform(0.36, 0.64) * np.ptp(positions))
        for side in (way, -way):
            yield from self.lots(plot.cut(at + side * gap_m / 2, side), limit_m, gap_m)
