"""The U-Net's convolutions of stride 2; in training as plain matrix products where an image is small.

Weights and results are those of `nn.Conv2d` and `nn.ConvTranspose2d`. Nine tenths of the paper's weights meet 8 x 8
positions or fewer. There a convolution is bound by reading its weights, and a convolution library that first rearranges
them, at every call, takes two to four times as long as the matrix product does.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, is_autocast_enabled, nn
from torch.autograd import Function
from torch.nn import functional as F

FEW_POSITIONS = 64
"""Largest number of positions in a batch for which a matrix product is the faster on a processor."""
KERNEL, STRIDE, PADDING = 4, 2, 1


class FastDownConv2d(nn.Conv2d):
    """`nn.Conv2d(in_channels, out_channels, 4, 2, 1, bias=False)`, faster in training where an image is small.

    It halves height and width: float, shape (B, C, H, W) to (B, C', H / 2, W / 2).
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, KERNEL, STRIDE, PADDING, bias=False)

    def forward(self, input: Tensor) -> Tensor:
        """Convolve."""
        batch, _, height, width = input.shape
        height, width = height // STRIDE, width // STRIDE
        if not _is_faster_as_matrix(self, input, batch * height * width):
            return super().forward(input)
        taps = F.unfold(input, KERNEL, padding=PADDING, stride=STRIDE)
        rows = _multiply(taps.transpose(1, 2).flatten(0, 1), self.weight.flatten(1).t())
        return rows.view(batch, height, width, -1).permute(0, 3, 1, 2).contiguous()


class FastUpConv2d(nn.ConvTranspose2d):
    """`nn.ConvTranspose2d(in_channels, out_channels, 4, 2, 1, bias=bias)`, faster in training where an image is small.

    It doubles height and width: float, shape (B, C, H, W) to (B, C', 2 H, 2 W).
    """

    def __init__(self, in_channels: int, out_channels: int, *, bias: bool = False) -> None:
        super().__init__(in_channels, out_channels, KERNEL, STRIDE, PADDING, bias=bias)

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Convolve; `output_size` follows from the input and is ignored."""
        batch, channels, height, width = input.shape
        if self.bias is not None or not _is_faster_as_matrix(self, input, batch * height * width):
            return super().forward(input)
        rows = _multiply(input.permute(0, 2, 3, 1).reshape(-1, channels), self.weight.flatten(1))
        taps = rows.view(batch, height * width, -1).transpose(1, 2)
        return F.fold(taps, (STRIDE * height, STRIDE * width), KERNEL, padding=PADDING, stride=STRIDE)


def _is_faster_as_matrix(layer: nn.Module, x: Tensor, n_positions: int) -> bool:
    """Whether to multiply matrices; never at inference, whose graph is exported for images of any size."""
    is_plain = layer.training and x.device.type == "cpu" and not is_autocast_enabled("cpu")
    return is_plain and n_positions <= FEW_POSITIONS


class _Product(Function):
    """Product of a matrix with few rows and a large one, with every operand in the order of memory that is fast.

    In another order, which torch's own derivative would choose here, the same product takes up to ten times as long.
    """

    @staticmethod
    def forward(ctx: Any, rows: Tensor, matrix: Tensor) -> Tensor:
        """Return `rows @ matrix`."""
        rows = rows.contiguous()
        ctx.save_for_backward(rows, matrix)
        return rows @ matrix

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        """Return the gradients of both factors."""
        rows, matrix = ctx.saved_tensors
        gradient = gradients[0].contiguous()
        # The matrix's gradient lies in memory as the matrix does, or it would be copied once more.
        of_matrix = rows.t() @ gradient if matrix.is_contiguous() else (gradient.t() @ rows).t()
        return gradient @ matrix.t(), of_matrix


def _multiply(rows: Tensor, matrix: Tensor) -> Tensor:
    product: Tensor = _Product.apply(rows, matrix)  # type: ignore[no-untyped-call]
    return product
