"""Kills, full disks and huge scenes: nothing half-finished is left, the next run just works, memory stays flat."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import rasterio

from sat2map.city import write_scene
from tests.killing import run_and_kill
from tests.need import need
from tests.peak import PRINT_PEAK_MIB
from tests.scene.rasters import write_raster
from tests.translate.test_scene import GRID, ground

TMPFS_MIB = 6


def command(source: Path, out: Path, *more: str) -> list[str]:
    program = Path(sys.executable).with_name("sat2map")
    return [str(program), "translate", str(source), "-o", str(out), "--window", "64", *more]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_raster(tmp_path_factory.mktemp("scene") / "a.tif", ground(500, 160), **GRID)


def same_pixels(got: Path, expected: Path) -> None:
    with rasterio.open(got) as a, rasterio.open(expected) as b:
        np.testing.assert_array_equal(a.read(), b.read())


@pytest.mark.slow
def test_killed_at_any_moment_it_leaves_nothing_that_looks_finished_and_goes_on(scene: Path, tmp_path: Path) -> None:
    whole, out = tmp_path / "whole.tif", tmp_path / "map.tif"
    subprocess.run(command(scene, whole), check=True, capture_output=True)
    work = tmp_path / ".map.tif.sat2map"
    drawing = [(work / "*", nth) for nth in (1, 2, 4, 8, 9, 14, 15)]
    finishing = [(work / "finished" / "*", nth) for nth in (1, 2, 3)]
    for files, nth in drawing + finishing:
        run_and_kill(command(scene, out)[1:], files, nth, os.environ)
        assert [p.name for p in tmp_path.iterdir() if not p.name.startswith(".")] == ["whole.tif"]
    done = subprocess.run(command(scene, out), check=True, capture_output=True, text=True)
    assert "drawn by an earlier run" in done.stderr
    same_pixels(out, whole)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["map.tif", "whole.tif"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    mount = shutil.which("mount")
    options = ["-t", "tmpfs", "-o", f"size={TMPFS_MIB}m", "tmpfs", str(folder)]
    mounted = mount is not None and subprocess.run([mount, *options], capture_output=True).returncode == 0
    need("tmpfs", mounted)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["tif", "png", "mbtiles"])
def test_full_disk_is_one_line_and_leaves_nothing(small_disk: Path, tmp_path: Path, ending: str) -> None:
    # Mean colours of a whole town: a plainer map would fit into what is left.
    scene = tmp_path / "a.tif"
    write_scene(scene, 700, seed=0)
    how = ("--window", "256", "--head", "smooth")
    filler = small_disk / "filler"
    free = shutil.disk_usage(small_disk).free
    for share in (0.98, 0.995, 1):
        filler.write_bytes(bytes(int(free * share) // 4096 * 4096))
        result = subprocess.run(command(scene, small_disk / f"map.{ending}", *how), capture_output=True, text=True)
        assert result.returncode == 2, result.stderr
        assert "Traceback" not in result.stderr
        assert sum(line.startswith("error: ") for line in result.stderr.splitlines()) == 1
        assert [p.name for p in small_disk.iterdir()] == ["filler"]
    filler.unlink()
    subprocess.run(command(scene, small_disk / f"map.{ending}", *how), check=True, capture_output=True)


def peak_mib(side_px: int, folder: Path) -> int:
    """Peak memory of translating a scene of which a few windows hold something, some of them everywhere."""
    source = folder / f"{side_px}.tif"
    profile = {"driver": "GTiff", "dtype": "uint8", "count": 3, "height": side_px, "width": side_px, "nodata": 0}
    with rasterio.open(source, "w", tiled=True, compress="deflate", sparse_ok=True, **profile, **GRID) as dataset:
        rng = np.random.default_rng(0)
        for corner in (1100, side_px - 4100):
            window = rasterio.windows.Window(corner, corner, 3000, 3000)
            dataset.write(rng.integers(1, 255, (3, 3000, 3000), np.uint8), window=window)
    code = (
        "from pathlib import Path\nfrom sat2map.translate import Translator\n"
        f"Translator.load().translate_file('{source}', Path('{folder}/map.tif'), overwrite=True)\n{PRINT_PEAK_MIB}"
    )
    result = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return int(re.findall(r"peak (\d+)", result.stdout)[0])


@pytest.mark.slow
@pytest.mark.timeout(5400)
def test_memory_is_flat_in_the_size_of_the_scene(tmp_path: Path) -> None:
    # Both are drawn in windows of about the same size.
    small, large = peak_mib(6_000, tmp_path), peak_mib(20_000, tmp_path)
    print(f"peak {small} MiB at 6,000 px, {large} MiB at 20,000 px")
    assert large <= 1.1 * small
    assert large * 2**20 < 1e9
