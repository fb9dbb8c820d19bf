"""Rasters by URL, in archives and in GDAL's own file systems."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rasterio import Affine

from sat2map.scene.source import open_scene

from .rasters import random_bands

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
