"""TOPO: whether what one reaches from a point of one road graph is reached in the other one, too.

Source: Biagioni and Eriksson 2012, with the distances of He et al. 2020 (Sat2Graph).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra, maximum_bipartite_matching
from scipy.spatial import cKDTree

from sat2map.arrays import Float64
from sat2map.evaluate.graph_lines import Int64, LineGraph

REACH_M, INTERVAL_M, MATCH_M, ANGLE_DEG = 300.0, 5.0, 10.0, 30.0
N_SEEDS = 300


class Topo(NamedTuple):
    """Shares from 0 to 1."""

    precision: float
    recall: float


class _Marbles(NamedTuple):
    """Points every few metres of a graph, and the way from one to the next."""

    xy: Float64
    ahead: Float64
    links: Any
    number: Int64


def topo(true: LineGraph, predicted: LineGraph, *, n_seeds: int = N_SEEDS, seed: int = 0) -> Topo:
    """Precision and recall of what is reached.

    From a point of one graph, points every 5 m within 300 m of way are matched one to one with those that are reached
    from its partner in the other graph: within 10 m, and 30 degrees in direction. Recall is the share that is matched
    from seeds in the true graph, precision that from seeds in the predicted one; a seed without partner has no match.

    Args:
        true: the true graph.
        predicted: the one that is scored.
        n_seeds: points of each graph to start from, drawn by chance.
        seed: of that draw.
    """
    marbles = _marbles(true), _marbles(predicted)
    if not len(marbles[0].xy) and not len(marbles[1].xy):
        return Topo(1.0, 1.0)
    if not len(marbles[0].xy) or not len(marbles[1].xy):
        return Topo(0.0, 0.0)
    pairs = _pairs(*marbles)
    rng = np.random.default_rng(seed)
    recall = _share(*marbles, pairs, n_seeds, rng)
    precision = _share(marbles[1], marbles[0], pairs.T.tocsr(), n_seeds, rng)
    return Topo(precision, recall)


def _marbles(graph: LineGraph) -> _Marbles:
    # Half an interval in from the ends, so that a junction has one direction for each line.
    at = graph.every(INTERVAL_M / 2)
    at = at.take(np.rint(at.along_m / (INTERVAL_M / 2)) % 2 == 1)
    links, number = graph.with_positions(at)
    return _Marbles(graph.at(at), graph.directions(at), links, number)


def _pairs(a: _Marbles, b: _Marbles) -> Any:
    """Which marbles may be matched, with their distance: a sparse matrix, shape (len(a), len(b))."""
    near = cKDTree(a.xy).sparse_distance_matrix(cKDTree(b.xy), MATCH_M, output_type="ndarray")
    i, j = near["i"], near["j"]
    straight = np.abs((a.ahead[i] * b.ahead[j]).sum(1)) >= np.cos(np.radians(ANGLE_DEG))
    return csr_matrix((near["v"][straight] + 1e-6, (i[straight], j[straight])), shape=(len(a.xy), len(b.xy)))


def _share(a: _Marbles, b: _Marbles, pairs: Any, n_seeds: int, rng: np.random.Generator) -> float:
    """Share of the marbles reached from seeds of the first graph that have a match."""
    matched = n = 0
    for seed in rng.choice(len(a.xy), min(n_seeds, len(a.xy)), replace=False):
        here = _reached(a, int(seed))
        n += len(here)
        partners = pairs[[seed]]
        if partners.nnz:
            there = _reached(b, int(partners.indices[partners.data.argmin()]))
            matched += int((maximum_bipartite_matching(pairs[here][:, there]) >= 0).sum())
    return matched / n if n else 0.0


def _reached(marbles: _Marbles, seed: int) -> Int64:
    way = dijkstra(marbles.links, directed=False, indices=marbles.number[seed], limit=REACH_M)
    return np.flatnonzero(np.isfinite(way[marbles.number]))
