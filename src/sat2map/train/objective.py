"""What G minimises beside the adversarial loss, built once from the recipe and called as one thing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from sat2map.classes import CLASS_OF_COLOUR, COLOURS_RGB, ROAD_CLASSES, nearest_colour
from sat2map.data.cache import CachedPairs
from sat2map.nn import CompactGenerator
from sat2map.nn.generator import Generator
from sat2map.nn.objectives import L1Loss, PaletteLoss
from sat2map.train.loader import TrainingBatch, TrainingData
from sat2map.train.recipe import Recipe

LARGEST_COLOUR_WEIGHT = 5.0


class L1Objective:
    """The paper's: 100 x L1 between the fake and the real map."""

    def __init__(self, recipe: Recipe) -> None:
        self._loss = L1Loss(recipe.objective.l1_weight)

    def __call__(self, output: Tensor, image: Tensor, batch: TrainingBatch, epoch: int) -> Tensor:
        """Compute the loss of a batch of pairs."""
        loss: Tensor = self._loss(output, image, batch.pairs.real)
        return loss


class PaletteObjective:
    """That of a palette head: the loss of the pairs, of the classes from some epoch on, and of the road masks."""

    def __init__(self, recipe: Recipe, generator: CompactGenerator, data: TrainingData) -> None:
        objective = recipe.objective
        loss = PaletteLoss(
            generator.palette, CLASS_OF_COLOUR.tolist(), ROAD_CLASSES,
            _colour_weights(data.pairs, data.train, objective.colour_balance),
            dice_weight=objective.dice_weight, l1_weight=objective.l1_weight,
        )  # fmt: skip
        self._loss, self._recipe = loss.to(generator.palette.device), recipe

    def __call__(self, output: Tensor, image: Tensor, batch: TrainingBatch, epoch: int) -> Tensor:
        """Compute the loss of a batch.

        Args:
            output: G's logits of all images of the batch.
            image: the maps of the pairs.
            batch: pairs and road masks.
            epoch: from 0.
        """
        real, recipe = batch.pairs.real, self._recipe
        of_pairs, of_roads = output[: len(real)], output[len(real) :]
        loss: Tensor = self._loss(of_pairs, image, real)
        if batch.roads and recipe.roads:
            is_road = batch.roads.real[:, 0] > 0
            loss = loss + recipe.roads.weight * self._loss.road_loss(of_roads, is_road, recipe.roads.slack_px)
        finish = recipe.finish_at(epoch)
        if finish and finish.class_dice_weight:
            loss = loss + finish.class_dice_weight * self._loss.class_dice(of_pairs, real)
        return loss


ReconstructionObjective = L1Objective | PaletteObjective


def build_objective(recipe: Recipe, generator: Generator, data: TrainingData) -> ReconstructionObjective:
    """Build the objective that the recipe names, for the head that the generator has."""
    if isinstance(generator, CompactGenerator):
        return PaletteObjective(recipe, generator, data)
    return L1Objective(recipe)


def _colour_weights(pairs: CachedPairs, train: Sequence[int], power: float) -> list[float]:
    """(Frequency of the commonest colour / own) ** power, at most 5, from every seventh row and column."""
    counts = np.zeros(len(COLOURS_RGB))
    for i in train:
        counts += np.bincount(nearest_colour(pairs[i].target_hwc[::7, ::7]).ravel(), minlength=len(counts))
    ratio = counts.max() / np.maximum(counts, 1)
    return [float(w) for w in np.minimum(ratio**power, LARGEST_COLOUR_WEIGHT)]
