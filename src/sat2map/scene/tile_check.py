"""Whether every web tile of a map arrived: when the disk is full, GDAL closes an MBTiles without tiles and no error."""

from __future__ import annotations

import math
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import rasterio
from rasterio import Affine
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.vrt import WarpedVRT

from sat2map.scene.gsd import A_M

TILE_PX = 256
HALF_M = math.pi * A_M
"""Half of the side of Web Mercator."""
FEWEST_PX = TILE_PX
"""Valid pixels by which a tile is missed: the edge of a scene may fall on either side of a tile's."""

Tile = tuple[int, int, int]
"""Zoom, column, and row from the south."""


def check_tiles(mosaic: Path, tiles: Path, n_overviews: int) -> None:
    """See that an MBTiles holds each tile of the finest zoom that shows something of a scene, and all above them.

    Args:
        mosaic: the scene, whose last band is alpha.
        tiles: the MBTiles.
        n_overviews: zooms above the finest.

    Raises:
        RasterioError: tiles are missing, or it is broken.
    """
    try:
        with closing(sqlite3.connect(f"{tiles.resolve().as_uri()}?mode=ro", uri=True)) as base:
            there = set(base.execute("SELECT zoom_level, tile_column, tile_row FROM tiles"))
    except sqlite3.Error as error:
        raise RasterioError(f"web tiles were not written ({error})") from error
    wanted = _tiles_of(mosaic, tiles)
    for _ in range(n_overviews + 1):
        if missing := wanted - there:
            raise RasterioError(f"{len(missing)} web tiles were not written")
        wanted = {(zoom - 1, col // 2, row // 2) for zoom, col, row in wanted}


def _tiles_of(mosaic: Path, tiles: Path) -> set[Tile]:
    """Tiles of the finest zoom in which a scene has pixels that are valid."""
    with rasterio.open(tiles) as written:
        crs, bounds = written.crs, written.bounds
        zoom = round(math.log2(2 * HALF_M / TILE_PX / written.res[0]))
    side_m = 2 * HALF_M / 2**zoom
    # Not the tiles that an edge only touches.
    edges = [at + towards * side_m / 1e3 for at, towards in zip(bounds, (1, 1, -1, -1), strict=True)]
    west, south, east, north = (math.floor((edge + HALF_M) / side_m) for edge in edges)
    n_cols, n_rows, pixel_m = east - west + 1, north - south + 1, side_m / TILE_PX
    transform = Affine(pixel_m, 0, west * side_m - HALF_M, 0, -pixel_m, (north + 1) * side_m - HALF_M)
    size = {"width": n_cols * TILE_PX, "height": n_rows * TILE_PX}
    found: set[Tile] = set()
    with (
        rasterio.open(mosaic) as scene,
        WarpedVRT(scene, crs=crs, transform=transform, resampling=Resampling.nearest, **size) as warped,
    ):
        for i in range(n_rows):
            rows = i * TILE_PX, (i + 1) * TILE_PX
            alpha = warped.read(scene.count, window=(rows, (0, size["width"]))) > 0
            n_valid = alpha.reshape(TILE_PX, n_cols, TILE_PX).sum((0, 2))
            found |= {(zoom, west + int(col), north - i) for col in np.flatnonzero(n_valid > FEWEST_PX)}
    return found
