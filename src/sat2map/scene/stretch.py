"""From a scene's numbers to the bytes that a model knows: one straight line per channel, the same for every window.

It is decided once for a scene or a collection, never for a window, and knows no files.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from sat2map.arrays import UInt8
from sat2map.errors import SceneError

Levels = tuple[tuple[int, int], ...]

PERCENTILES = (2, 98)
DEFAULT_LEVELS: Levels = ((20, 200),) * 3
"""For models whose card does not say where the percentiles of their training images lie."""
NARROWEST_BYTES = 48
"""A scene of 8 bits with less contrast is water or fog: stretched further, it would be noise."""
HINT = "`stretch` LO,HI or `stretch` LO,HI;LO,HI;LO,HI"


@dataclass(frozen=True)
class Stretch:
    """A straight line per channel, RGB.

    Attributes:
        low: numbers of the scene that become the lower of each channel's levels.
        high: numbers of the scene that become the upper one.
        levels: the two levels of each channel, 0..255; what lies beyond is continued, and clipped to 0..255.
    """

    low: tuple[float, float, float]
    high: tuple[float, float, float]
    levels: Levels = DEFAULT_LEVELS

    @classmethod
    def of_sample(cls, values: npt.NDArray[Any], levels: Levels | None = None) -> Self:
        """The stretch that puts the 2nd and 98th percentile of each channel on the model's levels.

        Args:
            values: valid, finite pixels of the scene or the collection, shape (n, 3); none give the line 0 to 1.
            levels: of the model's card, or None.
        """
        if not len(values):
            return cls((0, 0, 0), (1, 1, 1), levels or DEFAULT_LEVELS)
        low, high = np.percentile(values.astype(np.float64), PERCENTILES, axis=0)
        if values.dtype == np.uint8:
            missing = np.maximum(NARROWEST_BYTES - (high - low), 0)
            low, high = low - missing / 2, high + missing / 2
        return cls(tuple(low.tolist()), tuple(high.tolist()), levels or DEFAULT_LEVELS)

    @classmethod
    def parse(cls, text: str, levels: Levels | None = None) -> Self:
        """Read `LO,HI` (all channels) or `LO,HI;LO,HI;LO,HI` (each).

        Raises:
            SceneError: it is not of that form, or a range is empty.
        """
        try:
            pairs = [tuple(float(number) for number in pair.split(",")) for pair in text.split(";")]
        except ValueError as error:
            raise SceneError("stretch is not numbers", text, hint=HINT) from error
        if len(pairs) not in (1, 3) or any(len(pair) != 2 for pair in pairs):
            raise SceneError("stretch is not one or three pairs of numbers", text, hint=HINT)
        if not all(low < high and np.isfinite([low, high]).all() for low, high in pairs):
            raise SceneError("stretch has an empty range", text, hint=HINT)
        low, high = zip(*(pairs * 3 if len(pairs) == 1 else pairs), strict=True)
        return cls(low, high, levels or DEFAULT_LEVELS)

    def apply(self, array_hwc: npt.NDArray[Any]) -> UInt8:
        """Bytes of numbers of shape (..., 3): uint8, same shape; what is not a number becomes 0."""
        if array_hwc.dtype == np.uint8:
            # A table in place of 8 bytes a number.
            table = self.apply(np.arange(256.0)[:, None])
            return np.stack([table[:, c][array_hwc[..., c]] for c in range(3)], -1)
        low, high = np.array(self.low), np.array(self.high)
        bottom, top = np.array(self.levels, np.float64).T
        gain = (top - bottom) / np.where(high > low, high - low, 1)
        # 64 bits: what is left of a large integer's difference from `low` must not be rounded first.
        above_low = (array_hwc - low).astype(np.float32)
        bytes_hwc = np.rint(above_low * gain.astype(np.float32) + bottom.astype(np.float32)).clip(0, 255)
        stretched: UInt8 = np.nan_to_num(bytes_hwc, copy=False).astype(np.uint8)
        return stretched

    def __str__(self) -> str:
        pairs = zip(self.low, self.high, self.levels, strict=True)
        return "; ".join(f"{low:g},{high:g} -> {bottom},{top}" for low, high, (bottom, top) in pairs)
