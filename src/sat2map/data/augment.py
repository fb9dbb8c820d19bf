"""Chips: random crops of a pair, drawn from (seed, epoch, index) alone, so that a resumed run draws the same ones."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, model_validator

from sat2map.data.pairs import Pair, UInt8


class Augmentation(BaseModel):
    """How chips are cut and changed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    load_px: tuple[int, int] = (286, 286)
    """Smallest and largest side that a whole half is resized to, uniform in its logarithm; 286 in the paper."""
    crop_px: int = Field(256, gt=0)
    """Side of a chip."""
    mirror: bool = True
    """Mirror left and right with probability one half."""
    quarter_turns: bool = False
    """Turn by a multiple of 90 degrees."""
    gain: float = Field(0, ge=0, lt=1)
    """Multiply the source by up to 1 + gain or down to 1 / (1 + gain), uniform in its logarithm."""
    gamma: float = Field(0, ge=0, lt=4)
    """Likewise for an exponent on the source in 0..1."""
    colour: float = Field(0, ge=0, lt=1)
    """Likewise for a gain on each channel of the source by itself."""

    @model_validator(mode="after")
    def _crop_fits(self) -> Augmentation:
        if not self.crop_px <= self.load_px[0] <= self.load_px[1]:
            raise ValueError(f"must be crop_px <= load_px[0] <= load_px[1], not {self.crop_px}, {self.load_px}")
        return self


class Chip(NamedTuple):
    """A training crop; both uint8, shape (crop_px, crop_px, 3)."""

    source_hwc: UInt8
    target_hwc: UInt8


def draw_chip(pair: Pair, how: Augmentation, *, seed: int, epoch: int, index: int) -> Chip:
    """Cut one chip: resize, crop, turn, mirror, change the source's brightness.

    Source and target are cut at the same place and resized apart from each other, with Pillow's bicubic filter.
    """
    rng = np.random.default_rng([seed, epoch, index])
    smallest, largest = np.log(how.load_px)
    load = round(np.exp(rng.uniform(smallest, largest)))
    top, left = rng.integers(0, load - how.crop_px + 1, 2)
    halves = [_crop(half, load, int(top), int(left), how.crop_px) for half in pair]
    turns = int(rng.integers(4)) if how.quarter_turns else 0
    halves = [np.rot90(half, turns) for half in halves]
    if how.mirror and rng.random() < 0.5:
        halves = [half[:, ::-1] for half in halves]
    source, target = halves
    return Chip(_recolour(source, how, rng), np.ascontiguousarray(target))


def _crop(half: UInt8, load: int, top: int, left: int, side: int) -> UInt8:
    """Crop of the half as if it had been resized to `load` px a side; resizes no more than the crop."""
    height, width = half.shape[:2]
    y, x = height / load, width / load
    box = (left * x, top * y, (left + side) * x, (top + side) * y)
    return np.asarray(Image.fromarray(half).resize((side, side), Image.Resampling.BICUBIC, box))


def _recolour(source: UInt8, how: Augmentation, rng: np.random.Generator) -> UInt8:
    def factor(amount: float, n: int = 1) -> npt.NDArray[np.float64]:
        factors: npt.NDArray[np.float64] = np.exp(rng.uniform(-1, 1, n) * np.log1p(amount))
        return factors

    gains = factor(how.gain) * factor(how.colour, 3)
    exponent = factor(how.gamma)
    if not (how.gain or how.gamma or how.colour):
        return np.ascontiguousarray(source)
    # One table for each channel: 256 powers in place of one for each pixel.
    levels = np.arange(256)[:, None] / 255
    table = np.rint(255 * np.clip(gains * levels**exponent, 0, 1)).astype(np.uint8)
    return np.stack([table[source[..., c], c] for c in range(3)], -1)
