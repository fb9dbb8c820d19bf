"""Muon against the singular value decomposition that it stands for, and against AdamW where it is AdamW."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from sat2map.train.muon import Muon, orthogonal

LEARNING_RATE = 0.01
HOW = {"lr": LEARNING_RATE, "betas": (0.9, 0.999), "weight_decay": 0.1, "fused": True}


class Net(nn.Module):
    """A convolution with a norm behind it, and one with a bias."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.head = nn.Conv2d(6, 8, 3, bias=False), nn.BatchNorm2d(8), nn.Conv2d(8, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.head(self.norm(self.conv(x)).relu())
        return y


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("shape", [(8, 54), (54, 8), (16, 16)])
def test_orthogonal_keeps_singular_vectors_and_levels_singular_values(
    shape: tuple[int, int], dtype: torch.dtype
) -> None:
    rng = torch.Generator().manual_seed(0)
    n = min(shape)
    u = torch.linalg.qr(torch.randn(shape[0], n, generator=rng)).Q
    v = torch.linalg.qr(torch.randn(shape[1], n, generator=rng)).Q
    matrix = u @ torch.logspace(0, 2, n).diag() @ v.T
    in_its_axes = u.T @ orthogonal(matrix, dtype) @ v
    # Five iterations take what is no smaller than a hundredth to about 0.5 to 1.2, not to 1.
    assert in_its_axes.diagonal().min() > 0.4
    assert in_its_axes.diagonal().max() < 1.4
    assert (in_its_axes - in_its_axes.diagonal().diag()).abs().max() < 0.1


def test_kernels_move_by_orthogonal_momentum_and_the_rest_as_by_adamw() -> None:
    torch.manual_seed(0)
    muon_net = Net().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    adam_net = copy.deepcopy(muon_net)
    momentum = torch.zeros(8, 54)
    muon, adam = Muon(muon_net, momentum=0.9, **HOW), torch.optim.AdamW(adam_net.parameters(), **HOW)
    for _ in range(3):
        x = torch.randn(4, 6, 9, 9)
        for net in (muon_net, adam_net):
            net.zero_grad()
            net(x).square().mean().backward()
        before = muon_net.conv.weight.detach().flatten(1)
        gradient = muon_net.conv.weight.grad.flatten(1).clone()
        momentum = 0.9 * momentum + 0.1 * gradient
        u, _, v = torch.linalg.svd(0.9 * momentum + 0.1 * gradient, full_matrices=False)
        muon.step()
        adam.step()
        update = (before * (1 - LEARNING_RATE * 0.1) - muon_net.conv.weight.detach().flatten(1)) / LEARNING_RATE
        # AdamW's size: 0.2 in the mean square, were all singular values one.
        in_its_axes = (u.T @ update @ v.T) / (0.2 * 54**0.5)
        assert 0.4 < in_its_axes.diagonal().min() < in_its_axes.diagonal().max() < 1.4
        assert (in_its_axes - in_its_axes.diagonal().diag()).abs().max() < 0.1
        for (name, ours), theirs in zip(muon_net.named_parameters(), adam_net.parameters(), strict=True):
            if name != "conv.weight":
                assert torch.equal(ours, theirs), name
        # Both nets go on from the same kernel.
        adam_net.load_state_dict(muon_net.state_dict())
