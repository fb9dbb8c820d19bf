"""The paper's generator: an encoder and a decoder with a skip at every level (Isola et al. 2016, section 3.2.1)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sat2map.nn.fast.matrix_conv import FastDownConv2d, FastUpConv2d
from sat2map.nn.generator import Generator
from sat2map.nn.normalization import Norm2d, Normalization

N_DROPOUT_LEVELS = 3
"""Number of innermost decoder levels that have dropout: CD512-CD512-CD512 in the paper's notation."""


class Noise(nn.Dropout):
    """Dropout, the only noise z of the paper's generator; at test time too if `at_test` is set."""

    def __init__(self, p: float, at_test: bool) -> None:
        super().__init__(p)
        self.at_test = at_test

    def forward(self, input: Tensor) -> Tensor:
        """Drop each value with probability p; same shape out."""
        return F.dropout(input, self.p, self.training or self.at_test)


class UNetGenerator(Generator):
    """The paper's U-Net: `n_levels` convolutions that halve the image, and as many that double it.

    The first and the innermost convolution have no normalisation: the innermost gives one pixel of a 256 px image,
    which its own statistics would turn to zero. Input sizes must be multiples of `2 ** n_levels`.

    Args:
        n_levels: 8 in the paper (256 px to 1 px).
        width: channels of the first level; doubled at each level up to 8 times.
        in_channels: of the image.
        out_channels: of the map.
        dropout: probability of the noise z in the innermost decoder levels.
        noise_at_test: keep the noise at inference, as the paper does.
        normalization: see `Norm2d`.
        skips: without them this is the paper's encoder-decoder.

    Source: Isola et al. 2016, section 6.1.1. Convolutions that a normalisation follows have no bias, which that would
    cancel; neither have the first and the innermost one, as in the authors' PyTorch version.
    """

    heads = ("rgb",)

    def __init__(
        self,
        *,
        n_levels: int = 8,
        width: int = 64,
        in_channels: int = 3,
        out_channels: int = 3,
        dropout: float = 0.5,
        noise_at_test: bool = False,
        normalization: Normalization = "instance",
        skips: bool = True,
    ) -> None:
        super().__init__()
        if n_levels < 2:
            raise ValueError(f"n_levels must be 2 or more, not {n_levels}")
        self.skips = skips
        channels = [in_channels, *(width * min(2**i, 8) for i in range(n_levels))]
        self.down = nn.ModuleList()
        self.up = nn.ModuleList()
        for level in range(n_levels):
            outermost, innermost = level == 0, level == n_levels - 1
            inner, outer = channels[level + 1], channels[level]
            conv = FastDownConv2d(outer, inner)
            norm = nn.Identity() if outermost or innermost else Norm2d(inner, normalization)
            activation = nn.Identity() if outermost else nn.LeakyReLU(0.2)
            self.down.append(nn.Sequential(activation, conv, norm))

            from_below = inner if innermost or not skips else 2 * inner
            noisy = n_levels - N_DROPOUT_LEVELS <= level and not outermost
            self.up.append(
                nn.Sequential(
                    nn.ReLU(),
                    FastUpConv2d(from_below, out_channels if outermost else outer, bias=outermost),
                    nn.Tanh() if outermost else Norm2d(outer, normalization),
                    Noise(dropout, noise_at_test) if noisy else nn.Identity(),
                )
            )

    def forward(self, sat_bchw: Tensor) -> Tensor:
        """Draw maps.

        Args:
            sat_bchw: float, shape (B, in_channels, H, W), -1..1.

        Returns:
            float, shape (B, out_channels, H, W), -1..1.
        """
        levels = []
        x = sat_bchw
        for down in self.down:
            x = down(x)
            levels.append(x)
        for i in reversed(range(len(self.up))):
            if self.skips and i < len(self.up) - 1:
                x = torch.cat([x, levels[i]], 1)
            x = self.up[i](x)
        return x

    def image(self, output: Tensor) -> Tensor:
        """Return the output itself, which is the map."""
        return output


def dropout_of(network: nn.Module) -> float:
    """Return the largest dropout probability of a network's noise z; 0 without noise."""
    return max((m.p for m in network.modules() if isinstance(m, Noise)), default=0.0)
