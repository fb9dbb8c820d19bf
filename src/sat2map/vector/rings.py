"""Arcs put together to the rings of areas, and rings to polygons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sat2map.arrays import Array, Int64
from sat2map.vector.linking import least_of_cycle, ranked_links
from sat2map.vector.network import ArcNetwork
from sat2map.vector.ragged import ragged_index

# Quadrants around a corner are numbered from the north-east against the clock; directions from the east likewise.
RIGHT_OF_LEAVING = np.array([3, 0, 1, 2])
"""Quadrant on the right of who leaves a corner, by direction."""
RIGHT_OF_REACHING = np.array([2, 3, 0, 1])
"""Quadrant on the right of who reaches a corner, by direction."""


class PolygonPoints(NamedTuple):
    """Polygons, their shells first, in units of the network."""

    x: Int64
    y: Int64
    ring_offset: Int64
    """Where each ring begins among the points, and the end; rings are closed."""
    polygon_offset: Int64
    """Where each polygon begins among the rings, and the end."""


@dataclass(frozen=True)
class Rings:
    """The borders of areas, as arcs in order.

    Attributes:
        half: int64: twice the number of an arc, and one more where it is passed backwards; ring by ring.
        offset: where each ring begins in `half`, and the end.
        area_offset: where the rings of each area begin, and the end; of an area its shell is the first.
    """

    half: Int64
    offset: Int64
    area_offset: Int64

    def n_points(self, network: ArcNetwork) -> Int64:
        """Points of each area's polygon, about."""
        total = np.concatenate([[0], np.cumsum(network.count[self.half // 2])])
        return np.diff(total[self.offset[self.area_offset]])


def link_rings(network: ArcNetwork, n_areas: int) -> Rings:
    """Find the rings of each area, which lies on the left of them.

    An area that touches itself across a diagonal has its border divided there, so that no ring touches itself: who
    comes to such a corner keeps the quadrant on his right.
    """
    arcs = network.arcs
    half = np.arange(2 * len(arcs))
    arc, back = half // 2, half % 2 == 1
    area = np.where(back, arcs.right[arc], arcs.left[arc])
    half, arc, back, area = (column[area > 0] for column in (half, arc, back, area))
    tail, head = network.tail[arc], network.head[arc]
    leaves, reaches = network.leaves[arc], network.reaches[arc]
    start, end = np.where(back, head, tail), np.where(back, tail, head)
    on_leaving = RIGHT_OF_LEAVING[np.where(back, (reaches + 2) % 4, leaves)]
    on_reaching = RIGHT_OF_REACHING[np.where(back, (leaves + 2) % 4, reaches)]
    leaving, reaching = np.lexsort((on_leaving, start, area)), np.lexsort((on_reaching, end, area))
    assert np.array_equal(start[leaving], end[reaching])
    following = np.empty(len(half), np.int64)
    following[reaching] = leaving
    everyone = np.arange(len(half))
    least_start = least_of_cycle(following, everyone, start)
    # Of an area the shell has the first corner; each ring begins at its first node.
    least_corner = least_of_cycle(following, everyone, network.least[arc])
    following[end == least_start] = -1
    last, distance = ranked_links(following)
    order = np.lexsort((-distance, least_corner, area))
    begins = np.concatenate([[True], last[order][1:] != last[order][:-1]]) if len(order) else np.zeros(0, np.bool_)
    offset = np.append(np.flatnonzero(begins), len(half))
    area_offset = np.searchsorted(area[order][offset[:-1]], np.arange(n_areas + 1))
    return Rings(half[order], offset, area_offset)


def polygons(network: ArcNetwork, rings: Rings, areas: Int64) -> PolygonPoints:
    """The polygons of some areas."""
    n_rings = rings.area_offset[areas + 1] - rings.area_offset[areas]
    ring, polygon_offset = ragged_index(rings.area_offset[areas], n_rings)
    index, half_offset = ragged_index(rings.offset[ring], rings.offset[ring + 1] - rings.offset[ring])
    half = rings.half[index]
    arc, back = half // 2, half % 2 == 1
    # All points of an arc but the last, which is the next one's first.
    step, point_offset = ragged_index(np.zeros(len(arc), np.int64), network.count[arc] - 1)
    n = np.diff(point_offset)
    first = np.repeat(np.where(back, network.begin[arc] + network.count[arc] - 1, network.begin[arc]), n)
    point = first + np.where(np.repeat(back, n), -step, step)
    ring_offset = point_offset[half_offset]
    closed = np.insert(point, ring_offset[1:], point[ring_offset[:-1]])
    ring_offset = ring_offset + np.arange(len(ring_offset))
    x, y = network.x[closed].astype(np.int64), network.y[closed].astype(np.int64)
    return PolygonPoints(x, y, ring_offset, polygon_offset)


def ring_areas(points: PolygonPoints) -> Int64:
    """Twice the area of each ring in square units, positive where it runs against the clock on a map."""
    x, y = points.x, points.y
    first = points.ring_offset[:-1]
    # Relative to the ring's first point, so that sums stay small.
    which = np.repeat(np.arange(len(first)), np.diff(points.ring_offset))
    x, y = x - x[first][which], y - y[first][which]
    product: Array = np.append(x[1:] * y[:-1] - x[:-1] * y[1:], 0)
    total = np.concatenate([[0], np.cumsum(product)])
    # The step from the last point of a ring to the next ring is none.
    doubled: Int64 = total[points.ring_offset[1:] - 1] - total[first]
    return doubled
