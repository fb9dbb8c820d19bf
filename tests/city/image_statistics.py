"""What an image is like, in a few numbers that say nothing of what it shows; for comparing drawn with real ones."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sat2map.arrays import UInt8

Floats = npt.NDArray[np.float64]
OCTAVES_PX = tuple(2**k for k in range(1, 9))
NAMES = (
    *(f"mean {channel}" for channel in "RGB"),
    *(f"deviation {channel}" for channel in "RGB"),
    *(f"correlation {pair}" for pair in ("RG", "RB", "GB")),
    *(f"log power, {px} to {2 * px} px" for px in OCTAVES_PX),
)
PERCENTILES = (5, 50, 95)
TABLE = Path(__file__).with_name("maps_statistics.csv")
"""Of every third image of maps/train, satellite halves at 600 px: the percentiles over images."""


def measure(rgb_hwc: UInt8) -> Floats:
    """Mean and deviation of each channel, their correlations, and the power of each octave: float64, shape (17,).

    The power is that of the mean of the channels under a Hann window, summed over the wavelengths of an octave: as the
    window's power is divided out, it is the variance that the octave contributes; log10.
    """
    levels = rgb_hwc.reshape(-1, 3).astype(np.float64)
    correlation = np.asarray(np.corrcoef(levels.T))[np.triu_indices(3, 1)]
    return np.concatenate((levels.mean(0), levels.std(0), correlation, np.log10(_octaves(rgb_hwc) + 1e-9)))


def _octaves(rgb_hwc: UInt8) -> Floats:
    n = min(rgb_hwc.shape[:2])
    grey = rgb_hwc[:n, :n].mean(-1)
    window = np.hanning(n)[:, None] * np.hanning(n)
    power = np.abs(np.fft.fft2((grey - grey.mean()) * window)) ** 2 / (n * n * (window**2).sum())
    frequency = np.hypot(np.fft.fftfreq(n)[:, None], np.fft.fftfreq(n))
    return np.array([power[(frequency > 0.5 / px) & (frequency <= 1 / px)].sum() for px in OCTAVES_PX])


def read_table() -> Floats:
    """The 5th, 50th and 95th percentile over real images of each number: shape (3, 17)."""
    with TABLE.open(newline="") as file:
        rows = {row["number"]: row for row in csv.DictReader(file)}
    return np.array([[float(rows[name][f"p{p}"]) for name in NAMES] for p in PERCENTILES])


def write_table(measured: Floats) -> None:
    """Write the percentiles of measured images (n, 17)."""
    with TABLE.open("w", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(("number", *(f"p{p}" for p in PERCENTILES)))
        for name, values in zip(NAMES, np.percentile(measured, PERCENTILES, axis=0).T, strict=True):
            out.writerow((name, *(f"{value:.4f}" for value in values)))
