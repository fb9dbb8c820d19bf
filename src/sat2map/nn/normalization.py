"""Normalization layers, and how their statistics are frozen over a data set.

The paper uses batch normalisation at batch 1 with the test batch's own statistics, which "has been termed instance
normalization" (Isola et al. 2016, section 3.4). With "instance" normalization each image is normalized by its own mean
and variance, at every batch size; neighbouring windows then differ in tone. With "frozen" normalization they do not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Normalization = Literal["instance", "batch", "frozen"]


class Norm2d(nn.BatchNorm2d):
    """Affine normalization of float tensors of shape (B, C, H, W).

    Args:
        num_features: number of channels C.
        normalization: `instance`: by mean and variance of each image, in training and at inference (the paper's).
            `batch`: by those of the batch in training, by their running average at inference.
            `frozen`: always by the stored ones; see `freeze_statistics`.
    """

    def __init__(self, num_features: int, normalization: Normalization = "instance") -> None:
        if normalization not in get_args(Normalization):
            raise ValueError(
                f"normalization must be one of {', '.join(get_args(Normalization))}, not {normalization!r}"
            )
        super().__init__(num_features)
        self.normalization = normalization

    def forward(self, input: Tensor) -> Tensor:
        """Normalize; same shape out."""
        if self.normalization == "instance":
            return F.instance_norm(input, weight=self.weight, bias=self.bias, eps=self.eps)
        if self.normalization == "frozen":
            return F.batch_norm(input, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        return super().forward(input)


class _Reached(Exception):  # noqa: N818  (a signal, not an error)
    """Signal that the layer whose input was wanted has been reached."""


def norms_in_order(network: nn.Module, batch: Tensor) -> list[Norm2d]:
    """Return the normalization layers of a network, in the order in which a forward pass of `batch` meets them."""
    order: list[Norm2d] = []
    norms = [m for m in network.modules() if isinstance(m, Norm2d)]
    hooks = [n.register_forward_pre_hook(lambda module, _: order.append(module)) for n in norms]
    try:
        network(batch)
    finally:
        for hook in hooks:
            hook.remove()
    return order


@torch.no_grad()
def freeze_statistics(network: nn.Module, batches: Callable[[], Iterable[Tensor]]) -> None:
    """Replace the statistics of every normalization layer by those of a whole data set, in place.

    Layer by layer, each with all before it already frozen, and with the total variance (within and between images):
    in one pass, a layer's statistics would be those of inputs that it never gets again once the layers before it are
    frozen. Afterwards the network is in evaluation mode and its output at a pixel depends on its receptive field alone.

    Args:
        network: any network whose normalization layers are `Norm2d`.
        batches: called once for each layer; gives the network's inputs, float, shape (B, C, H, W).
    """
    network.eval()
    first = next(iter(batches()))
    for norm in norms_in_order(network, first):
        norm.normalization = "frozen"
        mean, variance = _input_moments(network, norm, batches())
        assert norm.running_mean is not None
        assert norm.running_var is not None
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)


def _input_moments(network: nn.Module, norm: Norm2d, batches: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
    """Compute mean and total variance, per channel, float64, of the inputs of `norm`."""
    sums = torch.zeros(3, norm.num_features, dtype=torch.float64)

    def add(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        sums.add_(_sums(inputs[0]))
        # What follows this layer would be computed for nothing.
        raise _Reached

    hook = norm.register_forward_pre_hook(add)
    try:
        for batch in batches:
            try:
                network(batch)
            except _Reached:
                continue
    finally:
        hook.remove()
    return _moments(sums)


def normalization_of(network: nn.Module) -> Literal["instance", "frozen"]:
    """Return which normalization a network has at inference: `instance` if any of its layers has."""
    is_instance = any(isinstance(m, Norm2d) and m.normalization == "instance" for m in network.modules())
    return "instance" if is_instance else "frozen"


def _sums(x: Tensor) -> Tensor:
    """Number, sum and sum of squares of each channel; float64, shape (3, C)."""
    x, dims = x.double(), (0, 2, 3)
    return torch.stack([torch.ones_like(x).sum(dims), x.sum(dims), x.square().sum(dims)]).cpu()


def _moments(sums: Tensor) -> tuple[Tensor, Tensor]:
    count, total, squares = sums
    mean = total / count
    return mean, (squares / count - mean.square()).clamp(min=0)
