"""One pass over a pair: what tells whether its halves are whole, which is the photograph, and whether they fit."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.fft import fft2, ifft2
from scipy.ndimage import gaussian_filter, sobel

from sat2map.arrays import UInt8
from sat2map.data.check.overlap import Details, Grey, find_details, no_details
from sat2map.data.footprint import Footprint, footprint_of
from sat2map.data.pairs import Pair, PairFile, read_pair

THUMBNAIL_PX = 96
LARGEST_SHIFT_PX = 40


class PairLocation(NamedTuple):
    """A pair: the name of its set, and its own."""

    set_name: str
    name: str


@dataclass(frozen=True)
class ImageCheck:
    """What one reading of a pair finds.

    Attributes:
        location: set and name of the pair.
        size: height and width of a half.
        digests: of the pixels of A and of B.
        flatness: share of pixels that equal their neighbour, of A and of B; maps are flat, photographs are not.
        details: of the half that is the photograph.
        shift_px: by how much B must move (down, to the right) to lie on A, as far as one pair's lines tell.
        footprint: of a georeferenced pair.
        thumbnail_hwc: both halves, small.
    """

    location: PairLocation
    size: tuple[int, int]
    digests: tuple[bytes, bytes]
    flatness: tuple[float, float]
    details: Details
    shift_px: tuple[int, int] | None
    footprint: Footprint | None
    thumbnail_hwc: UInt8

    @property
    def photograph(self) -> int:
        """Which half is the photograph: 0 for A, 1 for B."""
        return int(self.flatness[0] > self.flatness[1])


def check_image(location: PairLocation, file: PairFile, *, with_details: bool = True) -> ImageCheck:
    """Read a pair and keep what is small of it.

    Raises:
        DataError: the pair cannot be read.
    """
    pair = read_pair(file)
    a, b = (grey(half) for half in pair)
    flatness = _flatness(a), _flatness(b)
    photograph = a if flatness[0] <= flatness[1] else b
    details = find_details(photograph) if with_details else no_details()
    digest_a, digest_b = (hashlib.sha256(half.tobytes() + str(half.shape).encode()).digest() for half in pair)
    return ImageCheck(
        location, (a.shape[0], a.shape[1]), (digest_a, digest_b), flatness, details, _shift(a, b), footprint_of(file),
        _thumbnail(pair),
    )  # fmt: skip


def grey(image_hwc: UInt8) -> Grey:
    """Brightness of an image, uint8, shape (H, W, 3)."""
    return np.asarray(Image.fromarray(np.ascontiguousarray(image_hwc)).convert("L"), np.float32)


def _flatness(image: Grey) -> float:
    return float((np.abs(np.diff(image, axis=1)) <= 1).mean()) if image.shape[1] > 1 else 1.0


def _thumbnail(pair: Pair) -> UInt8:
    size = (THUMBNAIL_PX, THUMBNAIL_PX)
    halves = [Image.fromarray(np.ascontiguousarray(half)).resize(size, Image.Resampling.BOX) for half in pair]
    return np.concatenate([np.asarray(half) for half in halves], 1)


def _shift(a: Grey, b: Grey) -> tuple[int, int] | None:
    """By how much B must move (down, to the right) for its lines to fall on A's; None for a small or lineless pair."""
    if min(a.shape) < 4 * LARGEST_SHIFT_PX:
        return None
    window = np.outer(*(np.hanning(n) for n in a.shape)).astype(np.float32)
    one, other = (fft2(_lines(half) * window) for half in (a, b))
    shifts = range(-LARGEST_SHIFT_PX, LARGEST_SHIFT_PX + 1)
    agreement = gaussian_filter(ifft2(one * other.conj()).real, 1.0, mode="wrap")[np.ix_(shifts, shifts)]
    if np.ptp(agreement) < 1e-6:
        return None
    row, col = np.unravel_index(agreement.argmax(), agreement.shape)
    return int(row) - LARGEST_SHIFT_PX, int(col) - LARGEST_SHIFT_PX


def _lines(image: Grey) -> npt.NDArray[np.complex64]:
    """Direction of the edge at each pixel, at twice its angle, as long as the edge is strong.

    At twice the angle, both sides of a street point the same way, whether it is brighter than its surroundings or
    darker. On `maps`, 44 of 47 pairs so agree best within 4 px of where they should; by strength alone, few do.
    """
    smooth = gaussian_filter(image, 1.5)
    slope = sobel(smooth, 1) + 1j * sobel(smooth, 0)
    strength = np.abs(slope)
    strongest = np.percentile(strength, 95) + 1e-6
    lines: npt.NDArray[np.complex64] = slope**2 / (strength**2 + 1e-6) * np.minimum(strength, strongest)
    return lines
