"""Batches of training chips, each drawn while the one before is trained on."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sat2map.data.augment import Augmentation, Chip
from sat2map.data.partial_chip import PartialChip
from sat2map.train.data import LabelSource, TrainingData
from sat2map.train.processes import n_processes, share
from sat2map.train.recipe import Recipe
from sat2map.train.step import Batch

GOLDEN = (math.sqrt(5) - 1) / 2


class PartialBatch(NamedTuple):
    """Images with partial labels."""

    sat: Tensor
    """float, shape (B, 3, H, W), -1..1."""
    sets: Tensor
    """int32, shape (B, H, W): bit i is set where class i is possible."""
    weights: Tensor
    """Of each image's loss; float, shape (B,)."""
    road_weights: Tensor
    """Of each image's roads; float, shape (B,)."""


class TrainingBatch(NamedTuple):
    """The chips of one step: pairs, of which there may be none, and images with partial labels, if there are any."""

    pairs: Batch
    partial: PartialBatch | None = None

    @property
    def images(self) -> Tensor:
        """All images of the step, those of the pairs first; float, shape (B, 3, H, W), -1..1."""
        return torch.cat([self.pairs.sat, self.partial.sat]) if self.partial else self.pairs.sat

    @property
    def pairs_share(self) -> float:
        """Share of the pairs of the batch's chips."""
        return len(self.pairs.sat) / len(self.images)

    def to(self, device: torch.device, layout: torch.memory_format) -> TrainingBatch:
        """The same chips on a device."""
        pairs = Batch(*(x.to(device, memory_format=layout) for x in self.pairs))
        if self.partial is None:
            return TrainingBatch(pairs)
        sat, *rest = self.partial
        return TrainingBatch(pairs, PartialBatch(sat.to(device, memory_format=layout), *(x.to(device) for x in rest)))


class Draw(NamedTuple):
    """Which image a chip of the run is of."""

    source: int
    """Index into `TrainingData.sources`."""
    n_pass: int
    """How often all images of that source were drawn before."""
    image: int
    """Index of the image in its source."""


def sources_in_turn(shares: npt.NDArray[np.float64], seed: int, n: int) -> npt.NDArray[np.intp]:
    """The source of each of a run's first `n` chips: any stretch of them holds every source at its share.

    Source: the additive recurrence of the golden ratio, whose discrepancy is the lowest of its kind (Niederreiter
    1992, Random Number Generation and Quasi-Monte Carlo Methods, chapter 3).
    """
    places = (np.random.default_rng(seed).random() + GOLDEN * np.arange(n)) % 1
    turns: npt.NDArray[np.intp] = np.searchsorted(np.cumsum(shares)[:-1], places, side="right")
    return turns


def plan(data: TrainingData, seed: int, first: int, stop: int) -> list[Draw]:
    """Which images the chips of a run are of, from the `first` on: from a source each image once a pass, shuffled."""
    turns = sources_in_turn(data.shares, seed, stop)
    draws: dict[int, Draw] = {}
    for number, source in enumerate(data.sources):
        mine = np.flatnonzero(turns == number)
        order: npt.NDArray[np.intp] = np.arange(0)
        last_pass = -1
        for rank in range(int(np.searchsorted(mine, first)), len(mine)):
            n_pass, place = divmod(rank, len(source))
            if n_pass != last_pass:
                order, last_pass = np.random.default_rng([seed, n_pass, number]).permutation(len(source)), n_pass
            draws[int(mine[rank])] = Draw(number, n_pass, int(order[place]))
    return [draws[i] for i in range(first, stop)]


def steps_per_epoch(recipe: Recipe, data: TrainingData) -> int:
    """Steps of an epoch: those of the recipe, or as many as give a pass over the pairs.

    >>> from sat2map.train.recipe import load_recipe
    >>> recipe = load_recipe("paper", [("steps_per_epoch", "7")])
    >>> steps_per_epoch(recipe, TrainingData(()))
    7
    """
    if recipe.steps_per_epoch:
        return recipe.steps_per_epoch
    n_pairs = sum(map(len, data.pairs))
    chips = recipe.batch_size * n_processes() * float(data.shares[: len(data.pairs)].sum())
    return math.ceil(n_pairs / chips - 1e-6)


def draw(recipe: Recipe, data: TrainingData, transform: Augmentation, of: Draw) -> Chip | PartialChip:
    """Draw one chip; it follows from (seed, pass, image) alone, not from what was drawn before."""
    n_before = sum(map(len, data.sources[: of.source]))
    key = (recipe.seed, of.n_pass, n_before + of.image)
    return data.sources[of.source].draw(of.image, transform, key, data.levels)


def batches(recipe: Recipe, data: TrainingData, epoch: int, first: int) -> Iterator[TrainingBatch]:
    """Batches of an epoch from the `first` on; each drawn while the one before is trained on."""
    finish = recipe.finish_at(epoch)
    transform = recipe.augmentation.weakened(finish.jitter) if finish else recipe.augmentation
    size, n_batches = recipe.batch_size * n_processes(), steps_per_epoch(recipe, data)
    draws = plan(data, recipe.seed, (epoch * n_batches + first) * size, (epoch + 1) * n_batches * size)

    def batch(n: int) -> TrainingBatch:
        mine = share(draws[n * size : (n + 1) * size], recipe.batch_size)
        return _stack([(of, draw(recipe, data, transform, of)) for of in mine], data, transform.crop_px)

    with ThreadPoolExecutor(1) as pool:
        ahead = None
        for n in range(n_batches - first):
            now, ahead = ahead or pool.submit(batch, n), None
            if n + 1 < n_batches - first:
                ahead = pool.submit(batch, n + 1)
            yield now.result()


def _stack(drawn: Sequence[tuple[Draw, Chip | PartialChip]], data: TrainingData, crop_px: int) -> TrainingBatch:
    chips = [chip for _, chip in drawn if isinstance(chip, Chip)]
    none = torch.empty(0, 3, crop_px, crop_px)
    pairs = [as_input([c[half] for c in chips]) if chips else none for half in (0, 1)]
    partial = [(data.sources[of.source], chip) for of, chip in drawn if isinstance(chip, PartialChip)]
    if not partial:
        return TrainingBatch(Batch(*pairs))
    sources = [source.source for source, _ in partial if isinstance(source, LabelSource)]
    return TrainingBatch(
        Batch(*pairs),
        PartialBatch(
            as_input([chip.source_hwc for _, chip in partial]),
            torch.from_numpy(np.stack([chip.sets_hw for _, chip in partial]).astype(np.int32)),
            torch.tensor([source.weight for source in sources]),
            torch.tensor([source.road_weight for source in sources]),
        ),
    )


def as_input(images_hwc: Sequence[np.ndarray[Any, np.dtype[np.uint8]]]) -> Tensor:
    """uint8 images of one size as a network's input: float, shape (B, 3, H, W), -1..1, channels last in memory."""
    return torch.from_numpy(np.stack(images_hwc)).permute(0, 3, 1, 2).float() / 127.5 - 1


def first_images(recipe: Recipe, data: TrainingData, n: int, device: torch.device) -> Iterator[Tensor]:
    """The images of a run's first `n` chips, one at a time, as a network's input: each source at its share."""
    for of in plan(data, recipe.seed, 0, n):
        yield as_input([draw(recipe, data, recipe.augmentation, of).source_hwc]).to(device)
