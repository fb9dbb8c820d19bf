"""Where the lines of roads end: junctions lie where the roads point to, and dead ends where the road ends."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from sat2map.arrays import Float64
from sat2map.vector.roads_network import RoadLines
from sat2map.vector.roads_points import Int64, LinePoints, pixels

UNTRUSTED = 0.05


@dataclass(frozen=True)
class Ends:
    """How much of the end of a thinned line is not to be trusted."""

    trim: float = 0.9
    """Share of the junction's radius that is left out at least ..."""
    wider: float = 1.15
    """... and all that is so much wider than the line usually is ..."""
    longest: float = 4.0
    """... but no more than as many of the junction's radii."""
    straight_px: float = 12.0
    """What follows tells the direction."""
    move: float = 2.5
    """A junction moves by no more than as many of its radii."""
    meeting: float = 0.4
    """Junctions whose roads point to positions nearer than this share of the width are one ..."""
    slanting: float = 4.0
    """... if the line between them is no longer than as many widths."""


def with_ends(net: RoadLines, settings: Ends, height_px: int, width_px: int) -> RoadLines:
    """Leave out what thinning bends at the ends of lines, and move nodes to where the rest of the lines points to.

    Args:
        net: the network.
        settings: how much is not to be trusted.
        height_px: of the scene.
        width_px: of the scene.
    """
    if not len(net.ends):
        return net
    cuts = _cuts(net, settings)
    at, ahead = _approaches(net, cuts, settings)
    moved = _junctions_moved(net, cuts, at, ahead, settings)
    moved[_dead(net)] = _dead_ends_moved(net, at, ahead, height_px, width_px)
    trimmed = net.pieces.within(net.offsets[:-1] + cuts[:, 0], net.offsets[1:] - cuts[:, 1])
    return replace(net, xy=moved, pieces=trimmed)


def one_node_a_meeting(net: RoadLines, settings: Ends) -> RoadLines:
    """Contract short lines between junctions that lie in one position when they lie where the roads point to.

    Thinning makes two junctions of a crossing, the farther apart the more slanting it is.
    """
    if not len(net.ends):
        return net
    joint = (net.degrees > 2)[net.ends].all(1) & (net.ends[:, 0] != net.ends[:, 1])
    cuts = _cuts(net, settings)
    xy = _junctions_moved(net, cuts, *_approaches(net, cuts, settings), settings)
    apart = np.hypot(*(xy[net.ends[:, 0]] - xy[net.ends[:, 1]]).T)
    width = 2 * net.radius_px[net.ends].max(1)
    is_one = joint & (apart < settings.meeting * width) & (net.lengths_px < settings.slanting * width)
    return net.contracted(is_one).joined()


def _cuts(net: RoadLines, settings: Ends) -> Int64:
    """Points that are left out at both ends of each line, shape (E, 2)."""
    degrees = net.degrees

    def measured(lines: slice, points: LinePoints) -> Int64:
        radius, degree = net.radius_px[net.ends[lines]], degrees[net.ends[lines]]
        return np.stack([_cut(points, radius[:, side], degree[:, side], side, settings) for side in (0, 1)], -1)

    return np.minimum(net.per_line(measured), ((net.counts - 1) // 2)[:, None])


def _dead(net: RoadLines) -> Int64:
    """Nodes where roads end, in the order in which lines end there: those at which they begin first."""
    nodes = net.ends.T.ravel()
    dead: Int64 = nodes[net.degrees[nodes] == 1]
    return dead


def _cut(lines: LinePoints, radius: Float64, degree: Int64, side: int, settings: Ends) -> Int64:
    """Points that are left out at one end of each line, at whose node is a radius and a degree, shape (n,) each."""
    along, of, n, width = lines.along_px(), lines.line_of_point, lines.counts, lines.points["radius"]
    first, last = lines.offsets[:-1], lines.offsets[1:] - 1
    nth: Int64 = np.arange(len(of)) - first[of]
    if side:
        along, nth = along[last][of] - along, n[of] - 1 - nth
    radius, degree = radius[of], degree[of]
    usual = settings.wider * lines.median_radius()[of] + 0.5
    fine = (along >= settings.trim * radius) & ((width <= usual) | (along >= settings.longest * radius))
    # Towards a dead end the line bends to a corner of the road, over about half its width.
    tip = width[last if side else first][of]
    fine = np.where(degree > 2, fine, (degree == 2) | (along >= 1.5 * tip))
    cut: Int64 = np.minimum.reduceat(np.where(fine, nth, n[of]), first)
    return cut


def _approaches(net: RoadLines, cuts: Int64, settings: Ends) -> tuple[Float64, Float64]:
    """Where each end of a line is trusted from, and the direction towards its node: shapes (2 E, 2), starts first."""
    first, last = net.offsets[:-1], net.offsets[1:] - 1
    far = round(settings.straight_px)
    start, end = first + cuts[:, 0], last - cuts[:, 1]
    xy = net.xy_at(np.stack((start, end, np.minimum(start + far, end), np.maximum(end - far, start)), -1))
    at = np.concatenate((xy[:, 0], xy[:, 1]))
    ahead = at - np.concatenate((xy[:, 2], xy[:, 3]))
    return at, ahead / np.maximum(np.hypot(*ahead.T), 1e-9)[:, None]


def _junctions_moved(net: RoadLines, cuts: Int64, at: Float64, ahead: Float64, settings: Ends) -> Float64:
    """Positions of the nodes, junctions nearest to all the lines that lead there, by least squares."""
    n, node = len(net.xy), net.ends.T.ravel()
    # A line of which nothing is to be trusted has little to say.
    weight = np.where((cuts < ((net.counts - 1) // 2)[:, None]).T.ravel(), 1.0, UNTRUSTED)
    normal = np.stack((-ahead[:, 1], ahead[:, 0]), -1) * weight[:, None]
    # A little weight on where it was holds a junction on a road that goes straight on.
    a, b, d = (
        np.bincount(node, normal[:, i] * normal[:, j], minlength=n) + (0.05 if i == j else 0.0)
        for i, j in ((0, 0), (0, 1), (1, 1))
    )
    off = ((at - net.xy[node]) * normal).sum(1)
    right = [np.bincount(node, off * normal[:, i], minlength=n) for i in (0, 1)]
    det = a * d - b * b
    move = np.stack(((d * right[0] - b * right[1]) / det, (a * right[1] - b * right[0]) / det), -1)
    size, limit = np.hypot(*move.T), np.maximum(settings.move * net.radius_px, 1)
    move *= np.minimum(1, limit / np.maximum(size, 1e-9))[:, None]
    move[net.degrees < 3] = 0
    moved: Float64 = net.xy + move
    return moved


def _dead_ends_moved(net: RoadLines, at: Float64, ahead: Float64, height_px: int, width_px: int) -> Float64:
    """Dead ends go straight on to where the road ends, or the scene: thinning takes half a width from a road."""
    node = net.ends.T.ravel()
    dead = net.degrees[node] == 1
    at, ahead, tip = at[dead], ahead[dead], net.tips.T.ravel()[dead]
    reach = ((pixels(tip) - at) * ahead).sum(1) + tip["radius"]
    size = np.array([width_px, height_px], float)
    with np.errstate(divide="ignore", invalid="ignore"):
        room = np.where(ahead > 0, (size - at) / ahead, np.where(ahead < 0, -at / ahead, np.inf)).min(1)
    moved: Float64 = at + ahead * np.clip(reach, 0, room)[:, None]
    return moved
