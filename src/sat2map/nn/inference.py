"""A generator from bytes to bytes: the module that is exported, and that the torch engine runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sat2map.nn.compact import CompactGenerator, interleave_subpixels
from sat2map.nn.generator import Generator

CONFIDENCE = "confidence"
FAMILIARITY = "familiarity"
"""Names of the outputs that are not images."""
SAMPLED_PX = 4
"""Distance of the pixels that the familiarity is computed from: of one in 16, so that it costs next to nothing."""


class Familiarity(NamedTuple):
    """How the familiarity follows from the logits of a cell: `sigmoid(energy * E - entropy * H - offset)`.

    E is the mean over the cell of the logarithm of the summed exponentials of the logits, and H that of the entropy
    over the parts of the palette: water, roads, the rest. Distances in feature space say less: see docs/log.md.

    Source: Liu et al. 2020, Energy-based Out-of-distribution Detection, arXiv 2010.03759, equation 4 (at T = 1).
    """

    entropy: float
    energy: float
    offset: float


class InferenceModel(nn.Module):
    """Images to maps, both uint8, shape (B, H, W, 3), 0..255, RGB; H and W multiples of the generator's stride.

    A palette head has one output more, `confidence`, uint8, shape (B, H, W, 1): the probability, 0..255 for 0 to 1, of
    the class whose colour `crisp` shows. With `familiarity` it has that output too, uint8, 1..255, one value for each
    cell of stride x stride pixels, shape (B, H / stride, W / stride, 1): how like the training data the cell looks.

    Args:
        generator: a generator of this room; put into evaluation mode.
        class_of_colour: class of each colour of a palette head; by default each is one.
        sharpness: factor of the logits of the confidence, which makes it right on average (Guo et al. 2017, arXiv
            1706.04599: 1 / T).
        part_of_colour: part of the palette, from 0, that each colour is of; by default each is one.
        familiarity: how the familiarity is computed; None: not at all.
    """

    class_of_colour: Tensor
    same_class: Tensor
    in_part: Tensor

    def __init__(
        self,
        generator: Generator,
        class_of_colour: Sequence[int] | None = None,
        sharpness: float = 1.0,
        part_of_colour: Sequence[int] | None = None,
        familiarity: Familiarity | None = None,
    ) -> None:
        super().__init__()
        self.generator, self.sharpness, self.familiarity = generator.eval(), sharpness, familiarity
        self.outputs: tuple[str, ...] = generator.heads
        if isinstance(generator, CompactGenerator):
            self.outputs = (*generator.heads, CONFIDENCE, *([FAMILIARITY] if familiarity else []))
            classes = torch.tensor(class_of_colour or list(range(len(generator.palette))))
            self.register_buffer("class_of_colour", classes, persistent=False)
            self.register_buffer("same_class", (classes[:, None] == classes).float(), persistent=False)
            parts = torch.tensor(part_of_colour or list(range(len(classes))))
            in_part = parts == torch.arange(int(parts.max()) + 1)[:, None]
            self.register_buffer("in_part", in_part.float(), persistent=False)

    def forward(self, satellite: Tensor) -> tuple[Tensor, ...]:
        """Draw maps: one tensor for each name in `outputs`, in their order."""
        sat_bchw = satellite.permute(0, 3, 1, 2).float() / 127.5 - 1
        if not isinstance(self.generator, CompactGenerator):
            return (_as_bytes(self.generator.image(self.generator(sat_bchw))).permute(0, 2, 3, 1),)
        # Bytes are moved to their pixels, and not their logits, which are many times as many bytes.
        logits = self.generator.subpixels(sat_bchw)
        crisp = _as_bytes(self.generator.palette)[logits.argmax(1)]
        smooth = _as_bytes(self.generator.image(logits)).permute(0, 2, 3, 1)
        images = tuple(map(interleave_subpixels, (crisp, smooth, self._confidence(logits))))
        return (*images, self._familiarity(logits)) if self.familiarity else images

    def uncertainty(self, logits_bkhw: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the entropy and the energy of each cell, from logits in the order of `EnlargingConv2d.subpixels`.

        Returns:
            Two of float, shape (B, 1, H / stride, W / stride).
        """
        assert isinstance(self.generator, CompactGenerator)
        step = SAMPLED_PX // 2
        some = logits_bkhw.unflatten(2, (4, -1))[:, :, 0, ::step, ::step]
        p = torch.einsum("jk,bkhw->bjhw", self.in_part, some.softmax(1))
        entropy = -(p * p.clamp(min=1e-6).log()).sum(1, keepdim=True)
        energy = some.logsumexp(1, keepdim=True)
        side = self.generator.stride // SAMPLED_PX
        return F.avg_pool2d(entropy, side), F.avg_pool2d(energy, side)

    def _familiarity(self, logits_bkhw: Tensor) -> Tensor:
        assert self.familiarity is not None
        of_entropy, of_energy, offset = self.familiarity
        entropy, energy = self.uncertainty(logits_bkhw)
        values = (of_energy * energy - of_entropy * entropy - offset).sigmoid()
        return (values * 255).round().clamp(1, 255).to(torch.uint8).permute(0, 2, 3, 1)

    def _confidence(self, logits_bkhw: Tensor) -> Tensor:
        of_class = torch.einsum("jk,bkhw->bjhw", self.same_class, (self.sharpness * logits_bkhw).softmax(1))
        shown = of_class.gather(1, logits_bkhw.argmax(1, keepdim=True))
        return (shown * 255).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)


def _as_bytes(colours: Tensor) -> Tensor:
    return ((colours + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
