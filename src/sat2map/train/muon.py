"""Muon for kernels of convolutions, AdamW for everything else."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the quintic iteration; they let small singular values grow fastest."""
N_ITERATIONS = 5
RMS = 0.2
"""Of an update at learning rate 1; about AdamW's, so that one learning rate serves both (Liu et al. 2025,
arXiv 2502.16982, section 2.2)."""


def orthogonal(matrix: Tensor, dtype: torch.dtype = torch.bfloat16) -> Tensor:
    """Nearly the matrix with its singular values set to one; shape (A, B), computed in `dtype`.

    Source: the Newton-Schulz iteration of Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/
    """
    a, b, c = COEFFICIENTS
    x = matrix.to(dtype)
    is_tall = len(x) > x.shape[1]
    x = x.T if is_tall else x
    x = x / (x.norm() + 1e-7)
    for _ in range(N_ITERATIONS):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return (x.T if is_tall else x).to(matrix.dtype)


class Muon(torch.optim.AdamW):
    """AdamW, but the kernels of convolutions without a bias move by their momentum, made orthogonal.

    A convolution without a bias has a norm behind it, so that only its kernel's direction counts.

    Args:
        module: network to train.
        momentum: of kernels; the rest has AdamW's `betas`.
        dtype: in which momenta are made orthogonal.
        **adam: AdamW's own.
    """

    def __init__(
        self, module: nn.Module, *, momentum: float = 0.95, dtype: torch.dtype = torch.bfloat16, **adam: Any
    ) -> None:
        super().__init__(module.parameters(), **adam)
        convolutions = [m for m in module.modules() if isinstance(m, nn.Conv2d) and m.bias is None]
        self.kernels = [m.weight for m in convolutions]
        self.momentum = momentum
        self.dtype = dtype

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient; those of kernels are gone afterwards."""
        (group,) = self.param_groups
        for kernel in self.kernels:
            if kernel.grad is None:
                continue
            state = self.state[kernel]
            if not state:
                state |= {"step": torch.zeros(()), "momentum": torch.zeros_like(kernel)}
            state["momentum"].lerp_(kernel.grad, 1 - self.momentum)
            ahead = kernel.grad.lerp(state["momentum"], self.momentum)
            # As kernels lie in memory, channels last; which row or column is which does not matter.
            rows = ahead.permute(0, 2, 3, 1)
            update = orthogonal(rows.flatten(1), self.dtype).view(rows.shape).permute(0, 3, 1, 2)
            rate = group["lr"] * RMS * max(len(kernel), kernel[0].numel()) ** 0.5
            kernel.mul_(1 - group["lr"] * group["weight_decay"]).sub_(update, alpha=rate)
            kernel.grad = None
        super().step()
