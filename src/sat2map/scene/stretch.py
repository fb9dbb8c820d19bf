"""From a scene's numbers to the bytes that a model knows: one straight line per channel, the same for every window.

Three things give it: what the user asks (`StretchOption`), what the model's card wants (`StretchRule`), and what was
decided for several scenes together (`SharedStretch`). It is decided once for a scene or a collection, never for a
window, and knows no files.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from sat2map.arrays import UInt8
from sat2map.errors import SceneError

Levels = tuple[tuple[int, int], ...]
Triple = tuple[float, float, float]
"""A number for each of red, green and blue."""

PERCENTILES = (2, 98)
DEFAULT_LEVELS: Levels = ((20, 200),) * 3
"""For models whose card does not say where the percentiles of their training images lie."""
NARROWEST_BYTES = 48
"""A scene of 8 bits with less contrast is water or fog: stretched further, it would be noise."""
HINT = "`stretch` LO,HI or `stretch` LO,HI;LO,HI;LO,HI"


@dataclass(frozen=True)
class StretchRange:
    """The numbers that a user wants dark and bright; on which levels they are put, a `StretchRule` says.

    Attributes:
        low: numbers of the scene that become dark, one a channel.
        high: numbers that become bright, each more than the low one.
    """

    low: Triple
    high: Triple


StretchOption = Literal["auto", "none"] | StretchRange


def parse_stretch(text: str | None) -> StretchOption | None:
    """Read `auto`, `none`, `LO,HI` (all channels) or `LO,HI;LO,HI;LO,HI` (each).

    >>> parse_stretch("200,3000")
    StretchRange(low=(200.0, 200.0, 200.0), high=(3000.0, 3000.0, 3000.0))

    Raises:
        SceneError: it is of no such form, or a range is empty.
    """
    if text is None:
        return None
    if text == "auto":
        return "auto"
    if text == "none":
        return "none"
    try:
        pairs = [tuple(float(number) for number in pair.split(",")) for pair in text.split(";")]
    except ValueError as error:
        raise SceneError("stretch is not numbers", text, hint=HINT) from error
    if len(pairs) not in (1, 3) or any(len(pair) != 2 for pair in pairs):
        raise SceneError("stretch is not one or three pairs of numbers", text, hint=HINT)
    if not all(low < high and np.isfinite([low, high]).all() for low, high in pairs):
        raise SceneError("stretch has an empty range", text, hint=HINT)
    low, high = zip(*(pairs * 3 if len(pairs) == 1 else pairs), strict=True)
    return StretchRange(low, high)


@dataclass(frozen=True)
class StretchRule:
    """What a model's card wants of a scene's numbers.

    Attributes:
        levels: two bytes for each channel, on which the ends of a range or the scene's percentiles are put.
        stretch_bytes: whether a scene of 8 bit is stretched too.
    """

    levels: Levels = DEFAULT_LEVELS
    stretch_bytes: bool = False


@dataclass(frozen=True)
class Stretch:
    """A straight line per channel, RGB.

    Attributes:
        low: numbers of the scene that become the lower of each channel's levels.
        high: numbers of the scene that become the upper one.
        levels: the two levels of each channel, 0..255; what lies beyond is continued, and clipped to 0..255.
    """

    low: Triple
    high: Triple
    levels: Levels = DEFAULT_LEVELS

    @classmethod
    def of_sample(cls, values: npt.NDArray[Any], levels: Levels = DEFAULT_LEVELS) -> Self:
        """The stretch that puts the 2nd and 98th percentile of each channel on the model's levels.

        Args:
            values: valid, finite pixels of the scene or the collection, shape (n, 3); none give the line 0 to 1.
            levels: of the model's card.
        """
        if not len(values):
            return cls((0, 0, 0), (1, 1, 1), levels)
        exact = values if values.dtype == np.uint8 else values.astype(np.float64)
        low, high = np.percentile(exact, PERCENTILES, axis=0)
        if values.dtype == np.uint8:
            missing = np.maximum(NARROWEST_BYTES - (high - low), 0)
            low, high = low - missing / 2, high + missing / 2
        return cls(tuple(low.tolist()), tuple(high.tolist()), levels)

    def apply(self, array_hwc: npt.NDArray[Any]) -> UInt8:
        """Bytes of numbers of shape (..., 3): uint8, same shape; what is not a number becomes 0."""
        if array_hwc.dtype == np.uint8:
            # A table, not 8 bytes a number.
            table = self.apply(np.arange(256.0)[:, None])
            mapped: UInt8 = np.empty_like(array_hwc)
            for c in range(3):
                # A mode other than `raise` needs no copy of the result.
                np.take(table[:, c], array_hwc[..., c], out=mapped[..., c], mode="clip")
            return mapped
        low, high = np.array(self.low), np.array(self.high)
        bottom, top = np.array(self.levels, np.float64).T
        gain = (top - bottom) / np.where(high > low, high - low, 1)
        # Integers need half of the bits, once `low` is taken off in all of them; decimal numbers may need every one.
        kept = np.float64 if array_hwc.dtype.kind == "f" else np.float32
        with np.errstate(over="ignore", invalid="ignore"):
            above_low = (array_hwc - low).astype(kept)
            bytes_hwc = np.rint(above_low * gain.astype(kept) + bottom.astype(kept)).clip(0, 255)
        stretched: UInt8 = np.nan_to_num(bytes_hwc, copy=False).astype(np.uint8)
        return stretched

    def __str__(self) -> str:
        pairs = zip(self.low, self.high, self.levels, strict=True)
        return "; ".join(f"{low:g},{high:g} -> {bottom},{top}" for low, high, (bottom, top) in pairs)


AS_BYTES = Stretch((0, 0, 0), (255, 255, 255), ((0, 255),) * 3)
"""Numbers are bytes already, in another type."""


@dataclass(frozen=True)
class SharedStretch:
    """What was decided for scenes that belong together; what is None, each scene decides for itself.

    Attributes:
        numbers: the stretch of those whose numbers are no bytes.
        eight_bit: the stretch of those of 8 bits.
    """

    numbers: Stretch | None = None
    eight_bit: Stretch | None = None


DEFAULT_RULE, NOTHING_SHARED = StretchRule(), SharedStretch()


def decide_stretch(
    option: StretchOption | None,
    rule: StretchRule,
    shared: SharedStretch,
    dtype: np.dtype[Any],
    sample: Callable[[], npt.NDArray[Any]],
) -> Stretch | None:
    """The stretch of a scene, from what is asked, wanted and decided already.

    Args:
        option: what the user asks; None: `auto`, for 8 bit only where the rule says so.
        rule: what the model wants.
        shared: what was decided for the scene and others together.
        dtype: of the scene's numbers.
        sample: gives valid pixels of the scene, shape (n, 3); called only where they decide.

    Returns:
        None where the scene's numbers are the model's bytes.
    """
    is_bytes = dtype == np.uint8
    if isinstance(option, StretchRange):
        return Stretch(option.low, option.high, rule.levels)
    if option == "none":
        return None if is_bytes else AS_BYTES
    if option is None and is_bytes and not rule.stretch_bytes:
        return None
    return (shared.eight_bit if is_bytes else shared.numbers) or Stretch.of_sample(sample(), rule.levels)
