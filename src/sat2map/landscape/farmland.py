"""Fields side by side, circles under watering arms, orchards and vineyards, hedges; all of it is land."""

from __future__ import annotations

import numpy as np

from sat2map.city.geometry import Plot, axis
from sat2map.landscape.crops import CROPS, SEASONS, divided, sow, sow_round
from sat2map.landscape.ground import MAP, Terrain, gain
from sat2map.landscape.trees import Grove, Leaves, grove, spread

LAND = MAP["land"][0]


def farmland(ground: Terrain) -> list[Grove]:
    """Fields, side by side, with margins, tracks and hedges between them; returns their trees."""
    rng = ground.rng
    season = str(rng.choice(list(SEASONS)))
    verge = np.array(CROPS[str(rng.choice(("pasture", "fallow", "bare", "green")))].colour) * 0.95
    ground.colour = gain(verge, 0.12 * ground.noise(12, 4))
    small = rng.random() < 0.3
    limit, gap = (rng.uniform(30, 90), rng.uniform(0.5, 2.5)) if small else (rng.uniform(120, 420), rng.uniform(1, 6))
    fields = divided(ground, limit, gap, slant=rng.choice((0.0, 0.06, 0.25)))
    usual = rng.choice(SEASONS[season], 3)
    groves = []
    for plot in fields:
        if rng.random() < (0.07 if season != "dry" else 0.15):
            groves.append(_orchard(ground, plot))
        else:
            name = str(rng.choice(usual) if rng.random() < 0.55 else rng.choice(SEASONS[season]))
            sow(ground, plot, CROPS[name])
    if rng.random() < 0.6:
        groves.append(hedges(ground, fields, rng.uniform(0.1, 0.7)))
    return groves


def circles(ground: Terrain) -> list[Grove]:
    """Fields watered by a turning arm, in dry land."""
    rng = ground.rng
    dry = np.array([(176, 152, 118), (150, 128, 98), (134, 124, 90)][rng.integers(3)])
    ground.colour = gain(dry, 0.08 * ground.noise(60, 5))
    radius = rng.uniform(110, 240)
    step = 2 * radius + rng.uniform(6, 30)
    start = rng.uniform(-radius, radius, 2)
    turn = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    for cx in np.arange(start[0], ground.size_m[0] + radius, step):
        for cy in np.arange(start[1], ground.size_m[1] + radius, step):
            crop = CROPS[
                str(rng.choice(("green", "dark green", "bright green", "stubble", "bare", "ploughed", "blue green")))
            ]
            first = rng.uniform(0, 2 * np.pi)
            for share in np.cumsum(rng.dirichlet((3, 1, 1)))[::-1]:
                arc = first + 2 * np.pi * share * turn / (2 * np.pi)
                corners = np.array([cx, cy]) + radius * axis(arc)
                if share < 0.999:
                    corners = np.vstack((corners, (cx, cy)))
                    crop = CROPS[str(rng.choice(list(CROPS)))]
                sow_round(ground, corners, np.array([cx, cy]), crop)
    return []


ORCHARDS = (
    Leaves(((58, 78, 44), (52, 70, 42)), (1.4, 2.4), 1.6, 0.5, (124, 108, 82)),
    Leaves(((84, 96, 70), (94, 104, 78)), (1.6, 3.0), 1.5, 0.5, (158, 132, 98)),
    Leaves(((48, 72, 40), (54, 84, 46)), (2.0, 3.2), 1.8, 0.55, (88, 98, 60)),
    Leaves(((72, 92, 50), (64, 84, 46)), (0.7, 1.0), 1.8, 0.5, (138, 120, 92)),
    Leaves(((62, 92, 54), (76, 108, 60)), (2.6, 3.6), 2.4, 0.5, (92, 84, 60)),
)


def _orchard(ground: Terrain, plot: Plot) -> Grove:
    """Trees or vines in rows on one plot."""
    rng = ground.rng
    share = ground.covered([plot.corners])
    leaves = ORCHARDS[rng.integers(len(ORCHARDS))]
    ground.paint(share, gain(np.array(leaves.soil) * rng.uniform(0.85, 1.1), 0.09 * ground.worn(40, 5)), LAND)
    edge = plot.edges[int(plot.lengths.argmax())]
    vine = leaves.radius_m[1] < 1.2
    row = rng.uniform(2.2, 3.2) if vine else rng.uniform(2.1, 3.0) * leaves.radius_m[1]
    step = 1.1 if vine else row * rng.uniform(0.7, 1.0)
    angle = float(np.arctan2(edge[1], edge[0]))
    inner = ground.covered([plot.inset(2.5).corners]) if len(plot.inset(2.5).corners) > 2 else share * 0
    positions = spread(ground, inner, step, angle=-angle, jitter=0.12, row_m=row, kept=rng.uniform(0.85, 1))
    return grove(rng, positions, leaves)


def orchards(ground: Terrain) -> list[Grove]:
    """Orchards and vineyards, plot by plot."""
    ground.colour = gain((128, 116, 88), 0.1 * ground.noise(20, 4))
    plots = divided(ground, ground.rng.uniform(110, 260), ground.rng.uniform(3, 8), slant=0.05)
    groves = []
    for plot in plots:
        if ground.rng.random() < 0.8:
            groves.append(_orchard(ground, plot))
        else:
            sow(ground, plot, CROPS[str(ground.rng.choice(SEASONS["dry"]))])
    return groves


def hedges(ground: Terrain, plots: list[Plot], share: float) -> Grove:
    """Trees along some edges of plots."""
    rng, lines = ground.rng, []
    for plot in plots:
        for corner, edge, length in zip(plot.corners, plot.edges, plot.lengths, strict=True):
            if length > 10 and rng.random() < share * 0.5:
                at = np.arange(0, length, rng.uniform(2.2, 7))[:, None] / length
                lines.append(corner + edge * at + rng.normal(0, 0.7, (len(at), 2)))
    leaves = Leaves(((58, 78, 44), (66, 84, 48), (46, 62, 40)), (1.0, 3.4), 2.0, 0.55, (0, 0, 0))
    positions = np.concatenate(lines) if lines else np.zeros((0, 2))
    positions = positions[((positions > 0) & (positions < ground.size_m)).all(-1)]
    return grove(rng, positions, leaves)
