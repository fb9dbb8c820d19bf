"""Arcs made simple: fewer points, and lines where the border of pixels is a staircase.

Points are chosen among the middles of the sides of pixels by Douglas and Peucker's method (Algorithms for the reduction
of the number of points, Cartographica 10(2), 1973). Each is then put where lines fitted to the border before and behind
it meet, at most half a pixel away (P. Selinger, Potrace: a polygon-based tracing algorithm, 2003, section 2.3.1), so
that a staircase becomes a line through its middle, and the corner of two straight sides stays where it is.
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


class Candidates(NamedTuple):
    """What may become points of arcs: the corners of their pixels, and the middles of sides of pixels.

    Of the sides in a row the first one's middle and the last one's: all others lie between them.
    """

    x2: Int64
    """int64, shape (C,): twice the column."""
    y2: Int64
    kind: Int64
    """`CORNER`, or a middle: the only one of a row of sides, its first or its last."""
    offset: Int64
    """Where each arc begins, and the end."""


CORNER, ONLY, FIRST, LAST = range(4)
BESIDE = np.array([0, 0, -1, 1])
"""From a middle to the corner beside it, by its kind; that of a single side stays, since it has two."""


def candidates(corners: Int64, offset: Int64, stride: int) -> Candidates:
    """What may become points of arcs that pass such corners of pixels."""
    step = np.append(np.diff(corners), 0)
    step[offset[1:] - 1] = 0
    is_flat = np.abs(step) < stride
    length, sign = np.where(is_flat, np.abs(step), np.abs(step) // stride), np.sign(step)
    n = 1 + np.minimum(length, 2)
    place = np.cumsum(n) - n
    y, x = np.divmod(corners, stride)
    x2, y2, kind = (np.repeat(values, n) for values in (2 * x, 2 * y, np.zeros_like(x)))
    for which, kind_of, after, doubled in (
        (length == 1, ONLY, 1, np.ones_like(length)),
        (length > 1, FIRST, 1, np.ones_like(length)),
        (length > 1, LAST, 2, 2 * length - 1),
    ):
        at = place[which] + after
        kind[at] = kind_of
        x2[at] += (doubled * sign * is_flat)[which]
        y2[at] += (doubled * sign * ~is_flat)[which]
    return Candidates(x2, y2, kind, np.append(place, n.sum())[offset])


class Choice(NamedTuple):
    """Which candidates are points, and how often the tolerance was halved for the part behind each."""

    kept: Int64
    """int64, shape (P,): indices of candidates, ascending."""
    level: Int64
    """int64, shape (P,): of no meaning for the last point of an arc."""


def chosen(path: Candidates, gsd_m: tuple[float, float], tolerance_m: Float64, level: Int64) -> Choice:
    """Choose points of whole arcs.

    Args:
        path: of the arcs.
        gsd_m: metres per pixel along a row and along a column.
        tolerance_m: float64, shape (N,): how far the line of each may be from the middles of sides that it leaves out;
            0: all corners are points.
        level: int64, shape (N,): how often that was halved.
    """
    kept = _kept(path, np.arange(len(path.kind)), path.offset, gsd_m, tolerance_m)
    return Choice(kept, level[np.searchsorted(path.offset, kept, "right") - 1])


def chosen_again(
    path: Candidates, before: Choice, again: Bool, gsd_m: tuple[float, float], tolerance_m: Float64
) -> Choice:
    """Choose more points in some parts.

    Args:
        path: of the arcs.
        before: the points so far.
        again: bool, shape (P,): parts that go one level down, by the point that they begin with.
        gsd_m: metres per pixel along a row and along a column.
        tolerance_m: float64, shape (P,): of each part, at its new level.
    """
    begin = before.kept[again]
    index, offset = ragged_index(begin, before.kept[np.flatnonzero(again) + 1] - begin + 1)
    kept = np.union1d(before.kept, _kept(path, index, offset, gsd_m, tolerance_m[again]))
    part = np.searchsorted(before.kept, kept, "right") - 1
    return Choice(kept, before.level[part] + again[part])


def _kept(path: Candidates, index: Int64, offset: Int64, gsd_m: tuple[float, float], tolerance_m: Float64) -> Int64:
    """The candidates that remain of each line: its ends, and what its tolerance needs."""
    n = np.diff(offset)
    kind, exact, line = path.kind[index], np.repeat(tolerance_m == 0, n), np.repeat(np.arange(len(n)), n)
    is_end = np.zeros(len(index), np.bool_)
    is_end[offset[:-1]] = is_end[offset[1:] - 1] = True
    found = [index[is_end], index[exact & (kind == CORNER)]]
    wanted = ~exact & ((kind != CORNER) | is_end)
    if wanted.any():
        index, is_end = index[wanted], is_end[wanted]
        # The third coordinate tells afterwards which candidates these are.
        place = np.arange(len(index))
        points = np.column_stack([path.x2[index] * (gsd_m[0] / 2), path.y2[index] * (gsd_m[1] / 2), place])
        which = np.cumsum(np.append(False, np.diff(line[wanted]) > 0))
        lines = shapely.linestrings(points, indices=which)
        lines = shapely.simplify(lines, tolerance_m[tolerance_m > 0], preserve_topology=False)
        kept = shapely.get_coordinates(lines, include_z=True)[:, 2].astype(np.int64)
        # Where two long sides meet, their corner is to be a point, and not the middle beside it.
        found.append(index[kept] + np.where(is_end[kept], 0, BESIDE[path.kind[index[kept]]]))
    remaining: Int64 = np.unique(np.concatenate(found))
    return remaining


def fitted(path: Candidates, is_ring: Bool, choice: Choice, farthest_px: Float64) -> Lines:
    """Put the points of arcs where lines fitted to the border on both sides meet.

    Args:
        path: of the arcs.
        is_ring: bool, shape (N,): closed, without a node; ends of all others stay.
        choice: the points.
        farthest_px: float64, shape (P,): how far the ends of the part behind each point may go.
    """
    kept = choice.kept
    offset = np.searchsorted(kept, path.offset)
    first, last = offset[:-1], offset[1:] - 1
    # A ring's first point is between its last line and its first.
    before, inner = np.arange(len(kept)) - 1, np.ones(len(kept), np.bool_)
    inner[first], inner[last] = is_ring, False
    before[first] = last - 1
    point = np.flatnonzero(inner)
    limit = 2 * np.minimum(farthest_px[point], farthest_px[before[point]])
    x2, y2 = path.x2[kept], path.y2[kept]
    shift_x, shift_y = _meeting(_fits(path.x2, path.y2, kept), before[point], point, x2, y2)
    x, y = x2 * (UNITS // 2), y2 * (UNITS // 2)
    x[point] += np.rint(np.clip(shift_x, -limit, limit) * (UNITS // 2)).astype(np.int64)
    y[point] += np.rint(np.clip(shift_y, -limit, limit) * (UNITS // 2)).astype(np.int64)
    x[last[is_ring]], y[last[is_ring]] = x[first[is_ring]], y[first[is_ring]]
    return Lines(x, y, offset)


class _Fits(NamedTuple):
    """A line for each kept point and the next one: a point on it, relative to the kept one, and its normal."""

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
    """How far points go to where the lines on both sides meet, along a row and along a column."""
    ax, ay, bx, by = fits.normal_x[before], fits.normal_y[before], fits.normal_x[after], fits.normal_y[after]
    # Distances of the lines from the point.
    a = ax * (fits.x[before] + (x[before] - x[after])) + ay * (fits.y[before] + (y[before] - y[after]))
    b = bx * fits.x[after] + by * fits.y[after]
    # The least sum of the squared distances from both lines and, lightly, from the point's own place.
    xx, xy, yy = ax * ax + bx * bx + STAY, ax * ay + bx * by, ay * ay + by * by + STAY
    right_x, right_y = ax * a + bx * b, ay * a + by * b
    determinant = xx * yy - xy * xy
    return (right_x * yy - right_y * xy) / determinant, (right_y * xx - right_x * xy) / determinant
