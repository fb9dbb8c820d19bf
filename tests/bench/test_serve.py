"""The tiles that the live map is measured with."""

from __future__ import annotations

import re
from pathlib import Path

from rasterio import Affine
from rio_tiler.io import Reader

from sat2map.bench.serve import tile_paths
from tests.scene.rasters import random_bands, write_raster


def test_every_tile_of_a_scene_far_from_its_meridian_shows_some_of_it(tmp_path: Path) -> None:
    """The bounds in degrees of such a scene, which stands aslant in web tiles, have corners without any of it."""
    aslant = Affine.translation(780_000, 5_500_000) @ Affine.scale(20, -20)
    scene = write_raster(tmp_path / "aslant.tif", random_bands(3, 300, 300), crs="EPSG:32618", transform=aslant)
    numbers = [re.search(r"/(\d+)/(\d+)/(\d+)\.png", path) for path in tile_paths(scene, "map", [17])]
    tiles = [tuple(map(int, match.groups())) for match in numbers if match]
    assert len(tiles) > 100
    with Reader(str(scene)) as reader:
        assert all(reader.tile_exists(x, y, z) for z, x, y in tiles)
