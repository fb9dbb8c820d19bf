"""Shapes in metres and random numbers that depend on a position alone; knows no city and no pixel."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]
"""Metres, shape (..., 2), x to the right and y down from the corner of the city's first pixel."""
Rng = np.random.Generator


def rng_of(seed: tuple[int, ...], *position: int) -> Rng:
    """Random numbers for a position (whole numbers of either sign): the same for whoever comes there, from wherever."""
    return np.random.default_rng([*seed, *(2 * k if k >= 0 else -2 * k - 1 for k in position)])


class Plot(NamedTuple):
    """A convex piece of land; for an edge (dx, dy) from one corner to the next, (-dy, dx) points inward."""

    corners: Points
    """Shape (n, 2)."""
    setback_m: tuple[float, ...]
    """For the edge from each corner to the next: half the width of the road there."""

    @property
    def edges(self) -> Points:
        """From each corner to the next, shape (n, 2)."""
        edges: Points = np.roll(self.corners, -1, 0) - self.corners
        return edges

    @property
    def lengths(self) -> Points:
        """Of the edges, metres, shape (n,)."""
        lengths: Points = np.hypot(*self.edges.T)
        return lengths

    @property
    def area_m2(self) -> float:
        """In square metres."""
        return area(self.corners)

    def depths(self, points: Points) -> Points:
        """How far inside of each edge points (..., 2) lie: metres, shape (..., n), negative beyond the edge."""
        edges = self.edges
        inward = np.stack((-edges[:, 1], edges[:, 0]), -1) / np.maximum(self.lengths, 1e-9)[:, None]
        inside: Points = points @ inward.T - (self.corners * inward).sum(-1)
        return inside

    def cut(self, at: Points, normal: Points, setback_m: float = 0.0) -> Plot:
        """The part on that side of a line through `at` to which `normal` points; perhaps no corner is left."""
        sides = ((self.corners - at) @ normal).tolist()
        points = self.corners.tolist()
        kept, widths = [], []
        for i, (p, s, width) in enumerate(zip(points, sides, self.setback_m, strict=True)):
            q, t = points[(i + 1) % len(points)], sides[(i + 1) % len(points)]
            if s >= 0:
                kept.append(p)
                widths.append(width)
            if (s >= 0) != (t >= 0):
                share = s / (s - t)
                kept.append([p[0] + (q[0] - p[0]) * share, p[1] + (q[1] - p[1]) * share])
                widths.append(setback_m if s >= 0 else width)
        return Plot(np.array(kept, float).reshape(-1, 2), tuple(widths))

    def inset(self, by_m: float | None = None) -> Plot:
        """What is left when each edge moves inward by its setback, or all by as much."""
        inner = self
        edges, lengths = self.edges, self.lengths
        for corner, edge, length, setback in zip(self.corners, edges, lengths, self.setback_m, strict=True):
            move = setback if by_m is None else by_m
            if length > 1e-6 and move > 0:
                inward = np.array([-edge[1], edge[0]]) / length
                inner = inner.cut(corner + inward * move, inward)
        return Plot(inner.corners, (0.0,) * len(inner.corners))


def rectangle(x0: float, y0: float, x1: float, y1: float) -> Points:
    """Corners of an upright rectangle, in the order of a plot."""
    return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], float)


def area(corners: Points) -> float:
    """Of a polygon, square metres."""
    if len(corners) < 3:
        return 0.0
    x, y = corners.T
    return float((x * np.roll(y, -1) - y * np.roll(x, -1)).sum() / 2)


def axis(angle: float | Points) -> Points:
    """The unit vectors of angles (...): shape (..., 2)."""
    return np.stack((np.cos(angle), np.sin(angle)), -1)


def rotation(angle: float) -> Points:
    """Matrix that, from the right, turns row vectors by an angle."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([(c, s), (-s, c)])


def boxes(corner: Points, along: Points, across: Points) -> Points:
    """Quadrilaterals from a corner and two sides (each shape (..., 2)): shape (..., 4, 2)."""
    return np.stack((corner, corner + along, corner + along + across, corner + across), -2)


def divided(polygon: Points, step_m: float) -> Points:
    """The polygon with more corners, so that no edge is much longer than `step_m`."""
    edges = np.roll(polygon, -1, 0) - polygon
    counts = np.maximum(np.hypot(*edges.T) // step_m, 1).astype(int)
    of = np.repeat(np.arange(len(counts)), counts)
    nth = np.arange(len(of)) - np.repeat(np.cumsum(counts) - counts, counts)
    finer: Points = polygon[of] + edges[of] * (nth / counts[of])[:, None]
    return finer


def normals(line: Points) -> Points:
    """Unit normals at the points of a line (n, 2)."""
    along = np.gradient(line, axis=0)
    unit: Points = np.stack((along[:, 1], -along[:, 0]), -1) / np.hypot(*along.T)[:, None]
    return unit


def ribbon(line: Points, half_m: float | Points, aside_m: float | Points = 0.0) -> Points:
    """A strip along a line: its half width and how far aside its middle lies, for all or for each of the points."""
    normal = normals(line)
    half, aside = (np.broadcast_to(value, len(line))[:, None] for value in (half_m, aside_m))
    return np.vstack((line + normal * (aside + half), (line + normal * (aside - half))[::-1]))


def swept(polygons: Points, shift: Points) -> Points:
    """What convex polygons (n, k, 2) cover while they move by `shift` (n, 2): shape (n, 2k, 2)."""
    edges = np.roll(polygons, -1, 1) - polygons
    # An edge that looks in the direction of the movement is drawn where it arrives, the others where they start.
    cross = edges[..., 0] * shift[:, None, 1] - edges[..., 1] * shift[:, None, 0]
    turn = polygons - polygons[:, :1]
    orientation = np.sign((turn[:, :, 0] * np.roll(turn[:, :, 1], -1, 1)
                           - turn[:, :, 1] * np.roll(turn[:, :, 0], -1, 1)).sum(1))  # fmt: skip
    arrives = (cross * orientation[:, None] < 0).astype(float)
    both = np.stack((np.roll(arrives, 1, 1), arrives), -1)[..., None] * shift[:, None, None, :]
    moved: Points = (polygons[:, :, None, :] + both).reshape(len(polygons), 2 * polygons.shape[1], 2)
    return moved


def crowns(rng: Rng, centres: Points, radii_m: Points) -> Points:
    """Uneven rounds about centres (n, 2): shape (n, 9, 2)."""
    angle = np.linspace(0, 2 * np.pi, 9, endpoint=False)
    radius = radii_m[:, None] * rng.uniform(0.62, 1.25, (len(centres), len(angle)))
    rounds: Points = centres[:, None] + radius[..., None] * np.stack((np.cos(angle), np.sin(angle)), -1)
    return rounds


def blob(rng: Rng, centre: Points, radii_m: tuple[float, float], roughness: float, n_corners: int = 40) -> Points:
    """A rounded patch whose radius varies in a few waves around it: shape (n_corners, 2)."""
    angle = np.linspace(0, 2 * np.pi, n_corners, endpoint=False)
    radius = np.ones_like(angle)
    for k in (2, 3, 4, 5):
        radius += rng.normal(0, roughness / k) * np.sin(k * angle + rng.uniform(0, 2 * np.pi))
    shore: Points = centre + (radius[:, None] * np.stack((np.cos(angle), np.sin(angle)), -1)) * np.array(radii_m)
    return shore
