"""Corruptions: twelve fixed changes of an image, to score a model in other light and with other sensors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

import numpy as np
from PIL import Image, ImageFilter

from sat2map.arrays import UInt8
from sat2map.classes import ClassTable
from sat2map.evaluate.metrics import ImageScore
from sat2map.evaluate.protocol import Predict, score_images

SEED = 0


class Corruption(NamedTuple):
    """A change of the satellite image, at its native size, and of the size that it is predicted and scored at."""

    change: Callable[[UInt8], UInt8]
    enlarge: int = 1


def _light(gain: tuple[float, float, float] = (1, 1, 1), gamma: float = 1, haze: float = 0) -> Corruption:
    """Change of light; on 0..1: `gain` (R, G, B) * x ** `gamma`, then a share `haze` of light grey mixed in."""
    light = np.clip(np.array(gain) * (np.arange(256)[:, None] / 255) ** gamma, 0, 1)
    table = np.rint(255 * ((1 - haze) * light + haze * 0.8)).astype(np.uint8)
    return Corruption(lambda image_hwc: np.stack([table[image_hwc[..., c], c] for c in range(3)], -1))


def _grey(image_hwc: UInt8) -> UInt8:
    return np.asarray(Image.fromarray(image_hwc).convert("L").convert("RGB"))


def _blur(image_hwc: UInt8) -> UInt8:
    """Blur with a standard deviation of 1/250 of the image's side: one pixel at 256."""
    sigma = image_hwc.shape[0] / 250
    return np.asarray(Image.fromarray(image_hwc).filter(ImageFilter.GaussianBlur(sigma)))


def _noise(image_hwc: UInt8) -> UInt8:
    grain = np.random.default_rng(SEED).normal(0, 15, image_hwc.shape)
    noisy: UInt8 = np.clip(np.rint(image_hwc + grain), 0, 255).astype(np.uint8)
    return noisy


CORRUPTIONS: Final[dict[str, Corruption]] = {
    "red cast": _light((1.3, 0.9, 0.9)),
    "green cast": _light((0.9, 1.3, 0.9)),
    "blue cast": _light((0.9, 0.9, 1.3)),
    "bright": _light((1.6, 1.6, 1.6)),
    "dark": _light((0.6, 0.6, 0.6)),
    "gamma 0.5": _light(gamma=0.5),
    "gamma 2": _light(gamma=2),
    "haze": _light(haze=0.35),
    "grey": Corruption(_grey),
    "blur": Corruption(_blur),
    "noise": Corruption(_noise),
    "octave": Corruption(lambda image_hwc: image_hwc, enlarge=2),
}


def score_corrupted(
    predict: Predict, pairs: Callable[[], Iterable[tuple[str, UInt8, UInt8]]], size_px: int, table: ClassTable
) -> Iterator[tuple[str, list[ImageScore]]]:
    """Score a model on a data set under each corruption.

    Args:
        predict: see `score_images`.
        pairs: called once for each corruption; see `score_images`.
        size_px: see `score_images`.
        table: classes of the maps.

    Yields:
        Name of the corruption, and the scores of the images.
    """
    for name, corruption in CORRUPTIONS.items():
        changed = ((file, corruption.change(source), target) for file, source, target in pairs())
        yield name, [image.score for image in score_images(predict, changed, corruption.enlarge * size_px, table)]
