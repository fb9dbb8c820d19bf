"""Twelve fixed changes of a picture: what is left of a model's figures in other light and from other sensors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

import numpy as np
from PIL import Image, ImageFilter

from sat2map.evaluate.measures import PictureScore
from sat2map.evaluate.protocol import Predict, judge
from sat2map.palette import UInt8

SEED = 0


class Shift(NamedTuple):
    """A change of the satellite picture, at its native size, and of the size that it is predicted and scored at."""

    change: Callable[[UInt8], UInt8]
    enlarge: int = 1


def _light(gain: tuple[float, float, float] = (1, 1, 1), gamma: float = 1, haze: float = 0) -> Shift:
    """On 0..1: `gain` (R, G, B) * x ** `gamma`, then a share `haze` of light grey mixed in."""
    light = np.clip(np.array(gain) * (np.arange(256)[:, None] / 255) ** gamma, 0, 1)
    table = np.rint(255 * ((1 - haze) * light + haze * 0.8)).astype(np.uint8)
    return Shift(lambda picture_hwc: np.stack([table[picture_hwc[..., c], c] for c in range(3)], -1))


def _grey(picture_hwc: UInt8) -> UInt8:
    return np.asarray(Image.fromarray(picture_hwc).convert("L").convert("RGB"))


def _blur(picture_hwc: UInt8) -> UInt8:
    """Of a standard deviation of 1/250 of the picture's side: one pixel at 256."""
    sigma = picture_hwc.shape[0] / 250
    return np.asarray(Image.fromarray(picture_hwc).filter(ImageFilter.GaussianBlur(sigma)))


def _noise(picture_hwc: UInt8) -> UInt8:
    grain = np.random.default_rng(SEED).normal(0, 15, picture_hwc.shape)
    noisy: UInt8 = np.clip(np.rint(picture_hwc + grain), 0, 255).astype(np.uint8)
    return noisy


SHIFTS: Final[dict[str, Shift]] = {
    "red cast": _light((1.3, 0.9, 0.9)),
    "green cast": _light((0.9, 1.3, 0.9)),
    "blue cast": _light((0.9, 0.9, 1.3)),
    "bright": _light((1.6, 1.6, 1.6)),
    "dark": _light((0.6, 0.6, 0.6)),
    "gamma 0.5": _light(gamma=0.5),
    "gamma 2": _light(gamma=2),
    "haze": _light(haze=0.35),
    "grey": Shift(_grey),
    "blur": Shift(_blur),
    "noise": Shift(_noise),
    "octave": Shift(lambda picture_hwc: picture_hwc, enlarge=2),
}


def judge_shifted(
    predict: Predict, pairs: Callable[[], Iterable[tuple[str, UInt8, UInt8]]], size_px: int
) -> Iterator[tuple[str, list[PictureScore]]]:
    """Score a model on every changed version of a data set.

    Args:
        predict: see `judge`.
        pairs: called once for each change; see `judge`.
        size_px: see `judge`.

    Yields:
        Name of the change, and the pictures' scores.
    """
    for name, shift in SHIFTS.items():
        changed = ((file, shift.change(source), target) for file, source, target in pairs())
        yield name, [judged.score for judged in judge(predict, changed, shift.enlarge * size_px)]
