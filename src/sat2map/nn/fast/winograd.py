"""The discriminator's 4 x 4 convolution of stride 1, with a quarter of its multiplications in training.

Two thirds of the paper's discriminator is one such convolution. Weights and results are those of `nn.Conv2d`; in
float32 the results' error is 2e-6 of their size in place of 3e-7.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor, is_autocast_enabled, nn
from torch.nn import functional as F

KERNEL, TILE = 4, 3
"""Taps of the filter and outputs of a tile, along an axis."""
N_INPUTS = KERNEL + TILE - 1
"""Inputs that one tile is computed from, which is also how many products it takes, along an axis."""
POINTS = (0.0, 1.0, -1.0, 2.0, -0.5)
"""Points where the polynomials are evaluated, beside infinity; of those tried, the ones with the smallest error."""
MANY_CHANNELS = 2**14
"""Least input times output channels for which the transforms cost less than the products that they save."""


@cache
def _transforms(dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """Return the matrices on flattened tiles: input to products, filter to products, products to output.

    Filtering is the transpose of multiplying two polynomials, here by their values at `N_INPUTS` points.

    Source: Winograd 1980; Lavin and Gray 2015 (arXiv 1509.09308), equation 8, F(3 x 3, 4 x 4).
    """

    def values(n: int) -> Tensor:
        """Matrix that takes the n coefficients of a polynomial to its values at every point."""
        at_infinity = torch.eye(n, dtype=torch.float64)[-1:]
        powers = torch.tensor(POINTS, dtype=torch.float64)[:, None] ** torch.arange(n)
        return torch.cat([powers, at_infinity])

    of_input, of_filter, to_output = torch.linalg.inv(values(N_INPUTS)).t(), values(KERNEL), values(TILE).t()
    first, second, last = (torch.kron(m, m).to(dtype) for m in (of_input, of_filter, to_output))
    return first, second, last


class FastConv2d(nn.Conv2d):
    """`nn.Conv2d(in_channels, out_channels, 4, 1, 1, bias=False)`, faster in training where there are many channels.

    It takes one row and one column away: float, shape (B, C, H, W) to (B, C', H - 1, W - 1).
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, KERNEL, 1, 1, bias=False)

    def forward(self, input: Tensor) -> Tensor:
        """Convolve."""
        is_plain = self.training and input.device.type == "cpu" and not is_autocast_enabled("cpu")
        if not is_plain or self.in_channels * self.out_channels < MANY_CHANNELS:
            return super().forward(input)
        of_input, of_filter, to_output = _transforms(input.dtype)
        batch, channels, height, width = input.shape
        rows, columns = (-(-(side - 1) // TILE) for side in (height, width))
        padded = F.pad(input, (1, TILE * columns + 2 - width, 1, TILE * rows + 2 - height))
        tiles = F.unfold(padded, N_INPUTS, stride=TILE).view(batch, channels, N_INPUTS**2, -1)
        inputs = of_input @ tiles.permute(2, 1, 0, 3).reshape(N_INPUTS**2, -1)
        taps = of_filter @ self.weight.reshape(-1, KERNEL**2).t()
        products = taps.view(N_INPUTS**2, -1, channels) @ inputs.view(N_INPUTS**2, channels, -1)
        outputs = (to_output @ products.view(N_INPUTS**2, -1)).view(TILE, TILE, -1, batch, rows, columns)
        image = outputs.permute(3, 2, 4, 0, 5, 1).reshape(batch, -1, TILE * rows, TILE * columns)
        return image[:, :, : height - 1, : width - 1]
