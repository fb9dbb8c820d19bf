"""Woods, groves, orchards and shrubs: crowns in bulk, each with a lit side; they throw shadows on what is below."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sat2map.city.geometry import Points, Rng, rotation
from sat2map.landscape.ground import MAP, Floats, Terrain

CROWD = 1_500_000
"""Pixels that are worked on at once."""


class Leaves(NamedTuple):
    """How the trees of a wood look."""

    colours: tuple[tuple[int, int, int], ...]
    radius_m: tuple[float, float]
    height: float
    """As a multiple of the radius."""
    cone: float
    """Shape of the top: 1 is a cone, 0.5 a ball."""
    soil: tuple[int, int, int]


WOODS = {
    "conifer": Leaves(((34, 52, 38), (42, 60, 42), (28, 46, 36)), (1.4, 3.0), 4.5, 1.0, (34, 36, 28)),
    "dark": Leaves(((22, 36, 30), (27, 42, 34), (18, 31, 29)), (1.4, 3.2), 5.0, 1.0, (20, 24, 22)),
    "broadleaf": Leaves(((66, 92, 48), (56, 82, 44), (78, 104, 56), (50, 74, 46)), (2.4, 5.6), 2.4, 0.55, (40, 46, 32)),
    "lush": Leaves(((58, 100, 50), (44, 84, 46), (74, 116, 60), (88, 118, 70)), (2.0, 7.0), 2.2, 0.5, (30, 44, 28)),
    "autumn": Leaves(
        ((150, 128, 62), (128, 132, 66), (166, 108, 58), (96, 112, 62), (140, 80, 52)),
        (2.2, 5.2),
        2.4,
        0.6,
        (84, 74, 52),
    ),
    "bare": Leaves(((112, 102, 92), (100, 92, 84), (124, 112, 98)), (1.8, 4.4), 1.6, 0.7, (92, 84, 72)),
    "mixed": Leaves(((34, 52, 38), (66, 92, 48), (82, 100, 56), (40, 58, 42)), (1.6, 4.8), 3.0, 0.7, (40, 42, 32)),
    "dry": Leaves(((88, 92, 62), (74, 80, 54), (98, 98, 70)), (1.8, 4.6), 1.8, 0.5, (120, 108, 80)),
}


class Grove(NamedTuple):
    """Trees that will be planted when all ground is laid."""

    positions: Points
    radii_m: npt.NDArray[np.floating]
    heights_m: npt.NDArray[np.floating]
    colours: npt.NDArray[np.floating]
    cone: float
    closed: bool = False
    """Part of a wood: they stand where the map shows a park, and nowhere else."""
    over_streets: bool = False
    """Their crowns hide what is beside them, however much of it is a street."""

    def only(self, which: npt.NDArray[Any]) -> Grove:
        """Those of them."""
        return self._replace(
            **{name: getattr(self, name)[which] for name in ("positions", "radii_m", "heights_m", "colours")}
        )


def spread(ground: Terrain, share: Floats, step_m: float, *, angle: float | None = None, jitter: float = 0.8,
           row_m: float | None = None, kept: float = 1.0) -> Points:  # fmt: skip
    """Positions all over the ground, those where `share` is at least a half: shape (n, 2)."""
    rng = ground.rng
    turn = rotation(rng.uniform(0, np.pi) if angle is None else angle)
    reach = float(np.hypot(*ground.size_m)) / 2
    grid = np.stack(np.meshgrid(np.arange(-reach, reach, step_m), np.arange(-reach, reach, row_m or step_m)), -1)
    steps = np.array([step_m, row_m or step_m])
    grid = grid + rng.uniform(-0.5, 0.5, grid.shape) * jitter * steps
    positions = grid.reshape(-1, 2) @ turn + ground.size_m / 2
    positions = positions[((positions > 0) & (positions < ground.size_m)).all(-1)]
    chosen = (ground.at(share, positions) >= 0.5) & (rng.random(len(positions)) < kept)
    found: Points = positions[chosen]
    return found


def grove(rng: Rng, positions: Points, leaves: Leaves, scale: float = 1.0) -> Grove:
    """Trees of one kind at positions."""
    n = len(positions)
    low, high = leaves.radius_m
    radii = scale * (low + (high - low) * rng.beta(1.6, 2.2, n))
    colours = np.array(leaves.colours, float)[rng.integers(len(leaves.colours), size=n)]
    colours = colours * rng.uniform(0.87, 1.14, (n, 1)) * (1 + 0.04 * rng.normal(0, 1, (n, 3)))
    return Grove(positions, radii, radii * leaves.height * rng.uniform(0.75, 1.2, n), colours, leaves.cone)


def wood(ground: Terrain, share: Floats, kind: str, *, rows: bool = False, density: float = 1.0) -> Grove:
    """Closed woodland, which is a park on the map: lays its floor and returns its trees."""
    leaves, rng = WOODS[kind], ground.rng
    soil = np.array(leaves.soil) * 1.25 * (1 + 0.18 * ground.noise(14, 3))[..., None]
    ground.paint(share, soil, MAP["park"][0])
    scale = rng.uniform(0.8, 1.25)
    middle = scale * sum(leaves.radius_m) / 2
    step = middle * (1.45 if rows else 1.35) / np.sqrt(density)
    row = step * rng.uniform(1.0, 1.5) if rows else None
    positions = spread(ground, share, step, jitter=0.25 if rows else 1.0, row_m=row, kept=0.96)
    trees = grove(rng, positions, leaves, scale * (0.9 if rows else 1.0))
    # Stands differ: some are higher and of another green than those beside them.
    stand = ground.at(ground.noise(70, 2), positions).astype(float)
    tones = trees.colours * (1.0 if kind == "dark" else 1.13) * (1 + 0.07 * stand[:, None] * np.array([1.3, 1.0, 0.5]))
    return trees._replace(closed=True, heights_m=trees.heights_m * np.clip(1 + 0.12 * stand, 0.5, 1.6), colours=tones)


def plant(ground: Terrain, trees: Grove, *, free: float = 0.75) -> None:
    """Raise trees, those of them that stand in no water and on no road or house."""
    if not len(trees.positions):
        return
    open_ = ~np.isin(ground.map_index, (*MAP["water"], *MAP["road"], *MAP["major road"], MAP["land"][1]))
    around = np.array([(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)]) * (0 if trees.over_streets else free)
    fits = np.asarray(ground.at(open_, trees.positions[:, None] + around * trees.radii_m[:, None, None]).all(1))
    if trees.closed:
        fits &= ground.at(ground.map_index, trees.positions) == MAP["park"][0]
    kept = trees.only(fits)
    reach = np.ceil(kept.radii_m / ground.gsd_m * 1.2).astype(int)
    for size in np.unique(reach).tolist():
        of = np.flatnonzero(reach == size)
        chunk = max(1, CROWD // (2 * size + 1) ** 2)
        for start in range(0, len(of), chunk):
            part = of[start : start + chunk]
            _stamp(ground, kept.only(part), size)


def _stamp(ground: Terrain, trees: Grove, reach_px: int) -> None:
    """Crowns whose radius is at most so many pixels; the highest wins."""
    rng, (rows, columns) = ground.rng, ground.shape
    n = len(trees.positions)
    px = trees.positions / ground.gsd_m
    whole = np.floor(px).astype(np.int64)
    across = np.arange(-reach_px, reach_px + 1)
    dx = (whole[:, :1] + across + 0.5 - px[:, :1])[:, None, :].astype(np.float32)
    dy = (whole[:, 1:] + across + 0.5 - px[:, 1:])[:, :, None].astype(np.float32)
    radius = (trees.radii_m / ground.gsd_m).astype(np.float32)[:, None, None]
    # Crowns are no circles: two waves around them, and leaves that are not even.
    a, b = rng.normal(0, 0.16, (2, n, 1, 1)).astype(np.float32)
    squared = (dx**2 + dy**2 + a * (dx**2 - dy**2) + 2 * b * dx * dy) / radius**2
    squared *= 1 + 0.3 * rng.random(squared.shape, np.float32)
    rise = np.clip(1 - squared ** np.float32(0.5 if trees.cone >= 0.9 else 1.0), 0, None)
    if trees.cone < 0.9:
        rise = np.sqrt(rise)
    top = trees.heights_m.astype(np.float32)[:, None, None]
    value = top * (0.45 + 0.55 * rise) * (squared < 1)
    y, x = (whole[:, 1:] + across)[:, :, None], (whole[:, :1] + across)[:, None, :]
    inside = (squared < 1) & (y >= 0) & (y < rows) & (x >= 0) & (x < columns)
    index = (y * columns + x)[inside]
    heights = ground.height.reshape(-1)
    np.maximum.at(heights, index, value[inside])
    wins = value[inside] >= heights[index]
    owner = np.nonzero(inside)[0][wins]
    shade = (0.84 + 0.2 * rise[inside][wins])[:, None] * rng.uniform(0.88, 1.12, (int(wins.sum()), 1))
    ground.colour.reshape(-1, 3)[index[wins]] = trees.colours[owner] * shade
