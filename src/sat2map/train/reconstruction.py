"""The reconstruction loss of G, which stands beside its adversarial loss: built once from the recipe."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from sat2map.classes import ClassTable
from sat2map.nn import CompactGenerator
from sat2map.nn.generator import Generator
from sat2map.nn.losses import L1Loss, PaletteLoss
from sat2map.nn.partial_loss import PartialLabelLoss
from sat2map.train.data import TrainingData
from sat2map.train.loader import TrainingBatch
from sat2map.train.recipe import Recipe

LARGEST_COLOUR_WEIGHT = 5.0


class L1Reconstruction:
    """The paper's: 100 x L1 between the fake and the real map."""

    def __init__(self, recipe: Recipe) -> None:
        self._loss = L1Loss(recipe.objective.l1_weight)

    def __call__(self, output: Tensor, image: Tensor, batch: TrainingBatch, epoch: int) -> Tensor:
        """Compute the loss of a batch of pairs."""
        loss: Tensor = self._loss(output, image, batch.pairs.real)
        return loss


class PaletteReconstruction:
    """That of a palette head: the loss of the pairs, of the classes from some epoch on, and of partial labels."""

    def __init__(self, recipe: Recipe, generator: CompactGenerator, data: TrainingData) -> None:
        objective, table = recipe.objective, recipe.table
        classes = table.class_of_colour.tolist()
        loss = PaletteLoss(
            generator.palette, classes, table.road_classes, _colour_weights(data, table, objective.colour_balance),
            dice_weight=objective.dice_weight, l1_weight=objective.l1_weight,
        )  # fmt: skip
        partial_loss = PartialLabelLoss(classes, table.road_classes, dice_weight=objective.dice_weight)
        device = generator.palette.device
        self._loss, self._partial_loss, self._recipe = loss.to(device), partial_loss.to(device), recipe

    def __call__(self, output: Tensor, image: Tensor, batch: TrainingBatch, epoch: int) -> Tensor:
        """Compute the loss of a batch: the mean over its chips.

        Args:
            output: G's logits of all images of the batch.
            image: the maps of the pairs.
            batch: pairs and images with partial labels.
            epoch: from 0.
        """
        n_pairs, loss = len(batch.pairs.real), output.new_zeros(())
        if n_pairs:
            loss = batch.pairs_share * self._of_pairs(output[:n_pairs], image, batch.pairs.real, epoch)
        if batch.partial:
            _, sets, weights, road_weights = batch.partial
            of_partial: Tensor = self._partial_loss(output[n_pairs:], sets, weights, road_weights)
            loss = loss + (1 - batch.pairs_share) * of_partial
        return loss

    def _of_pairs(self, output: Tensor, image: Tensor, real: Tensor, epoch: int) -> Tensor:
        loss: Tensor = self._loss(output, image, real)
        finish = self._recipe.finish_at(epoch)
        if finish and finish.class_dice_weight:
            loss = loss + finish.class_dice_weight * self._loss.class_dice(output, real)
        return loss


Reconstruction = L1Reconstruction | PaletteReconstruction


def build_reconstruction(recipe: Recipe, generator: Generator, data: TrainingData) -> Reconstruction:
    """Build the objective that the recipe names, for the head that the generator has."""
    if isinstance(generator, CompactGenerator):
        return PaletteReconstruction(recipe, generator, data)
    return L1Reconstruction(recipe)


def _colour_weights(data: TrainingData, table: ClassTable, power: float) -> list[float]:
    """(Frequency of the commonest colour / own) ** power, at most 5, in the true maps of the pairs."""
    frequencies = data.colour_frequencies(table)
    ratio = frequencies.max() / np.maximum(frequencies, 1e-9)
    return [float(w) for w in np.minimum(np.maximum(ratio, 1) ** power, LARGEST_COLOUR_WEIGHT)]
