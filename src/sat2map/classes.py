"""The class table: classes of a map and their colours, for scoring, heads, legend and the synthetic city."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sat2map.arrays import UInt8


class MapClass(NamedTuple):
    """A class of ground and the map colours that stand for it (uint8 RGB), the usual one first."""

    name: str
    colours_rgb: tuple[tuple[int, int, int], ...]


CLASSES = (
    MapClass("land", ((232, 229, 222), (243, 240, 235), (222, 222, 222))),
    MapClass("road", ((255, 255, 255),)),
    MapClass("major road", ((251, 158, 38), (253, 195, 70), (253, 225, 105))),
    MapClass("water", ((177, 208, 254),)),
    MapClass("park", ((203, 223, 173), (188, 209, 184))),
    MapClass("place", ((231, 218, 188), (235, 210, 207))),
)
CLASS_NAMES = tuple(c.name for c in CLASSES)
ROAD_CLASSES = (CLASS_NAMES.index("road"), CLASS_NAMES.index("major road"))
PART_OF_CLASS = tuple(1 if c.name == "water" else 2 if c.name in ("road", "major road") else 0 for c in CLASSES)
"""The rest, water or roads: the parts of the classes that labels of any place tell apart."""
COLOURS_RGB: UInt8 = np.array([rgb for c in CLASSES for rgb in c.colours_rgb], np.uint8)
"""uint8, shape (12, 3): every colour of the table, class by class."""
CLASS_OF_COLOUR: UInt8 = np.array([i for i, c in enumerate(CLASSES) for _ in c.colours_rgb], np.uint8)
"""uint8, shape (12,): the class that each row of `COLOURS_RGB` stands for."""


def nearest_colour(rgb_hwc: UInt8) -> UInt8:
    """Find the row of `COLOURS_RGB` nearest to each pixel.

    Args:
        rgb_hwc: uint8, shape (..., 3), RGB.

    Returns:
        uint8, shape (...): squared Euclidean distance in RGB decides; on a tie the earlier row wins.
    """
    colours = COLOURS_RGB.astype(np.float32)
    # |c|^2 - 2 p.c orders the colours as |p - c|^2 does; all values are integers below 2^24, so float32 is exact.
    order = (colours**2).sum(1) - 2 * (rgb_hwc.astype(np.float32) @ colours.T)
    nearest: UInt8 = order.argmin(-1).astype(np.uint8)
    return nearest


def classify(rgb_hwc: UInt8) -> UInt8:
    """Find the class of each pixel, by the nearest colour of the table.

    Args:
        rgb_hwc: uint8, shape (..., 3), RGB.

    Returns:
        uint8, shape (...): index into `CLASSES`.

    >>> [CLASS_NAMES[i] for i in classify(np.array([[255, 255, 255], [180, 205, 250]], np.uint8))]
    ['road', 'water']
    """
    return CLASS_OF_COLOUR[nearest_colour(rgb_hwc)]
