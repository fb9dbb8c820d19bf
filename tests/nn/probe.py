"""NaN put into a network, to see where it comes out: an oracle for geometry that shares nothing with its rules.

In float64, where the convolutions are plain matrix products: a faster one could carry a NaN further than its taps.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sat2map.nn.compact import EnlargingConv2d
from sat2map.nn.geometry import Geometry

FARTHEST_LEAP_PX = 768
"""Farther than any single tap of the networks in these tests reaches."""
PALETTE = ((232, 229, 222), (255, 255, 255), (251, 158, 38), (177, 208, 254))


def sharp(network: nn.Module) -> nn.Module:
    """The network in float64 and evaluation mode, where equality is sharp and the noise is off."""
    network.double().eval()
    for module in network.modules():
        if isinstance(module, EnlargingConv2d):
            # In evaluation its kernel has taps that are zero, and zero times NaN is NaN.
            module.train()
    return network


def poisoned(network: nn.Module, poison_bn: Tensor, across: int, *, rows: bool = False) -> Tensor:
    """Which positions along one axis of the answer are NaN, where some along that axis of the image are.

    Args:
        network: frozen, float64.
        poison_bn: bool, shape (B, N): positions of each image that are NaN, over the whole of the other axis.
        across: length of the other axis.
        rows: whether the axis is the height; the width otherwise.

    Returns:
        bool, shape (B, N).
    """
    image = torch.zeros(len(poison_bn), 3, across, poison_bn.shape[1], dtype=torch.float64)
    image.masked_fill_(poison_bn[:, None, None, :], torch.nan)
    with torch.no_grad():
        answer = network(image.mT if rows else image)
    return (answer.mT if rows else answer).isnan().any(1).any(1)


def measured_radius(network: nn.Module, claim: Geometry, *, rows: bool = False) -> tuple[int, int]:
    """Farthest answers before and after a NaN pixel, over every phase of the stride.

    `claim` sets no more than the size of the experiment: what lies beyond one that is too small is seen all the same.
    """
    stride = claim.stride
    middle = max(claim.margin_px + 2 * stride, FARTHEST_LEAP_PX)
    at = middle + torch.arange(stride)
    n = 2 * middle + stride
    hit = poisoned(network, torch.arange(n) == at[:, None], stride, rows=rows)
    assert hit.any(1).all(), "every input pixel matters to some output pixel"
    distances = [hit[i].nonzero()[:, 0] - at[i] for i in range(stride)]
    return -min(int(d.min()) for d in distances), max(int(d.max()) for d in distances)


def sides_reached(network: nn.Module, stride: int, margin: int, *, n_cells: int, rows: bool = False) -> list[bool]:
    """Whether NaN before (after) a core window of `n_cells` strides grown by `margin` reaches the core."""
    start = margin + 3 * stride
    stop = start + n_cells * stride
    x = torch.arange(stop + start)
    poison = torch.stack([x < start - margin, x >= stop + margin])
    hit = poisoned(network, poison, stride, rows=rows)
    return [bool(side) for side in hit[:, start:stop].any(1)]
