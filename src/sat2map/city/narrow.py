"""Streets as maps draw them: narrower than their paving, and never broken."""

from __future__ import annotations

import numpy as np

from sat2map.arrays import UInt8
from sat2map.classes import CLASSES
from sat2map.errors import import_extra

INSET_PX = 2.0
"""Drawn streets are paved 10.5 m wide on average; those of road masks are 7 m, those of the paper's maps 4.5 m."""
BORDER_PX = 8
"""Streets go on beyond the border of an image."""


def narrowed(map_hwc: UInt8) -> UInt8:
    """Take `INSET_PX` off both sides of each road; along its middle three pixels stay.

    Args:
        map_hwc: uint8, shape (H, W, 3), colours of `classes.CLASSES`.

    Returns:
        The map, with the nearest ground that is no road in place of what is taken off.

    Raises:
        MissingExtraError: SciPy is not installed.
    """
    ndimage = import_extra("scipy.ndimage", "eval")
    road = CLASSES.colour_is_road[CLASSES.nearest_colour(map_hwc)]
    if not road.any() or road.all():
        return map_hwc
    inside = np.s_[BORDER_PX:-BORDER_PX, BORDER_PX:-BORDER_PX]
    distance = ndimage.distance_transform_edt(np.pad(road, BORDER_PX, "edge"))[inside]
    middle = road & (distance >= ndimage.maximum_filter(distance, 3) - 1e-3)
    gone = road & (distance <= INSET_PX) & ~ndimage.binary_dilation(middle)
    row, col = ndimage.distance_transform_edt(road, return_distances=False, return_indices=True)
    drawn = map_hwc.copy()
    drawn[gone] = map_hwc[row, col][gone]
    return drawn
