"""Synthetic cities as files: pairs as a training set has them, and scenes with their true map; draws nothing itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from sat2map.city.draw import City, city
from sat2map.city.narrow import narrowed
from sat2map.city.options import CityOptions
from sat2map.data.pairs import Pair
from sat2map.errors import OutputError
from sat2map.files import replacing
from sat2map.tiling import Window

CRS, WEST_M, NORTH_M = "EPSG:32618", 585_000.0, 4_512_000.0
"""Where scenes pretend to lie: UTM zone 18 north, near New York."""
WINDOW_PX = 1024


def write_pairs(
    folder: Path, n: int, size_px: int = 600, seed: int = 0, options: CityOptions | None = None
) -> list[Path]:
    """Write cities side by side, image left and map right, as `data.pairs` reads them.

    The maps have narrower streets than `city` and `write_scene` draw, whose streets are as wide as their paving.

    Args:
        folder: for `1.png` and on; made where it is missing, and existing pairs of these names are replaced.
        n: how many.
        size_px: side of each half.
        seed: pair i of a seed is the same whatever `n` is.
        options: what kind of cities; None is the usual kind.

    Returns:
        The files, in order.

    Raises:
        OutputError: the folder cannot be written to.
    """
    return write_drawn(folder, n, lambda i: city(size_px, size_px, seed=(seed, i), options=options))


def write_drawn(folder: Path, n: int, draw: Callable[[int], Pair]) -> list[Path]:
    """Write pairs that are drawn one after the other, from 1 on, as `write_pairs` does; their streets are narrowed."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError("folder cannot be made", folder, hint="choose another") from error
    paths = [folder / f"{i}.png" for i in range(1, n + 1)]
    for i, path in enumerate(paths, start=1):
        source_hwc, target_hwc = draw(i)
        with replacing(path) as work:
            Image.fromarray(np.hstack((source_hwc, narrowed(target_hwc)))).save(work)
    return paths


def truth_path(path: Path) -> Path:
    """Where the true map of a scene lies: `NAME_truth.tif` beside `NAME.tif`."""
    return path.with_name(f"{path.stem}_truth.tif")


def write_scene(
    path: Path, size_px: int | tuple[int, int], seed: int = 0, gsd_m: float = 0.9, options: CityOptions | None = None
) -> Path:
    """Write a city as a georeferenced GeoTIFF, and its true map beside it; both are replaced where they exist.

    It is drawn window by window: the memory that this takes does not grow with the scene.

    Args:
        path: of the scene.
        size_px: height and width, or the side of a square.
        seed: the same seed gives the same pixels, and a smaller scene is the upper left part of a larger one.
        gsd_m: metres on the ground per pixel.
        options: what kind of city; None is the usual kind.

    Returns:
        Path of the true map.

    Raises:
        OutputError: the folder is missing or cannot be written to.
    """
    height, width = (size_px, size_px) if isinstance(size_px, int) else size_px
    return write_windows(path, (height, width), gsd_m, City(seed, gsd_m, options).draw)


def write_windows(path: Path, size_px: tuple[int, int], gsd_m: float, draw: Callable[[Window], Pair]) -> Path:
    """Write a scene that is drawn window by window, and its true map, as `write_scene` does."""
    from rasterio import Affine

    from sat2map.scene.destination import open_writer
    from sat2map.scene.source import Grid

    height, width = size_px
    grid = Grid(height, width, CRS, Affine(gsd_m, 0, WEST_M, 0, -gsd_m, NORTH_M))
    tags = {"SAT2MAP_SYNTHETIC": "yes"}
    # The scene is finished last: where it is, its truth is too.
    with (
        open_writer(path, grid, with_mask=False, tags=tags) as scene,
        open_writer(truth_path(path), grid, with_mask=False, tags=tags) as truth,
    ):
        for window in _windows(height, width):
            pair = draw(window)
            scene.write(window, pair.source_hwc, None)
            truth.write(window, pair.target_hwc, None)
    return truth_path(path)


def _windows(height: int, width: int) -> Iterator[Window]:
    for row in range(0, height, WINDOW_PX):
        for col in range(0, width, WINDOW_PX):
            yield Window(row, col, WINDOW_PX, WINDOW_PX).clipped(height, width)
