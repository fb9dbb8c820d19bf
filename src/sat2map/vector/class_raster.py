"""A raster of classes, read window by window: what vectors are traced from."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from sat2map.arrays import Bool, UInt8
from sat2map.scene.georeference import Grid
from sat2map.tiling import Window


class ClassWindow(NamedTuple):
    """The classes of a window."""

    classes_hw: UInt8
    """uint8, shape (H, W): row of the class table; of no meaning where `valid_hw` is false."""
    valid_hw: Bool
    """bool, shape (H, W): where there are data."""
    confidence_hw: UInt8 | None = None
    """uint8, shape (H, W): 0..255 for a probability of 0 to 1; None: unknown."""


class ClassRaster(Protocol):
    """A raster of classes of any size, of which windows are read."""

    @property
    def grid(self) -> Grid:
        """Its size, and its CRS and transform where it has them."""
        ...

    def read(self, window: Window) -> ClassWindow:
        """Read a window that lies within the raster."""
        ...
