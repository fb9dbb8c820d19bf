"""Rasters of classes with roads, drawn for tests."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw
from rasterio import Affine

from sat2map.arrays import Bool, UInt8
from sat2map.scene.georeference import Grid
from sat2map.vector.class_raster import ClassWindow

from .fields import ArrayClasses

Stroke = tuple[list[tuple[float, float]], int, int]
"""Points (x, y), width in pixels, class."""


def raster(
    classes_hw: UInt8, valid_hw: Bool | None = None, gsd_m: float | None = 1.0, *, confidence_hw: UInt8 | None = None
) -> ArrayClasses:
    height, width = classes_hw.shape
    valid = np.ones((height, width), bool) if valid_hw is None else valid_hw
    transform = None if gsd_m is None else Affine(gsd_m, 0, 500_000, 0, -gsd_m, 4_500_000)
    grid = Grid(height, width, None if gsd_m is None else "EPSG:32618", transform)
    confidence = np.full((height, width), 204, np.uint8) if confidence_hw is None else confidence_hw
    return ArrayClasses(grid, ClassWindow(classes_hw, valid, confidence))


def drawn(height: int, width: int, strokes: list[Stroke]) -> UInt8:
    """Lines of a width, with round ends, on land."""
    image = Image.new("L", (width, height))
    pen = ImageDraw.Draw(image)
    for points, wide, kind in strokes:
        pen.line(points, fill=kind, width=wide, joint="curve")
        for x, y in points:
            pen.ellipse((x - wide / 2, y - wide / 2, x + wide / 2, y + wide / 2), fill=kind)
    return np.array(image)


def band(height: int, width: int, start: tuple[float, float], end: tuple[float, float], wide: float) -> Bool:
    """Pixels whose centre lies within half a width of the line through two points."""
    y, x = np.mgrid[:height, :width] + 0.5
    way = np.array(end) - start
    way = way / np.hypot(*way)
    return np.abs((x - start[0]) * way[1] - (y - start[1]) * way[0]) <= wide / 2
