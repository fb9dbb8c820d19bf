"""A generator from bytes to bytes: the module that is exported, and that the torch engine runs."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sat2map.nn.compact import CompactGenerator, interleave_subpixels
from sat2map.nn.generator import Generator

CONFIDENCE = "confidence"
"""Name of the output that is not an image."""


class InferenceModel(nn.Module):
    """Images to maps, both uint8, shape (B, H, W, 3), 0..255, RGB; H and W multiples of the generator's stride.

    A palette head has one output more, `confidence`, uint8, shape (B, H, W, 1): the probability, 0..255 for 0 to 1, of
    the class whose colour `crisp` shows.

    Args:
        generator: a generator of this room; put into evaluation mode.
        class_of_colour: class of each colour of a palette head; by default each is one.
    """

    same_class: Tensor

    def __init__(self, generator: Generator, class_of_colour: Sequence[int] | None = None) -> None:
        super().__init__()
        self.generator = generator.eval()
        self.outputs: tuple[str, ...] = generator.heads
        if isinstance(generator, CompactGenerator):
            self.outputs = (*generator.heads, CONFIDENCE)
            classes = torch.tensor(class_of_colour or list(range(len(generator.palette))))
            self.register_buffer("same_class", (classes[:, None] == classes).float(), persistent=False)

    def forward(self, satellite: Tensor) -> tuple[Tensor, ...]:
        """Draw maps: one tensor for each name in `outputs`, in their order."""
        sat_bchw = satellite.permute(0, 3, 1, 2).float() / 127.5 - 1
        if not isinstance(self.generator, CompactGenerator):
            return (_as_bytes(self.generator.image(self.generator(sat_bchw))).permute(0, 2, 3, 1),)
        # Bytes are moved to their pixels, and not their logits, which are many times as many bytes.
        logits = self.generator.subpixels(sat_bchw)
        crisp = _as_bytes(self.generator.palette)[logits.argmax(1)]
        smooth = _as_bytes(self.generator.image(logits)).permute(0, 2, 3, 1)
        return tuple(map(interleave_subpixels, (crisp, smooth, self._confidence(logits))))

    def _confidence(self, logits_bkhw: Tensor) -> Tensor:
        of_class = torch.einsum("jk,bkhw->bjhw", self.same_class, logits_bkhw.softmax(1))
        shown = of_class.gather(1, logits_bkhw.argmax(1, keepdim=True))
        return (shown * 255).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)


def _as_bytes(colours: Tensor) -> Tensor:
    return ((colours + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
