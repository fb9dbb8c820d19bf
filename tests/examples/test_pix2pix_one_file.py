"""The textbook version gives the losses of the package, and runs by itself."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from sat2map.nn import PatchDiscriminator, UNetGenerator
from sat2map.nn.losses import L1Loss
from sat2map.train.step import Batch, discriminator_step, generator_step

FILE = Path(__file__).parents[2] / "examples" / "pix2pix_one_file.py"


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("pix2pix_one_file", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def convolutions(network: nn.Module, x: tuple[torch.Tensor, ...]) -> list[nn.Module]:
    """Layers with weights, in the order in which a forward pass meets them."""
    met: list[nn.Module] = []
    layers = [m for m in network.modules() if not list(m.children()) and list(m.parameters())]
    hooks = [m.register_forward_pre_hook(lambda module, _: met.append(module)) for m in layers]
    network(*x)
    for hook in hooks:
        hook.remove()
    return met


def copy_weights(to: nn.Module, of: nn.Module, x: tuple[torch.Tensor, ...]) -> None:
    targets, sources = convolutions(to, x), convolutions(of, x)
    assert len(targets) == len(sources)
    for target, source in zip(targets, sources, strict=True):
        for a, b in zip(target.parameters(), source.parameters(), strict=True):
            a.data.copy_(b.data)


@pytest.mark.slow
def test_losses_of_three_steps_equal_the_packages(example: ModuleType) -> None:
    torch.manual_seed(0)
    # In double precision, since small differences grow from step to step.
    plain = example.Pix2Pix()
    plain.g.double()
    plain.d.double()
    x, y = (torch.rand(1, 3, 256, 256, dtype=torch.float64) * 2 - 1 for _ in "xy")
    g, d = UNetGenerator().double(), PatchDiscriminator().double()
    copy_weights(g, plain.g, (x,))
    copy_weights(d, plain.d, (x, y))
    optimizers = [torch.optim.Adam(m.parameters(), lr=2e-4, betas=(0.5, 0.999)) for m in (g, d)]
    for seed in range(3):
        torch.manual_seed(seed)
        output = g(x)
        of_d = discriminator_step(d, optimizers[1], Batch(x, y), output, "log")
        of_g = generator_step(d, optimizers[0], x, output, L1Loss(100)(output, output, y))
        torch.manual_seed(seed)
        expected = plain.step(x, y)
        found = float(of_d.loss), float(of_g.adversarial + of_g.reconstruction)
        assert found == pytest.approx(expected, rel=1e-7)


@pytest.mark.slow
def test_example_trains_on_a_folder_of_pairs(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for n in range(2):
        Image.fromarray(rng.integers(0, 256, (64, 128, 3), dtype=np.uint8)).save(tmp_path / f"{n}.png")
    command = [sys.executable, str(FILE), str(tmp_path), "--out", str(tmp_path / "out.png")]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout.count("epoch 1, step") == 2
    with Image.open(tmp_path / "out.png") as image:
        assert image.size == (768, 256)
