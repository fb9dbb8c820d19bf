"""Trees drawn into a real image of a town, over streets that are known: what the map shows of them does not change."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from sat2map.arrays import Bool, UInt8
from sat2map.classes import CLASSES
from sat2map.data.ground_file import DATA_FILE, data_table
from sat2map.data.partial import LEGEND_FILE, near_roads, open_partial
from sat2map.errors import DataError
from sat2map.landscape.camera import camera, lit
from sat2map.landscape.ground import Terrain
from sat2map.landscape.trees import WOODS, grove, plant, spread

KINDS = ("broadleaf", "broadleaf", "lush", "mixed", "autumn", "dry")
SUNLIT = 120.0
"""Mean level of an image in which the colours of `WOODS` look right."""
TOWN = 0.05
"""Least share of roads in an image of a town."""


def in_leaf(image_hwc: UInt8, roads_hw: Bool, gsd_m: float, seed: tuple[int, ...]) -> UInt8:
    """Draw trees in leaf beside the streets of an image, whose crowns hide a part of them, and elsewhere.

    Args:
        image_hwc: uint8, shape (H, W, 3), RGB.
        roads_hw: bool, shape (H, W).
        gsd_m: metres on the ground per pixel.
        seed: the same seed gives the same trees.

    Returns:
        The image with trees and their shadows: uint8, shape (H, W, 3).
    """
    ground = Terrain(roads_hw.shape[0], roads_hw.shape[1], gsd_m, (*seed, 21))
    rng = ground.rng
    view = camera(rng)
    ground.colour = image_hwc.astype(np.float32)
    light = np.clip(image_hwc.mean() / SUNLIT, 0.4, 1.2)
    verge = near_roads(roads_hw, round(rng.uniform(1.5, 4) / gsd_m) or 1)
    # Trees along streets alone would give the streets away.
    for where, step_m in ((verge, rng.uniform(4.5, 8)), (~roads_hw, rng.uniform(12, 26))):
        clumps = ground.below(ground.noise(rng.uniform(60, 160), 2), float(rng.uniform(-0.5, 1.5)))
        positions = spread(ground, clumps * where, step_m, jitter=1.2, kept=rng.uniform(0.3, 0.9))
        trees = grove(rng, positions, WOODS[str(rng.choice(KINDS))], rng.uniform(0.6, 1.1))
        plant(ground, trees._replace(colours=trees.colours * light, over_streets=True))
    out: UInt8 = np.clip(np.rint(lit(ground, view)), 0, 255).astype(np.uint8)
    return out


def write_in_leaf(
    labels: Path, folder: Path, gsd_m: float, seed: int = 0,
    tell: Callable[[float], None] = lambda _share: None,
) -> int:  # fmt: skip
    """Write the towns among images with partial labels again, with trees; labels and legend stay as they are.

    Args:
        labels: holds `image/`, `label/` and `legend.csv`.
        folder: the new one.
        gsd_m: metres on the ground per pixel of the images.
        seed: the same seed gives the same trees.
        tell: takes the share of the images that is done.

    Returns:
        How many images were written.

    Raises:
        DataError: a part of `labels` is missing or broken, or no image shows a town.
    """
    table = data_table(labels) or CLASSES
    opened = open_partial(labels, table)
    for inner in ("image", "label"):
        (folder / inner).mkdir(parents=True, exist_ok=True)
    for name in (LEGEND_FILE, DATA_FILE):
        if (labels / name).is_file():
            shutil.copyfile(labels / name, folder / name)
    n = 0
    for i, name in enumerate(opened.names):
        image_hwc, label_hw = opened[i]
        roads = (opened.sets[label_hw] & ~np.uint32(table.roads)) == 0
        if roads.mean() >= TOWN:
            file = f"{Path(name).stem}.png"
            Image.fromarray(in_leaf(image_hwc, roads, gsd_m, (seed, i))).save(folder / "image" / file)
            Image.fromarray(label_hw).save(folder / "label" / file)
            n += 1
        tell((i + 1) / len(opened))
    if not n:
        raise DataError(f"no image has roads on {TOWN:.0%} of its pixels", labels, hint="images of towns")
    return n
