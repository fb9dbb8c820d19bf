from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from sat2map.nn import CompactGenerator, PatchDiscriminator, UNetGenerator
from sat2map.nn.initialise import initialise
from sat2map.nn.normalization import Norm2d
from tests.nn.probe import PALETTE


@pytest.mark.parametrize(
    "make",
    [
        lambda: UNetGenerator(n_levels=5, width=16),
        lambda: PatchDiscriminator(width=16),
        lambda: CompactGenerator(palette=PALETTE),
    ],
    ids=["unet", "patchgan", "compact"],
)
def test_weights_begin_as_the_papers_gaussian(make: Callable[[], nn.Module]) -> None:
    torch.manual_seed(0)
    network = make()
    for parameter in network.parameters():
        nn.init.constant_(parameter, 7)
    initialise(network)
    convolutions = [m for m in network.modules() if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d))]
    norms = [m for m in network.modules() if isinstance(m, Norm2d)]
    every = torch.cat([m.weight.flatten() for m in convolutions])
    scales = torch.cat([m.weight for m in norms])
    check_gaussian(every, 0)
    check_gaussian(scales, 1)
    for module in convolutions:
        if module.weight.numel() > 1000:
            check_gaussian(module.weight, 0)
    biases = [m.bias for m in (*convolutions, *norms) if m.bias is not None]
    assert len(biases) > len(norms)
    assert all((bias == 0).all() for bias in biases)


def check_gaussian(values: Tensor, mean: float, std: float = 0.02) -> None:
    """Within five standard errors of N(mean, std)."""
    n = values.numel()
    assert values.mean().item() == pytest.approx(mean, abs=5 * std / n**0.5)
    assert values.std().item() == pytest.approx(std, rel=5 / (2 * n) ** 0.5)


def test_another_deviation_and_the_seed_are_followed() -> None:
    network = PatchDiscriminator(width=8)
    torch.manual_seed(3)
    initialise(network, std=0.1)
    weight = network.layers[2].weight
    check_gaussian(weight, 0, 0.1)
    before = weight.clone()
    torch.manual_seed(3)
    initialise(network, std=0.1)
    assert torch.equal(weight, before)
