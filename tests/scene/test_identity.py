"""What was drawn of a scene is used again only where the scene is provably the same."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from sat2map.scene.identity import identity
from sat2map.scene.source import open_scene

from .rasters import PLACE, random_bands, write_raster
from .test_gdal import server

__all__ = ["server"]


def rebuild(archive: Path, seed: int) -> None:
    raster = write_raster(archive.with_name("a.tif"), random_bands(3, seed=seed), **PLACE)
    with zipfile.ZipFile(archive, "w") as packed:
        packed.write(raster, "in/a.tif")
    os.utime(archive, ns=(seed * 10**9, seed * 10**9))


@pytest.mark.parametrize(
    "form",
    ["/vsizip/{path}/in/a.tif", "zip://{path}!in/a.tif", "/vsizip/{{{path}}}/in/a.tif", "/vsizip/a.zip/in/a.tif"],
)
def test_scene_in_an_archive_is_the_same_until_that_is_rebuilt(
    tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    archive, keys = tmp_path / "a.zip", []
    for seed in (1, 1, 2):
        rebuild(archive, seed)
        with open_scene(form.format(path=archive)) as scene:
            keys.append(identity(scene.files))
    assert keys[0] == keys[1]
    assert keys[0] != keys[2]


def test_members_of_a_mosaic_in_an_archive_count(tmp_path: Path) -> None:
    rebuild(tmp_path / "a.zip", 1)
    vrt = tmp_path / "a.vrt"
    bands = "".join(
        f'<VRTRasterBand dataType="Byte" band="{i}"><SimpleSource><SourceFilename>/vsizip/{tmp_path}/a.zip/in/a.tif'
        f"</SourceFilename><SourceBand>{i}</SourceBand></SimpleSource></VRTRasterBand>"
        for i in (1, 2, 3)
    )
    vrt.write_text(f'<VRTDataset rasterXSize="50" rasterYSize="40">{bands}</VRTDataset>')
    keys = []
    for seed in (1, 1, 2):
        rebuild(tmp_path / "a.zip", seed)
        with open_scene(vrt) as scene:
            keys.append(identity(scene.files))
    assert keys[0] == keys[1]
    assert keys[0] != keys[2]


def test_what_a_server_does_not_tell_is_never_the_same(tmp_path: Path, server: str) -> None:
    path = write_raster(tmp_path / "a.tif", random_bands(3), **PLACE)
    with open_scene(f"{server}/a.tif") as scene:
        before, again = identity(scene.files), identity(scene.files)
    os.utime(path, (1e9, 1e9))
    assert before == again != identity(scene.files)
    nobody = [Path("/vsicurl/http://127.0.0.1:9/a.tif")]
    assert identity(nobody) != identity(nobody)
    assert identity([Path("/vsimem/a.tif")]) != identity([Path("/vsimem/a.tif")])
