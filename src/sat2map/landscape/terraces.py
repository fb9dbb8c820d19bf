"""Terraces and rice paddies: fields that follow the lines of a slope; wet ones are land all the same."""

from __future__ import annotations

import numpy as np

from sat2map.landscape.crops import CROPS, SEASONS
from sat2map.landscape.ground import Floats, Terrain, gain
from sat2map.landscape.trees import Grove


def terraces(ground: Terrain, *, paddies: bool) -> list[Grove]:
    """Fields that follow the lines of a slope, or lie in a plain: paddies stand wet, and are land all the same."""
    rng = ground.rng
    plain = rng.random() < 0.45 and paddies
    hill = ground.noise(rng.uniform(200, 420), 2, fall=0.35)
    other = ground.noise(rng.uniform(120, 240), 2, fall=0.4)
    if plain:
        turn = ground.turn
        hill = ground.along(turn) / 90 + 0.06 * hill
        other = ground.along(turn + np.pi / 2) / 90 + 0.05 * other
    steps, lengths = rng.uniform(2.2, 6) if plain else rng.uniform(5, 16), rng.uniform(1.2, 3.5)
    level = np.floor(hill * steps)
    along = np.floor(other * lengths + rng.random(400)[level.astype(int) % 400])
    cell = (level.astype(int) * 7919 + along.astype(int) * 104729) % 4096
    dikes = np.maximum(_edges(ground, hill * steps), _edges(ground, other * lengths) * 0.8)
    palette = _paddy_colours(ground) if paddies else _terrace_colours(ground)
    light = 0.05 * ground.noise(50, 4) + 0.03 * ground.noise(2, 1) + 0.06 * ground.noise(5, 2, stretch=4)
    ground.colour = (palette[cell] * (1 + light)[..., None]).astype(np.float32)
    bund = np.array([(96, 110, 62), (124, 112, 84), (70, 84, 48)][rng.integers(3)])
    ground.paint(dikes, gain(bund, 0.15 * ground.noise(5, 2)))
    if not plain:
        ground.relief = (hill * rng.uniform(8, 26)).astype(np.float32)
    return []


def _edges(ground: Terrain, field: Floats) -> Floats:
    """1 on a line about 1.5 m wide where the whole part of a field changes."""
    down, across = np.gradient(field)
    away_px = np.abs(field - np.rint(field)) / (np.hypot(down, across) + 1e-6)
    half = max(ground.rng.uniform(0.5, 1.2) / ground.gsd_m, 0.5)
    line: Floats = np.clip(half + 0.5 - away_px, 0, 1)
    return line


def _paddy_colours(ground: Terrain) -> Floats:
    """4096 colours of paddies: flooded, muddy, green, ripe."""
    rng = ground.rng
    kinds = np.array([(44, 50, 48), (66, 64, 54), (88, 92, 92), (58, 72, 62), (34, 40, 42), (104, 92, 74),
                      (84, 116, 60), (112, 140, 70), (178, 160, 92), (116, 104, 80)], float)  # fmt: skip
    shares = rng.dirichlet(np.full(len(kinds), 0.5))
    colours = kinds[rng.choice(len(kinds), 4096, p=shares)] * rng.uniform(0.8, 1.2, (4096, 1))
    return (colours * (1 + rng.normal(0, 0.03, (4096, 3)))).astype(np.float32)


def _terrace_colours(ground: Terrain) -> Floats:
    rng = ground.rng
    season = SEASONS[str(rng.choice(list(SEASONS)))]
    kinds = np.array([CROPS[name].colour for name in season], float)
    return (kinds[rng.integers(len(kinds), size=4096)] * rng.uniform(0.85, 1.15, (4096, 1))).astype(np.float32)
