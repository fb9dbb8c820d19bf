"""Precision, compilation and the order of memory in which a run computes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

import torch
from torch import Tensor, nn

from sat2map.train.recipe import Recipe

Forward = dict[str, Callable[..., Tensor]]
"""The forward pass of each network, by its role: `generator`, `discriminator`."""


def memory_format(recipe: Recipe, device: torch.device) -> torch.memory_format:
    """How weights and images lie in memory.

    Channels last: a step of the compact generator takes 0.6 times as long on a processor. But the fused Adam copies
    weights that lie so into the other order and back, and the U-Net's are 218 MB: its step takes 1.2 times as long.
    """
    is_large = recipe.generator.architecture == "unet" and device.type == "cpu" and recipe.precision == "fp32"
    return torch.contiguous_format if is_large else torch.channels_last


def in_precision(network: nn.Module, recipe: Recipe, device: torch.device) -> Callable[..., Tensor]:
    """The network's forward pass, inside in the recipe's precision and compiled, outside in its weights' precision."""
    run: Callable[..., Tensor] = network
    if recipe.compile:
        run = torch.compile(network, mode="reduce-overhead" if recipe.cuda_graphs else None, dynamic=False)

    def call(*inputs: Tensor) -> Tensor:
        bf16 = torch.autocast(device.type, torch.bfloat16) if recipe.precision == "bf16" else nullcontext()
        with bf16:
            answer = run(*inputs)
        # Channels first: a softmax over the channels takes a tenth of the time so.
        return answer.to(inputs[0].dtype, memory_format=torch.contiguous_format)

    return call
