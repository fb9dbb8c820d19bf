"""Partial labels: images where each pixel is known to be one of a set of classes, and no more than that."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from sat2map.arrays import Bool, UInt8
from sat2map.classes import CLASS_NAMES, ROAD_CLASSES
from sat2map.data.augment import Augmentation
from sat2map.data.cache import CachedPairs, open_cached
from sat2map.data.colour_jitter import Levels, jitter_colours, levels_of
from sat2map.data.pairs import TwoFolders
from sat2map.errors import DataError

LEGEND_FILE = "legend.csv"
LEGEND_HINT = "a CSV with the columns value, classes; classes are names of the class table joined by |"
ROAD_VALUE = 127
"""Masks of roads are white, 255, where a road is; what lies above this value is taken for white."""
FEWEST_ROADS, MOST_ROADS = 0.01, 0.5
"""A road mask is used if its share of white lies between: emptier ones were left undone, fuller ones are blank."""
SAMPLE_STEP = 16

ClassSets = npt.NDArray[np.uint32]
"""Sets of classes as bits: bit i is set where class i is possible."""
EVERY_CLASS = np.uint32(2 ** len(CLASS_NAMES) - 1)
"""The set of all classes: nothing is known."""
ROADS = np.uint32(sum(1 << c for c in ROAD_CLASSES))


class PartialPair(NamedTuple):
    """An image and what is known of it."""

    image_hwc: UInt8
    """uint8, shape (H, W, 3), 0..255, RGB."""
    label_hw: UInt8
    """uint8, shape (H, W): a row of `PartialLabels.sets` for each pixel."""


@dataclass(frozen=True)
class PartialLabels:
    """A folder of images with partial labels, decoded once.

    Attributes:
        names: file name of each image that is used.
        sets: uint32, shape (256,): the classes that each value of a label allows.
    """

    names: tuple[str, ...]
    sets: ClassSets
    pairs: CachedPairs
    indices: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> PartialPair:
        image_hwc, label_hwc = self.pairs[self.indices[index]]
        return PartialPair(image_hwc, label_hwc[..., 0])

    def without(self, patterns: Sequence[str]) -> PartialLabels:
        """The images whose names match none of the patterns, such as `t1_*`."""
        return self._where([not any(fnmatchcase(name, p) for p in patterns) for name in self.names])

    def only(self, patterns: Sequence[str]) -> PartialLabels:
        """The images whose names match one of the patterns."""
        return self._where([any(fnmatchcase(name, p) for p in patterns) for name in self.names])

    def _where(self, wanted: Sequence[bool]) -> PartialLabels:
        kept = [i for i, is_wanted in enumerate(wanted) if is_wanted]
        return PartialLabels(
            tuple(self.names[i] for i in kept), self.sets, self.pairs, tuple(self.indices[i] for i in kept)
        )

    def sample(self) -> UInt8:
        """Pixels from all images; uint8, shape (n, 3)."""
        parts = [self[i].image_hwc[::SAMPLE_STEP, ::SAMPLE_STEP].reshape(-1, 3) for i in range(len(self))]
        return np.concatenate(parts)


def open_partial(folder: Path, cache: Path | None = None) -> PartialLabels:
    """Open a folder of images and labels of equal names.

    Args:
        folder: holds `image/`, `label/` (one band of 8 bits) and `legend.csv`.
        cache: folder of decoded images, if not the user's.

    Raises:
        DataError: a part is missing or broken, or a label holds a value that the legend lacks.
    """
    sets, known = _read_legend(folder / LEGEND_FILE)
    pairs = open_cached(TwoFolders(folder / "image", folder / "label"), cache=cache)
    for i, name in enumerate(pairs.names):
        present = np.flatnonzero(np.bincount(pairs[i].target_hwc[..., 0].ravel(), minlength=256))
        lacking = sorted(set(present.tolist()) - known)
        if lacking:
            raise DataError(
                f"label holds the value {lacking[0]}, which {LEGEND_FILE} does not have", folder / "label" / name,
                hint=f"add a row to {LEGEND_FILE}; labels are single bands of 8 bits, without a palette",
            )  # fmt: skip
    return PartialLabels(pairs.names, sets, pairs, tuple(range(len(pairs))))


def open_road_masks(folder: Path, cache: Path | None = None) -> PartialLabels:
    """Open a folder of images and road masks: the special case in which only the roads are known.

    Masks that are nearly empty, or more than half white, are left out.

    Args:
        folder: holds `image/` and `mask/`, white where a road is.
        cache: folder of decoded images, if not the user's.

    Raises:
        DataError: a part is missing or broken, or no mask can be used.
    """
    pairs = open_cached(TwoFolders(folder / "image", folder / "mask"), cache=cache)
    shares = [float((pairs[i].target_hwc[..., 0] > ROAD_VALUE).mean()) for i in range(len(pairs))]
    indices = tuple(i for i, share in enumerate(shares) if FEWEST_ROADS < share < MOST_ROADS)
    if not indices:
        raise DataError("no road mask can be used", folder / "mask", hint="masks are white where a road is")
    sets = np.full(256, EVERY_CLASS & ~ROADS, np.uint32)
    sets[ROAD_VALUE + 1 :] = ROADS
    return PartialLabels(tuple(pairs.names[i] for i in indices), sets, pairs, indices)


def near_roads(roads: Bool, slack_px: int) -> Bool:
    """Pixels that are no road and so near to one that a mask, which is rarely right to the pixel, says nothing of them.

    Args:
        roads: bool, shape (H, W).
        slack_px: how near.
    """
    from scipy.ndimage import maximum_filter

    grown: Bool = maximum_filter(roads, 2 * slack_px + 1, mode="constant")
    return grown & ~roads


def _read_legend(file: Path) -> tuple[ClassSets, set[int]]:
    """The set of classes of each value, and the values that the legend has."""
    sets = np.full(256, EVERY_CLASS, np.uint32)
    known = set[int]()
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            for row in csv.DictReader(lines):
                value = int(row["value"])
                sets[value], known = _set_of(row, file), known | {value}
    except (OSError, KeyError, ValueError, TypeError, IndexError, UnicodeDecodeError, csv.Error) as error:
        raise DataError("legend of the partial labels cannot be read", file, hint=LEGEND_HINT) from error
    if not known:
        raise DataError("legend of the partial labels has no rows", file, hint=LEGEND_HINT)
    return sets, known


def _set_of(row: Mapping[str, str], file: Path) -> int:
    names = [name.strip() for name in row["classes"].split("|") if name.strip()]
    unknown = [name for name in names if name not in CLASS_NAMES]
    if unknown:
        raise DataError(
            f"{file.name} names a class that there is not", unknown[0], hint=f"one of {', '.join(CLASS_NAMES)}"
        )
    # A value without classes says nothing.
    return sum(1 << CLASS_NAMES.index(name) for name in set(names)) or int(EVERY_CLASS)


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
    image = np.asarray(Image.fromarray(pair.image_hwc).resize(size, Image.Resampling.BICUBIC, box))
    label = np.asarray(Image.fromarray(pair.label_hw).resize(size, Image.Resampling.NEAREST, box))
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

    Where the image is stretched, half of the chips are stretched by their image and half by the whole folder. A stretch
    by folder alone would send dark forest towards water.

    Args:
        labels: the folder.
        index: of the image in it.
        transform: how chips are changed; its `load_px` is not used.
        rng: of everything that is random.
        scale: metres per pixel of the chip over those of the image, least and most.
        levels: what the image is stretched to, where it is stretched.
        own_levels: levels of the whole folder.
        slack_px: pixels that are no road, but so near to one, are unknown.
    """
    pair = labels[index]
    low, high = scale
    image, label = crop_at_gsd(pair, low * (high / low) ** rng.random(), transform.crop_px, rng)
    turns = int(rng.integers(4)) if transform.quarter_turns else 0
    image, label = np.rot90(image, turns), np.rot90(label, turns)
    if transform.mirror and rng.random() < 0.5:
        image, label = image[:, ::-1], label[:, ::-1]
    sets = labels.sets[label]
    if slack_px:
        sets = np.where(near_roads((sets & ~ROADS) == 0, slack_px), EVERY_CLASS, sets)
    own = own_levels if rng.random() < 0.5 else levels_of(pair.image_hwc[::8, ::8])
    source = jitter_colours(np.ascontiguousarray(image), transform, rng, own, levels)
    return PartialChip(source, np.ascontiguousarray(sets))


def expand_folder(folder: str | os.PathLike[str]) -> Path:
    """A folder of a recipe, with `~` and variables such as `$SAT2MAP_DATA` replaced."""
    return Path(os.path.expandvars(folder)).expanduser()
