"""Which pixels of a raster hold data."""

from __future__ import annotations

from typing import Any

import numpy as np

LARGEST_SAMPLE_PX = 1024
SMALLEST_SHARE = 0.9


def alpha_is_a_mask(dataset: Any, band: int) -> bool:
    """Whether a band tagged alpha is one: at least 90 % of an overview of it is 0 or 255.

    NAIP tags its near infrared so; taken for a mask it would make most of the ground transparent.

    Args:
        dataset: a rasterio dataset, open for reading.
        band: counted from 1.
    """
    shape = tuple(min(side, LARGEST_SAMPLE_PX) for side in dataset.shape)
    sample = dataset.read(band, out_shape=shape)
    return bool(np.isin(sample, (0, 255)).mean() >= SMALLEST_SHARE)
