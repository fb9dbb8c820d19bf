"""Side-by-side pairs that the tests draw for themselves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from sat2map.arrays import UInt8
from sat2map.data.pairs import Pair


def noise(height: int, width: int, seed: int = 0) -> UInt8:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def hills(side: int, seed: int = 0) -> UInt8:
    """A smooth image of full contrast, as a photograph is and noise is not."""
    coarse = Image.fromarray(noise(side // 8, side // 8, seed))
    return np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC))


def flat(side: int, level: int) -> UInt8:
    return np.full((side, side, 3), level, np.uint8)


def save_pair(path: Path, pair: Pair | tuple[UInt8, UInt8]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate(pair, 1)).save(path)
    return path


def save_folder(folder: Path, sizes: list[tuple[int, int]]) -> list[Pair]:
    """Pairs 1.png, 2.png, ... of noise, each half of the given height and width."""
    pairs = [Pair(noise(h, w, 2 * i), noise(h, w, 2 * i + 1)) for i, (h, w) in enumerate(sizes)]
    for i, pair in enumerate(pairs, 1):
        save_pair(folder / f"{i}.png", pair)
    return pairs
