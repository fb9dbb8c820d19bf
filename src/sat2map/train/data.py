"""What a run learns from, opened: folders of pairs, of partial labels and of road masks, each with its share."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from sat2map.arrays import UInt8
from sat2map.classes import ClassTable
from sat2map.data.augment import Augmentation, Chip, draw_chip
from sat2map.data.cache import CachedPairs
from sat2map.data.colour_jitter import Levels
from sat2map.data.identity import combined
from sat2map.data.pairs import Pair
from sat2map.data.partial import PartialLabels, named_set
from sat2map.data.partial_chip import PartialChip, draw_partial_chip
from sat2map.data.split import Split
from sat2map.errors import RecipeError
from sat2map.scene.stretch import PERCENTILES
from sat2map.train.source import TrainingSource, ValidationSource

SAMPLE_STEP = 16
"""Rows and columns from one pixel to the next that counts for the levels of images."""
COLOUR_STEP = 7
"""Likewise for the frequencies of a map's colours."""
NARROWED_SHARE = 0.75
"""Share of the chips in which the sets of `TrainingSource.narrowed` are narrowed; the others keep the model honest."""
Histogram = npt.NDArray[np.float64]
Key = tuple[int, int, int]
"""Seed, pass and image: all that a chip depends on."""


@dataclass(frozen=True)
class PairSource:
    """Pairs to learn from, and those of them that are held out; its length is the number of the former.

    Attributes:
        share: of the chips, relative to those of the other sources.
        split: indices into `pairs`.
        source: what the recipe says of it; None: the folder that the run was given.
        name: of the folder.
        gsd_m: metres per pixel of its images.
        gsd_is_assumed: whether nobody said so.
        chip_gsd_m: metres per pixel of its chips, finest and coarsest.
        resampled: whether chips are brought to that; else they are cut at the sides `load_px`, and have it by that.
    """

    share: float
    pairs: CachedPairs
    split: Split
    source: TrainingSource | None = None
    name: str = ""
    gsd_m: float = 1
    gsd_is_assumed: bool = True
    chip_gsd_m: tuple[float, float] = (1, 1)
    resampled: bool = False

    def __len__(self) -> int:
        return len(self.split.train)

    def images(self) -> Iterator[UInt8]:
        """The images that are trained on."""
        return (self.pairs[i].source_hwc for i in self.split.train)

    def held_out(self) -> list[Pair]:
        """The pairs that only selection sees."""
        return [self.pairs[i] for i in self.split.validation]

    @property
    def identity(self) -> str:
        """Digest of what weights follow from: the files that are trained on, and the scale of their chips."""
        scale = (self.gsd_m, *self.chip_gsd_m) if self.resampled else ()
        return combined([*scale, *(self.pairs.digests[i] for i in self.split.train)])

    def draw(self, index: int, transform: Augmentation, key: Key, levels: Levels) -> Chip:
        """Draw a chip of one of the pairs that are trained on."""
        pair = self.pairs[self.split.train[index]]
        if self.resampled:
            finest, coarsest = self.chip_gsd_m
            side_m = self.gsd_m * min(pair.source_hwc.shape[:2])
            load_px = max(round(side_m / coarsest), -(-transform.crop_px // 2)), round(side_m / finest)
            transform = transform.model_copy(update={"load_px": (load_px[0], max(load_px))})
        seed, n_pass, number = key
        return draw_chip(pair, transform, seed=seed, epoch=n_pass, index=number, levels=levels)


@dataclass(frozen=True)
class LabelSource:
    """Images with partial labels to learn from."""

    share: float
    labels: PartialLabels
    source: TrainingSource
    chip_gsd_m: tuple[float, float]

    def __len__(self) -> int:
        return len(self.labels)

    def images(self) -> Iterator[UInt8]:
        """All its images."""
        return (self.labels[i].image_hwc for i in range(len(self)))

    @property
    def identity(self) -> str:
        """Digest of its files and of what their values stand for."""
        return _identity_of(self.labels)

    @cached_property
    def levels(self) -> Levels:
        """Of all its images together."""
        return _levels_of_histogram(_histogram(self.images()))

    @cached_property
    def _narrowed(self) -> PartialLabels:
        sets = self.labels.sets.copy()
        for value, names in self.source.narrowed.items():
            only, unknown = named_set(names, self.labels.table)
            if unknown or not only or only & ~int(sets[value]):
                raise RecipeError(
                    f"narrowed value {value} of {self.source.name} cannot be", names, hint="of its legend's classes"
                )
            sets[value] = only
        return dataclasses.replace(self.labels, sets=sets)

    def draw(self, index: int, transform: Augmentation, key: Key, levels: Levels) -> PartialChip:
        """Draw a chip of one of its images."""
        finest, coarsest = (side / self.source.gsd_m for side in self.chip_gsd_m)
        rng = np.random.default_rng(key)
        labels = self._narrowed if self.source.narrowed and rng.random() < NARROWED_SHARE else self.labels
        return draw_partial_chip(
            labels, index, transform, rng,
            scale=(finest, coarsest), levels=levels, own_levels=self.levels,
            slack_px=self.source.slack_px if self.source.kind == "roads" else 0,
        )  # fmt: skip


@dataclass(frozen=True)
class ValidationLabels:
    """Images with partial labels that only selection sees."""

    source: ValidationSource
    labels: PartialLabels


@dataclass(frozen=True)
class TrainingData:
    """All that a run learns from and is validated on."""

    pairs: tuple[PairSource, ...]
    labels: tuple[LabelSource, ...] = ()
    validation: tuple[ValidationLabels, ...] = ()

    @property
    def sources(self) -> tuple[PairSource | LabelSource, ...]:
        """Every source, those of pairs first."""
        return (*self.pairs, *self.labels)

    @cached_property
    def shares(self) -> npt.NDArray[np.float64]:
        """Share of each source of the chips; they add up to 1."""
        shares = np.array([source.share for source in self.sources])
        relative: npt.NDArray[np.float64] = shares / shares.sum()
        return relative

    @cached_property
    def levels(self) -> Levels:
        """2nd and 98th percentile of the images, each source at its share of the chips."""
        histograms = [_histogram(source.images()) for source in self.sources]
        return _levels_of_histogram(np.tensordot(self.shares, histograms, 1))

    def colour_frequencies(self, table: ClassTable) -> npt.NDArray[np.float64]:
        """How frequent each colour of a table is in the true maps, each source of pairs at its share; shape (K,)."""
        total = np.zeros(len(table.colours_rgb))
        for source, share in zip(self.pairs, self.shares, strict=False):
            counts = np.zeros_like(total)
            for i in source.split.train:
                nearest = table.nearest_colour(source.pairs[i].target_hwc[::COLOUR_STEP, ::COLOUR_STEP])
                counts += np.bincount(nearest.ravel(), minlength=len(counts))
            total += share * counts / max(counts.sum(), 1)
        return total

    @property
    def n_train(self) -> int:
        """Images to learn from."""
        return sum(map(len, self.sources))

    def held_out(self) -> list[Pair]:
        """The pairs that only selection sees, of all sources."""
        return [pair for source in self.pairs for pair in source.held_out()]

    @property
    def gsd_m(self) -> tuple[float, float]:
        """Metres per pixel of the chips of all sources, finest and coarsest."""
        finest, coarsest = zip(*(source.chip_gsd_m for source in self.sources), strict=True)
        return min(finest), max(coarsest)

    def identity(self) -> str:
        """Digest of all that the weights follow from, wherever the files lie."""
        return combined(source.identity for source in self.sources)

    def validation_identity(self) -> str:
        """Digest of all that the networks are selected by."""
        held_out = (source.pairs.digests[i] for source in self.pairs for i in source.split.validation)
        return combined([*held_out, *(_identity_of(validation.labels) for validation in self.validation)])


def _identity_of(labels: PartialLabels) -> str:
    return combined([labels.sets.tolist(), *(labels.pairs.digests[i] for i in labels.indices)])


def _histogram(images: Iterator[UInt8]) -> Histogram:
    """Shares of each level of each channel; float64, shape (256, 3)."""
    counts = np.zeros((3, 256))
    for image in images:
        sample = image[::SAMPLE_STEP, ::SAMPLE_STEP].reshape(-1, 3)
        counts += [np.bincount(channel, minlength=256) for channel in sample.T]
    shares: Histogram = (counts / counts.sum(1, keepdims=True)).T
    return shares


def _levels_of_histogram(histogram: Histogram) -> Levels:
    below = histogram.cumsum(0)
    levels: Levels = np.array([(below < percentile / 100).sum(0) for percentile in PERCENTILES], np.float64)
    return levels
