"""Training chips of images with partial labels, drawn from a random generator alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from PIL import Image

from sat2map.arrays import UInt8
from sat2map.data.augment import Augmentation
from sat2map.data.colour_jitter import Levels, jitter_colours, levels_of
from sat2map.data.partial import ClassSets, PartialLabels, PartialPair, near_roads


class PartialChip(NamedTuple):
    """A training crop of an image with partial labels."""

    source_hwc: UInt8
    """uint8, shape (crop_px, crop_px, 3), RGB."""
    sets_hw: ClassSets
    """uint32, shape (crop_px, crop_px): the classes that each pixel may have."""


def crop_at_gsd(pair: PartialPair, scale: float, crop_px: int, rng: np.random.Generator) -> tuple[UInt8, UInt8]:
    """Cut a square at random and bring it to another ground sampling distance.

    An image that is smaller than the square is continued by its mirror image.

    Args:
        pair: to cut from.
        scale: metres per pixel of the result over those of the image.
        crop_px: side of the result.
        rng: chooses where.

    Returns:
        The image (bicubic) and its label (nearest), both `crop_px` a side.
    """
    height, width = pair.label_hw.shape
    sides = [min(crop_px, max(1, round(side / scale))) for side in (height, width)]
    spans = [min(n * scale, limit) for n, limit in zip(sides, (height, width), strict=True)]
    top, left = (rng.random() * (limit - span) for limit, span in zip((height, width), spans, strict=True))
    box, size = (left, top, left + spans[1], top + spans[0]), (sides[1], sides[0])
    # No more than the filter looks at: an image may be large.
    margin = 2 * max(scale, 1) + 1
    x, y = (max(0, int(start - margin)) for start in (left, top))
    part = np.s_[y : int(box[3] + margin) + 1, x : int(box[2] + margin) + 1]
    box = (box[0] - x, box[1] - y, box[2] - x, box[3] - y)
    image = np.asarray(Image.fromarray(pair.image_hwc[part]).resize(size, Image.Resampling.BICUBIC, box, 2.0))
    label = np.asarray(Image.fromarray(pair.label_hw[part]).resize(size, Image.Resampling.NEAREST, box))
    before = [int(rng.integers(0, crop_px - side + 1)) for side in sides]
    pads = [(b, crop_px - side - b) for b, side in zip(before, sides, strict=True)]
    return np.pad(image, (*pads, (0, 0)), "symmetric"), np.pad(label, pads, "symmetric")


def draw_partial_chip(
    labels: PartialLabels,
    index: int,
    transform: Augmentation,
    rng: np.random.Generator,
    *,
    scale: tuple[float, float],
    levels: Levels | None = None,
    own_levels: Levels | None = None,
    slack_px: int = 0,
) -> PartialChip:
    """Cut one training chip: crop at a random scale, turn, mirror, change the image's colours.

    Where chips are stretched at all, a third is left as it is, a third is stretched by its image, and a third by the
    whole folder, as scenes are. A stretch by folder alone would send dark forest towards water.

    Args:
        labels: the folder.
        index: of the image in it.
        transform: how chips are changed; its `load_px` and how often it stretches are not used.
        rng: of everything that is random.
        scale: metres per pixel of the chip over those of the image, least and most.
        levels: what the image is stretched to, where it is stretched.
        own_levels: levels of the whole folder.
        slack_px: pixels that are no road, but so near to one, are unknown.
    """
    pair = labels[index]
    drawn = scale[0] * (scale[1] / scale[0]) ** rng.random()
    image, label = crop_at_gsd(pair, drawn, transform.crop_px, rng)
    turns = int(rng.integers(4)) if transform.quarter_turns else 0
    image, label = np.rot90(image, turns), np.rot90(label, turns)
    if transform.mirror and rng.random() < 0.5:
        image, label = image[:, ::-1], label[:, ::-1]
    sets = labels.sets[label]
    if slack_px:
        sets[near_roads((sets & ~labels.table.roads) == 0, slack_px)] = labels.table.every_class
    own = (None, own_levels, levels_of(pair.image_hwc[::8, ::8]))[int(rng.integers(3))] if transform.stretch else None
    always = transform.model_copy(update={"stretch": 1.0})
    source = jitter_colours(np.ascontiguousarray(image), always, rng, own, levels)
    return PartialChip(source, np.ascontiguousarray(sets))
