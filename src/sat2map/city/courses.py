"""What crosses a city without regard to its streets: rivers, railways and motorways; draws nothing."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sat2map.city.geometry import Points, Rng, axis, rng_of
from sat2map.city.options import CityOptions

STEP_M = 7.0
"""Between the corners that a course is drawn with."""


class Family(NamedTuple):
    """Courses of one kind that run side by side, without end."""

    kind: str
    number: int
    angle: float
    every_m: float
    half_m: tuple[float, float]
    """Narrowest and widest."""
    shoulder_m: tuple[float, float]
    """Beside each, before houses begin."""


class Course(NamedTuple):
    """One of them: its middle swings about a straight line."""

    kind: str
    key: tuple[int, ...]
    angle: float
    aside_m: float
    swings: Points
    """Metres, length of wave and phase of each, shape (n, 3)."""
    half_m: float
    uneven: float
    """By what share of itself the half width varies."""
    shoulder_m: float

    def _frame(self, points: Points) -> tuple[Points, Points]:
        along = axis(self.angle)
        return points @ along, points @ np.array([-along[1], along[0]])

    def _middle(self, u: Points) -> tuple[Points, Points]:
        """How far aside the middle is, and how steeply it goes there."""
        size, length, phase = self.swings.T
        turn = 2 * np.pi * u[..., None] / length + phase
        return self.aside_m + (size * np.sin(turn)).sum(-1), (size * 2 * np.pi / length * np.cos(turn)).sum(-1)

    def half(self, u: Points) -> Points:
        """Half its width at positions along it, metres."""
        waves = np.sin(2 * np.pi * u / 610 + self.swings[0, 2]) + 0.6 * np.sin(2 * np.pi * u / 173 + self.swings[1, 2])
        width: Points = self.half_m * (1 + self.uneven * waves)
        return width

    def beyond(self, points: Points) -> Points:
        """Metres from its edge to points (..., 2), negative in it."""
        u, v = self._frame(points)
        middle, slope = self._middle(u)
        away: Points = np.abs(v - middle) / np.hypot(1, slope) - self.half(u)
        return away

    def line(self, box: Points) -> tuple[Points, Points]:
        """Its middle from one side of a rectangle to the other, and half its width there: shapes (n, 2) and (n,)."""
        first, last = self.steps(box)
        return self.stretch(first, last)

    def steps(self, box: Points) -> tuple[int, int]:
        """First and last step along it in a rectangle; steps are counted from a fixed position, whatever the window."""
        u, _ = self._frame(np.array([(x, y) for x in box[:, 0] for y in box[:, 1]]))
        return int(u.min() // STEP_M) - 8, int(u.max() // STEP_M) + 9

    def stretch(self, first: int, last: int) -> tuple[Points, Points]:
        """The same from step to step."""
        positions: Points = np.arange(first, last).astype(np.float64) * STEP_M
        middle, _ = self._middle(positions)
        along = axis(self.angle)
        return positions[:, None] * along + middle[:, None] * np.array([-along[1], along[0]]), self.half(positions)

    def reaches(self, box: Points) -> bool:
        """Whether it or its shoulder comes into a rectangle."""
        line, half = self.line(box)
        edge = half.max() + self.shoulder_m + 40
        return bool(((line > box[0] - edge).all(1) & (line < box[1] + edge).all(1)).any())


def _rivers(rng: Rng, options: CityOptions) -> Family:
    return Family("river", 0, rng.uniform(0, np.pi), options.river_every_m, (14, 160), (7, 42))


def _railways(rng: Rng, options: CityOptions) -> Family:
    return Family("railway", 1, rng.uniform(0, np.pi), options.railway_every_m, (4, 11), (2, 8))


def _motorways(rng: Rng, options: CityOptions) -> Family:
    half = options.motorway_m / 2
    return Family("motorway", 2, rng.uniform(0, np.pi), options.motorway_every_m, (half * 0.9, half * 1.15), (6, 26))


FAMILIES = (_rivers, _railways, _motorways)


def courses(family: Family, box: Points, seed: tuple[int, ...]) -> list[Course]:
    """Those of a family that come into a rectangle (low and high corner)."""
    along = axis(family.angle)
    v = np.array([(x, y) for x in box[:, 0] for y in box[:, 1]]) @ np.array([-along[1], along[0]])
    low, high = v.min() / family.every_m, v.max() / family.every_m
    found = (_course(family, k, seed) for k in range(int(np.floor(low)) - 1, int(np.floor(high)) + 2))
    return [course for course in found if course.reaches(box)]


def _course(family: Family, k: int, seed: tuple[int, ...]) -> Course:
    key = (4, family.number, k)
    rng = rng_of(seed, *key)
    river = family.kind == "river"
    lengths = rng.uniform((700, 300) if river else (900, 600), (1500, 520) if river else (1900, 900))
    sizes = lengths * rng.uniform(0.02, 0.055, 2) * ((1.0, 0.7) if river else (1.0, 0.45))
    half = float(np.exp(rng.uniform(*np.log(family.half_m))))
    return Course(
        kind=family.kind, key=key, angle=family.angle, aside_m=(k + rng.uniform(0.15, 0.85)) * family.every_m,
        swings=np.stack((sizes, lengths, rng.uniform(0, 2 * np.pi, 2)), -1), half_m=half,
        uneven=0.09 if river else 0.0, shoulder_m=rng.uniform(*family.shoulder_m),
    )  # fmt: skip
