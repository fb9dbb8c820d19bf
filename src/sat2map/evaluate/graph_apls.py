"""APLS: how well the lengths of the shortest paths of two road graphs agree.

Source: Van Etten et al. 2018 (SpaceNet, arXiv 1807.01232); the second variant is that of He et al. 2020 (Sat2Graph).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse.csgraph import dijkstra

from sat2map.arrays import Float64
from sat2map.evaluate.graph_lines import Int64, LineGraph, Positions

CONTROL_M = 50.0
N_SOURCES = 400


@dataclass(frozen=True)
class AplsVariant:
    """What the two usual variants differ in."""

    snap_m: float
    """A control point is found where a line of the other graph is no farther."""
    from_m: float
    """Shorter paths do not count."""
    is_harmonic: bool
    """Which mean of the two directions."""


SPACENET = AplsVariant(4.0, 10.0, is_harmonic=True)
SAT2GRAPH = AplsVariant(10.0, 100.0, is_harmonic=False)


def apls(
    true: LineGraph, predicted: LineGraph, variant: AplsVariant, *, n_sources: int = N_SOURCES, seed: int = 0
) -> float:
    """Average path length similarity, 0 to 1.

    Control points are the ends of lines and every 50 m of a line. Of each pair that a graph connects, the cost is
    |L - L'| / L, at most 1, and 1 where a point or the path is missing in the other graph. A graph without any pair
    that counts gets 1 where the other one has none either, else 0.

    Args:
        true: the true graph.
        predicted: the one that is scored.
        variant: `SPACENET` or `SAT2GRAPH`.
        n_sources: paths start at as many control points of each graph, drawn by chance where it has more.
        seed: of that draw.
    """
    rng = np.random.default_rng(seed)
    ways = [_one_way(a, b, variant, n_sources, rng) for a, b in ((true, predicted), (predicted, true))]
    if ways == [None, None]:
        return 1.0
    there, back = (way or 0.0 for way in ways)
    if not variant.is_harmonic:
        return (there + back) / 2
    return 2 * there * back / (there + back) if there + back else 0.0


def _one_way(
    graph: LineGraph, other: LineGraph, variant: AplsVariant, n_sources: int, rng: np.random.Generator
) -> float | None:
    """Similarity of the paths of a graph; None where it has none that counts."""
    control = _control_points(graph)
    if not len(control.line):
        return None
    links, number = graph.with_positions(control)
    found = other.snapped(graph.at(control), variant.snap_m)
    is_found = found.line >= 0
    other_links, other_number = other.with_positions(found.take(is_found))
    partner = np.full(len(is_found), -1)
    partner[is_found] = other_number
    cost = n = 0.0
    for source in rng.choice(len(number), min(n_sources, len(number)), replace=False):
        here = dijkstra(links, directed=False, indices=number[source])[number]
        counts = np.isfinite(here) & (here >= variant.from_m)
        there = _distances(other_links, int(partner[source]), partner)
        with np.errstate(invalid="ignore", divide="ignore"):
            error = np.where(np.isfinite(there), np.minimum(1, np.abs(here - there) / here), 1.0)
        cost += float(error[counts].sum())
        n += int(counts.sum())
    return 1 - cost / n if n else None


def _control_points(graph: LineGraph) -> Positions:
    if not len(graph.lines):
        return Positions(np.zeros(0, np.int64), np.zeros(0))
    ends, between = graph.node_positions(), graph.every(CONTROL_M)
    return Positions(np.append(ends.line, between.line), np.append(ends.along_m, between.along_m))


def _distances(links: object, source: int, targets: Int64) -> Float64:
    """From a node to others; infinite where there is no way, and where one of them is -1."""
    out = np.full(len(targets), np.inf)
    if source >= 0:
        known = targets >= 0
        out[known] = dijkstra(links, directed=False, indices=source)[targets[known]]
    return out
