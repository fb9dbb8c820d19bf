"""One update of D and one of G (Isola et al. 2016, section 3.3); torch only, no state but what is passed in."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from sat2map.nn.losses import Adversarial, discriminator_loss, generator_loss

Discriminate = Callable[[Tensor, Tensor], Tensor]


class Batch(NamedTuple):
    """Images and their true maps; both float, shape (B, 3, H, W), -1..1."""

    sat: Tensor
    real: Tensor


class DiscriminatorResult(NamedTuple):
    """Scalars, detached: loss, and mean D(x, y) and D(x, G(x)) as probabilities (least squares: as they are)."""

    loss: Tensor
    d_real: Tensor
    d_fake: Tensor


class GeneratorResult(NamedTuple):
    """Scalars, detached: the adversarial loss before its weight, and the rest."""

    adversarial: Tensor
    reconstruction: Tensor


def discriminator_step(
    discriminate: Discriminate,
    optimizer: torch.optim.Optimizer,
    batch: Batch,
    fake: Tensor,
    kind: Adversarial,
) -> DiscriminatorResult:
    """Teach D to tell (x, y) from (x, G(x)); G learns nothing from it."""
    real_logits = discriminate(batch.sat, batch.real)
    fake_logits = discriminate(batch.sat, fake.detach())
    loss = discriminator_loss(real_logits, fake_logits, kind)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    detached = [logits.detach() for logits in (real_logits, fake_logits)]
    means = [(logits if kind == "least_squares" else logits.sigmoid()).mean() for logits in detached]
    return DiscriminatorResult(loss.detach(), *means)


def generator_step(
    discriminate: Discriminate | None,
    optimizer: torch.optim.Optimizer,
    sat: Tensor,
    fake: Tensor,
    reconstruction: Tensor,
    *,
    kind: Adversarial = "log",
    adversarial_weight: float = 1.0,
) -> GeneratorResult:
    """Teach G to make D take its maps for real ones, and to be like the real maps (section 3.3).

    Args:
        discriminate: D, or None before the adversarial term is switched on.
        optimizer: G's; only its parameters get a gradient.
        sat: the images, float, shape (B, 3, H, W), -1..1.
        fake: G's maps of them, as D gets them, with their graph.
        reconstruction: how far G's maps are from the real ones: a scalar, weights included, with its graph.
        kind: of the adversarial loss.
        adversarial_weight: 1 in the paper, beside 100 x L1.
    """
    adversarial = reconstruction.new_zeros(())
    if discriminate is not None:
        adversarial = generator_loss(discriminate(sat, fake), kind)
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    optimizer.zero_grad()
    # Equation 4 of the paper, whose lambda is within the reconstruction.
    loss = adversarial_weight * adversarial + reconstruction
    # Only for G's weights: D's gradients would cost as much as half of its forward pass, and be thrown away.
    loss.backward(inputs=parameters)
    optimizer.step()
    return GeneratorResult(adversarial.detach(), reconstruction.detach())
