"""What every generator of this room has beside its forward pass."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn


class Generator(nn.Module):
    """Satellite images to maps; see the subclasses."""

    heads: ClassVar[tuple[str, ...]]
    """Named images that can be made of its answer, the default first."""

    def image(self, output: Tensor) -> Tensor:
        """The map that a discriminator sees, float, shape (B, 3, H, W), -1..1, of what the forward pass returned."""
        raise NotImplementedError
