"""The class table: classes of a map and their colours, for scoring, heads, legend and the synthetic city.

`CLASSES` is the default table. Data sets, recipes and model cards carry their own, and whatever reads a map takes the
table of its model or of its data.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from sat2map.arrays import Bool, UInt8

FEWEST_CLASSES, MOST_CLASSES = 2, 24
WATER = "water"
"""The class of this name is water, in any table."""


@dataclass(frozen=True)
class MapClass:
    """A class of ground and the map colours that stand for it (uint8 RGB), the usual one first."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    name: str
    colours_rgb: tuple[tuple[int, int, int], ...]
    is_road: bool = False


class ClassTable(tuple[MapClass, ...]):
    """The classes of a map, 2 to 24, the usual ground first; pydantic reads one from a list of tables.

    >>> ClassTable([MapClass("ground", ((0, 0, 0),)), MapClass("road", ((255, 255, 255),), is_road=True)]).road_classes
    (1,)

    Raises:
        ValueError: there are too few or too many, or a name or colour is empty, wrong, or there twice.
    """

    def __new__(cls, classes: Iterable[MapClass]) -> Self:
        """Check the classes; raises what is said above."""
        table = super().__new__(cls, classes)
        if not FEWEST_CLASSES <= len(table) <= MOST_CLASSES or len(set(table.names)) < len(table):
            raise ValueError(f"classes must be {FEWEST_CLASSES} to {MOST_CLASSES}, each name once")
        # Names stand between commas, bars and spaces in tags, legends and tables.
        if not all(name.strip() == name and name.isprintable() and not set(name) & set(",|=") for name in table.names):
            raise ValueError("names of classes must be printable, without comma, bar and =, and not empty")
        if not all(kind.name and kind.colours_rgb for kind in table):
            raise ValueError("each class must have a name and a colour")
        colours = [rgb for kind in table for rgb in kind.colours_rgb]
        if len(set(colours)) < len(colours) or not all(0 <= level <= 255 for rgb in colours for level in rgb):
            raise ValueError("colours must be red, green and blue of 0 to 255, each colour once")
        return table

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: object, handler: Any) -> Any:
        from pydantic_core import core_schema

        return core_schema.no_info_after_validator_function(cls, handler(tuple[MapClass, ...]))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the classes."""
        return tuple(kind.name for kind in self)

    @cached_property
    def road_classes(self) -> tuple[int, ...]:
        """Indices of the classes that are roads."""
        return tuple(i for i, kind in enumerate(self) if kind.is_road)

    @cached_property
    def part_of_class(self) -> tuple[int, ...]:
        """The rest (0), water (1) or roads (2): the parts of the classes that labels of any place tell apart."""
        return tuple(2 if kind.is_road else 1 if kind.name == WATER else 0 for kind in self)

    @cached_property
    def colours_rgb(self) -> UInt8:
        """uint8, shape (K, 3): every colour of the table, class by class."""
        return np.array([rgb for kind in self for rgb in kind.colours_rgb], np.uint8)

    @cached_property
    def class_of_colour(self) -> UInt8:
        """uint8, shape (K,): the class that each row of `colours_rgb` stands for."""
        return np.array([i for i, kind in enumerate(self) for _ in kind.colours_rgb], np.uint8)

    @cached_property
    def colour_is_road(self) -> Bool:
        """bool, shape (K,): whether each row of `colours_rgb` stands for a road."""
        return np.isin(self.class_of_colour, self.road_classes)

    @property
    def every_class(self) -> np.uint32:
        """The set of all classes as bits, bit i for class i: nothing is known."""
        return np.uint32(2 ** len(self) - 1)

    @property
    def roads(self) -> np.uint32:
        """The set of the classes that are roads."""
        return np.uint32(sum(1 << c for c in self.road_classes))

    def index_of(self, name: str) -> int | None:
        """Index of the class of a name; None: there is none."""
        return self.names.index(name) if name in self.names else None

    def nearest_colour(self, rgb_hwc: UInt8) -> UInt8:
        """Find the row of `colours_rgb` nearest to each pixel.

        Args:
            rgb_hwc: uint8, shape (..., 3), RGB.

        Returns:
            uint8, shape (...): squared Euclidean distance in RGB decides; on a tie the earlier row wins.
        """
        colours = self.colours_rgb.astype(np.float32)
        # |c|^2 - 2 p.c orders the colours as |p - c|^2 does; all values are integers below 2^24, so float32 is exact.
        order = (colours**2).sum(1) - 2 * (rgb_hwc.astype(np.float32) @ colours.T)
        nearest: UInt8 = order.argmin(-1).astype(np.uint8)
        return nearest

    def classify(self, rgb_hwc: UInt8) -> UInt8:
        """Find the class of each pixel, by the nearest colour of the table.

        Args:
            rgb_hwc: uint8, shape (..., 3), RGB.

        Returns:
            uint8, shape (...): index of the class.

        >>> [CLASSES.names[i] for i in CLASSES.classify(np.array([[255, 255, 255], [180, 205, 250]], np.uint8))]
        ['road', 'water']
        """
        found: UInt8 = self.class_of_colour[self.nearest_colour(rgb_hwc)]
        return found

    def __str__(self) -> str:
        return ", ".join(self.names)


CLASSES = ClassTable([
    MapClass("land", ((232, 229, 222), (243, 240, 235), (222, 222, 222))),
    MapClass("road", ((255, 255, 255),), is_road=True),
    MapClass("major road", ((251, 158, 38), (253, 195, 70), (253, 225, 105)), is_road=True),
    MapClass(WATER, ((177, 208, 254),)),
    MapClass("park", ((203, 223, 173), (188, 209, 184))),
    MapClass("place", ((231, 218, 188), (235, 210, 207))),
])  # fmt: skip
"""The default table: that of `maps`, of the synthetic city, and of the models that ship."""
CLASS_NAMES = CLASSES.names
ROAD_CLASSES = CLASSES.road_classes
COLOURS_RGB: UInt8 = CLASSES.colours_rgb
classify, nearest_colour = CLASSES.classify, CLASSES.nearest_colour
