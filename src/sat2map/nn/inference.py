"""A generator from bytes to bytes: the module that is exported, and that the torch engine runs."""

from __future__ import annotations

from collections.abc import Sequence

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
WATER_PART, ROAD_PART = 1, 2
ENTROPY_OF_ROADS = 0.5
"""Weight beside that of water: along roads a network is unsure wherever it is, and of water where the ground is new."""


class InferenceModel(nn.Module):
    """Images to maps, both uint8, shape (B, H, W, 3), 0..255, RGB; H and W multiples of the generator's stride.

    A palette head has one output more, `confidence`, uint8, shape (B, H, W, 1): the probability, 0..255 for 0 to 1, of
    the class whose colour `crisp` shows. With `familiar_entropy` it has a `familiarity` too, uint8, 1..255: how like
    the training data a cell of stride x stride pixels looks; shape (B, H / stride, W / stride, 1).

    Args:
        generator: a generator of this room; put into evaluation mode.
        class_of_colour: class of each colour of a palette head; by default each is one.
        sharpness: factor of the logits of the confidence, which makes it right on average (Guo et al. 2017, arXiv
            1706.04599: 1 / T).
        part_of_colour: whether each colour is water (1), roads (2) or the rest (0), which the familiarity needs.
        familiar_entropy: entropy of a cell at which its familiarity is 1/2; None: there is no familiarity.
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
        familiar_entropy: float | None = None,
    ) -> None:
        super().__init__()
        self.generator, self.sharpness, self.familiar_entropy = generator.eval(), sharpness, familiar_entropy
        self.outputs: tuple[str, ...] = generator.heads
        if isinstance(generator, CompactGenerator):
            self.outputs = (*generator.heads, CONFIDENCE, *([FAMILIARITY] if familiar_entropy else []))
            classes = torch.tensor(class_of_colour or list(range(len(generator.palette))))
            self.register_buffer("class_of_colour", classes, persistent=False)
            self.register_buffer("same_class", (classes[:, None] == classes).float(), persistent=False)
            parts = torch.tensor(part_of_colour or [0] * len(classes))
            in_part = torch.stack([parts == part for part in (WATER_PART, ROAD_PART)])
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
        return (*images, self._familiarity(logits)) if self.familiar_entropy else images

    def entropy(self, logits_bkhw: Tensor) -> Tensor:
        """Compute the mean entropy of each cell: that of water or none, and half of that of road or none.

        Args:
            logits_bkhw: in the order of `EnlargingConv2d.subpixels`.

        Returns:
            float, shape (B, 1, H / stride, W / stride), in nats.
        """
        assert isinstance(self.generator, CompactGenerator)
        step = SAMPLED_PX // 2
        # Few are taken before their shape is asked for: of an 8-bit model, only those become floats for it.
        some = logits_bkhw[:, :, ::step, ::step].unflatten(2, (4, -1))[:, :, 0]
        p = torch.einsum("jk,bkhw->bjhw", self.in_part, some.softmax(1)).clamp(1e-6, 1 - 1e-6)
        of_both = -(p * p.log() + (1 - p) * (1 - p).log())
        entropy = of_both[:, :1] + ENTROPY_OF_ROADS * of_both[:, 1:]
        return F.avg_pool2d(entropy, self.generator.stride // SAMPLED_PX)

    def _familiarity(self, logits_bkhw: Tensor) -> Tensor:
        assert self.familiar_entropy is not None
        values = self.familiar_entropy / (self.familiar_entropy + self.entropy(logits_bkhw))
        return (values * 255).round().clamp(1, 255).to(torch.uint8).permute(0, 2, 3, 1)

    def _confidence(self, logits_bkhw: Tensor) -> Tensor:
        of_class = torch.einsum("jk,bkhw->bjhw", self.same_class, (self.sharpness * logits_bkhw).softmax(1))
        shown = of_class.gather(1, logits_bkhw.argmax(1, keepdim=True))
        return (shown * 255).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)


def _as_bytes(colours: Tensor) -> Tensor:
    return ((colours + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
