"""Larger images with their maps, of which data sets are cut."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from sat2map.arrays import UInt8
from sat2map.data.pairs import Pair

COLOURS = np.array([(232, 229, 222), (255, 255, 255), (203, 223, 173), (177, 208, 254)], np.uint8)


def scene(height: int, width: int, seed: int) -> Pair:
    """Flat areas of few colours, and a photograph of them: other brightness in each, grain of several sizes."""
    rng = np.random.default_rng(seed)
    shape = height, width
    areas = gaussian_filter(rng.normal(size=shape), 9)
    classes = np.searchsorted(np.quantile(areas, [0.4, 0.6, 0.8]), areas)
    grain = sum(gaussian_filter(rng.normal(size=shape), s) * s for s in (1, 2, 4))
    bright = 60 + 25 * classes + 25 * grain
    photograph = np.clip(bright[..., None] + np.array([0, 5, -5]), 0, 255).astype(np.uint8)
    return Pair(photograph, COLOURS[classes])


def cut(pair: Pair, y: int, x: int, side: int) -> Pair:
    source, target = (half[y : y + side, x : x + side] for half in pair)
    return Pair(source, target)


def save(path: Path, pair: tuple[UInt8, UInt8], quality: int = 85) -> Path:
    """As a JPEG, whose blocks lie otherwise in each window."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate(pair, 1)).save(path, quality=quality)
    return path
