"""The loss of partial labels against formulas written out by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from sat2map.nn.partial import PartialLabelLoss

CLASS_OF_COLOUR = [0, 0, 1, 2, 3]  # land, land, road, major road, water
ROAD, MAJOR, WATER = 1 << 1, 1 << 2, 1 << 3
EVERY = 0b1111


def loss_of(**options: float) -> PartialLabelLoss:
    return PartialLabelLoss(CLASS_OF_COLOUR, (1, 2), **options)


def logits_of(seed: int = 0, *shape: int) -> torch.Tensor:
    return torch.randn(*(shape or (2, 5, 6, 7)), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_loss_is_minus_log_of_the_probability_of_the_set() -> None:
    logits = torch.log(torch.tensor([0.1, 0.2, 0.3, 0.15, 0.25], dtype=torch.float64))[None, :, None, None]
    loss = loss_of(dice_weight=0)
    for allowed, p in ((1, 0.3), (ROAD | MAJOR, 0.45), (WATER, 0.25), (WATER | ROAD, 0.55)):
        assert float(loss(logits, torch.tensor([[[allowed]]]))) == pytest.approx(-math.log(p))


def test_unknown_pixels_cost_nothing_and_move_nothing() -> None:
    logits = logits_of().requires_grad_()
    sets = torch.full((2, 6, 7), EVERY)
    sets[0, :3] = WATER
    loss_of()(logits, sets).backward()
    assert logits.grad is not None
    assert logits.grad[0, :, :3].abs().min() > 0
    assert logits.grad[0, :, 3:].abs().max() == 0
    assert logits.grad[1].abs().max() == 0


def test_mean_is_over_known_pixels_alone() -> None:
    logits = logits_of()
    sets = torch.full((2, 6, 7), EVERY)
    sets[1, 2, 3] = WATER
    expected = -logits[1, :, 2, 3].log_softmax(0)[4]
    assert float(loss_of(dice_weight=0)(logits, sets)) == pytest.approx(float(expected))


def test_road_masks_give_the_cross_entropy_and_dice_of_road_or_not() -> None:
    logits, truth = logits_of(1), (logits_of(2, 2, 6, 7) > 0.5)
    sets = torch.where(truth, ROAD | MAJOR, 1 | WATER)
    p = logits.softmax(1)[:, 2:4].sum(1)
    entropy = F.binary_cross_entropy(p, truth.double())
    dice = (2 * (p * truth).sum() + 1) / (p.sum() + truth.sum() + 1)
    assert float(loss_of(dice_weight=0.5)(logits, sets)) == pytest.approx(float(entropy + 0.5 * (1 - dice)))


def test_roads_weigh_what_each_image_is_told() -> None:
    logits, loss = logits_of(3), loss_of(dice_weight=0)
    road, water = torch.full((2, 6, 7), ROAD), torch.full((2, 6, 7), WATER)
    threefold = torch.tensor([3.0, 3.0])
    assert float(loss(logits, road, None, threefold)) == pytest.approx(3 * float(loss(logits, road)))
    assert float(loss(logits, water, None, threefold)) == pytest.approx(float(loss(logits, water)))


def test_images_weigh_what_they_are_told() -> None:
    logits, sets = logits_of(4), torch.full((2, 6, 7), ROAD)
    one, other = (float(loss_of(dice_weight=0)(logits[[i]], sets[[i]])) for i in (0, 1))
    weighted = loss_of(dice_weight=0)(logits, sets, torch.tensor([2.0, 0.5]))
    assert float(weighted) == pytest.approx((2 * one + 0.5 * other) / 2)
    whole, twice = (float(loss_of()(logits, sets, torch.full((2,), w))) for w in (1.0, 2.0))
    # The Dice term has the 1 in it, so it is not quite twice as much.
    assert twice == pytest.approx(2 * whole, rel=0.01)


def test_half_precision_gives_the_loss_of_single_precision() -> None:
    logits = logits_of(5).bfloat16()
    sets = torch.randint(1, EVERY + 1, (2, 6, 7), generator=torch.Generator().manual_seed(0))
    assert float(loss_of()(logits, sets)) == pytest.approx(float(loss_of()(logits.double(), sets)), rel=1e-5)


def test_impossible_looking_pixels_give_finite_gradients() -> None:
    logits = torch.zeros(1, 5, 1, 1)
    logits[:, 4] = -200
    logits.requires_grad_()
    loss = loss_of()(logits, torch.tensor([[[WATER]]]))
    loss.backward()
    assert math.isfinite(float(loss.detach()))
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
