"""A generator with all that a user of it needs inside: bytes in, bytes out; what is exported and what engines run."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sat2map.nn.compact import CompactGenerator
from sat2map.nn.generator import Generator


class InferenceModel(nn.Module):
    """Pictures to maps, both uint8, shape (B, H, W, 3), 0..255, RGB; H and W multiples of the generator's stride.

    Args:
        generator: a generator of this room; put into evaluation mode.
    """

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator.eval()
        self.outputs = generator.outputs

    def forward(self, satellite: Tensor) -> tuple[Tensor, ...]:
        """Draw maps: one picture for each name in `outputs`, in their order."""
        answer = self.generator(satellite.permute(0, 3, 1, 2).float() / 127.5 - 1)
        picture = _as_bytes(self.generator.picture(answer)).permute(0, 2, 3, 1)
        if isinstance(self.generator, CompactGenerator):
            return _as_bytes(self.generator.palette)[answer.argmax(1)], picture
        return (picture,)


def _as_bytes(colours: Tensor) -> Tensor:
    return ((colours + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
