"""Tiny generators with their cards, for tests of what is done with a model's file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from sat2map.arrays import UInt8
from sat2map.classes import COLOURS_RGB
from sat2map.model import safetensors_file
from sat2map.model.card import Card
from sat2map.nn import build
from sat2map.nn.generator import Generator
from sat2map.nn.geometry import geometry
from sat2map.nn.normalization import normalization_of

CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "unet": {"n_levels": 3, "width": 4},
    "compact": {
        "palette": COLOURS_RGB.tolist(),
        "widths": [4, 6],
        "dilations": [[1]],
        "head_width": 4,
        "normalization": "frozen",
    },
}


class Model(NamedTuple):
    generator: Generator
    card: Card

    def save(self, path: Path) -> Path:
        safetensors_file.save(path, {k: v.numpy() for k, v in self.generator.state_dict().items()}, self.card)
        return path


def tiny(architecture: str) -> Model:
    torch.manual_seed(0)
    configuration = CONFIGURATIONS[architecture]
    generator = build(architecture, configuration)
    assert isinstance(generator, Generator)
    _spread(generator)
    shape = geometry(generator)
    card = Card(
        name=f"tiny-{architecture}",
        architecture=architecture,
        configuration=configuration,
        gsd_m=(0.5, 2),
        normalization="instance" if normalization_of(generator) == "instance" else "frozen",
        dropout=0.5 if architecture == "unet" else 0,
        stride=shape.stride,
        receptive_radius_px=shape.receptive_radius_px,
        margin_px=shape.margin_px,
        heads=generator.heads,
        palette=configuration.get("palette"),
        licence="none",
    )
    return Model(generator.eval(), card)


def _spread(generator: nn.Module) -> None:
    """Weights large enough for the images to differ, so that an equality of two outputs says something."""
    with torch.no_grad():
        for parameter in generator.parameters():
            if parameter.dim() == 4:
                parameter.normal_(0, 0.3)


def images(n: int, height: int, width: int) -> UInt8:
    """uint8, shape (n, height, width, 3): random colour in blocks of 4 px, with a little noise."""
    rng = np.random.default_rng(n + height + width)
    blocks = rng.integers(0, 236, (n, -(-height // 4), -(-width // 4), 3)).repeat(4, 1).repeat(4, 2)
    noisy = blocks[:, :height, :width] + rng.integers(0, 20, (n, height, width, 3))
    return noisy.astype(np.uint8)
