"""A sparse_map that is filled in any order, by parts and after kills, is the translated file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sat2map.errors import OutputError
from sat2map.scene.destination import open_writer
from sat2map.scene.georeference import Grid
from sat2map.serve.map_cache import make_room
from sat2map.serve.sparse_map import SparseMap, full_size
from sat2map.tiling import Window, plan

from ..scene.rasters import PLACE
from .served import ground


def grid_of(height: int, width: int) -> Grid:
    return Grid(height, width, **PLACE)


def windows_of(height: int, width: int, core_px: int = 128):  # type: ignore[no-untyped-def]
    return [w.core for w in plan(height, width, stride=16, margin=16, core=core_px)]


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 700), st.integers(1, 1100), st.booleans(), st.sampled_from([112, 256]), st.randoms())
def test_canvas_filled_in_any_order_equals_the_translated_file(
    tmp_path: Path, height: int, width: int, masked: bool, core_px: int, random: object
) -> None:
    name = f"{height}-{width}-{masked}-{core_px}-{time.monotonic_ns()}"
    rgb = np.moveaxis(ground(height, width, height), 0, -1)
    valid = np.random.default_rng(width).random((height, width)) < 0.6 if masked else None
    with open_writer(tmp_path / f"{name}.tif", grid_of(height, width), with_mask=masked, tags={}) as writer:
        writer.write(Window(0, 0, height, width), rgb, valid)
    windows = windows_of(height, width, core_px)
    order = list(range(len(windows)))
    random.shuffle(order)  # type: ignore[attr-defined]
    for half in (order[::2], order[1::2]):  # closed and opened again between them
        sparse_map = SparseMap(tmp_path / name, grid_of(height, width), windows, with_mask=masked)
        assert sparse_map.n_done == (0 if half == order[::2] else len(order[::2]))
        for index in half:
            core = windows[index]
            sparse_map.write(index, rgb[core.slices], None if valid is None else valid[core.slices])
        sparse_map.close()
    assert_same(tmp_path / f"{name}.tif", sparse_map.path)


def assert_same(translated: Path, drawn: Path) -> None:
    with rasterio.open(translated) as wanted, rasterio.open(drawn) as got:
        assert (got.crs, got.transform, got.shape) == (wanted.crs, wanted.transform, wanted.shape)
        assert got.overviews(1) == wanted.overviews(1)
        assert got.mask_flag_enums == wanted.mask_flag_enums
        levels = range(-1, len(wanted.overviews(1)))
    for level in levels:
        options = {} if level < 0 else {"overview_level": level}
        with rasterio.open(translated, **options) as wanted, rasterio.open(drawn, **options) as got:
            np.testing.assert_array_equal(got.read(), wanted.read())
            np.testing.assert_array_equal(got.read_masks(1), wanted.read_masks(1))


def test_missing_names_the_windows_that_a_part_touches(tmp_path: Path) -> None:
    sparse_map = SparseMap(tmp_path / "c", grid_of(300, 500), windows_of(300, 500), with_mask=False)
    assert sparse_map.missing(Window(0, 0, 300, 500)) == list(range(12))
    assert sparse_map.missing(Window(127, 128, 2, 128)) == [1, 5]
    assert sparse_map.missing(Window(0, 0, 0, 0)) == []
    sparse_map.write(5, np.zeros((128, 128, 3), np.uint8), None)
    assert sparse_map.missing(Window(127, 128, 2, 128)) == [1]
    sparse_map.close()


def test_second_server_is_refused(tmp_path: Path) -> None:
    sparse_map = SparseMap(tmp_path / "c", grid_of(30, 50), windows_of(30, 50), with_mask=False)
    with pytest.raises(OutputError, match="another server"):
        SparseMap(tmp_path / "c", grid_of(30, 50), windows_of(30, 50), with_mask=False)
    sparse_map.close()


def test_make_room_deletes_what_was_longest_not_used(tmp_path: Path) -> None:
    grid, windows = grid_of(600, 600), windows_of(600, 600)
    for age, name in enumerate(["new", "old", "older"]):
        sparse_map = SparseMap(tmp_path / name, grid, windows, with_mask=False)
        for i, window in enumerate(windows):
            sparse_map.write(i, np.full((window.height, window.width, 3), 7, np.uint8), None)
        sparse_map.close()
        os.utime(tmp_path / name / "done", (1e9 - age, 1e9 - age))
    size = full_size(grid, with_mask=False)
    make_room(tmp_path, {"new": size}, round(2.5 * size))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "old"]
    with pytest.raises(OutputError, match="take up to"):
        make_room(tmp_path, {"new": size, "more": size}, size)


def test_large_canvas_takes_no_room_until_it_is_drawn(tmp_path: Path) -> None:
    windows = windows_of(50_000, 50_000, 1024)
    sparse_map = SparseMap(tmp_path / "c", grid_of(50_000, 50_000), windows, with_mask=True)
    sparse_map.write(1200, np.full((1024, 1024, 3), 9, np.uint8), None)
    assert sparse_map.path.stat().st_size > 10e9
    assert sparse_map.path.stat().st_blocks * 512 < 40e6
    core = windows[1200]
    with rasterio.open(sparse_map.path) as dataset:
        place = rasterio.windows.Window(core.col - 5, core.row, 10, 1)
        assert dataset.read(1, window=place).tolist() == [[0] * 5 + [9] * 5]
    sparse_map.close()


FILL = """
import os, signal, sys
from pathlib import Path
import numpy as np
from sat2map.scene.georeference import Grid
from sat2map.serve.sparse_map import SparseMap
from sat2map.tiling import plan
folder, seed = Path(sys.argv[1]), int(sys.argv[2])
rgb = np.load(folder.with_suffix(".npy"))
windows = [w.core for w in plan(700, 900, stride=16, margin=16, core=128)]
from rasterio.crs import CRS
from rasterio.transform import from_origin
grid = Grid(700, 900, CRS.from_epsg(32618), from_origin(580000, 4510000, 0.9, 0.9))
sparse_map = SparseMap(folder, grid, windows, with_mask=False)
write, n_left = os.pwrite, int(sys.argv[3])
def half(file, data, offset):
    global n_left
    n_left -= 1
    if n_left == 0:
        write(file, data[: len(data) // 2], offset)
        os.kill(os.getpid(), signal.SIGKILL)
    return write(file, data, offset)
os.pwrite = half
for index in np.random.default_rng(seed).permutation(len(windows)):
    if not sparse_map.is_done(index):
        sparse_map.write(int(index), rgb[windows[index].slices], None)
"""


def test_kill_while_filling_leaves_no_wrong_pixel(tmp_path: Path) -> None:
    rgb = np.moveaxis(ground(700, 900, 1), 0, -1)
    windows = windows_of(700, 900)
    np.save(tmp_path / "c.npy", rgb)
    counts = []
    # Killed halfway through a write: of pixels, of an overview, or of the mark that a window is drawn.
    for seed, nth in ((1, 30), (2, 41), (3, 52)):
        command = [sys.executable, "-c", FILL, str(tmp_path / "c"), str(seed), str(nth)]
        assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
        sparse_map = SparseMap(tmp_path / "c", grid_of(700, 900), windows, with_mask=False)
        with rasterio.open(sparse_map.path) as dataset:
            drawn = np.moveaxis(dataset.read(), 0, -1)
        for i, window in enumerate(windows):
            if sparse_map.is_done(i):
                np.testing.assert_array_equal(drawn[window.slices], rgb[window.slices])
        counts.append(sparse_map.n_done)
        sparse_map.close()
    assert 0 < counts[0] < counts[1] < counts[2] < len(windows)
    subprocess.run([sys.executable, "-c", FILL, str(tmp_path / "c"), "0", "0"], check=True)
    with open_writer(tmp_path / "t.tif", grid_of(700, 900), with_mask=False, tags={}) as writer:
        writer.write(Window(0, 0, 700, 900), rgb, None)
    assert_same(tmp_path / "t.tif", tmp_path / "c" / "map.tif")
