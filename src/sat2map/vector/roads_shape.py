"""Smooth lines from the points of thinned ones; changes no network."""

from __future__ import annotations

import numpy as np
import shapely

from sat2map.arrays import Float64
from sat2map.vector.roads_points import Int64, LinePoints

SPACING_PX = 1.0


def smooth_lines(lines: LinePoints, nodes: Float64, *, sigma_px: float, tolerance_px: float) -> tuple[Float64, Int64]:
    """Lines from node to node, without steps of pixels.

    Points at equal distances are smoothed by a Gaussian, with their mirror image in the end of the line beyond it, so
    that ends stay; then the line is simplified. Source: Gaussian smoothing of curves (Mokhtarian and Mackworth 1986);
    Douglas and Peucker 1973.

    Args:
        lines: their points.
        nodes: where each begins and ends, shape (E, 2, 2), in pixels.
        sigma_px: of the Gaussian.
        tolerance_px: how far a line may be off after it was simplified.

    Returns:
        Coordinates in pixels, shape (P, 2), and the offsets of the lines, shape (E + 1,).
    """
    xy, offsets = _even(*_from_node_to_node(lines, nodes))
    return _simplified(_smoothed(xy, offsets, sigma_px), offsets, tolerance_px)


def _from_node_to_node(lines: LinePoints, nodes: Float64) -> tuple[Float64, Int64]:
    """The points of each line and its two nodes."""
    offsets = lines.offsets + 2 * np.arange(len(lines.offsets))
    out = np.empty((offsets[-1], 2))
    inner = np.ones(len(out), bool)
    inner[offsets[:-1]] = inner[offsets[1:] - 1] = False
    out[inner] = lines.xy
    out[offsets[:-1]], out[offsets[1:] - 1] = nodes[:, 0], nodes[:, 1]
    return out, offsets


def _even(xy: Float64, offsets: Int64) -> tuple[Float64, Int64]:
    """Points at about equal distances along the same lines."""
    steps = np.append(0, np.hypot(*np.diff(xy, axis=0).T))
    # One pixel from each line to the next, and nowhere nothing: what is looked up must rise.
    steps[offsets[:-1]] = 1.0
    along = np.cumsum(steps + 1e-9)
    first, last = along[offsets[:-1]], along[offsets[1:] - 1]
    n = np.maximum(np.rint((last - first) / SPACING_PX).astype(np.int64), 1) + 1
    new = np.append(0, np.cumsum(n))
    nth = np.arange(new[-1]) - np.repeat(new[:-1], n)
    at = np.repeat(first, n) + nth * np.repeat((last - first) / (n - 1), n)
    out = np.stack([np.interp(at, along, xy[:, axis]) for axis in (0, 1)], -1)
    out[new[:-1]], out[new[1:] - 1] = xy[offsets[:-1]], xy[offsets[1:] - 1]
    return out, new


def _smoothed(xy: Float64, offsets: Int64, sigma_px: float) -> Float64:
    counts = np.diff(offsets)
    first, last = np.repeat(offsets[:-1], counts), np.repeat(offsets[1:] - 1, counts)
    here = np.arange(len(xy))
    reach = int(np.ceil(3 * sigma_px))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma_px) ** 2)
    total = np.zeros_like(xy)
    for shift, weight in zip(range(-reach, reach + 1), weights / weights.sum(), strict=True):
        at = here + shift
        mirrored = np.where(at < first, 2 * first - at, np.where(at > last, 2 * last - at, at))
        end = np.where(at < first, first, last)
        beyond = (at < first) | (at > last)
        value = xy[np.clip(mirrored, first, last)]
        value[beyond] = 2 * xy[end[beyond]] - value[beyond]
        total += weight * value
    total[offsets[:-1]], total[offsets[1:] - 1] = xy[offsets[:-1]], xy[offsets[1:] - 1]
    return total


def _simplified(xy: Float64, offsets: Int64, tolerance_px: float) -> tuple[Float64, Int64]:
    lines = shapely.linestrings(xy, indices=np.repeat(np.arange(len(offsets) - 1), np.diff(offsets)))
    simple = shapely.simplify(lines, tolerance_px, preserve_topology=False)
    coordinates, of = shapely.get_coordinates(simple, return_index=True)
    return coordinates, np.append(0, np.cumsum(np.bincount(of, minlength=len(offsets) - 1)))
