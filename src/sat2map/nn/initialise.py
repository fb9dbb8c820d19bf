"""Initial weights: the paper's Gaussian (Isola et al. 2016, section 6.2)."""

from __future__ import annotations

from torch import nn

from sat2map.nn.normalization import Norm2d


def initialise(network: nn.Module, std: float = 0.02) -> None:
    """Draw convolution weights from N(0, std) and normalisation scales from N(1, std); biases are 0. In place."""
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(module.weight, 0.0, std)
        elif isinstance(module, Norm2d):
            nn.init.normal_(module.weight, 1.0, std)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)
