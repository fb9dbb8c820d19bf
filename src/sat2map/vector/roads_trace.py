"""From the classes of a window to the centre lines of its roads, pixel by pixel; joins no windows.

All that decides on a pixel lies within `margin_px` of it, so that every window finds the same lines.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import label
from skimage.morphology import skeletonize

from sat2map.arrays import Array, Bool, UInt8
from sat2map.classes import ROAD_CLASSES
from sat2map.tiling import Window
from sat2map.vector.class_raster import ClassWindow
from sat2map.vector.roads_network import RoadLines
from sat2map.vector.roads_points import POINT, UNKNOWN, Int64, Pieces, PointArray

FORWARD = ((0, 1), (1, 1), (1, 0), (1, -1))
"""Steps (rows, columns) to the neighbours that come later, row by row."""


@dataclass(frozen=True)
class Tracing:
    """How centre lines are found."""

    core_px: int = 16
    """Ground farther from a road's edge is no part of a line: thinning ends, and looks no farther than that."""
    hole_px: int = 150
    """Smaller holes in a road are filled (street names, cars, trees) ..."""
    hole_side_px: int = 16
    """... where they are no longer than this."""
    closing_px: int = 0
    """Road that is cut by no more than twice as much is closed before it is thinned."""
    road_classes: tuple[int, ...] = ROAD_CLASSES

    @property
    def margin_px(self) -> int:
        """Pixels that a window is read with on each side.

        Filling looks at most a hole's side far, closing twice its radius, the distance to the edge `core_px`, and each
        round of thinning two pixels; a road no wider than twice `core_px` takes fewer than 1.5 `core_px` rounds.
        """
        return self.hole_side_px + 2 * self.closing_px + 4 * self.core_px


def trace_window(
    values: ClassWindow, read: Window, core: Window, width_px: int, settings: Tracing
) -> tuple[Int64, RoadLines]:
    """Trace the lines that begin in a core window.

    Args:
        values: classes of the read window.
        read: the core window and its margin, which may lie beyond the scene.
        core: what lines are wanted of.
        width_px: of the scene.
        settings: how centre lines are found.

    Returns:
        Key of each node (its pixel in the scene, counted row by row), and the lines, in pixels of the scene. A line
        ends where others meet it, and where it leaves the window.
    """
    road = filled(is_road(values, settings), values.valid_hw, settings)
    square = squared_distance(road, settings.core_px + 1)
    core_hw = road & (square > settings.core_px**2)
    thin: Bool = skeletonize(road & ~core_hw)
    one, other, degree = _links(thin, core.inside(read))
    pixels, number = np.unique(np.stack((one, other), -1), return_inverse=True)
    number = number.reshape(-1, 2)
    points = _points(values, road, square, core_hw, pixels, settings)
    points["x"] += read.col
    points["y"] += read.row
    rows, cols = np.divmod(pixels, thin.shape[1])
    keys = (rows + read.row) * width_px + cols + read.col
    net = RoadLines(
        xy=np.zeros((len(pixels), 2)),
        radius_px=np.zeros(len(pixels)),
        ends=number,
        pieces=Pieces.of_points(number),
        is_inferred=np.zeros(len(number), bool),
        store=PointArray(points),
    ).joined(degree.ravel()[pixels] == 2)
    used = net.degrees > 0
    return keys[used], net.without_idle_nodes()


def is_road(values: ClassWindow, settings: Tracing) -> Bool:
    """Where there is road: bool, shape (H, W)."""
    table = np.zeros(256, bool)
    table[list(settings.road_classes)] = True
    road: Bool = table[values.classes_hw] & values.valid_hw
    return closed(road, settings.closing_px) & values.valid_hw if settings.closing_px else road


def closed(road: Bool, radius_px: int) -> Bool:
    """Morphological closing by a diamond."""
    for _ in range(radius_px):
        road = _dilated(road)
    road = ~road
    for _ in range(radius_px):
        road = _dilated(road)
    return ~road


def _dilated(mask: Bool) -> Bool:
    out = mask.copy()
    out[1:] |= mask[:-1]
    out[:-1] |= mask[1:]
    out[:, 1:] |= mask[:, :-1]
    out[:, :-1] |= mask[:, 1:]
    return out


def filled(road: Bool, valid: Bool, settings: Tracing) -> Bool:
    """Fill small holes; holes that touch the array's border, or no data, stay."""
    holes, _ = label(~road)
    areas = np.bincount(holes.ravel())
    small = areas < settings.hole_px
    small[0] = False
    for edge in (holes[0], holes[-1], holes[:, 0], holes[:, -1], holes[~valid]):
        small[edge] = False
    at = np.flatnonzero(small[holes.ravel()])
    at = at[np.argsort(holes.ravel()[at], kind="stable")]
    if not len(at):
        return road
    which = holes.ravel()[at]
    starts = np.flatnonzero(np.append(True, which[1:] != which[:-1]))
    for place in np.divmod(at, road.shape[1]):
        side = np.maximum.reduceat(place, starts) - np.minimum.reduceat(place, starts) + 1
        small[which[starts[side > settings.hole_side_px]]] = False
    full: Bool = road | small[holes]
    return full


def squared_distance(mask: Bool, limit_px: int) -> Array:
    """Squared distance to the nearest pixel that is not of the mask, exact below `limit_px`.

    What lies beyond the array does not count. Source: separable squared Euclidean distance (Saito and Toriwaki 1994),
    cut off at the limit.

    Returns:
        uint16, shape (H, W); where the distance is not less than the limit, any number that is not less either.
    """
    row = np.where(mask, np.uint8(limit_px), np.uint8(0))
    for _ in range(limit_px - 1):
        step = row + np.uint8(1)
        np.minimum(row[:, 1:], step[:, :-1], out=row[:, 1:])
        np.minimum(row[:, :-1], step[:, 1:], out=row[:, :-1])
    square = row.astype(np.uint16) ** 2
    out = square.copy()
    for k in range(1, min(limit_px, len(mask))):
        np.minimum(out[k:], square[:-k] + np.uint16(k * k), out=out[k:])
        np.minimum(out[:-k], square[k:] + np.uint16(k * k), out=out[:-k])
    return out


def _links(thin: Bool, core: Window) -> tuple[Int64, Int64, UInt8]:
    """Pairs of neighbouring pixels of which the first one lies in the core window, and the degree of each pixel.

    A diagonal step is none where two straight ones lead there, too.

    Returns:
        Both pixels of each pair, counted row by row in the array, shape (n,); uint8, shape (H, W).
    """
    height, width = thin.shape
    wide = np.pad(thin, 1)
    degree = np.zeros(wide.shape, np.uint8)
    inner = wide[1:-1, 1:-1]
    pairs: list[tuple[Int64, Int64]] = []
    for down, right in FORWARD:
        linked = inner & wide[1 + down : 1 + down + height, 1 + right : 1 + right + width]
        if down and right:
            linked &= ~wide[1 : 1 + height, 1 + right : 1 + right + width]
            linked &= ~wide[1 + down : 1 + down + height, 1 : 1 + width]
        degree[1:-1, 1:-1] += linked
        degree[1 + down : 1 + down + height, 1 + right : 1 + right + width] += linked
        rows, cols = np.nonzero(linked[core.slices])
        first = (rows + core.row) * width + cols + core.col
        pairs.append((first, first + down * width + right))
    one, other = (np.concatenate(part) for part in zip(*pairs, strict=True))
    return one, other, degree[1:-1, 1:-1]


def _points(values: ClassWindow, road: Bool, square: Array, core: Bool, pixels: Int64, settings: Tracing) -> Array:
    """The points of lines that these pixels of the window become: `POINT`."""
    height, width = road.shape
    rows, cols = np.divmod(pixels, width)
    here = np.sqrt(square[rows, cols].astype(np.float32))
    up, down, left, right = (
        np.sqrt(square[np.clip(rows + r, 0, height - 1), np.clip(cols + c, 0, width - 1)].astype(np.float32))
        for r, c in ((-1, 0), (1, 0), (0, -1), (0, 1))
    )
    # Across a road the distance rises and falls by one each pixel: the difference of both sides tells how far aside its
    # ridge is. Along a slanting road both differences do, and their sum counts twice.
    x, y = (right - left) / 2, (down - up) / 2
    scale = np.maximum(np.hypot(x, y) / np.maximum(np.abs(x) + np.abs(y), 1e-6), 0.7)
    shift = np.stack((x, y)) * scale
    shift *= np.minimum(1, 0.49 / np.maximum(np.hypot(*shift), 1e-6))
    # So few binary digits that adding where the window lies rounds nothing.
    shift = np.rint(shift * 64) / 64
    points = np.zeros(len(pixels), POINT)
    points["x"], points["y"] = cols + 0.5 + shift[0], rows + 0.5 + shift[1]
    points["radius"] = np.maximum(here + np.hypot(*shift) - 0.5, 0.5)
    kind = values.classes_hw[rows, cols]
    points["kind"] = np.where(np.isin(kind, settings.road_classes) & values.valid_hw[rows, cols], kind, UNKNOWN)
    points["confidence"] = 0 if values.confidence_hw is None else values.confidence_hw[rows, cols]
    if core.any():
        # Halfway between the edge and the core, and a little more.
        near = squared_distance(~core, settings.core_px // 2 + 3) < (settings.core_px // 2 + 3) ** 2
        points["beside_core"] = near[rows, cols]
    return points
