"""Pieces of what is being drawn: bands of rows, each a plain GeoTIFF that appears when it is complete.

A piece holds checksums of what was drawn, with which pixels are compared wherever they have gone.
"""

from __future__ import annotations

import json
import os
import re
import warnings
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import rasterio
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
CHECKED_PX = 2048
"""Columns that are compared at once; rows of a whole scene would make memory grow with it."""
CHECKSUMS = "CHECKSUMS"
"""Metadata of a piece, in a domain of that name: row, column, height, width and CRC-32 of each block, as JSON."""
BLOCK_TAGS = ("OFFSET", "SIZE")
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
        self._checksums: list[tuple[int, ...]] = []

    def write(self, window: Window, pixels_hwc: UInt8, valid: Bool | None) -> None:
        """Write a window of the scene.

        Args:
            window: within the piece; no pixel is written twice.
            pixels_hwc: uint8, shape (h, w, bands of the product).
            valid: where the window holds data, bool, shape (h, w); None: everywhere.
        """
        n_bands = self._product.n_bands
        bands = np.full((self._dataset.count, window.height, window.width), self._product.nodata or 0, np.uint8)
        np.copyto(bands[:n_bands], np.moveaxis(pixels_hwc, -1, 0), where=True if valid is None else valid)
        if self._dataset.count > n_bands:
            bands[n_bands] = 255 if valid is None else valid.view(np.uint8) * 255
        self._dataset.write(bands, window=window.inside(self._piece).slices)
        self._checksums += [(*astuple(block), _checksum(bands, block.inside(window))) for block in _blocks(window)]

    def store_checksums(self) -> None:
        """Put the checksums of all that was written into the file, once, at the end."""
        self._dataset.update_tags(ns=CHECKSUMS, **{CHECKSUMS: json.dumps(self._checksums)})


def _blocks(window: Window) -> Iterator[Window]:
    """The parts of a window that lie in different blocks of the scene."""
    for row in range(window.row // BLOCK_PX, -(-(window.row + window.height) // BLOCK_PX)):
        for col in range(window.col // BLOCK_PX, -(-(window.col + window.width) // BLOCK_PX)):
            yield Window(row * BLOCK_PX, col * BLOCK_PX, BLOCK_PX, BLOCK_PX).intersection(window)


def _checksum(bands: UInt8, window: Window) -> int:
    return zlib.crc32(bands[:, *window.slices].tobytes())


@contextmanager
def open_piece(piece: Piece, product: Product, *, with_mask: bool) -> Iterator[PieceWriter]:
    """Write a piece; it appears at the end, and only then.

    Raises:
        OutputError: the disk is full, or the folder cannot be written.
    """
    profile: dict[str, Any] = {
        "driver": "GTiff", "height": piece.window.height, "width": piece.window.width,
        "count": product.n_bands + _has_mask_band(product, with_mask), "dtype": "uint8", "tiled": True,
        "blockxsize": BLOCK_PX, "blockysize": BLOCK_PX, "interleave": "pixel", "bigtiff": "if_safer",
        # A GDAL without Zstandard would not compress.
        "compress": "zstd", "zstd_level": 1,
    }  # fmt: skip
    with one_line(piece.path), replacing(piece.path) as work:
        with rasterio.open(work, "w", **profile) as dataset:
            writer = PieceWriter(dataset, product, piece.window)
            yield writer
            writer.store_checksums()
        try:
            _check_whole(work)
        except RasterioError as error:
            found = f"map cannot be written ({reason_of(error)})"
            raise OutputError(found, piece.path, hint="is the disk full?") from error


def _has_mask_band(product: Product, with_mask: bool) -> bool:
    return with_mask and product.nodata is None


def _stored_checksums(path: Path) -> Iterator[tuple[Window, int]]:
    with rasterio.open(path) as dataset:
        text = _checksum_text(dataset)
    for *sides, checksum in json.loads(text):
        yield Window(*sides), checksum


def _checksum_text(dataset: Any) -> str:
    text: str | None = dataset.tags(ns=CHECKSUMS).get(CHECKSUMS)
    if text is None:
        raise RasterioError("not all of it was written")
    return text


def _check_whole(path: Path) -> None:
    """See that a piece has all that it needs: when the disk is full, GDAL can close a truncated one without an error.

    Raises:
        RasterioError: a block lies beyond its end, or its checksums are missing.
    """
    n_bytes = path.stat().st_size
    with rasterio.open(path) as dataset:
        _checksum_text(dataset)
        n_rows, n_cols = -(-dataset.height // BLOCK_PX), -(-dataset.width // BLOCK_PX)
        for block in (f"{col}_{row}" for row in range(n_rows) for col in range(n_cols)):
            begin, size = (int(dataset.get_tag_item(f"BLOCK_{of}_{block}", "TIFF", bidx=1) or 0) for of in BLOCK_TAGS)
            if not 0 < begin < begin + size <= n_bytes:
                raise RasterioError("not all of it was written")


def check_pixels(path: Path, pieces: Iterable[Piece], product: Product, *, with_mask: bool) -> None:
    """See that a raster holds the pixels that were drawn, whatever has happened to its pieces and to itself.

    Args:
        path: raster that was made of the pieces.
        pieces: with the checksums of what was drawn.
        product: what it is.
        with_mask: whether pixels may be invalid.

    Raises:
        RasterioError: it does not; or a piece cannot be read.
    """
    by_part: dict[tuple[int, int], list[tuple[Window, int]]] = defaultdict(list)
    for piece in pieces:
        for block, checksum in _stored_checksums(piece.path):
            by_part[block.row // BLOCK_PX, block.col // CHECKED_PX].append((block, checksum))
    with rasterio.open(path) as dataset:
        for (row, col), blocks in sorted(by_part.items()):
            part = Window(row * BLOCK_PX, col * CHECKED_PX, BLOCK_PX, CHECKED_PX).clipped(*dataset.shape)
            bands = _read_with_mask(dataset, part, product.n_bands, _has_mask_band(product, with_mask))
            for block, checksum in blocks:
                if _checksum(bands, block.inside(part)) != checksum:
                    raise RasterioError(f"rows from {block.row} are not as they were drawn")


def _read_with_mask(dataset: Any, part: Window, n_bands: int, with_mask: bool) -> UInt8:
    bands = np.empty((n_bands + with_mask, part.height, part.width), np.uint8)
    dataset.read(list(range(1, n_bands + 1)), window=part.slices, out=bands[:n_bands])
    if with_mask:
        dataset.read_masks(1, window=part.slices, out=bands[n_bands])
    return bands


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
