"""Arcs made simple: fewer points, and lines where the border of pixels is a staircase.

Points are chosen by Douglas and Peucker's method (Algorithms for the reduction of the number of points, Cartographica
10(2), 1973). Each point between two chosen parts is then put where lines fitted to the border on its two sides meet,
at most half a pixel away (P. Selinger, Potrace: a polygon-based tracing algorithm, 2003, section 2.3.1), so that a
staircase becomes a line through its middle, and the corner of two straight sides stays where it is.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import shapely

from sat2map.arrays import Array, Bool, Float64, Int64
from sat2map.vector.ragged import ragged_index

UNITS = 16
"""Points lie on a lattice of so many to a pixel: whole numbers make tests for crossings exact."""
FARTHEST_PX = 0.5
STAY = 0.01
"""Weight of the point's own place against the two lines', so that parallel lines leave it there."""


class Lines(NamedTuple):
    """Polylines one after the other, in `UNITS` to a pixel."""

    x: Int64
    y: Int64
    offset: Int64
    """Where each begins, and the end."""


class Choice(NamedTuple):
    """Which corners of arcs remain points, and how often the tolerance was halved for the part behind each."""

    kept: Int64
    """int64, shape (P,): indices of corners, ascending."""
    level: Int64
    """int64, shape (P,): of no meaning for the last point of an arc."""


def chosen(x_m: Float64, y_m: Float64, offset: Int64, tolerance_m: float) -> Choice:
    """Choose points of whole arcs.

    Args:
        x_m: float64: corners of the arcs, in metres along a row.
        y_m: float64: along a column.
        offset: where each arc begins, and the end.
        tolerance_m: how far a line may be from the corners that it leaves out.
    """
    kept = _douglas_peucker(np.column_stack([x_m, y_m]), np.arange(len(x_m)), offset, np.array(tolerance_m))
    return Choice(kept, np.zeros(len(kept), np.int64))


def chosen_again(x_m: Float64, y_m: Float64, before: Choice, again: Bool, tolerance_m: Float64) -> Choice:
    """Choose more points in some parts.

    Args:
        x_m: float64: corners of the arcs, in metres along a row.
        y_m: float64: along a column.
        before: the points so far.
        again: bool, shape (P,): parts that go one level down, by the point that they begin with.
        tolerance_m: float64, shape (P,): of each part, at its new level.
    """
    begin = before.kept[again]
    corner, offset = ragged_index(begin, before.kept[np.flatnonzero(again) + 1] - begin + 1)
    more = _douglas_peucker(np.column_stack([x_m, y_m])[corner], corner, offset, tolerance_m[again])
    kept = np.union1d(before.kept, more)
    part = np.searchsorted(before.kept, kept, "right") - 1
    return Choice(kept, before.level[part] + again[part])


def _douglas_peucker(points_m: Float64, corner: Int64, offset: Int64, tolerance_m: Float64) -> Int64:
    """The numbers of the corners that remain of each line."""
    which = np.repeat(np.arange(len(offset) - 1), np.diff(offset))
    # The third coordinate tells afterwards which points these are.
    lines = shapely.linestrings(np.column_stack([points_m, corner]), indices=which)
    kept = shapely.get_coordinates(shapely.simplify(lines, tolerance_m, preserve_topology=False), include_z=True)
    numbers: Int64 = kept[:, 2].astype(np.int64)
    return numbers


def fitted(corners: Int64, offset: Int64, is_ring: Bool, choice: Choice, farthest_px: Float64, stride: int) -> Lines:
    """Put the points of arcs where lines fitted to the border on both sides meet.

    Args:
        corners: int64: the corners of pixels that each arc passes.
        offset: where each arc begins, and the end.
        is_ring: bool, shape (N,): closed, without a node; ends of all others stay.
        choice: the points.
        farthest_px: float64, shape (P,): how far the ends of the part behind each point may go.
        stride: width of the raster + 1.
    """
    y, x = np.divmod(corners, stride)
    kept = choice.kept
    new_offset = np.searchsorted(kept, offset)
    first, last = new_offset[:-1], new_offset[1:] - 1
    # A ring's first point is between its last line and its first.
    before, inner = np.arange(len(kept)) - 1, np.ones(len(kept), np.bool_)
    inner[first], inner[last] = is_ring, False
    before[first] = last - 1
    point = np.flatnonzero(inner)
    limit = np.minimum(farthest_px[point], farthest_px[before[point]])
    shift_x, shift_y = _meeting(_fits(x, y, kept), before[point], point, x[kept], y[kept])
    out_x, out_y = x[kept] * UNITS, y[kept] * UNITS
    out_x[point] += np.rint(np.clip(shift_x, -limit, limit) * UNITS).astype(np.int64)
    out_y[point] += np.rint(np.clip(shift_y, -limit, limit) * UNITS).astype(np.int64)
    out_x[last[is_ring]], out_y[last[is_ring]] = out_x[first[is_ring]], out_y[first[is_ring]]
    return Lines(out_x, out_y, new_offset)


class _Fits(NamedTuple):
    """A line for each kept point and the next one: a point on it, relative to the kept one, and its normal, in px."""

    x: Float64
    y: Float64
    normal_x: Float64
    normal_y: Float64


def _fits(x: Int64, y: Int64, kept: Int64) -> _Fits:
    """Fit lines to the border between kept points, by least squares of the distances of all points on it.

    All sums are of whole numbers and so the same wherever an arc lies among others: differences of running sums are
    exact, even where those overflow.
    """
    begin, end = kept, np.append(kept[1:], len(x) - 1)
    # Relative to the first point of its part, so that third powers stay small.
    index, part = ragged_index(begin, np.maximum(end - begin, 0))
    which = np.repeat(np.arange(len(kept)), np.diff(part))
    x0, y0 = x[index] - x[begin][which], y[index] - y[begin][which]
    x1, y1 = x[index + 1] - x[begin][which], y[index + 1] - y[begin][which]
    # Integrals along each side of the border, which is level or upright; some times two, three and six.
    length = np.abs(x1 - x0) + np.abs(y1 - y0)
    n, sx, sy = length, length * (x0 + x1), length * (y0 + y1)
    sxx = length * (x0 * x0 + x0 * x1 + x1 * x1)
    syy = length * (y0 * y0 + y0 * y1 + y1 * y1)
    sxy = length * (2 * x0 * y0 + 2 * x1 * y1 + x0 * y1 + x1 * y0)
    total, tx, ty, txx, tyy, txy = (_sums(values, part) for values in (n, sx, sy, sxx, syy, sxy))
    weight = np.maximum(total, 1).astype(np.float64)
    mean_x, mean_y = tx / weight / 2, ty / weight / 2
    var_x, var_y = txx / weight / 3 - mean_x * mean_x, tyy / weight / 3 - mean_y * mean_y
    covariance = txy / weight / 6 - mean_x * mean_y
    # The direction of the larger eigenvector, of its two forms the one without cancellation.
    half = (var_x - var_y) / 2
    root = np.sqrt(half * half + covariance * covariance)
    along_x = np.where(half >= 0, half + root, covariance)
    along_y = np.where(half >= 0, covariance, root - half)
    size = np.sqrt(along_x * along_x + along_y * along_y)
    size = np.where(size > 0, size, 1.0)
    return _Fits(mean_x, mean_y, -along_y / size, along_x / size)


def _sums(values: Int64, offset: Int64) -> Array:
    running = np.concatenate([[0], np.cumsum(values)])
    total: Array = running[offset[1:]] - running[offset[:-1]]
    return total


def _meeting(fits: _Fits, before: Int64, after: Int64, x: Int64, y: Int64) -> tuple[Float64, Float64]:
    """How far points go to where the lines on both sides meet, in px along a row and along a column."""
    ax, ay, bx, by = fits.normal_x[before], fits.normal_y[before], fits.normal_x[after], fits.normal_y[after]
    # Distances of the lines from the point.
    a = ax * (fits.x[before] + (x[before] - x[after])) + ay * (fits.y[before] + (y[before] - y[after]))
    b = bx * fits.x[after] + by * fits.y[after]
    # The least sum of the squared distances from both lines and, lightly, from the point's own place.
    xx, xy, yy = ax * ax + bx * bx + STAY, ax * ay + bx * by, ay * ay + by * by + STAY
    right_x, right_y = ax * a + bx * b, ay * a + by * b
    determinant = xx * yy - xy * xy
    return (right_x * yy - right_y * xy) / determinant, (right_y * xx - right_x * xy) / determinant
