from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio
from click.testing import CliRunner, Result
from PIL import Image

from sat2map.cli.main import sat2map

from ..scene.rasters import PLACE, random_bands, write_raster


def run(*arguments: object) -> Result:
    return CliRunner().invoke(sat2map, ["translate", *map(str, arguments)])


def picture(path: Path) -> Path:
    Image.fromarray(np.moveaxis(random_bands(3), 0, -1)).save(path)
    return path


def test_picture_becomes_a_png_of_its_size(tmp_path: Path) -> None:
    result = run(picture(tmp_path / "a.jpg"), "-o", tmp_path / "map.png")
    assert result.exit_code == 0, result.output
    with Image.open(tmp_path / "map.png") as drawn:
        assert drawn.size == (50, 40)
    assert "50 x 40 px in 1 windows" in result.stderr
    assert result.stdout == ""


def test_raster_becomes_a_geotiff_of_its_grid(tmp_path: Path) -> None:
    source = write_raster(tmp_path / "a.tif", random_bands(3), **PLACE)
    assert run(source, "-o", tmp_path / "map.tif", "--quiet").exit_code == 0
    with rasterio.open(tmp_path / "map.tif") as dataset:
        assert (dataset.crs, dataset.transform, dataset.shape) == (PLACE["crs"], PLACE["transform"], (40, 50))


def test_window_and_output_are_taken(tmp_path: Path) -> None:
    source = picture(tmp_path / "a.png")
    result = run(source, "-o", tmp_path / "map.png", "--window", "20", "--output", "smooth")
    assert result.exit_code == 0, result.output
    assert "in 4 windows" in result.stderr


def test_folder_becomes_a_folder_of_maps(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    picture(tmp_path / "in" / "a.png")
    write_raster(tmp_path / "in" / "b.tif", random_bands(3), **PLACE)
    (tmp_path / "in" / "notes.txt").write_text("not a picture")
    result = run(tmp_path / "in", "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a.png", "b.tif"]


def test_batch_goes_on_after_a_failure_and_says_what_failed(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"x")
    result = run(tmp_path / "broken.png", picture(tmp_path / "a.png"), "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["a.png"]
    assert "1 of 2 failed" in result.stderr
    assert "broken.png" in result.stderr


def test_two_sources_of_one_name_are_refused(tmp_path: Path) -> None:
    result = run(picture(tmp_path / "a.png"), picture(tmp_path / "a.jpg"), "-o", tmp_path / "out")
    assert result.exit_code == 2
    assert "one name" in result.stderr


def test_batch_with_an_existing_map_is_refused_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "b.png").write_bytes(b"before")
    result = run(picture(tmp_path / "a.png"), picture(tmp_path / "b.png"), "-o", tmp_path / "out")
    assert result.exit_code == 2
    assert "output exists" in result.stderr
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["b.png"]
