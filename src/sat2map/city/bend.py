"""How the streets of a city turn and wind; knows no street."""

from __future__ import annotations

import numpy as np

from sat2map.city.geometry import Points, Rng, axis, rectangle, rotation

STEP = np.array([0.5, 0.0])


class Bend:
    """Turns the city and bends its straight streets: where they are drawn, from where they were planned."""

    def __init__(self, rng: Rng, curviness: float) -> None:
        self._turn = rotation(rng.uniform(0, 2 * np.pi))
        lengths = np.concatenate((rng.uniform(900, 1900, 3), rng.uniform(330, 560, 2)))
        directions = axis(rng.uniform(0, 2 * np.pi, 5))
        shears = curviness * np.array([0.13, 0.13, 0.13, 0.14, 0.14])
        self._waves = 2 * np.pi * directions / lengths[:, None]
        self._aside = (shears * lengths / (2 * np.pi))[:, None] * np.stack((-directions[:, 1], directions[:, 0]), -1)
        self._phases = rng.uniform(0, 2 * np.pi, 5)
        self._zone, self._zone_phase = 2 * np.pi * axis(rng.uniform(0, 2 * np.pi)) / 1700, rng.uniform(0, 2 * np.pi)
        self.reach_m = float(np.hypot(*self._aside.T).sum())

    def __call__(self, points: Points) -> Points:
        """Where points (..., 2) come to lie."""
        swing = np.sin(points @ self._waves.T + self._phases)
        # The short waves wind streets in some quarters and leave them straight in others.
        swing[..., 3:] *= np.clip(2 * np.sin(points @ self._zone + self._zone_phase) - 1, 0, 1)[..., None]
        bent: Points = points @ self._turn + swing @ self._aside
        return bent

    def carry(self, shapes: Points) -> Points:
        """Where shapes (n, k, 2) come to lie: each turned with the street, and not bent itself."""
        middles = shapes.mean(1)
        ahead = self(middles + STEP) - self(middles - STEP)
        angle = np.arctan2(ahead[:, 1], ahead[:, 0])
        c, s = np.cos(angle), np.sin(angle)
        turns = np.stack((np.stack((c, s), -1), np.stack((-s, c), -1)), -2)
        carried: Points = self(middles)[:, None] + (shapes - middles[:, None]) @ turns
        return carried

    def planned(self, box: Points) -> Points:
        """A rectangle (low corner, high corner) of what was planned that holds all that comes into this one."""
        corners = rectangle(*box.ravel()) @ self._turn.T
        return np.stack((corners.min(0) - self.reach_m, corners.max(0) + self.reach_m))

    def line(self, line: Points, step_m: float = 12.0) -> Points:
        """A straight line of two points, as it comes to lie."""
        n = max(2, int(np.hypot(*(line[1] - line[0])) / step_m))
        return self(line[0] + (line[1] - line[0]) * np.linspace(0, 1, n)[:, None])
