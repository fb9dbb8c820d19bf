"""Batches of training chips, each drawn while the one before is trained on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from sat2map.data.augment import Augmentation, Chip, draw_chip
from sat2map.data.cache import CachedPairs
from sat2map.data.colour_jitter import Levels, levels_of
from sat2map.data.pairs import Pair
from sat2map.train.processes import n_processes, rank, share
from sat2map.train.recipe import Recipe
from sat2map.train.step import Batch


class TrainingData(NamedTuple):
    """What a run learns from.

    Attributes:
        pairs: all pairs of the data set.
        train: indices of the training set.
        levels: 2nd and 98th percentile of the training images.
        roads: images with road masks, white where a road is.
    """

    pairs: CachedPairs
    train: Sequence[int]
    levels: Levels
    roads: Sequence[Pair] = ()


class TrainingBatch(NamedTuple):
    """The chips of one step: pairs, and images with road masks (their `real`), if there are any."""

    pairs: Batch
    roads: Batch | None = None

    @property
    def images(self) -> Tensor:
        """All images of the step, those of the pairs first; float, shape (B, 3, H, W), -1..1."""
        return torch.cat([self.pairs.sat, self.roads.sat]) if self.roads else self.pairs.sat

    def to(self, device: torch.device, layout: torch.memory_format) -> TrainingBatch:
        """The same chips on a device."""
        move = [batch and Batch(*(x.to(device, memory_format=layout) for x in batch)) for batch in self]
        assert move[0] is not None
        return TrainingBatch(move[0], move[1])


def levels_of_all(pairs: CachedPairs, train: Sequence[int]) -> Levels:
    """Levels of all sources together, from every sixteenth row and column."""
    return levels_of(np.concatenate([pairs[i].source_hwc[::16, ::16].reshape(-1, 3) for i in train]))


def batches(recipe: Recipe, data: TrainingData, epoch: int, first: int) -> Iterator[TrainingBatch]:
    """Batches of an epoch from the `first` on; each drawn while the one before is trained on.

    Order and chips follow from (seed, epoch, image) alone, not from what was drawn before.
    """
    pairs, train, levels, roads = data
    finish = recipe.finish_at(epoch)
    transform = recipe.augmentation.weakened(finish.jitter) if finish else recipe.augmentation
    order = np.random.default_rng([recipe.seed, epoch]).permutation(train)
    size = recipe.batch_size * n_processes()
    n_batches = -(-len(order) // size)
    if n_processes() > 1:
        # Equal shares of the last batch too: their gradients are averaged.
        order = np.resize(order, n_batches * size)
    road_order = np.random.default_rng([recipe.seed, epoch, len(pairs)]).permutation(len(roads))

    def chip(of: CachedPairs | Sequence[Pair], i: int, transform: Augmentation, offset: int = 0) -> Chip:
        return draw_chip(of[i], transform, seed=recipe.seed, epoch=epoch, index=offset + i, levels=levels)

    def draw(n: int) -> TrainingBatch:
        mine = share(order[n * size : (n + 1) * size].tolist(), recipe.batch_size)
        chips = [chip(pairs, i, transform) for i in mine]
        if not (roads and recipe.roads):
            return TrainingBatch(_stack(chips), None)
        road_transform = transform.model_copy(update={"load_px": recipe.roads.load_px})
        turn = (n * n_processes() + rank()) * recipe.roads.per_batch + np.arange(recipe.roads.per_batch)
        picked = road_order[turn % len(roads)].tolist()
        return TrainingBatch(_stack(chips), _stack([chip(roads, i, road_transform, len(pairs)) for i in picked]))

    with ThreadPoolExecutor(1) as pool:
        ahead = None
        for n in range(first, n_batches):
            now, ahead = ahead or pool.submit(draw, n), None
            if n + 1 < n_batches:
                ahead = pool.submit(draw, n + 1)
            yield now.result()


def _stack(chips: Sequence[Chip]) -> Batch:
    return Batch(as_input([c.source_hwc for c in chips]), as_input([c.target_hwc for c in chips]))


def as_input(images_hwc: Sequence[np.ndarray[Any, np.dtype[np.uint8]]]) -> Tensor:
    """uint8 images of one size as a network's input: float, shape (B, 3, H, W), -1..1, channels last in memory."""
    return torch.from_numpy(np.stack(images_hwc)).permute(0, 3, 1, 2).float() / 127.5 - 1
