"""Lines of windows become one network that does not tell where the windows were."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from sat2map.arrays import Array
from sat2map.vector.roads_network import RoadLines
from sat2map.vector.roads_points import POINT, Int64, LinePoints, Pieces, PointStore, pixels


def stitched(parts: Iterable[tuple[Int64, RoadLines]], width_px: int, store: PointStore) -> RoadLines:
    """Join the lines of windows into one network that does not tell where the windows were.

    Args:
        parts: of each window the keys of its nodes (their pixel, counted row by row) and its lines.
        width_px: of the scene.
        store: for the points of all lines.
    """
    all_ends, all_counts, all_tips = [np.zeros((0, 2), np.int64)], [np.zeros(0, np.int64)], [np.zeros((0, 2), POINT)]
    for keys, net in parts:
        for _, points in net.batches():
            store.append(points.points)
        all_ends.append(keys[net.ends])
        all_counts.append(net.counts)
        all_tips.append(net.tips)
    nodes, number = np.unique(np.concatenate(all_ends), return_inverse=True)
    number, tips = number.reshape(-1, 2), np.concatenate(all_tips)
    xy, radius = np.zeros((len(nodes), 2)), np.zeros(len(nodes))
    xy[number] = pixels(tips)
    radius[number] = tips["radius"]
    pieces = Pieces.whole(0, np.append(0, np.cumsum(np.concatenate(all_counts))))
    whole = RoadLines(xy, radius, number, pieces, np.zeros(len(number), bool), store).joined()
    return in_order(_rings_turned(whole, width_px), width_px).without_idle_nodes()


def in_order(net: RoadLines, width_px: int) -> RoadLines:
    """The same lines, each in the direction and all in the order that their pixels tell."""
    head, tail = net.offsets[:-1], net.offsets[1:] - 1
    four = np.stack((head, np.minimum(head + 1, tail), np.maximum(tail - 1, head), tail), -1)
    key = _pixel_keys(net.at(four), width_px)
    turned = (key[:, 0] > key[:, 3]) | ((key[:, 0] == key[:, 3]) & (key[:, 1] > key[:, 2]))
    key = np.where(turned[:, None], key[:, ::-1], key)
    order = np.lexsort((key[:, 1], key[:, 0]))
    ends = np.where(turned[:, None], net.ends[:, ::-1], net.ends)
    return replace(
        net, ends=ends[order], pieces=net.pieces.of(order, turned[order]), is_inferred=net.is_inferred[order]
    )


def _rings_turned(net: RoadLines, width_px: int) -> RoadLines:
    """Rings that no other line meets begin at their first pixel: of them alone, windows decide where they begin."""
    alone = np.flatnonzero((net.ends[:, 0] == net.ends[:, 1]) & (net.degrees[net.ends[:, 0]] == 2))

    def first_pixel(_: slice, lines: LinePoints) -> Int64:
        order = np.lexsort((_pixel_keys(lines.points, width_px), lines.line_of_point))
        return order[lines.offsets[:-1]] - lines.offsets[:-1]

    if len(alone):
        before = np.zeros(len(net.xy), bool)
        before[net.ends[alone, 0]] = True
        net, nodes = net.split(alone, net.keep(alone).per_line(first_pixel))
        before[nodes[nodes < len(before)]] = False
        net = net.joined(np.append(before, np.zeros(len(net.xy) - len(before), bool)))
    return _nodes_in_order(net, width_px)


def _nodes_in_order(net: RoadLines, width_px: int) -> RoadLines:
    """The same network with its nodes in the order of their pixels."""
    key = np.floor(net.xy[:, 1]).astype(np.int64) * width_px + np.floor(net.xy[:, 0]).astype(np.int64)
    order = np.argsort(key, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return replace(net, xy=net.xy[order], radius_px=net.radius_px[order], ends=rank[net.ends])


def _pixel_keys(points: Array, width_px: int) -> Int64:
    keys: Int64 = np.floor(points["y"]).astype(np.int64) * width_px + np.floor(points["x"]).astype(np.int64)
    return keys
