"""The loss of partial labels: a pixel's loss is -log of the probability of the classes that it may have."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class PartialLabelLoss(nn.Module):
    """Negative log-likelihood of sets of classes, and soft Dice of the roads.

    A pixel whose set holds every class is unknown: it costs nothing and has no gradient.

    Args:
        class_of_colour: class that each colour of the palette stands for, from 0.
        road_classes: classes that are roads.
        road_weight: weight of pixels that can only be road.
        dice_weight: weight of the Dice term, which is taken over the pixels known to be road or known to be none.
    """

    in_class: Tensor
    is_road: Tensor

    def __init__(
        self,
        class_of_colour: Sequence[int],
        road_classes: Sequence[int],
        *,
        road_weight: float = 1.0,
        dice_weight: float = 0.5,
    ) -> None:
        super().__init__()
        classes = torch.tensor(class_of_colour)
        # 32 bits would do, but torch shifts no unsigned numbers.
        self.register_buffer("in_class", torch.ones((), dtype=torch.int64) << classes)
        is_road = torch.isin(classes, torch.tensor(road_classes))
        self.register_buffer("is_road", is_road)
        self.every_class = sum(1 << c for c in set(class_of_colour))
        self.roads = sum(1 << c for c in road_classes)
        self.road_weight = road_weight
        self.dice_weight = dice_weight

    def forward(self, logits: Tensor, sets: Tensor) -> Tensor:
        """Compute the loss.

        Args:
            logits: float, shape (B, K, H, W), one for each colour.
            sets: int64, shape (B, H, W): bit i is set where class i is possible. No set is empty.

        Returns:
            A scalar: the weighted mean over the known pixels, plus the Dice term.
        """
        sets = sets & self.every_class
        allowed = (sets[:, None] & self.in_class[:, None, None]) != 0
        whole = logits.logsumexp(1)
        loss = whole - logits.masked_fill(~allowed, -torch.inf).logsumexp(1)
        is_road, not_road = (sets & ~self.roads) == 0, (sets & self.roads) == 0
        known = (sets != self.every_class).float()
        weight = known * torch.where(is_road, self.road_weight, 1.0)
        mean = (weight * loss).sum() / known.sum().clamp(min=1)
        if not self.dice_weight:
            return mean
        road_is_known = (is_road | not_road).float()
        p_road = (logits[:, self.is_road].logsumexp(1) - whole).exp() * road_is_known
        truth = is_road.float()
        overlap = (2 * (p_road * truth).sum() + 1) / (p_road.sum() + truth.sum() + 1)
        return mean + self.dice_weight * (1 - overlap)
