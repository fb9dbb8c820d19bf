"""Where a map goes: written by windows to a neighbour of the destination, which appears finished or not at all."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
import rasterio.shutil
import rasterio.windows
from rasterio._err import CPLE_BaseError
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from sat2map.errors import OutputError
from sat2map.model.atomic import replacing
from sat2map.scene.source import Grid
from sat2map.tiling import Window

UInt8 = npt.NDArray[np.uint8]
Bool = npt.NDArray[np.bool_]

SUFFIXES = (".tif", ".tiff", ".png")
BLOCK_PX = 512
ENVIRONMENT = {
    "GDAL_TIFF_INTERNAL_MASK": True,
    "GDAL_PAM_ENABLED": False,  # no .aux.xml beside a PNG
    "GDAL_NUM_THREADS": "ALL_CPUS",
    # MiB of blocks; the default is a share of the machine's memory, and grows with it.
    "GDAL_CACHEMAX": 64,
}
COG = {
    "driver": "COG", "compress": "deflate", "predictor": "yes", "bigtiff": "if_safer", "overview_resampling": "average",
}  # fmt: skip
PNG = {"driver": "PNG", "zlevel": 6}


def check_destination(source: Path, destination: Path, *, overwrite: bool) -> None:
    """See, before any work, whether a map can be written.

    Raises:
        OutputError: unknown ending, missing or unwritable folder, existing output, or the source itself.
    """
    if destination.suffix.lower() not in SUFFIXES:
        raise OutputError(
            "output's ending is none that can be written", destination, hint=f"use {' or '.join(SUFFIXES)}"
        )
    if destination.is_dir():
        raise OutputError("output is a folder", destination, hint="name a file in it")
    check_no_input(destination, [source])
    if destination.exists() and not overwrite:
        raise OutputError("output exists", destination, hint="--overwrite to replace it")
    folder = destination.parent
    if not folder.is_dir():
        raise OutputError("no such folder to write to", folder, hint=f"mkdir -p {folder}")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError("folder cannot be written to", folder, hint="choose another with -o")


def check_no_input(destination: Path, inputs: Iterable[Path]) -> None:
    """See that a map does not replace what it is made from, by whatever name (the members of a mosaic included).

    Raises:
        OutputError: it would.
    """
    if destination.exists() and any(path.exists() and destination.samefile(path) for path in inputs):
        raise OutputError("output is the input itself", destination, hint="choose another name with -o")


class Sink:
    """A map that is being written.

    Args:
        dataset: open for writing; its fourth band, if it has one, is alpha.
    """

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset

    def write(self, window: Window, rgb_hwc: UInt8, valid: Bool | None) -> None:
        """Write a window: uint8, shape (h, w, 3), and where it is valid, bool, shape (h, w); None: everywhere."""
        place = rasterio.windows.Window(window.col, window.row, window.width, window.height)
        if valid is not None:
            rgb_hwc = np.where(valid[..., None], rgb_hwc, 0).astype(np.uint8)
            if self._dataset.count == 4:
                self._dataset.write(valid.astype(np.uint8) * 255, 4, window=place)
            else:
                self._dataset.write_mask(valid, window=place)
        self._dataset.write(np.moveaxis(rgb_hwc, -1, 0), [1, 2, 3], window=place)


@contextmanager
def open_sink(path: Path, grid: Grid, *, with_mask: bool, tags: Mapping[str, str]) -> Iterator[Sink]:
    """Write a map: a Cloud-Optimized GeoTIFF on the given grid, or a PNG, by the ending of `path`.

    Args:
        path: of the map; appears at the end, and only then.
        grid: size and place.
        with_mask: whether a mask will be written; in a PNG it becomes alpha.
        tags: of the GeoTIFF.

    Raises:
        OutputError: there is no place left, or the folder cannot be written.
    """
    as_png = path.suffix.lower() == ".png"
    with (
        replacing(path) as finished,
        rasterio.Env(**ENVIRONMENT),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        work = finished.with_name(f"{finished.name}.tif")
        try:
            with rasterio.open(work, "w", **_profile(grid, 4 if as_png and with_mask else 3)) as dataset:
                dataset.update_tags(**tags)
                yield Sink(dataset)
            rasterio.shutil.copy(work, finished, **(PNG if as_png else COG | {"blocksize": _cog_block_px(grid)}))
            _check_written(work, finished)
        # rasterio.shutil lets GDAL's own errors through.
        except (RasterioError, CPLE_BaseError) as error:
            raise OutputError("map cannot be written", path, hint="is the disk full?") from error


def _cog_block_px(grid: Grid) -> int:
    """Side of a block: never the width of a level that is higher, which validators take for one in strips."""
    height, width = grid.height, grid.width
    while max(height, width) > BLOCK_PX:
        if width == BLOCK_PX:
            return BLOCK_PX * 3 // 4
        height, width = -(-height // 2), -(-width // 2)
    return BLOCK_PX


def _check_written(work: Path, finished: Path) -> None:
    """See that every pixel arrived: when the disk is full, GDAL can close a truncated GeoTIFF without an error.

    Raises:
        RasterioError: it did not.
    """
    with rasterio.open(work) as wanted, rasterio.open(finished) as written:
        n_rows = max(1, min(BLOCK_PX, 2**24 // wanted.width))
        for row in range(0, wanted.height, n_rows):
            strip = rasterio.windows.Window(0, row, wanted.width, min(n_rows, wanted.height - row))
            same = np.array_equal(wanted.read(window=strip), written.read(window=strip))
            if not same or not np.array_equal(wanted.read_masks(1, window=strip), written.read_masks(1, window=strip)):
                raise RasterioError(f"rows from {row} are not as they were written")


def _profile(grid: Grid, n_bands: int) -> dict[str, Any]:
    """Of the neighbour that windows are written to: tiled and quick."""
    profile: dict[str, Any] = {
        "driver": "GTiff", "height": grid.height, "width": grid.width, "count": n_bands, "dtype": "uint8",
        "photometric": "RGB", "tiled": True, "blockxsize": BLOCK_PX, "blockysize": BLOCK_PX,
        "compress": "deflate", "zlevel": 1, "interleave": "pixel", "bigtiff": "if_safer",
    }  # fmt: skip
    if n_bands == 4:
        profile["alpha"] = "non-premultiplied"
    if grid.transform is not None:
        profile |= {"crs": grid.crs, "transform": grid.transform}
    return profile
