"""Colours of a palette in tensors: which of them is nearest to a pixel, and what their logits say of classes."""

from __future__ import annotations

import torch
from torch import Tensor


def nearest_index(image: Tensor, palette: Tensor) -> Tensor:
    """Return the row of the palette that is nearest to each pixel.

    Args:
        image: float, shape (B, 3, H, W), -1..1.
        palette: float, shape (K, 3), -1..1.

    Returns:
        int64, shape (B, H, W).

    >>> black_and_white = torch.tensor([[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]])
    >>> nearest_index(torch.full((1, 3, 1, 2), 0.9), black_and_white)
    tensor([[[1, 1]]])
    """
    # |c|^2 - 2 t.c orders the colours as the squared distance does; one product of two matrices for all of it.
    image_bhwc = image.permute(0, 2, 3, 1)
    distance = torch.addmm(palette.square().sum(1), image_bhwc.flatten(0, 2), palette.T, alpha=-2)
    return distance.argmin(1).view(image_bhwc.shape[:3])


def class_probabilities(logits: Tensor, class_of_colour: Tensor) -> Tensor:
    """Compute the probability of each class from the logits of the colours that stand for it.

    Args:
        logits: float, shape (B, K, ...).
        class_of_colour: int64, shape (K,).

    Returns:
        float, shape (B, classes, ...).

    >>> class_probabilities(torch.zeros(1, 4, 1), torch.tensor([0, 0, 0, 1]))[0, :, 0]
    tensor([0.7500, 0.2500])
    """
    p = logits.softmax(1)
    n_classes = int(class_of_colour.max()) + 1
    return torch.zeros(len(p), n_classes, *p.shape[2:]).index_add(1, class_of_colour, p)
