"""The two steps against a plain rewrite that shares nothing with the package: label tensors, Adam by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from sat2map.nn import PatchDiscriminator, UNetGenerator
from sat2map.nn.losses import Adversarial, L1Loss
from sat2map.train.step import Batch, discriminator_step, generator_step

N_STEPS = 20
LEARNING_RATE, BETA1, BETA2 = 2e-4, 0.5, 0.999


def normalise(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    mean = x.mean((2, 3), keepdim=True)
    variance = ((x - mean) ** 2).mean((2, 3), keepdim=True)
    return (x - mean) / (variance + 1e-5).sqrt() * scale[:, None, None] + shift[:, None, None]


def plain_generator(w: dict[str, Tensor], x: Tensor) -> Tensor:
    """Three levels: down, down, down, up, up, up."""
    d0 = F.conv2d(x, w["down.0.1.weight"], stride=2, padding=1)
    d1 = F.conv2d(F.leaky_relu(d0, 0.2), w["down.1.1.weight"], stride=2, padding=1)
    d1 = normalise(d1, w["down.1.2.weight"], w["down.1.2.bias"])
    d2 = F.conv2d(F.leaky_relu(d1, 0.2), w["down.2.1.weight"], stride=2, padding=1)
    u2 = F.conv_transpose2d(F.relu(d2), w["up.2.1.weight"], stride=2, padding=1)
    u2 = F.dropout(normalise(u2, w["up.2.2.weight"], w["up.2.2.bias"]), 0.5)
    u1 = F.conv_transpose2d(F.relu(torch.cat([u2, d1], 1)), w["up.1.1.weight"], stride=2, padding=1)
    u1 = F.dropout(normalise(u1, w["up.1.2.weight"], w["up.1.2.bias"]), 0.5)
    u0 = F.conv_transpose2d(F.relu(torch.cat([u1, d0], 1)), w["up.0.1.weight"], w["up.0.1.bias"], stride=2, padding=1)
    return torch.tanh(u0)


def plain_discriminator(w: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
    """Receptive field 16 px: C4-C8 and one logit."""
    a = F.leaky_relu(F.conv2d(torch.cat([x, y], 1), w["layers.0.weight"], w["layers.0.bias"], 2, 1), 0.2)
    b = F.conv2d(a, w["layers.2.weight"], padding=1)
    b = F.leaky_relu(normalise(b, w["layers.3.weight"], w["layers.3.bias"]), 0.2)
    return F.conv2d(b, w["layers.5.weight"], w["layers.5.bias"], padding=1)


def plain_adversarial(logits: Tensor, is_real: bool, kind: Adversarial, *, for_generator: bool = False) -> Tensor:
    label = torch.full_like(logits, float(is_real))
    if kind == "log":
        return F.binary_cross_entropy_with_logits(logits, label)
    if kind == "least_squares":
        return F.mse_loss(logits, label)
    if for_generator:
        return -logits.mean()
    sign = 1 if is_real else -1
    return torch.clamp(1 - sign * logits, min=0).mean()


class PlainAdam:
    def __init__(self, weights: dict[str, Tensor]) -> None:
        self.weights = weights
        self.m = {k: torch.zeros_like(w) for k, w in weights.items()}
        self.v = {k: torch.zeros_like(w) for k, w in weights.items()}
        self.t = 0

    @torch.no_grad()
    def step(self, loss: Tensor) -> None:
        self.t += 1
        gradients = torch.autograd.grad(loss, list(self.weights.values()))
        for (key, weight), gradient in zip(self.weights.items(), gradients, strict=True):
            self.m[key] = BETA1 * self.m[key] + (1 - BETA1) * gradient
            self.v[key] = BETA2 * self.v[key] + (1 - BETA2) * gradient**2
            m_hat, v_hat = self.m[key] / (1 - BETA1**self.t), self.v[key] / (1 - BETA2**self.t)
            weight -= LEARNING_RATE * m_hat / (v_hat.sqrt() + 1e-8)


def copied(module: torch.nn.Module) -> dict[str, Tensor]:
    return {k: p.detach().clone().requires_grad_() for k, p in module.named_parameters()}


@pytest.mark.parametrize("kind", ["log", "least_squares", "hinge"])
def test_twenty_steps_match_a_plain_rewrite(kind: Adversarial) -> None:
    torch.manual_seed(0)
    g = UNetGenerator(n_levels=3, width=4).double()
    d = PatchDiscriminator(receptive_field_px=16, width=4).double()
    plain_g, plain_d = copied(g), copied(d)
    optimizers = [torch.optim.Adam(m.parameters(), LEARNING_RATE, (BETA1, BETA2), fused=True) for m in (g, d)]
    adam_g, adam_d = PlainAdam(plain_g), PlainAdam(plain_d)
    data = torch.rand(N_STEPS, 2, 2, 3, 16, 16, dtype=torch.float64) * 2 - 1

    for i, (x, y) in enumerate(data):
        torch.manual_seed(i)
        output = g(x)
        of_d = discriminator_step(d, optimizers[1], Batch(x, y), output, kind)
        losses = generator_step(
            d,
            optimizers[0],
            x,
            g.image(output),
            L1Loss(100)(output, g.image(output), y),
            kind=kind,
        )

        torch.manual_seed(i)
        fake = plain_generator(plain_g, x)
        on_real = plain_adversarial(plain_discriminator(plain_d, x, y), True, kind)
        on_fake = plain_adversarial(plain_discriminator(plain_d, x, fake.detach()), False, kind)
        loss_d = (on_real + on_fake) / 2
        adam_d.step(loss_d)
        adversarial = plain_adversarial(plain_discriminator(plain_d, x, fake), True, kind, for_generator=True)
        reconstruction = 100 * (fake - y).abs().mean()
        adam_g.step(adversarial + reconstruction)

        expected = torch.stack([loss_d, adversarial, reconstruction]).detach()
        torch.testing.assert_close(
            torch.stack([of_d.loss, losses.adversarial, losses.reconstruction]), expected, rtol=1e-9, atol=1e-9
        )
    for module, plain in ((g, plain_g), (d, plain_d)):
        for key, weight in module.named_parameters():
            torch.testing.assert_close(weight, plain[key], rtol=1e-9, atol=1e-9)


def test_generator_step_leaves_the_discriminator_alone() -> None:
    g, d = UNetGenerator(n_levels=2, width=4), PatchDiscriminator(receptive_field_px=16, width=4)
    before = copied(d)
    batch = Batch(torch.rand(1, 3, 16, 16), torch.rand(1, 3, 16, 16))
    output = g(batch.sat)
    generator_step(
        d, torch.optim.Adam(g.parameters()), batch.sat, output, L1Loss()(output, output, batch.real), kind="log"
    )
    assert all(torch.equal(p, before[k]) and p.grad is None for k, p in d.named_parameters())


def test_discriminator_step_teaches_the_generator_nothing() -> None:
    g, d = UNetGenerator(n_levels=2, width=4), PatchDiscriminator(receptive_field_px=16, width=4)
    batch = Batch(torch.rand(1, 3, 16, 16), torch.rand(1, 3, 16, 16))
    result = discriminator_step(d, torch.optim.Adam(d.parameters()), batch, g(batch.sat), "log")
    assert all(p.grad is None for p in g.parameters())
    assert 0 < float(result.d_real) < 1
    assert 0 < float(result.d_fake) < 1


def test_generator_without_discriminator_minimises_the_reconstruction_alone() -> None:
    torch.manual_seed(0)
    g = UNetGenerator(n_levels=2, width=8, dropout=0)
    optimizer = torch.optim.Adam(g.parameters(), 1e-2)
    batch = Batch(torch.rand(1, 3, 16, 16), torch.rand(1, 3, 16, 16))
    losses = []
    for _ in range(30):
        output = g(batch.sat)
        result = generator_step(None, optimizer, batch.sat, output, L1Loss(1)(output, output, batch.real))
        assert float(result.adversarial) == 0
        losses.append(float(result.reconstruction))
    assert losses[-1] < 0.5 * losses[0]
