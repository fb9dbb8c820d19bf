"""What D and G minimise: adversarial losses on logits, and reconstruction losses against the true map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sat2map.nn.palette import nearest_index

Adversarial = Literal["log", "least_squares", "hinge"]
"""Kinds of adversarial loss: the paper's; Mao et al. 2017 (1611.04076); Lim and Ye 2017 (1705.02894)."""


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor, kind: Adversarial) -> Tensor:
    """Compute D's loss: half of the sum of its losses on real pairs and on fake ones.

    Source: Isola et al. 2016, equation 1, halved "which slows down the rate at which D learns relative to G"
    (section 3.3).
    """
    if kind == "log":
        on_real, on_fake = F.softplus(-real_logits), F.softplus(fake_logits)
    elif kind == "least_squares":
        on_real, on_fake = (real_logits - 1).square(), fake_logits.square()
    else:
        on_real, on_fake = F.relu(1 - real_logits), F.relu(1 + fake_logits)
    return 0.5 * (on_real.mean() + on_fake.mean())


def generator_loss(fake_logits: Tensor, kind: Adversarial) -> Tensor:
    """Compute G's adversarial loss from D's logits on fake pairs.

    Source: Isola et al. 2016, section 3.3: "rather than training G to minimize log(1 - D(x, G(x, z)), we instead train
    to maximize log D(x, G(x, z))".
    """
    if kind == "log":
        return F.softplus(-fake_logits).mean()
    if kind == "least_squares":
        return (fake_logits - 1).square().mean()
    return -fake_logits.mean()


class L1Loss(nn.Module):
    """Weighted mean absolute difference of colours, on -1..1 (Isola et al. 2016, equation 3; weight 100)."""

    def __init__(self, weight: float = 100.0) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, output: Tensor, image: Tensor, target: Tensor) -> Tensor:
        """Compute the loss of `image` against `target`, both float, shape (B, 3, H, W); `output` is ignored."""
        return self.weight * F.l1_loss(image, target)


def _soft_dice(p: Tensor, truth: Tensor, dims: tuple[int, ...] | None = None) -> Tensor:
    """Compute the soft Dice overlap of probabilities and a truth of 0 and 1; 1 where both are empty."""
    return (2 * (p * truth).sum(dims) + 1) / (p.sum(dims) + truth.sum(dims) + 1)


class PaletteLoss(nn.Module):
    """Loss of a palette head: weighted cross-entropy, soft Dice of the roads, L1 of the mean colour.

    More than half of a map is land. Without weights and Dice the lowest loss draws no street at all.

    Args:
        palette: colours, float, shape (K, 3), -1..1.
        class_of_colour: class that each row of `palette` stands for, from 0.
        road_classes: classes that are roads.
        colour_weights: weight of each row in the cross-entropy.
        dice_weight: of the Dice term (Milletari et al. 2016, arXiv 1606.04797, over the whole batch).
        l1_weight: of the L1 term.
    """

    palette: Tensor
    colour_weights: Tensor
    is_road: Tensor
    in_class: Tensor

    def __init__(
        self,
        palette: Tensor,
        class_of_colour: Sequence[int],
        road_classes: Sequence[int],
        colour_weights: Sequence[float],
        *,
        dice_weight: float = 0.5,
        l1_weight: float = 1.0,
    ) -> None:
        super().__init__()
        self.register_buffer("palette", palette)
        self.register_buffer("colour_weights", torch.tensor(colour_weights))
        in_class = torch.tensor(class_of_colour)[:, None] == torch.arange(1, max(class_of_colour) + 1)
        self.register_buffer("in_class", in_class.float())
        self.register_buffer("is_road", torch.tensor([float(c in road_classes) for c in class_of_colour]))
        self.dice_weight = dice_weight
        self.l1_weight = l1_weight

    def forward(self, output: Tensor, image: Tensor, target: Tensor) -> Tensor:
        """Compute the loss of logits `output`, (B, K, H, W), and their mean colour `image` against the true map."""
        index = nearest_index(target, self.palette)
        log_p = output.log_softmax(1)
        loss = F.nll_loss(log_p, index, self.colour_weights) + self.l1_weight * F.l1_loss(image, target.contiguous())
        p_road = self.is_road @ log_p.exp().flatten(2)
        is_road = self.is_road[index].flatten(1)
        return loss + self.dice_weight * (1 - _soft_dice(p_road, is_road))

    def class_dice(self, output: Tensor, target: Tensor) -> Tensor:
        """Compute 1 minus soft Dice, mean over all classes but the first; a class absent from the truth counts 0."""
        p = torch.einsum("bkhw,kc->bchw", output.softmax(1), self.in_class)
        truth = self.in_class[nearest_index(target, self.palette)].permute(0, 3, 1, 2)
        losses = 1 - _soft_dice(p, truth, (0, 2, 3))
        return torch.where(truth.amax((0, 2, 3)) > 0, losses, 0.0).mean()
