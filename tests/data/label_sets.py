"""Folders of partial labels, for tests of what reads them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from PIL import Image

from sat2map.arrays import UInt8


def write_set(folder: Path, images: Mapping[str, tuple[UInt8, UInt8]], legend: str) -> Path:
    """Write images with their labels, by file name, and the legend."""
    for part in ("image", "label"):
        (folder / part).mkdir(parents=True)
    for name, (image, label) in images.items():
        Image.fromarray(image).save(folder / "image" / name)
        Image.fromarray(label).save(folder / "label" / name)
    (folder / "legend.csv").write_text(legend)
    return folder
