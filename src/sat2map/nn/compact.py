"""The compact generator: a quarter of the U-Net's cost, a nineteenth of its weights, a small receptive field, no seams.

Its output is not a colour but a distribution over the colours of a palette, so that its maps are crisp.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sat2map.nn.generator import AdversarialHead, Generator
from sat2map.nn.normalization import Norm2d, Normalization
from sat2map.nn.palette import nearest_index


def _conv(a: int, b: int, normalization: Normalization, *, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(a, b, 3, stride, padding=dilation, dilation=dilation, bias=False)
    return nn.Sequential(conv, Norm2d(b, normalization), nn.ReLU())


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions beside an identity (He et al. 2015); same shape out.

    It begins as the identity: its last scale is 0 (Goyal et al. 2017, section 5.1).
    """

    def __init__(self, channels: int, normalization: Normalization, dilation: int = 1) -> None:
        super().__init__()
        self.first = _conv(channels, channels, normalization, dilation=dilation)
        self.second = nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation, bias=False)
        self.norm = Norm2d(channels, normalization)
        nn.init.zeros_(self.norm.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Add the output of the two convolutions to the input."""
        return F.relu(x + self.norm(self.second(self.first(x))))


class EnlargingConv2d(nn.Conv2d):
    """3 x 3 convolution of its input enlarged twice by nearest neighbour; (B, C, H, W) to (B, C', 2 H, 2 W)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, 3, padding=1)

    def forward(self, input: Tensor) -> Tensor:
        """Enlarge and convolve."""
        return super().forward(F.interpolate(input, scale_factor=2.0, mode="nearest"))

    def subpixels(self, input: Tensor) -> Tensor:
        """Compute the same values without enlarging the input, which takes a quarter less memory.

        An input pixel becomes four pixels of the output: its subpixels.

        Returns:
            Float, shape (B, C', 4 H, W): the rows of each input row's upper left subpixels, then of its upper right,
            lower left and lower right ones. `interleave_subpixels` puts them side by side.
        """
        # For each of the four subpixels, the nine taps fall on two by two pixels of the input.
        # Axes: subpixel (0 or 1), pixel of the input (-1, 0 or 1), tap.
        falls_on = self.weight.new_tensor([[[1, 0, 0], [0, 1, 1], [0, 0, 0]], [[0, 0, 0], [1, 1, 0], [0, 0, 1]]])
        weight = torch.einsum("ayu,bxv,kcuv->kabcyx", falls_on, falls_on, self.weight).flatten(0, 2)
        assert self.bias is not None
        values = F.conv2d(input, weight, self.bias.repeat_interleave(4), padding=1)
        subpixels: Tensor = values.unflatten(1, (self.out_channels, 4)).flatten(2, 3)
        return subpixels


def interleave_subpixels(subpixels_bhwc: Tensor) -> Tensor:
    """Return pixels in the order of `EnlargingConv2d.subpixels`, (B, 4 H, W, C), as an image (B, 2 H, 2 W, C)."""
    image: Tensor = subpixels_bhwc.unflatten(1, (2, 2, -1)).permute(0, 3, 1, 4, 2, 5).flatten(3, 4).flatten(1, 2)
    return image


class CompactGenerator(Generator):
    """Residual hourglass from 1/2 down to 1/16 of the image's size and back, with a palette head.

    Nothing is computed at full size but the head, where a channel would cost the most time and memory. Enlarging is by
    nearest neighbour before a convolution, so that a flat image gives a flat map (no checkerboard). Input sizes must
    be multiples of the stride that `sat2map.nn.geometry` computes: 16 by default.

    Args:
        palette: colours that a pixel of the map can have, uint8 RGB, 0..255.
        widths: channels at 1/2, 1/4, 1/8, ... of the image's size.
        dilations: those of the residual blocks on the way down, for each size from 1/4 on; their number is the number
            of blocks. On the way up each size but the first has one block.
        head_width: channels at full size, before the logits.
        temperature: softmax sharpness (gamma) of the `smooth` image.
        in_channels: of the image.
        normalization: see `Norm2d`.
    """

    heads = ("crisp", "smooth")
    palette: Tensor

    def __init__(
        self,
        *,
        palette: Sequence[Sequence[int]],
        widths: Sequence[int] = (24, 48, 96, 160),
        dilations: Sequence[Sequence[int]] = ((1,), (1, 1), (1, 2, 1)),
        head_width: int = 16,
        temperature: float = 1.0,
        in_channels: int = 3,
        normalization: Normalization = "batch",
    ) -> None:
        super().__init__()
        if len(dilations) != len(widths) - 1:
            raise ValueError(f"dilations must have one entry fewer than widths ({len(widths)}), not {len(dilations)}")
        self.temperature = temperature
        self.register_buffer("palette", torch.tensor(palette, dtype=torch.float32) / 127.5 - 1, persistent=False)
        self.stem = nn.Sequential(nn.PixelUnshuffle(2), _conv(4 * in_channels, widths[0], normalization))
        self.down, self.project, self.up = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for level, ((outer, inner), rates) in enumerate(zip(pairwise(widths), dilations, strict=True)):
            blocks = [ResidualBlock(inner, normalization, rate) for rate in rates]
            self.down.append(nn.Sequential(_conv(outer, inner, normalization, stride=2), *blocks))
            self.project.append(nn.Sequential(nn.Conv2d(inner, outer, 1, bias=False), Norm2d(outer, normalization)))
            # At 1/2 a residual block would cost as much as everything at 1/16.
            self.up.append(
                _conv(outer, head_width, normalization) if level == 0 else ResidualBlock(outer, normalization)
            )
        self.head = EnlargingConv2d(head_width, len(palette))
        self.stride = 2 ** len(widths)

    def forward(self, sat_bchw: Tensor) -> Tensor:
        """Compute a logit for each colour of the palette in each pixel.

        Args:
            sat_bchw: float, shape (B, in_channels, H, W), -1..1.

        Returns:
            float logits, shape (B, len(palette), H, W).
        """
        logits: Tensor = self.head(self._before_head(sat_bchw))
        return logits

    def subpixels(self, sat_bchw: Tensor) -> Tensor:
        """Compute the same logits in the order of `EnlargingConv2d.subpixels`, shape (B, len(palette), 2 H, W / 2)."""
        logits: Tensor = self.head.subpixels(self._before_head(sat_bchw))
        return logits

    def _before_head(self, sat_bchw: Tensor) -> Tensor:
        x: Tensor = self.stem(sat_bchw)
        sizes = []
        for down in self.down:
            sizes.append(x)
            x = down(x)
        for i in reversed(range(len(self.up))):
            x = F.interpolate(self.project[i](x), scale_factor=2.0, mode="nearest")
            x = self.up[i](F.relu(x + sizes[i]))
        return x

    def image(self, output: Tensor) -> Tensor:
        """Return the mean colour under the softmax of the logits at `temperature`; shape (B, 3, H, W), -1..1."""
        weights = (self.temperature * output).softmax(1)
        return torch.einsum("bkhw,kc->bchw", weights, self.palette)

    def crisp_image(self, output: Tensor) -> Tensor:
        """Return the likeliest colour of each pixel, with the gradient of `image`; shape (B, 3, H, W), -1..1.

        Source: the straight-through estimator, Bengio et al. 2013, arXiv 1308.3432.
        """
        smooth = self.image(output)
        crisp = self.palette[output.argmax(1)].permute(0, 3, 1, 2)
        return smooth + (crisp - smooth).detach()

    def fake_for_discriminator(self, output: Tensor, image: Tensor, head: AdversarialHead) -> Tensor:
        """Return the mean colours, or with the crisp head the likeliest colour of each pixel."""
        return self.crisp_image(output) if head == "crisp" else image

    def real_for_discriminator(self, real: Tensor, head: AdversarialHead) -> Tensor:
        """Return the true map, with the crisp head in the nearest colours of the palette."""
        return self.palette[nearest_index(real, self.palette)].permute(0, 3, 1, 2) if head == "crisp" else real
