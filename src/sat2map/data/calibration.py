"""Images on which the activations of a model are measured before it computes with 8-bit integers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sat2map.arrays import UInt8
from sat2map.data.pairs import FOLDERS, list_images
from sat2map.errors import DataError, Sat2mapError
from sat2map.model.card import Card
from sat2map.scene.source import open_scene
from sat2map.scene.stretch import DEFAULT_LEVELS, Stretch, StretchRule
from sat2map.tiling import Window, padded_size, read_padded

PARTIAL_FOLDER = "image"
"""Folder of the images of a set with partial labels."""
LARGEST_PX = 512
"""Side of what is taken of the middle of an image."""
N_IMAGES = 40


def calibration_images(folders: Sequence[Path], card: Card, n_images: int = N_IMAGES) -> list[UInt8]:
    """Read images from all over some folders, always the same ones, as the model sees them.

    Args:
        folders: each of side-by-side pairs (files twice as wide as high), of images, of folders `A` and `B`, or of
            partial labels, with the images in `image`.
        card: of the model: the stretch of images of 8 bits that it knows, and its stride.
        n_images: how many to take, from each folder alike, if there are as many.

    Returns:
        Each uint8, shape (H, W, 3), sides multiples of the stride.

    Raises:
        DataError: there is no such folder, no image in it, or one cannot be read.
    """
    is_reversed = card.recipe.get("direction") == "BtoA"
    source = FOLDERS[1] if is_reversed else FOLDERS[0]
    shares = np.diff(np.linspace(0, n_images, len(folders) + 1).astype(int))
    images = []
    for folder, n_of_folder in zip(folders, shares, strict=True):
        inner = next((folder / name for name in (PARTIAL_FOLDER, source) if (folder / name).is_dir()), folder)
        files = list_images(inner)
        chosen = np.linspace(0, len(files) - 1, min(n_of_folder, len(files))).round().astype(int)
        images += [_read(files[i], card, is_reversed) for i in chosen]
    return images


def _read(path: Path, card: Card, is_reversed: bool) -> UInt8:
    levels = card.levels or DEFAULT_LEVELS
    try:
        with open_scene(path, rule=StretchRule(levels)) as scene:
            height, width = scene.grid.height, scene.grid.width
            left = 0
            if width == 2 * height:
                width = height
                left = width if is_reversed else 0
            side_px = max(LARGEST_PX // card.stride, 1) * card.stride
            size = padded_size(min(height, side_px), min(width, side_px), card.stride)
            middle = Window(max(height - side_px, 0) // 2, max(width - side_px, 0) // 2, *size)

            def read(window: Window) -> UInt8:
                return scene.read(Window(window.row, left + window.col, window.height, window.width))

            image_hwc = read_padded(read, middle, height, width)
            if card.stretch_bytes and scene.stretch is None:
                image_hwc = Stretch.of_sample(image_hwc.reshape(-1, 3), levels).apply(image_hwc)
    except Sat2mapError as error:
        raise DataError(f"image cannot be read ({error.found})", path, hint=error.hint) from error
    return np.ascontiguousarray(image_hwc)
