from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from sat2map.arrays import UInt8
from sat2map.landscape import landscape

Floats = npt.NDArray[np.float64]
DATA = Path(os.environ.get("SAT2MAP_DATA", "")) / "elsewhere"
TABLE = Path(__file__).with_name("elsewhere_statistics.csv")
"""Of tiles of 128 px of public images: the 5th, 50th and 95th percentile over tiles of each number."""
TILE_PX = 128
OCTAVES_PX = (2, 4, 8, 16, 32)
NAMES = ("R", "G", "B", "deviation", "G - R", "G - B", *(f"log power from {px} px" for px in OCTAVES_PX))
DRAWN = {
    "ucmerced/agricultural": ("fields", "orchards"),
    "ucmerced/forest": ("forest",),
    "ucmerced/beach": ("coast",),
    "ucmerced/runway": ("airfield",),
    "chesapeake": ("forest",),
    "dubai": ("desert town", "desert"),
    "naip": ("village", "tropical town", "halls"),
}
"""What of the real images each landscape is compared with."""
GSD_M = {"chesapeake": 1.0}
"""At which the two are compared; 0.6 where none is named."""
LEAST = 6
"""Of the eleven numbers, so many medians of drawn tiles lie in the range of the real ones."""


def measured(rgb_hwc: UInt8) -> Floats:
    """Means, deviation and casts of a tile, and the log10 of the power of its octaves: shape (11,)."""
    levels = rgb_hwc.reshape(-1, 3).astype(np.float64)
    n = min(rgb_hwc.shape[:2])
    grey, window = rgb_hwc[:n, :n].mean(-1), np.hanning(n)[:, None] * np.hanning(n)
    power = np.abs(np.fft.fft2((grey - grey.mean()) * window)) ** 2 / (n * n * (window**2).sum())
    frequency = np.hypot(np.fft.fftfreq(n)[:, None], np.fft.fftfreq(n))
    octaves = [power[(frequency > 0.5 / px) & (frequency <= 1 / px)].sum() for px in OCTAVES_PX]
    red, green, blue = levels.mean(0)
    casts = (red, green, blue, levels.std(0).mean(), green - red, green - blue)
    return np.array([*casts, *np.log10(np.array(octaves) + 1e-9)])


def tiles(rgb_hwc: UInt8, most: int = 6) -> list[UInt8]:
    corners = [(r, c) for r in range(0, rgb_hwc.shape[0] - TILE_PX + 1, TILE_PX)
               for c in range(0, rgb_hwc.shape[1] - TILE_PX + 1, TILE_PX)]  # fmt: skip
    return [rgb_hwc[r : r + TILE_PX, c : c + TILE_PX] for r, c in corners[:most]]


def real_tiles(name: str) -> list[UInt8]:
    folder, _, kind = name.partition("/")
    found: list[UInt8] = []
    if kind:
        # A sheet is 4 x 4 images of 256 px at 0.3 m.
        for path in sorted((DATA / folder / "image").glob(f"{kind}_*.png")):
            sheet = np.asarray(Image.open(path).convert("RGB").reduce(2))
            found += tiles(sheet, 16)
        return found
    for path in sorted((DATA / folder / "image").iterdir())[::2][:60]:
        image = Image.open(path).convert("RGB")
        if name == "dubai":
            image = image.resize((int(image.width / 0.6), int(image.height / 0.6)), Image.Resampling.BICUBIC)
        found += tiles(np.asarray(image))
    return found


def percentiles(name: str) -> Floats:
    return np.percentile([measured(tile) for tile in real_tiles(name)], (5, 50, 95), axis=0)


def read_table() -> dict[str, Floats]:
    with TABLE.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {
        name: np.array([[float(r[p]) for p in ("p5", "p50", "p95")] for r in rows if r["set"] == name]).T
        for name in DRAWN
    }


def write_table() -> None:
    with TABLE.open("w", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(("set", "number", "p5", "p50", "p95"))
        for name in DRAWN:
            for number, values in zip(NAMES, percentiles(name).T, strict=True):
                out.writerow((name, number, *(f"{value:.3f}" for value in values)))


@pytest.mark.parametrize("name", DRAWN)
def test_landscapes_are_like_real_ground(name: str) -> None:
    low, _, high = read_table()[name]
    drawn = [
        landscape(256, 256, seed=(77, s), name=kind, gsd_m=GSD_M.get(name, 0.6))[0]
        for kind in DRAWN[name]
        for s in range(8)
    ]
    middle = np.median([measured(tile) for image in drawn for tile in tiles(image)], axis=0)
    inside = (low < middle) & (middle < high)
    assert inside.sum() >= LEAST, [n for n, ok in zip(NAMES, inside, strict=True) if not ok]


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="needs $SAT2MAP_DATA/elsewhere")
@pytest.mark.parametrize("name", DRAWN)
def test_table_is_that_of_the_real_images(name: str) -> None:
    assert np.allclose(percentiles(name), read_table()[name], atol=2e-3)
