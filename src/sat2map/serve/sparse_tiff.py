"""A sparse GeoTIFF in which every block has a fixed offset, so that writing one block changes nothing else.

Blocks are not compressed, and those that were never written take no room on the disk. A process that is killed while
it writes leaves at worst one block that is partly new. GDAL reads the file as it is, and never writes it.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rasterio.io import MemoryFile

from sat2map.arrays import UInt8
from sat2map.scene.georeference import Grid
from sat2map.serve.overview import reduced_size
from sat2map.tiling import Window

BLOCK_PX = 512
GEO_TAGS = (33550, 33922, 34264, 34735, 34736, 34737)
SHORT, LONG, LONG8 = 3, 4, 16
FORMAT_OF = {SHORT: "H", LONG: "I", LONG8: "Q"}
SIZE_OF_TYPE = {1: 1, 2: 1, SHORT: 2, LONG: 4, 5: 8, 12: 8, LONG8: 8}
REDUCED, MASK = 1, 4


@dataclass(frozen=True)
class TiffLevel:
    """One image of the file: a level of the raster or of its mask.

    Attributes:
        height: height in pixels.
        width: width in pixels.
        n_bands: 3, or 1 for a mask.
        level: 0 for the raster itself, 1 for its first overview.
        offset: offset of its first block, in bytes from the beginning of the file.
    """

    height: int
    width: int
    n_bands: int
    level: int
    offset: int

    @property
    def n_cols(self) -> int:
        """Number of blocks in a row."""
        return -(-self.width // BLOCK_PX)

    @property
    def n_blocks(self) -> int:
        """Number of all blocks."""
        return -(-self.height // BLOCK_PX) * self.n_cols

    @property
    def block_size(self) -> int:
        """Size of a block in bytes."""
        return BLOCK_PX * BLOCK_PX * self.n_bands

    @property
    def end(self) -> int:
        """Offset of the byte after its last block."""
        return self.offset + self.n_blocks * self.block_size

    def blocks(self, window: Window) -> Iterator[tuple[int, Window]]:
        """Iterate over the blocks that a window meets: the offset of each in the file, and its pixels."""
        for row in range(window.row // BLOCK_PX, -(-(window.row + window.height) // BLOCK_PX)):
            for col in range(window.col // BLOCK_PX, -(-(window.col + window.width) // BLOCK_PX)):
                offset = self.offset + (row * self.n_cols + col) * self.block_size
                yield offset, Window(row * BLOCK_PX, col * BLOCK_PX, BLOCK_PX, BLOCK_PX)


def lay_out(grid: Grid, *, with_mask: bool, smallest_px: int) -> list[TiffLevel]:
    """List the images of a file in their order: each level, and its mask after it.

    Args:
        grid: grid of the raster.
        with_mask: whether each level has a mask.
        smallest_px: overviews are added until both sides of one are at most this long.
    """
    layers: list[TiffLevel] = []
    height, width, level = grid.height, grid.width, 0
    while True:
        for n_bands in (3, 1) if with_mask else (3,):
            layers.append(TiffLevel(height, width, n_bands, level, layers[-1].end if layers else 0))
        if max(height, width) <= smallest_px:
            break
        (height, width), level = reduced_size(height, width), level + 1
    header_size = -(-len(_header(layers, grid)) // 4096) * 4096
    return [TiffLevel(x.height, x.width, x.n_bands, x.level, x.offset + header_size) for x in layers]


def create(path: Path, layers: list[TiffLevel], grid: Grid) -> None:
    """Create a file with its header and its final length; no block is written, so all pixels are 0."""
    with path.open("wb") as file:
        file.write(_header(layers, grid))
        file.truncate(layers[-1].end)


def read(file: int, layer: TiffLevel, window: Window) -> UInt8:
    """Read a window of an image; pixels that were never written are 0.

    Args:
        file: file descriptor.
        layer: image to read from.
        window: window of that image.

    Returns:
        uint8, shape (h, w, n_bands).
    """
    pixels = np.empty((window.height, window.width, layer.n_bands), np.uint8)
    for offset, block in layer.blocks(window):
        part = window.intersection(block)
        pixels[part.inside(window).slices] = _read_block(file, layer, offset)[part.inside(block).slices]
    return pixels


def write(file: int, layer: TiffLevel, window: Window, pixels: UInt8) -> None:
    """Write a window of an image; two threads must not write windows that share a block at the same time.

    Args:
        file: file descriptor.
        layer: image to write to.
        window: window of that image.
        pixels: uint8, shape (h, w, n_bands).

    Raises:
        OSError: the disk is full.
    """
    for offset, block in layer.blocks(window):
        part = window.intersection(block)
        content = _read_block(file, layer, offset)
        content[part.inside(block).slices] = pixels[part.inside(window).slices]
        data = content.tobytes()
        if os.pwrite(file, data, offset) != len(data):
            raise OSError("block was not written whole")


def _read_block(file: int, layer: TiffLevel, offset: int) -> UInt8:
    data = os.pread(file, layer.block_size, offset)
    return np.frombuffer(data, np.uint8).reshape(BLOCK_PX, BLOCK_PX, layer.n_bands).copy()


def _header(layers: list[TiffLevel], grid: Grid) -> bytes:
    """Encode everything before the first block: a BigTIFF header, then a directory for each image.

    Source: TIFF 6.0 and libtiff's BigTIFF; overviews and masks are told apart as GDAL's GTiff driver does.
    """
    data = bytearray(b"II" + struct.pack("<HHHQ", 43, 8, 0, 16))
    for i, layer in enumerate(layers):
        tags = _tags(layer) | (_geo_tags(grid) if i == 0 else {})
        after = len(data) + 8 + 20 * len(tags) + 8
        entries, values = b"", b""
        for tag, (kind, count, raw) in sorted(tags.items()):
            field = raw.ljust(8, b"\0")
            if len(raw) > 8:
                field = struct.pack("<Q", after + len(values))
                values += raw + b"\0" * (-len(raw) % 8)
            entries += struct.pack("<HHQ", tag, kind, count) + field
        following = after + len(values) if i + 1 < len(layers) else 0
        data += struct.pack("<Q", len(tags)) + entries + struct.pack("<Q", following) + values
    return bytes(data)


def _tags(layer: TiffLevel) -> dict[int, tuple[int, int, bytes]]:
    offsets = range(layer.offset, layer.end, layer.block_size)
    is_mask = layer.n_bands == 1
    values: dict[int, tuple[int, list[int]]] = {
        254: (LONG, [(REDUCED if layer.level else 0) | (MASK if is_mask else 0)]),
        256: (LONG, [layer.width]),
        257: (LONG, [layer.height]),
        258: (SHORT, [8] * layer.n_bands),
        259: (SHORT, [1]),  # not compressed
        262: (SHORT, [4 if is_mask else 2]),  # a mask, or RGB
        277: (SHORT, [layer.n_bands]),
        284: (SHORT, [1]),  # bands interleaved by pixel
        322: (LONG, [BLOCK_PX]),
        323: (LONG, [BLOCK_PX]),
        324: (LONG8, list(offsets)),
        325: (LONG, [layer.block_size] * len(offsets)),
    }
    return {
        tag: (kind, len(numbers), struct.pack(f"<{len(numbers)}{FORMAT_OF[kind]}", *numbers))
        for tag, (kind, numbers) in values.items()
    }


def _geo_tags(grid: Grid) -> dict[int, tuple[int, int, bytes]]:
    """Return the tags of the georeference of a raster, as GDAL writes them."""
    profile: dict[str, Any] = {"driver": "GTiff", "height": 1, "width": 1, "count": 1, "dtype": "uint8"}
    with MemoryFile() as memory:
        with memory.open(**profile, crs=grid.crs, transform=grid.transform, ENDIANNESS="LITTLE", BIGTIFF="NO"):
            pass
        data = memory.read()
    (directory,) = struct.unpack_from("<I", data, 4)
    (n_entries,) = struct.unpack_from("<H", data, directory)
    tags = {}
    for entry in range(directory + 2, directory + 2 + 12 * n_entries, 12):
        tag, kind, count, offset = struct.unpack_from("<HHII", data, entry)
        if tag in GEO_TAGS:
            length = SIZE_OF_TYPE[kind] * count
            start = offset if length > 4 else entry + 8
            tags[tag] = (kind, count, bytes(data[start : start + length]))
    return tags
