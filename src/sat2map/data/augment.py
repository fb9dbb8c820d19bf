"""Chips: random crops of a pair, drawn from (seed, epoch, index) alone, so that a resumed run draws the same ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image
from pydantic import Field, model_validator

from sat2map.arrays import UInt8
from sat2map.data.colour_jitter import ColourJitter, Levels, jitter_colours, levels_of
from sat2map.data.pairs import Pair


class Augmentation(ColourJitter):
    """How chips are cut and changed."""

    load_px: tuple[int, int] = (286, 286)
    """Smallest and largest size of the shorter side that a whole half is resized to; 286 in the paper. One smaller than
    the chip is continued by its mirror image."""
    load_skew: float = Field(1, ge=1)
    """smallest * (largest / smallest) ** (u ** load_skew), u uniform in 0..1: above 1, more small sides."""
    crop_px: int = Field(256, gt=0)
    """Side of a chip."""
    mirror: bool = True
    """Mirror left and right with probability one half."""
    quarter_turns: bool = False
    """Turn by a multiple of 90 degrees."""

    @model_validator(mode="after")
    def _sides_fit(self) -> Augmentation:
        smallest, largest = self.load_px
        if not self.crop_px <= 2 * smallest or not 0 < smallest <= largest:
            raise ValueError(f"must be crop_px / 2 <= load_px[0] <= load_px[1], not {self.crop_px}, {self.load_px}")
        return self


class Chip(NamedTuple):
    """A training crop; both uint8, shape (crop_px, crop_px, 3)."""

    source_hwc: UInt8
    target_hwc: UInt8


def draw_chip(
    pair: Pair, options: Augmentation, *, seed: int, epoch: int, index: int, levels: Levels | None = None
) -> Chip:
    """Cut one chip: resize, crop, turn, mirror, change the source's colours.

    Source and target are cut at the same pixels and resized apart from each other, with Pillow's bicubic filter.

    Args:
        pair: what to cut from.
        options: to do it.
        seed: with `epoch` and `index`, of all that is drawn.
        epoch: from 0.
        index: of the pair.
        levels: what the source is stretched to, where `options` has it stretched.
    """
    rng = np.random.default_rng([seed, epoch, index])
    smallest, largest = options.load_px
    load = round(smallest * (largest / smallest) ** (rng.random() ** options.load_skew))
    loads = loaded_size(pair.source_hwc.shape[:2], load)
    sides = [min(side, options.crop_px) for side in loads]
    corner = [int(rng.integers(0, whole - side + 1)) for whole, side in zip(loads, sides, strict=True)]
    halves = [_crop(half, loads, corner, sides) for half in pair]
    if min(sides) < options.crop_px:
        turn = rng.permutation(2)
        pads = [[(0, options.crop_px - side)[i] for i in turn] for side in sides]
        halves = [np.pad(half, (*pads, (0, 0)), "symmetric") for half in halves]
    turns = int(rng.integers(4)) if options.quarter_turns else 0
    halves = [np.rot90(half, turns) for half in halves]
    if options.mirror and rng.random() < 0.5:
        halves = [half[:, ::-1] for half in halves]
    source, target = (np.ascontiguousarray(half) for half in halves)
    own = levels_of(pair.source_hwc[::8, ::8]) if options.stretch else None
    return Chip(jitter_colours(source, options, rng, own, levels), target)


def loaded_size(shape: tuple[int, ...], shorter_px: int) -> tuple[int, int]:
    """Height and width of an image whose shorter side is brought to `shorter_px`; its proportions stay."""
    height, width = (max(1, round(side * shorter_px / min(shape))) for side in shape)
    return height, width


def _crop(half: UInt8, loads: Sequence[int], corner: Sequence[int], sides: Sequence[int]) -> UInt8:
    """Crop of the half as if it had been resized to `loads`, (height, width); resizes no more than the crop."""
    y, x = (side / load for side, load in zip(half.shape[:2], loads, strict=True))
    (top, left), (height, width) = corner, sides
    box = (left * x, top * y, (left + width) * x, (top + height) * y)
    return np.asarray(Image.fromarray(half).resize((width, height), Image.Resampling.BICUBIC, box))
