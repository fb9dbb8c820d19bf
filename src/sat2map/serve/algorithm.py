"""The map as a TiTiler algorithm, for other applications: three lines register it, and it stores nothing.

It is given one tile at a time. A request should give the model's margin as `buffer`, at a zoom whose pixels are within
the GSD of the model.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from pydantic import ConfigDict, Field
from rio_tiler.models import ImageData
from titiler.core.algorithm.base import BaseAlgorithm

from sat2map.engine import Engine, load_engine, run_whole
from sat2map.errors import ImageError

load_once = cache(load_engine)


class Sat2map(BaseAlgorithm):
    """TiTiler algorithm that draws the map of an image and cuts `buffer` pixels off each side."""

    model_config = ConfigDict(extra="forbid", title="sat2map: satellite image to map")

    head: str | None = None
    buffer: int = Field(0, ge=0)
    """Pixels that were read around the tile as margin, the same number as in the request for the tile."""

    input_nbands: int | None = 3
    output_nbands: int | None = 3
    output_dtype: str | None = "uint8"

    def engine(self) -> Engine:
        """Return the default model's engine, since a request must not name a file; `algorithm_of` takes another."""
        return load_once()

    def __call__(self, img: ImageData) -> ImageData:
        """Draw the map of an image.

        Args:
            img: uint8, shape (3, H, W), RGB.

        Returns:
            The map without its buffer: uint8, shape (3, H - 2 * buffer, W - 2 * buffer), RGB.

        Raises:
            ImageError: the image has other bands, or nothing is left of it without its buffer.
            ModelFileError: the model has no such head.
        """
        if img.array.shape[0] != 3 or img.array.dtype != np.uint8:
            raise ImageError("the model takes 3 bands of 8 bit", f"{img.array.shape[0]} of {img.array.dtype}")
        if min(img.array.shape[1:]) <= 2 * self.buffer:
            raise ImageError("nothing is left of the image without its buffer", self.buffer)
        inside = slice(self.buffer, -self.buffer or None)
        rgb_hwc = np.moveaxis(img.array.filled(0), 0, -1)
        drawn = np.moveaxis(run_whole(self.engine(), rgb_hwc, self.head), -1, 0)[:, inside, inside]
        return ImageData(
            np.ma.MaskedArray(drawn, np.ma.getmaskarray(img.array)[:, inside, inside]), crs=img.crs, assets=img.assets,
            bounds=_without_buffer(img, self.buffer),
        )  # fmt: skip


def _without_buffer(img: ImageData, buffer: int) -> Any:
    if img.bounds is None or not buffer:
        return img.bounds
    west, south, east, north = img.bounds
    x, y = buffer * (east - west) / img.width, buffer * (north - south) / img.height
    return west + x, south + y, east - x, north - y


def algorithm_of(engine: Engine) -> type[Sat2map]:
    """Return the algorithm class that draws with the model of an engine."""

    class Own(Sat2map):
        def engine(self) -> Engine:
            return engine

    return Own
