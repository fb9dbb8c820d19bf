"""The loss of partial labels: a pixel's loss is -log of the probability of the classes that it may have."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

LEAST_P = 1e-34
"""The smallest probability that counts, about e^-80: below, a logarithm in single precision has no gradient."""


class PartialLabelLoss(nn.Module):
    """Negative log-likelihood of sets of classes, and soft Dice of the roads.

    A pixel whose set holds every class is unknown: it costs nothing and has no gradient.

    Args:
        class_of_colour: class that each colour of the palette stands for, from 0.
        road_classes: classes that are roads.
        dice_weight: weight of the Dice term, which is taken over the pixels known to be road or known to be none.
    """

    sums: Tensor
    bits: Tensor

    def __init__(
        self, class_of_colour: Sequence[int], road_classes: Sequence[int], *, dice_weight: float = 0.5
    ) -> None:
        super().__init__()
        colours, classes = torch.tensor(class_of_colour), torch.arange(max(class_of_colour) + 1)
        in_class, is_road = colours == classes[:, None], torch.isin(colours, torch.tensor(road_classes))
        self.register_buffer("sums", torch.cat([in_class, is_road[None]]).float())
        self.register_buffer("bits", (1 << classes.int())[:, None, None])
        self.every_class = sum(1 << c for c in set(class_of_colour))
        self.roads = sum(1 << c for c in road_classes)
        self.dice_weight = dice_weight

    def forward(
        self, logits: Tensor, sets: Tensor, weights: Tensor | None = None, road_weights: Tensor | None = None
    ) -> Tensor:
        """Compute the loss.

        Args:
            logits: float of any precision, shape (B, K, H, W), one for each colour.
            sets: integers, shape (B, H, W): bit i is set where class i is possible. No set is empty.
            weights: of each image's loss, float, shape (B,); None: 1.
            road_weights: of each image's pixels that can only be road, beside others; float, shape (B,); None: 1.

        Returns:
            A scalar: the weighted mean over the known pixels, plus the Dice term.
        """
        logits = logits.float() if logits.dtype.itemsize < 4 else logits
        of_image, of_roads = (
            logits.new_ones(len(logits), 1, 1) if w is None else w.to(logits)[:, None, None]
            for w in (weights, road_weights)
        )
        sets = sets.int() & self.every_class
        is_road, not_road = (sets & ~self.roads) == 0, (sets & self.roads) == 0
        known = sets != self.every_class
        # One softmax for all; a product of two matrices adds up the colours of each class, and of the roads.
        p = (self.sums.to(logits) @ logits.softmax(1).flatten(2)).unflatten(2, logits.shape[2:])
        p_class, p_road = p[:, :-1], p[:, -1]
        p_allowed = (p_class * ((sets[:, None] & self.bits) != 0)).sum(1)
        weight = torch.where(is_road, of_image * of_roads, of_image) * known
        loss: Tensor = -(weight * p_allowed.clamp(min=LEAST_P).log()).sum() / known.sum().clamp(min=1)
        if not self.dice_weight:
            return loss
        overlap = _overlap(p_road, is_road * of_image, (is_road | not_road) * of_image)
        return loss + self.dice_weight * of_image.mean() * (1 - overlap)


def _overlap(p: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """Compute the soft Dice overlap of probabilities and a weighted truth; 1 where both are empty."""
    overlap: Tensor = (2 * (p * truth).sum() + 1) / ((p * weight).sum() + truth.sum() + 1)
    return overlap
