"""The networks, from scratch; these modules import torch only and read no file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from sat2map.nn.compact import CompactGenerator
from sat2map.nn.patchgan import PatchDiscriminator
from sat2map.nn.unet import UNetGenerator

NETWORKS: Mapping[str, Callable[..., nn.Module]] = {
    "unet": UNetGenerator,
    "compact": CompactGenerator,
    "patchgan": PatchDiscriminator,
}


def build(architecture: str, configuration: Mapping[str, Any]) -> nn.Module:
    """Build the network that a recipe or a model card names.

    Raises:
        KeyError: no such architecture.
        TypeError, ValueError: a key or a value of `configuration` is not one of that network's.
    """
    return NETWORKS[architecture](**configuration)


__all__ = ["NETWORKS", "CompactGenerator", "PatchDiscriminator", "UNetGenerator", "build"]
