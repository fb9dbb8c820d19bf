"""Where simplified arcs meet that did not before: exact tests on whole numbers, in no order of the arcs.

Arcs without a crossing, in the same order around each node, with each hole inside its shell, divide the ground as they
did before. The parts of arcs in each conflict step down together until there is none; at last they are as traced.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import shapely

from sat2map.arrays import Array, Bool, Int64
from sat2map.vector.network import ArcNetwork
from sat2map.vector.ragged import batches, ragged_index
from sat2map.vector.rings import Rings, polygons, ring_areas
from sat2map.vector.smooth import UNITS

BAND_POINTS = 200_000
"""Points that are looked at together; what is found does not depend on it."""
CELL = 8 * UNITS
"""Side of the squares in which segments are compared."""

log = logging.getLogger(__name__)


class _Segments(NamedTuple):
    """Straight parts of arcs."""

    arc: Int64
    part: Int64
    """Number of the point that it begins with."""
    x0: Int64
    y0: Int64
    x1: Int64
    y1: Int64

    def of(self, which: Array) -> _Segments:
        """Some of them."""
        return _Segments(*(column[which] for column in self))


def resolve(network: ArcNetwork, rings: Rings) -> int:
    """Let the parts of arcs in each conflict step down until there is none, and tell how many rounds it took."""
    changed: Bool = np.ones(len(network), np.bool_)
    n_rounds = 0
    while True:
        parts = np.union1d(_crossing(network, changed), _turned(network))
        if not len(parts):
            parts = _misplaced(network, rings)
        if not len(parts):
            return n_rounds
        n_rounds += 1
        log.info("round %d: %d of %d parts of arcs step down", n_rounds, len(parts), network.count.sum())
        changed = network.step_down(parts)


def _crossing(network: ArcNetwork, changed: Bool) -> Int64:
    """The parts that cross or touch others, of their arc or another, elsewhere than in nodes.

    Args:
        network: of the arcs.
        changed: bool, shape (N,): arcs that may do so; two others do not.
    """
    found = [np.zeros(0, np.int64)]
    for segments in _bands(network, changed):
        found.append(segments.part[(segments.x0 == segments.x1) & (segments.y0 == segments.y1)])
        one, other = _near(segments, changed)
        meet = _meet(segments.of(one), segments.of(other), network)
        found += [segments.part[one[meet]], segments.part[other[meet]]]
    parts: Int64 = np.unique(np.concatenate(found))
    return parts


def _bands(network: ArcNetwork, changed: Bool) -> Iterator[_Segments]:
    """Segments by bands of rows; one that lies in several is in each of them."""
    if not len(network):
        return
    n_bands = -(-int(network.count.sum()) // BAND_POINTS)
    edges = np.linspace(network.low.min(), network.high.max() + 1, n_bands + 1).astype(np.int64)
    for low, high in pairwise(edges.tolist()):
        here = (network.low < high) & (network.high >= low)
        if not (here & changed).any():
            continue
        arc = np.flatnonzero(here)
        part, offset = ragged_index(network.begin[arc], network.count[arc] - 1)
        y0, y1 = network.y[part], network.y[part + 1]
        inside = (np.minimum(y0, y1) < high) & (np.maximum(y0, y1) >= low)
        arc, part = np.repeat(arc, np.diff(offset))[inside], part[inside]
        ends = (network.x[part], network.y[part], network.x[part + 1], network.y[part + 1])
        yield _Segments(arc, part, *(column.astype(np.int64) for column in ends))


def _near(segments: _Segments, changed: Bool) -> tuple[Int64, Int64]:
    """Pairs of segments in a common square, one of them changed."""
    square, which = _squares(segments)
    is_changed = changed[segments.arc[which]]
    if not changed.all():
        wanted = np.isin(square, np.unique(square[is_changed]))
        square, which, is_changed = square[wanted], which[wanted], is_changed[wanted]
    order = np.lexsort((which, square))
    square, which, is_changed = square[order], which[order], is_changed[order]
    place = np.arange(len(square))
    n_later = np.searchsorted(square, square, "right") - place - 1
    later, _ = ragged_index(place + 1, n_later)
    one, other = np.repeat(place, n_later), later
    wanted = (which[one] != which[other]) & (is_changed[one] | is_changed[other])
    one, other = which[one[wanted]], which[other[wanted]]
    s = segments
    overlap = (
        (np.minimum(s.x0, s.x1)[one] <= np.maximum(s.x0, s.x1)[other])
        & (np.minimum(s.x0, s.x1)[other] <= np.maximum(s.x0, s.x1)[one])
        & (np.minimum(s.y0, s.y1)[one] <= np.maximum(s.y0, s.y1)[other])
        & (np.minimum(s.y0, s.y1)[other] <= np.maximum(s.y0, s.y1)[one])
    )
    return one[overlap], other[overlap]


def _squares(segments: _Segments) -> tuple[Int64, Int64]:
    """The squares that segments pass, as numbers, and the segment of each; some twice, and some that they only near."""
    dx, dy = segments.x1 - segments.x0, segments.y1 - segments.y0
    n = np.maximum(np.abs(dx), np.abs(dy)) // CELL + 1
    step, _ = ragged_index(np.zeros(len(n), np.int64), n)
    which = np.repeat(np.arange(len(n)), n)
    x_ends = [segments.x0[which] + dx[which] * (step + i) // n[which] for i in (0, 1)]
    y_ends = [segments.y0[which] + dy[which] * (step + i) // n[which] for i in (0, 1)]
    # A unit more on each side, since ends are rounded; and the same again for squares left of the first.
    left, right = (np.minimum(*x_ends) - 1) // CELL + 1, (np.maximum(*x_ends) + 1) // CELL + 1
    top, bottom = (np.minimum(*y_ends) - 1) // CELL + 1, (np.maximum(*y_ends) + 1) // CELL + 1
    n_columns = int(right.max(initial=0)) + 1
    squares, whose = [top * n_columns + left], [which]
    for row, column, wanted in (
        (top, right, right > left),
        (bottom, left, bottom > top),
        (bottom, right, (right > left) & (bottom > top)),
    ):
        squares.append((row * n_columns + column)[wanted])
        whose.append(which[wanted])
    return np.concatenate(squares), np.concatenate(whose)


def _meet(a: _Segments, b: _Segments, network: ArcNetwork) -> Bool:
    """Whether pairs of segments have a point in common that is no node and no point between parts of one arc."""

    def side(px: Int64, py: Int64, s: _Segments) -> Int64:
        signs: Int64 = np.sign((s.x1 - s.x0) * (py - s.y0) - (s.y1 - s.y0) * (px - s.x0))
        return signs

    meet: Bool = (side(a.x0, a.y0, b) * side(a.x1, a.y1, b) <= 0) & (side(b.x0, b.y0, a) * side(b.x1, b.y1, a) <= 0)
    follows = a.arc == b.arc
    ends_a, ends_b = _ends(a, network), _ends(b, network)
    joined: Bool = np.zeros(len(meet), np.bool_)
    folded: Bool = np.zeros(len(meet), np.bool_)
    for i, (ax, ay, ux, uy) in enumerate(((a.x0, a.y0, a.x1, a.y1), (a.x1, a.y1, a.x0, a.y0))):
        for j, (bx, by, vx, vy) in enumerate(((b.x0, b.y0, b.x1, b.y1), (b.x1, b.y1, b.x0, b.y0))):
            in_arc = follows & ((a.part + i) == (b.part + j)) & (i != j)
            in_node = (ends_a[i] >= 0) & (ends_a[i] == ends_b[j])
            here = (ax == bx) & (ay == by) & (in_arc | in_node)
            ux_, uy_, vx_, vy_ = ux - ax, uy - ay, vx - bx, vy - by
            joined |= here
            folded |= here & (ux_ * vy_ == uy_ * vx_) & (ux_ * vx_ + uy_ * vy_ > 0)
    return np.where(joined, folded, meet)


def _ends(s: _Segments, network: ArcNetwork) -> tuple[Int64, Int64]:
    """The node in which a segment begins and that in which it ends, -1 where it is not the first or last of its arc."""
    begin, last = network.begin[s.arc], network.begin[s.arc] + network.count[s.arc] - 2
    return np.where(s.part == begin, network.tail[s.arc], -1), np.where(s.part == last, network.head[s.arc], -1)


def _turned(network: ArcNetwork) -> Int64:
    """The parts that leave nodes around which the order of arcs is not what it was."""
    arc = np.flatnonzero(~network.is_ring)
    begin, end = network.begin[arc], network.begin[arc] + network.count[arc] - 1
    point, neighbour = np.concatenate([begin, end]), np.concatenate([begin + 1, end - 1])
    angle = np.arctan2(network.y[point] - network.y[neighbour], network.x[neighbour] - network.x[point])
    node = np.concatenate([network.tail[arc], network.head[arc]])
    order = np.lexsort((np.concatenate([network.leaves[arc], (network.reaches[arc] + 2) % 4]), node))
    node, angle = node[order], angle[order]
    part: Int64 = np.minimum(point, neighbour)[order]
    if not len(node):
        return np.zeros(0, np.int64)
    begins = np.concatenate([[True], node[1:] != node[:-1]])
    first, group = np.flatnonzero(begins), np.cumsum(begins) - 1
    following = np.append(np.arange(1, len(node)), 0)
    following[np.append(first[1:], len(node)) - 1] = first
    # Against the clock the angle falls once in a round.
    n_falls = np.bincount(group, angle[following] <= angle)
    turned: Int64 = np.unique(part[n_falls[group] != 1])
    return turned


def _misplaced(network: ArcNetwork, rings: Rings) -> Int64:
    """All parts of areas with holes that are no valid polygons: a hole has left its shell."""
    found = [np.zeros(0, np.int64)]
    areas = np.flatnonzero(np.diff(rings.area_offset) > 1)
    for some in batches(rings.n_points(network)[areas]):
        points = polygons(network, rings, areas[some])
        coordinates = np.column_stack([points.x, points.y]).astype(np.float64)
        offsets = (points.ring_offset, points.polygon_offset)
        valid = shapely.is_valid(shapely.from_ragged_array(shapely.GeometryType.POLYGON, coordinates, offsets))
        size, shell = ring_areas(points), points.polygon_offset[:-1]
        n_positive = np.add.reduceat(size > 0, shell, dtype=np.int64)
        for area in areas[some][~valid | (n_positive != 1) | (size[shell] <= 0)]:
            ring = rings.area_offset[area : area + 2]
            arc = np.unique(rings.half[rings.offset[ring[0]] : rings.offset[ring[1]]] // 2)
            found.append(ragged_index(network.begin[arc], network.count[arc] - 1)[0])
    parts: Int64 = np.unique(np.concatenate(found))
    return parts
