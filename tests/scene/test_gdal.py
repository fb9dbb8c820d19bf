"""Rasters by URL, in archives and in GDAL's own file systems."""

from __future__ import annotations

import struct
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio import Affine

from sat2map.errors import SceneError
from sat2map.scene.source import open_scene
from sat2map.tiling import Window

from .rasters import PLACE, random_bands, write_raster

COMPRESSION, JPEG_2000 = 259, 34712
"""A tag of TIFF, and a value of it that no build of GDAL's wheels knows."""
WORLD = Affine(2, 0, 100, 0, -2, 200)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """An image with a world file."""
    Image.fromarray(np.moveaxis(random_bands(3), 0, -1)).save(tmp_path / "a.png")
    (tmp_path / "a.pgw").write_text("2\n0\n0\n-2\n101\n199\n")
    return tmp_path / "a.png"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """A process of its own: rasterio holds on to the interpreter while GDAL looks for a world file."""
    command = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().split()[5]}"
        process.kill()


@pytest.mark.parametrize("form", ["/vsizip/{zip}/a.png", "zip://{zip}!a.png", "/vsitar/{tar}/a.png", "file://{png}"])
def test_world_file_in_an_archive_is_seen(tmp_path: Path, image: Path, form: str) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed, tarfile.open(tmp_path / "a.tar", "w") as tar:
        for file in (image, image.with_suffix(".pgw")):
            packed.write(file, file.name)
            tar.add(file, file.name)
    with open_scene(form.format(zip=tmp_path / "a.zip", tar=tmp_path / "a.tar", png=image)) as source:
        assert source.grid.transform == WORLD


def test_world_file_on_a_server_is_seen(image: Path, server: str) -> None:
    with open_scene(f"{server}/{image.name}") as source:
        assert source.grid.transform == WORLD


@pytest.mark.parametrize("kind", ["mask", "nodata value", "nothing"])
def test_what_lies_beside_a_georeferenced_raster_on_a_server_is_seen(tmp_path: Path, server: str, kind: str) -> None:
    bands = random_bands(3)
    bands[:, :7] = 0
    path = write_raster(tmp_path / "a.tif", bands, photometric="RGB", **PLACE)
    if kind == "mask":
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=False), rasterio.open(path, "r+") as dataset:
            dataset.write_mask(bands[0] > 0)
        assert (tmp_path / "a.tif.msk").exists()
    if kind == "nodata value":
        rows = "".join(f'<PAMRasterBand band="{i}"><NoDataValue>0</NoDataValue></PAMRasterBand>' for i in (1, 2, 3))
        (tmp_path / "a.tif.aux.xml").write_text(f"<PAMDataset>{rows}</PAMDataset>")
    with open_scene(f"{server}/a.tif") as scene, open_scene(path) as here:
        valid = scene.valid(Window(0, 0, 40, 50))
        np.testing.assert_array_equal(valid, here.valid(Window(0, 0, 40, 50)))
        assert scene.grid == here.grid
    assert valid[:7].any() == (kind == "nothing")
    assert valid[7:].all()


def test_server_without_ranges_is_named_as_the_cause(tmp_path: Path, server: str) -> None:
    write_raster(tmp_path / "a.tif", random_bands(3, 3000, 3000), tiled=True, **PLACE)
    with pytest.raises(SceneError, match="Range downloading not supported") as caught, open_scene(f"{server}/a.tif"):
        pass
    assert "download it" in (caught.value.hint or "")


def test_missing_codec_is_named_as_the_cause(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", random_bands(3), compress="deflate", **PLACE)
    content = bytearray(path.read_bytes())
    (first,) = struct.unpack("<I", content[4:8])
    (n_tags,) = struct.unpack("<H", content[first : first + 2])
    for tag in range(first + 2, first + 2 + 12 * n_tags, 12):
        if content[tag : tag + 2] == struct.pack("<H", COMPRESSION):
            content[tag + 8 : tag + 10] = struct.pack("<H", JPEG_2000)
    path.write_bytes(content)
    with pytest.raises(SceneError, match="missing codec") as caught, open_scene(path):
        pass
    assert "truncated" not in (caught.value.hint or "")


def test_missing_member_of_a_mosaic_is_named_as_the_cause(tmp_path: Path) -> None:
    member = write_raster(tmp_path / "member.tif", random_bands(3), **PLACE)
    bands = "".join(
        f'<VRTRasterBand dataType="Byte" band="{i}"><SimpleSource><SourceFilename relativeToVRT="1">member.tif'
        f"</SourceFilename><SourceBand>{i}</SourceBand></SimpleSource></VRTRasterBand>"
        for i in (1, 2, 3)
    )
    vrt = tmp_path / "a.vrt"
    vrt.write_text(f'<VRTDataset rasterXSize="50" rasterYSize="40">{bands}</VRTDataset>')
    member.unlink()
    with open_scene(vrt) as scene, pytest.raises(SceneError, match=r"cannot be read .*member\.tif"):
        scene.read(Window(0, 0, 40, 50))
