"""Synthetic cities as files: pairs as a training set has them, and scenes with their true map; draws nothing itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from sat2map.data.synthetic.draw import city
from sat2map.errors import OutputError
from sat2map.model.atomic import replacing
from sat2map.palette import UInt8

CRS, WEST_M, NORTH_M = "EPSG:32618", 585_000.0, 4_512_000.0
"""Where scenes pretend to lie: UTM zone 18 north, near New York."""


def write_pairs(folder: Path, n: int, size_px: int = 600, seed: int = 0) -> list[Path]:
    """Write cities side by side, picture left and map right, as `data.pairs` reads them.

    Args:
        folder: for `1.png` and on; made where it is missing, and existing pairs of these names are replaced.
        n: how many.
        size_px: side of each half.
        seed: pair i of a seed is the same whatever `n` is.

    Returns:
        The files, in order.

    Raises:
        OutputError: the folder cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError("folder cannot be made", folder, hint="choose another") from error
    paths = [folder / f"{i}.png" for i in range(1, n + 1)]
    for i, path in enumerate(paths, start=1):
        with replacing(path) as work:
            Image.fromarray(np.hstack(city(size_px, size_px, seed=(seed, i)))).save(work)
    return paths


def truth_path(path: Path) -> Path:
    """Where the true map of a scene lies: `NAME_truth.tif` beside `NAME.tif`."""
    return path.with_name(f"{path.stem}_truth.tif")


def write_scene(path: Path, side_px: int, seed: int = 0, gsd_m: float = 0.9) -> Path:
    """Write a square city as a georeferenced GeoTIFF, and its true map beside it; both are replaced where they exist.

    The whole city is in memory while it is drawn, about 100 bytes a pixel.

    Returns:
        Path of the true map.

    Raises:
        OutputError: the folder is missing or cannot be written to.
    """
    pair = city(side_px, side_px, seed=seed, gsd_m=gsd_m)
    # The scene last: where it is, its truth is too.
    _write_raster(truth_path(path), pair.target_hwc, gsd_m)
    _write_raster(path, pair.source_hwc, gsd_m)
    return truth_path(path)


def _write_raster(path: Path, rgb_hwc: UInt8, gsd_m: float) -> None:
    from rasterio import Affine

    from sat2map.scene.sink import open_sink
    from sat2map.scene.source import Grid
    from sat2map.tiling import Window

    height, width = rgb_hwc.shape[:2]
    grid = Grid(height, width, CRS, Affine(gsd_m, 0, WEST_M, 0, -gsd_m, NORTH_M))
    with open_sink(path, grid, with_mask=False, tags={"SAT2MAP_SYNTHETIC": "yes"}) as sink:
        sink.write(Window(0, 0, height, width), rgb_hwc, None)
