"""One update of D and one of G (Isola et al. 2016, section 3.3); torch only, no state but what is passed in."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from sat2map.nn.objectives import Adversarial, discriminator_loss, generator_loss

Discriminate = Callable[[Tensor, Tensor], Tensor]
Reconstruction = Callable[[Tensor, Tensor, Tensor], Tensor]


class Batch(NamedTuple):
    """Images and their true maps; both float, shape (B, 3, H, W), -1..1."""

    sat: Tensor
    real: Tensor


class Drawn(NamedTuple):
    """What G made of a batch: its raw output, the image of it, and what D sees of that; with their graph."""

    output: Tensor
    image: Tensor
    fake: Tensor


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
    judged = [logits.detach() for logits in (real_logits, fake_logits)]
    means = [(j if kind == "least_squares" else j.sigmoid()).mean() for j in judged]
    return DiscriminatorResult(loss.detach(), *means)


def generator_step(
    discriminate: Discriminate | None,
    optimizer: torch.optim.Optimizer,
    batch: Batch,
    drawn: Drawn,
    *,
    reconstruction: Reconstruction,
    kind: Adversarial = "log",
    adversarial_weight: float = 1.0,
) -> GeneratorResult:
    """Teach G to be taken for real by D as it now is, and to be near the true map.

    Args:
        discriminate: D, or None before the adversarial term is switched on.
        optimizer: G's; only its parameters get a gradient.
        batch: the images that `drawn` was made of.
        drawn: G's answer, with its graph.
        reconstruction: loss of (output, image, real), weights included.
        kind: of the adversarial loss.
        adversarial_weight: 1 in the paper, beside 100 x L1.
    """
    near = reconstruction(drawn.output, drawn.image, batch.real)
    fooled = near.new_zeros(())
    if discriminate is not None:
        fooled = generator_loss(discriminate(batch.sat, drawn.fake), kind)
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    optimizer.zero_grad()
    # Only for G's weights: D's gradients would cost as much as half of its forward pass, and be thrown away.
    (near + adversarial_weight * fooled).backward(inputs=parameters)
    optimizer.step()
    return GeneratorResult(fooled.detach(), near.detach())
