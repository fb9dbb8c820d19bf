"""What every generator has beside its forward pass: the map of its output, and what a discriminator gets of it."""

from __future__ import annotations

from typing import ClassVar, Literal

from torch import Tensor, nn

AdversarialHead = Literal["smooth", "crisp"]
"""Which map a discriminator gets of a palette head: mean colours, or one colour of the palette in each pixel."""


class Generator(nn.Module):
    """Base class of the networks that turn satellite images into maps.

    The forward pass takes images, float, shape (B, 3, H, W), -1..1; what it returns depends on the head.
    """

    heads: ClassVar[tuple[str, ...]]
    """Names of the maps that can be made of the output, the default first."""

    def image(self, output: Tensor) -> Tensor:
        """Return the map that an output of the forward pass stands for; float, shape (B, 3, H, W), -1..1."""
        raise NotImplementedError

    def fake_for_discriminator(self, output: Tensor, image: Tensor, head: AdversarialHead) -> Tensor:
        """Return the fake map that the discriminator gets; float, shape (B, 3, H, W), -1..1.

        Args:
            output: of the forward pass.
            image: `self.image(output)`, which is what most heads give.
            head: ignored by a generator without a palette head.
        """
        return image

    def real_for_discriminator(self, real: Tensor, head: AdversarialHead) -> Tensor:
        """Return the true map as the discriminator gets it beside such fakes; float, shape (B, 3, H, W), -1..1."""
        return real
