from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil
import rasterio.windows
from PIL import Image
from rasterio._env import del_gdal_config
from rasterio._err import CPLE_AppDefinedError
from rasterio.crs import CRS
from rasterio.transform import from_origin
from rasterio.warp import transform
from rio_cogeo.cogeo import cog_validate

from sat2map.errors import OutputError
from sat2map.scene import formats, tile_check
from sat2map.scene.destination import check_destination, open_writer
from sat2map.scene.source import Grid
from sat2map.tiling import Window

from .rasters import PLACE

HEIGHT, WIDTH = 700, 900
REAL_COPY, REAL_OPEN = rasterio.shutil.copy, rasterio.open
RGB = np.random.default_rng(0).integers(1, 255, (HEIGHT, WIDTH, 3), np.uint8)
VALID = np.add.outer(np.arange(HEIGHT), np.arange(WIDTH)) > 500


def write(path: Path, grid: Grid, valid: np.ndarray | None) -> None:
    with open_writer(path, grid, with_mask=valid is not None, tags={"SAT2MAP_MODEL": "x"}) as writer:
        for row in range(0, HEIGHT, 300):
            window = Window(row, 0, min(300, HEIGHT - row), WIDTH)
            writer.write(window, RGB[window.slices], None if valid is None else valid[window.slices])


@pytest.mark.parametrize("valid", [None, VALID], ids=["no mask", "mask"])
def test_map_is_a_valid_cog_on_the_grid_with_mask_and_tags(tmp_path: Path, valid: np.ndarray | None) -> None:
    path = tmp_path / "map.tif"
    write(path, Grid(HEIGHT, WIDTH, PLACE["crs"], PLACE["transform"]), valid)
    is_cog, errors, warnings = cog_validate(path)
    assert (is_cog, errors, warnings) == (True, [], [])
    with rasterio.open(path) as dataset:
        assert (dataset.crs, dataset.transform, dataset.shape) == (PLACE["crs"], PLACE["transform"], (HEIGHT, WIDTH))
        assert [c.name for c in dataset.colorinterp] == ["red", "green", "blue"]
        assert dataset.overviews(1) == [2]
        assert dataset.tags()["SAT2MAP_MODEL"] == "x"
        shown = np.ones((HEIGHT, WIDTH), bool) if valid is None else valid
        np.testing.assert_array_equal(dataset.dataset_mask() > 0, shown)
        np.testing.assert_array_equal(np.moveaxis(dataset.read(), 0, -1), np.where(shown[..., None], RGB, 0))
    assert [p.name for p in tmp_path.iterdir()] == ["map.tif"]


@pytest.mark.parametrize(
    ("height", "width"), [(700, 512), (1100, 1024), (1025, 1023), (2475, 71), (1, 513), (1300, 600)]
)
def test_map_of_any_shape_is_a_valid_cog(tmp_path: Path, height: int, width: int) -> None:
    with open_writer(tmp_path / "map.tif", Grid(height, width, **PLACE), with_mask=False, tags={}) as writer:
        writer.write(Window(0, 0, 1, 1), RGB[:1, :1], None)
    assert cog_validate(tmp_path / "map.tif") == (True, [], [])


def _truncate(work: Path, finished: Path, **options: object) -> None:
    """What GDAL leaves when the disk is full and nobody is told."""
    REAL_COPY(work, finished, **options)
    os.truncate(finished, finished.stat().st_size - 1000)


def _raise(*_: object, **__: object) -> None:
    raise CPLE_AppDefinedError(3, 1, "no space left on device")


@pytest.mark.parametrize("copy", [_truncate, _raise], ids=["unsaid", "said"])
@pytest.mark.parametrize("name", ["map.tif", "map.png"])
def test_full_disk_is_one_line_and_leaves_nothing(
    tmp_path: Path, name: str, copy: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rasterio.shutil.copy", copy)
    with pytest.raises(OutputError, match="cannot be written"):
        write(tmp_path / name, Grid(HEIGHT, WIDTH), VALID)
    assert list(tmp_path.iterdir()) == []


def _flipped(path: Path, share: float) -> None:
    """Flip the bits of one byte."""
    content = bytearray(path.read_bytes())
    content[int(share * (len(content) - 1))] ^= 255
    path.write_bytes(content)


@pytest.mark.parametrize("name", ["map.tif", "map.png"])
@pytest.mark.parametrize("share", [0, 0.2, 0.4, 0.6, 0.8, 0.9, 0.99])
def test_flipped_byte_is_told_or_changes_no_pixel(
    tmp_path: Path, name: str, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    def copy(work: Path, finished: Path, **options: object) -> None:
        REAL_COPY(work, finished, **options)
        _flipped(finished, share)

    monkeypatch.setattr("rasterio.shutil.copy", copy)
    try:
        write(tmp_path / name, Grid(HEIGHT, WIDTH), VALID)
    except OutputError:
        assert list(tmp_path.iterdir()) == []
        return
    assert share in (0, 0.99), "of a byte in the middle a pixel is made"
    with rasterio.open(tmp_path / name) as dataset:
        np.testing.assert_array_equal(np.moveaxis(dataset.read([1, 2, 3]), 0, -1), np.where(VALID[..., None], RGB, 0))
        np.testing.assert_array_equal(dataset.dataset_mask() > 0, VALID)


@pytest.mark.parametrize("name", ["map.tif", "map.png", "map.mbtiles"])
@pytest.mark.parametrize("band", [1, 3, 4])
def test_pixel_that_is_lost_on_the_way_is_told(
    tmp_path: Path, name: str, band: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = Path.replace

    def change_a_pixel(path: Path, target: Path) -> Path:
        if path.suffix == ".tif" and target.name == "piece.tif":
            with rasterio.open(path, "r+") as piece:
                part = rasterio.windows.Window(WIDTH - 1, HEIGHT - 1, 1, 1)
                piece.write(piece.read(band, window=part) ^ 255, band, window=part)
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", change_a_pixel)
    with pytest.raises(OutputError, match="rows from 600 are not as they were drawn"):
        write(tmp_path / name, Grid(HEIGHT, WIDTH, PLACE["crs"], PLACE["transform"]), VALID)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("n_lost", [1, 1000, 10**6])
def test_piece_of_a_full_disk_is_told_before_others_are_drawn(
    tmp_path: Path, n_lost: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def open_on_a_full_disk(path: Path, mode: str = "r", **profile: object) -> Iterator[object]:
        with REAL_OPEN(path, mode, **profile) as dataset:
            yield dataset
        if mode == "w":
            os.truncate(path, path.stat().st_size - n_lost)

    monkeypatch.setattr("rasterio.open", open_on_a_full_disk)
    monkeypatch.setattr("rasterio.shutil.copy", _raise)
    with pytest.raises(OutputError) as told:
        write(tmp_path / "map.tif", Grid(HEIGHT, WIDTH), VALID)
    assert "no space left" not in str(told.value), "it was copied"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("valid", [None, VALID], ids=["no mask", "mask"])
def test_png_carries_the_mask_as_alpha(tmp_path: Path, valid: np.ndarray | None) -> None:
    write(tmp_path / "map.png", Grid(HEIGHT, WIDTH), valid)
    with Image.open(tmp_path / "map.png") as drawn:
        pixels = np.asarray(drawn)
    if valid is None:
        np.testing.assert_array_equal(pixels, RGB)
    else:
        np.testing.assert_array_equal(pixels[..., 3], np.where(valid, 255, 0))
        np.testing.assert_array_equal(pixels[valid, :3], RGB[valid])
    assert [p.name for p in tmp_path.iterdir()] == ["map.png"]


@pytest.mark.parametrize("ending", ["mbtiles", "pmtiles"])
@pytest.mark.parametrize("lost", ["1", "zoom_level = (SELECT max(zoom_level) FROM tiles) LIMIT 1", "zoom_level = 15"])
def test_web_tiles_that_a_full_disk_swallowed_are_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: str, ending: str
) -> None:
    """GDAL says nothing of them."""
    check = tile_check.check_tiles

    def after_the_loss(mosaic: Path, tiles: Path, n_overviews: int) -> None:
        with closing(sqlite3.connect(tiles)) as base, base:
            found = base.execute(f"DELETE FROM tiles WHERE rowid IN (SELECT rowid FROM tiles WHERE {lost})")
            assert found.rowcount
        check(mosaic, tiles, n_overviews)

    monkeypatch.setattr(formats, "check_tiles", after_the_loss)
    with pytest.raises(OutputError, match="web tiles were not written") as caught:
        write(tmp_path / f"map.{ending}", Grid(HEIGHT, WIDTH, **PLACE), VALID)
    assert caught.value.hint == "is the disk full?"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("valid", [VALID, np.zeros_like(VALID), np.eye(HEIGHT, WIDTH, dtype=bool)])
def test_web_tiles_of_a_scene_with_little_in_it_are_no_loss(tmp_path: Path, valid: np.ndarray) -> None:
    write(tmp_path / "map.mbtiles", Grid(HEIGHT, WIDTH, **PLACE), valid)
    assert [p.name for p in tmp_path.iterdir()] == ["map.mbtiles"]


def test_png_says_where_it_lies_as_a_geotiff_does(tmp_path: Path) -> None:
    write(tmp_path / "map.png", Grid(HEIGHT, WIDTH, **PLACE), VALID)
    with rasterio.open(tmp_path / "map.png") as drawn:
        assert (drawn.crs, drawn.transform) == (PLACE["crs"], PLACE["transform"])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["map.pgw", "map.png", "map.png.aux.xml"]


@pytest.mark.parametrize("name", ["map.tif", "map.png", "map.mbtiles"])
def test_folder_for_temporary_files_that_is_not_there_does_no_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("CPL_TMPDIR", str(tmp_path / "none"))
    write(tmp_path / name, Grid(HEIGHT, WIDTH, **PLACE), VALID)
    with rasterio.open(tmp_path / name) as drawn:
        assert drawn.dataset_mask().any()
    assert not (tmp_path / "none").exists()
    # rasterio has taken the variable for a setting, for all that this process does afterwards.
    del_gdal_config("CPL_TMPDIR")


def test_failure_leaves_nothing_and_keeps_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "map.tif"
    path.write_bytes(b"before")

    def fail_halfway() -> None:
        with open_writer(path, Grid(8, 8), with_mask=False, tags={}) as writer:
            writer.write(Window(0, 0, 4, 8), RGB[:4, :8], None)
            raise RuntimeError("halfway")

    with pytest.raises(RuntimeError, match="halfway"):
        fail_halfway()
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def _link(path: Path, source: Path) -> Path:
    path.symlink_to(source)
    return path


BAD = {
    "over its own input": (lambda source: source, "input itself"),
    "over its own input, by a link": (lambda source: _link(source.parent / "link.png", source), "input itself"),
    "existing": (lambda source: _touched(source.parent / "there.tif"), "output exists"),
    "no such folder": (lambda source: source.parent / "nowhere" / "map.tif", "no such folder"),
    "ending": (lambda source: source.parent / "map.gif", "ending"),
    "a folder": (lambda source: _folder(source.parent / "folder.tif"), "is a folder"),
}


def _touched(path: Path) -> Path:
    path.touch()
    return path


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


@pytest.mark.parametrize("case", BAD)
def test_destination_is_refused_before_any_work(case: str, tmp_path: Path) -> None:
    make, message = BAD[case]
    source = _touched(tmp_path / "source.png")
    with pytest.raises(OutputError, match=message) as caught:
        check_destination(source, make(source), overwrite=False)
    assert caught.value.hint


def test_existing_destination_may_be_overwritten_but_never_the_source(tmp_path: Path) -> None:
    source, there = _touched(tmp_path / "source.png"), _touched(tmp_path / "there.png")
    check_destination(source, there, overwrite=True)
    with pytest.raises(OutputError, match="input itself"):
        check_destination(source, source, overwrite=True)


STALE = (
    "map.tif.aux.xml",
    "map.tif.AUX.XML",
    "map.tif.ovr",
    "map.tif.msk",
    "map.tfw",
    "map.tifw",
    "map.TFW",
    "map.wld",
)


@pytest.mark.parametrize("name", [*STALE, "map.pgw", "map.png.aux.xml"])
def test_what_lies_beside_an_older_map_goes_with_it_and_is_never_replaced_unasked(tmp_path: Path, name: str) -> None:
    path, source = tmp_path / ("map.png" if "p" in name.lower()[4:6] else "map.tif"), _touched(tmp_path / "source.png")
    (tmp_path / name).write_text("of an older map")
    (tmp_path / "mapped.tfw").write_text("of another")
    with pytest.raises(OutputError, match="output exists") as caught:
        check_destination(source, path, overwrite=False)
    assert name in str(caught.value)
    check_destination(source, path, overwrite=True)
    write(path, Grid(HEIGHT, WIDTH), None)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(["source.png", "mapped.tfw", path.name])


def test_world_file_of_another_image_stays(tmp_path: Path) -> None:
    source, world = _touched(tmp_path / "map.jpg"), _touched(tmp_path / "map.wld")
    check_destination(source, tmp_path / "map.png", overwrite=False)
    write(tmp_path / "map.png", Grid(HEIGHT, WIDTH), None)
    assert world.exists()


def test_what_belongs_to_the_new_map_takes_the_place_of_the_old(tmp_path: Path) -> None:
    (tmp_path / "map.pgw").write_text("9\n0\n0\n9\n9\n9\n")
    write(tmp_path / "map.png", Grid(HEIGHT, WIDTH, **PLACE), None)
    with rasterio.open(tmp_path / "map.png") as drawn:
        assert drawn.transform == PLACE["transform"]


def test_link_is_kept_and_what_it_points_to_is_written(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    target, link = tmp_path / "store" / "blob", tmp_path / "map.png"
    target.write_bytes(b"before")
    link.symlink_to(target)
    write(link, Grid(HEIGHT, WIDTH), None)
    assert link.is_symlink()
    with Image.open(target) as drawn:
        np.testing.assert_array_equal(np.asarray(drawn), RGB)
    link.unlink()
    link.symlink_to(tmp_path / "nowhere" / "blob")
    with pytest.raises(OutputError, match="no such folder"):
        check_destination(tmp_path / "source.png", link, overwrite=True)


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="another disk")
def test_link_to_another_disk_is_kept_too(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as other:
        (tmp_path / "map.png").symlink_to(Path(other) / "map.png")
        write(tmp_path / "map.png", Grid(HEIGHT, WIDTH), None)
        with Image.open(Path(other) / "map.png") as drawn:
            np.testing.assert_array_equal(np.asarray(drawn), RGB)
    assert (tmp_path / "map.png").is_symlink()


@pytest.mark.parametrize("stem", ["m" * 245, "\u00fc" * 122, "a.tif" + "m" * 240], ids=["latin", "two bytes", "dots"])
@pytest.mark.parametrize("ending", ["tif", "png"])
def test_name_may_be_as_long_as_the_system_allows(tmp_path: Path, stem: str, ending: str) -> None:
    path = tmp_path / f"{stem}.{ending}"
    write(path, Grid(HEIGHT, WIDTH, **PLACE), VALID)
    assert [p.name for p in tmp_path.iterdir() if p.suffix != ".pgw"] == [path.name]


ROTATED = "+proj=ob_tran +o_proj=longlat +o_lon_p=-162 +o_lat_p=39.25 +lon_0=180 +to_meter=0.0174532925199433"


@pytest.mark.parametrize("crs", [ROTATED, "+proj=ob_tran +o_proj=moll +o_lat_p=45 +o_lon_p=-90"])
def test_crs_that_a_geotiff_cannot_hold_lies_beside_it(
    tmp_path: Path, crs: str, caplog: pytest.LogCaptureFixture
) -> None:
    known = CRS.from_user_input(crs)
    write(tmp_path / "map.tif", Grid(HEIGHT, WIDTH, known, from_origin(10, 10, 0.01, 0.01)), None)
    with rasterio.open(tmp_path / "map.tif") as drawn:
        assert drawn.crs.to_wkt() == known.to_wkt()
        found = transform(drawn.crs, "EPSG:4326", [1.0], [2.0])
    np.testing.assert_allclose(found, transform(known, "EPSG:4326", [1.0], [2.0]))
    assert "map.tif.aux.xml beside it" in caplog.text


@pytest.mark.parametrize(
    "crs", ["EPSG:4326", "EPSG:5972", "EPSG:2056", "+proj=moll", 'LOCAL_CS["x",UNIT["foot",0.3048]]']
)
def test_crs_that_a_geotiff_holds_lies_in_it_alone(tmp_path: Path, crs: str) -> None:
    write(tmp_path / "map.tif", Grid(HEIGHT, WIDTH, CRS.from_user_input(crs), from_origin(10, 10, 0.01, 0.01)), None)
    assert [p.name for p in tmp_path.iterdir()] == ["map.tif"]
