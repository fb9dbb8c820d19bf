"""The paper's discriminator, which classifies every patch of an image by itself (Isola et al. 2016, section 3.2.2)."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from sat2map.nn.fast.winograd import FastConv2d
from sat2map.nn.normalization import Norm2d, Normalization

N_DOWNSAMPLINGS = {16: 1, 34: 2, 70: 3, 142: 4, 286: 5}
"""Receptive field in pixels -> convolutions of stride 2 that give it. 1 px is a network of 1 x 1 convolutions."""


class PatchDiscriminator(nn.Module):
    """PatchGAN: a convolutional classifier that gives one logit, real or fake, for every patch of an image.

    Args:
        receptive_field_px: side of a patch: 1, 16, 34, 70, 142 or 286.
        width: channels of the first convolution; doubled at each further one up to 8 times.
        in_channels: of image and map together, or of the map alone for an unconditional one.
        conditional: whether D sees the image, D(x, y), or only the map, D(y).
        normalization: see `Norm2d`.

    Source: Isola et al. 2016, section 6.1.2: C64-C128-C256-C512 for 70 px, no normalisation in the first.
    """

    def __init__(
        self,
        *,
        receptive_field_px: int = 70,
        width: int = 64,
        in_channels: int = 6,
        conditional: bool = True,
        normalization: Normalization = "instance",
    ) -> None:
        super().__init__()
        if receptive_field_px not in (1, *N_DOWNSAMPLINGS):
            fields = ", ".join(map(str, (1, *N_DOWNSAMPLINGS)))
            raise ValueError(f"receptive_field_px must be one of {fields}, not {receptive_field_px}")
        self.conditional = conditional
        pixel = receptive_field_px == 1
        n_down = 1 if pixel else N_DOWNSAMPLINGS[receptive_field_px]
        kernel, padding = (1, 0) if pixel else (4, 1)
        channels = [width * min(2**i, 8) for i in range(n_down + 1)]
        layers: list[nn.Module] = [
            nn.Conv2d(in_channels, width, kernel, 1 if pixel else 2, padding),
            nn.LeakyReLU(0.2),
        ]
        for i, (a, b) in enumerate(pairwise(channels)):
            stride = 2 if i < n_down - 1 else 1
            is_4x4_of_stride_1 = stride == 1 and not pixel
            conv = FastConv2d(a, b) if is_4x4_of_stride_1 else nn.Conv2d(a, b, kernel, stride, padding, bias=False)
            layers += [conv, Norm2d(b, normalization), nn.LeakyReLU(0.2)]
        layers.append(nn.Conv2d(channels[-1], 1, kernel, 1, padding))
        self.layers = nn.Sequential(*layers)

    def forward(self, sat_bchw: Tensor, map_bchw: Tensor) -> Tensor:
        """Classify every patch of maps as real or fake.

        Args:
            sat_bchw: float, shape (B, 3, H, W), -1..1; ignored by an unconditional one.
            map_bchw: float, shape (B, 3, H, W), -1..1.

        Returns:
            float logits, shape (B, 1, h, w), one for each patch; positive means real.
        """
        logits: Tensor = self.layers(torch.cat([sat_bchw, map_bchw], 1) if self.conditional else map_bchw)
        return logits
