from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sat2map.train.recipe import Recipe, parse_recipe
from sat2map.train.run import RunOptions

N_PAIRS = 11
"""Three of them are held out, and two make a batch: an epoch of `tiny_recipe` has four steps."""


def options(tmp_path: Path, run: str = "run", **changes: Any) -> RunOptions:
    """Of a quiet run in a folder of that name, with a cache of its own."""
    return replace(RunOptions(tmp_path / run, cache=tmp_path / "cache", quiet=True), **changes)


@pytest.fixture(scope="session")
def pairs_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eleven pairs of 40 px halves: blocks of random colour, and their map in land and road."""
    folder = tmp_path_factory.mktemp("pairs")
    rng = np.random.default_rng(0)
    for i in range(N_PAIRS):
        blocks = rng.integers(0, 256, (5, 5, 1)).repeat(8, 0).repeat(8, 1)
        source = np.clip(blocks + rng.integers(-20, 20, (40, 40, 3)), 0, 255)
        target = np.where(blocks < 90, (255, 255, 255), (232, 229, 222))
        Image.fromarray(np.concatenate([source, target], 1).astype(np.uint8)).save(folder / f"{i}.png")
    return folder


def tiny_recipe(**changes: object) -> Recipe:
    """U-Net with noise and moving average against a 16 px PatchGAN: every kind of state that a run can have."""
    values: dict[str, object] = {
        "name": "tiny",
        "generator": {"architecture": "unet", "configuration": {"n_levels": 3, "width": 4}},
        "discriminator": {"architecture": "patchgan", "configuration": {"receptive_field_px": 16, "width": 4}},
        "augmentation": {"load_px": [36, 36], "crop_px": 32},
        "gsd_m": [1, 1],
        "batch_size": 2,
        "epochs": 3,
        "constant_epochs": 1,
        "ema_decay": 0.9,
        "validation_share": 0.2,
        "validation_px": 32,
        "checkpoint_steps": 1,
    }
    return parse_recipe(values | changes)


def tiny_compact_recipe(**changes: object) -> Recipe:
    """Compact generator, whose normalisations keep running normalization, with a late adversarial term."""
    configuration = {"widths": [4, 6, 8], "dilations": [[1], [1]], "head_width": 4}
    return tiny_recipe(
        generator={"architecture": "compact", "configuration": configuration},
        generator_optimiser={"muon": True, "learning_rate": 1e-3, "weight_decay": 1e-3},
        objective={"adversarial_from_epoch": 1, "l1_weight": 1, "dice_weight": 0.5, "colour_balance": 0.4},
        **changes,
    )
