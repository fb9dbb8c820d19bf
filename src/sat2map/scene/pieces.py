"""Pieces of what is being drawn: bands of rows, each a plain GeoTIFF that appears when it is complete."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import rasterio
import rasterio.windows
from rasterio._err import CPLE_BaseError
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from sat2map.arrays import Bool, UInt8
from sat2map.errors import OutputError
from sat2map.files import replacing
from sat2map.scene.gdal import reason_of
from sat2map.tiling import Window

FULL_DISK = re.compile(r"space|writ|disk|quota", re.I)
"""In GDAL's reasons."""
TEMPORARY = "CPL_TMPDIR"
"""Where GDAL puts what it needs on the way, if it is set."""
BLOCK_PX = 512
ENVIRONMENT = {
    "GDAL_TIFF_INTERNAL_MASK": True,
    "GDAL_PAM_ENABLED": False,  # no .aux.xml beside a PNG
    "GDAL_NUM_THREADS": "ALL_CPUS",
    # Bytes of blocks; the default is a share of the machine's memory, and grows with it.
    "GDAL_CACHEMAX": 16 * 2**20,
}


@dataclass(frozen=True)
class Product:
    """A kind of raster that is drawn, uint8.

    Attributes:
        name: of the kind.
        n_bands: without the mask.
        nodata: the value that stands for no data; None: a mask does.
    """

    name: str
    n_bands: int
    nodata: int | None = None


MAP = Product("map", 3)
CLASSES = Product("classes", 1, 255)
CONFIDENCE = Product("confidence", 1, 0)
FAMILIARITY = Product("familiarity", 1, 0)


class Piece(NamedTuple):
    """A file and the part of the scene that it holds."""

    path: Path
    window: Window


class PieceWriter:
    """A raster, or a piece of one, that is being written.

    Args:
        dataset: open for writing; a band more than the product has is alpha.
        product: what it is.
        piece: the part of the scene that the dataset holds.
    """

    def __init__(self, dataset: Any, product: Product, piece: Window) -> None:
        self._dataset, self._product, self._piece = dataset, product, piece

    def write(self, window: Window, pixels_hwc: UInt8, valid: Bool | None) -> None:
        """Write a window of the scene.

        Args:
            window: within the piece.
            pixels_hwc: uint8, shape (h, w, bands of the product).
            valid: where the window holds data, bool, shape (h, w); None: everywhere.
        """
        inner = window.inside(self._piece)
        part = rasterio.windows.Window(inner.col, inner.row, inner.width, inner.height)
        bands = list(np.moveaxis(pixels_hwc, -1, 0))
        if valid is not None:
            bands = [np.where(valid, band, self._product.nodata or 0).astype(np.uint8) for band in bands]
        if self._dataset.count > len(bands):
            bands.append(
                np.full(pixels_hwc.shape[:2], 255, np.uint8) if valid is None else valid.astype(np.uint8) * 255
            )
        self._dataset.write(np.stack(bands), window=part)


@contextmanager
def open_piece(piece: Piece, product: Product, *, with_mask: bool) -> Iterator[PieceWriter]:
    """Write a piece; it appears at the end, and only then.

    Raises:
        OutputError: the disk is full, or the folder cannot be written.
    """
    n_bands = product.n_bands + (with_mask and product.nodata is None)
    profile: dict[str, Any] = {
        "driver": "GTiff", "height": piece.window.height, "width": piece.window.width, "count": n_bands,
        "dtype": "uint8", "tiled": True, "blockxsize": BLOCK_PX, "blockysize": BLOCK_PX,
        "compress": "deflate", "zlevel": 1, "interleave": "pixel", "bigtiff": "if_safer",
    }  # fmt: skip
    with one_line(piece.path), replacing(piece.path) as work:
        with rasterio.open(work, "w", **profile) as dataset:
            yield PieceWriter(dataset, product, piece.window)
        # When the disk is full, GDAL can close a truncated file without an error.
        try:
            with rasterio.open(work) as dataset:
                dataset.checksum(1)
        except RasterioError as error:
            found = f"map cannot be written ({reason_of(error)})"
            raise OutputError(found, piece.path, hint="is the disk full?") from error


@contextmanager
def one_line(path: Path) -> Iterator[None]:
    """GDAL, set up for writing, whose errors are one line about `path`."""
    settings: dict[str, Any] = dict(ENVIRONMENT)
    if not os.access(os.environ.get(TEMPORARY, path.parent), os.W_OK | os.X_OK):
        # GDAL would fail where the overviews begin, after all other work.
        settings[TEMPORARY] = str(path.parent)
    with rasterio.Env(**settings), warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        try:
            yield
        # rasterio.shutil lets GDAL's own errors through.
        except (RasterioError, CPLE_BaseError) as error:
            reason = reason_of(error)
            hint = "is the disk full?" if FULL_DISK.search(reason) else "choose another format or folder with `out`"
            raise OutputError(f"map cannot be written ({reason})", path, hint=hint) from error
