"""What makes a network of roads from thinned lines: one node a junction, no spurs and no specks; closes no gaps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse.csgraph import connected_components

from sat2map.arrays import Bool, Float64
from sat2map.vector.roads_network import RoadLines, links_matrix
from sat2map.vector.roads_points import UNKNOWN, LinePoints

ROUNDS = 4
"""Where a spur goes, a shorter one may be left; after as many rounds none is, in all that was seen."""


@dataclass(frozen=True)
class Tidying:
    """When lines are no roads; lengths in pixels, or as shares of the road's width."""

    clump: float = 0.25
    """Junctions nearer than this share of the width are one ..."""
    spur: float = 0.7
    """Dead ends shorter than this share of the width of the road that they leave are none."""
    speck_px: float = 12.0
    """Roads that meet no other and are shorter are none."""
    weak_confidence: float = 0.7
    """Dead ends of less confidence are weak, where there is a confidence: most of the short ones are no roads."""
    weak_before: float = 2.0
    """Weak dead ends shorter than this share of the width are dropped before gaps are closed ..."""
    weak_after: float = 3.5
    """... and those shorter than this one, after."""


def tidied(net: RoadLines, settings: Tidying) -> RoadLines:
    """Make one node of each junction, and drop spurs and specks."""
    net = without_spurs(one_node_a_place(net), settings)
    net = one_node_a_junction(net, settings)
    net = without_spurs(net, settings)
    return without_specks(net, settings).without_idle_nodes()


def one_node_a_place(net: RoadLines) -> RoadLines:
    """Contract the rings that thinning leaves around the cores of wide places."""
    beside = net.per_line(lambda _, lines: np.add.reduceat(lines.points["beside_core"], lines.offsets[:-1], dtype=int))
    return without_small_rings(net.contracted(2 * beside > net.counts))


def one_node_a_junction(net: RoadLines, settings: Tidying) -> RoadLines:
    """Contract lines between junctions that are nearer than the roads are wide."""
    joint = net.degrees > 2
    width = 2 * np.maximum(*net.radius_px[net.ends].T)
    short = (net.lengths_px <= np.maximum(settings.clump * width, 2.0)) & joint[net.ends].all(1)
    return without_small_rings(net.contracted(short & (net.ends[:, 0] != net.ends[:, 1]))).joined()


def without_small_rings(net: RoadLines) -> RoadLines:
    """Without lines that come back to their node within the place that it stands for."""
    ring, node = net.ends[:, 0] == net.ends[:, 1], net.ends[:, 0]
    return net.keep(~(ring & (net.lengths_px < 8 * net.radius_px[node]) & (net.degrees[node] > 2)))


def without_spurs(net: RoadLines, settings: Tidying) -> RoadLines:
    """Without dead ends that are shorter than the road is wide."""
    for _ in range(ROUNDS):
        spurs = _spurs(net, settings)
        if not spurs.any():
            break
        net = net.keep(~spurs).joined()
    return net


def _spurs(net: RoadLines, settings: Tidying) -> Bool:
    dead = (net.degrees == 1)[net.ends]
    root = np.where(dead[:, 0], net.ends[:, 1], net.ends[:, 0])
    lengths = net.lengths_px
    spurs: Bool = (dead.sum(1) == 1) & (lengths < settings.spur * 2 * net.radius_px[root]) & (net.degrees[root] > 2)
    # Where a node has nothing but spurs, the longest one stays.
    order = np.lexsort((np.arange(len(root)), -lengths, root))
    order = order[spurs[order]]
    bare = np.bincount(root[spurs], minlength=len(net.xy)) == net.degrees
    first = order[np.flatnonzero(np.append(True, np.diff(root[order]) > 0)[: len(order)])]
    spurs[first[bare[root[first]]]] = False
    return spurs


def without_weak_ends(net: RoadLines, settings: Tidying, share: float) -> RoadLines:
    """Without dead ends and lone roads that are short and weak, and without what was inferred for them alone.

    Args:
        net: the network, whose points have a confidence.
        settings: what is weak.
        share: of the road's width, below which a dead end is short.
    """
    for _ in range(ROUNDS):
        dead = (net.degrees == 1)[net.ends]
        root = np.where(dead[:, 0], net.ends[:, 1], net.ends[:, 0])
        short = net.lengths_px < share * 2 * net.radius_px[root]
        weak = short & (mean_confidence(net) < settings.weak_confidence)
        dropped = dead.any(1) & (weak | net.is_inferred)
        if not dropped.any():
            break
        net = net.keep(~dropped).joined()
    return net.without_idle_nodes()


def mean_confidence(net: RoadLines) -> Float64:
    """Of each line, over its points on road, 0 to 1; 0 where it is inferred; shape (E,)."""
    mean: Float64 = np.where(net.is_inferred, 0.0, net.per_line(lambda _, lines: shown_confidence(lines)))
    return mean


def shown_confidence(lines: LinePoints) -> Float64:
    """Mean confidence of lines over their points on road, 0 to 1, shape (n,)."""
    known = lines.points["kind"] != UNKNOWN
    first = lines.offsets[:-1]
    total = np.add.reduceat(np.where(known, lines.points["confidence"], 0), first, dtype=np.int64)
    mean: Float64 = total / np.maximum(np.add.reduceat(known, first, dtype=np.int64), 1) / 255
    return mean


def without_specks(net: RoadLines, settings: Tidying) -> RoadLines:
    """Without roads that meet no other and are short."""
    _, group = connected_components(links_matrix(len(net.xy), net.ends), directed=False)
    of = group[net.ends[:, 0]]
    total = np.bincount(of, net.lengths_px, minlength=len(net.xy) + 1)
    return net.keep(total[of] >= settings.speck_px)
