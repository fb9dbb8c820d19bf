from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from click.testing import CliRunner, Result
from PIL import Image

from sat2map.cli.main import sat2map
from sat2map.model.bundled import read_card

from ..scene.rasters import PLACE, random_bands, write_raster


def run(*arguments: object) -> Result:
    return CliRunner().invoke(sat2map, ["translate", *map(str, arguments)])


def image(path: Path) -> Path:
    Image.fromarray(np.moveaxis(random_bands(3), 0, -1)).save(path)
    return path


def test_image_becomes_a_png_of_its_size(tmp_path: Path) -> None:
    result = run(image(tmp_path / "a.jpg"), "-o", tmp_path / "map.png")
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
    source = image(tmp_path / "a.png")
    result = run(source, "-o", tmp_path / "map.png", "--window", "20", "--head", "smooth")
    assert result.exit_code == 0, result.output
    assert "in 4 windows" in result.stderr


def test_folder_becomes_a_folder_of_maps(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    image(tmp_path / "in" / "a.png")
    write_raster(tmp_path / "in" / "b.tif", random_bands(3), **PLACE)
    (tmp_path / "in" / "notes.txt").write_text("not an image")
    result = run(tmp_path / "in", "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a.png", "b.tif"]


def test_batch_goes_on_after_a_failure_and_says_what_failed(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"x")
    result = run(tmp_path / "broken.png", image(tmp_path / "a.png"), "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["a.png"]
    assert "1 of 2 failed" in result.stderr
    assert "broken.png" in result.stderr


def test_two_sources_of_one_name_are_refused(tmp_path: Path) -> None:
    result = run(image(tmp_path / "a.png"), image(tmp_path / "a.jpg"), "-o", tmp_path / "out")
    assert result.exit_code == 2
    assert "one name" in result.stderr


def test_batch_leaves_alone_what_is_there_already(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "b.png").write_bytes(b"before")
    sources = image(tmp_path / "a.png"), image(tmp_path / "b.png")
    result = run(*sources, "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "1 already there" in result.stderr
    assert (tmp_path / "out" / "b.png").read_bytes() == b"before"
    assert run(*sources, "-o", tmp_path / "out", "--overwrite").exit_code == 0
    assert (tmp_path / "out" / "b.png").read_bytes() != b"before"


def test_refused_batch_makes_no_folder(tmp_path: Path) -> None:
    result = run(image(tmp_path / "a.png"), image(tmp_path / "a.jpg"), "-o", tmp_path / "out")
    assert result.exit_code == 2
    assert not (tmp_path / "out").exists()
    assert run(tmp_path / "a.png", tmp_path / "a.jpg", "-o", tmp_path / "a.png").exit_code == 2
    # Whoever names a file and gives two scenes, perhaps by a slip, gets no folder of that name.
    assert run(tmp_path / "a.png", image(tmp_path / "b.png"), "-o", tmp_path / "map.tif").exit_code == 2
    assert not (tmp_path / "map.tif").exists()


def test_json_tells_what_was_done(tmp_path: Path) -> None:
    source = write_raster(tmp_path / "a.tif", random_bands(3), **PLACE)
    result = run(source, "-o", tmp_path / "map.tif", "--json", "--quiet", "--confidence", "--gsd", "0.5")
    assert result.exit_code == 0, result.output
    (record,) = json.loads(result.stdout)
    assert record["outputs"] == [str(tmp_path / "map.tif"), str(tmp_path / "map_confidence.tif")]
    assert (record["height"], record["width"], record["windows"]) == (40, 50, 1)
    assert "0.5 m/px, resampled to 0.8" in record["resolution"]
    assert record["px_per_s"] > 0
    assert result.stderr == ""


def test_json_of_a_batch_names_what_failed(tmp_path: Path) -> None:
    (tmp_path / "broken.tif").write_bytes(b"x")
    result = run(tmp_path / "broken.tif", image(tmp_path / "a.png"), "-o", tmp_path / "out", "--json")
    assert result.exit_code == 1
    broken, fine = json.loads(result.stdout)
    assert "cannot be opened" in broken["error"]
    assert fine["outputs"] == [str(tmp_path / "out" / "a.png")]


def test_part_of_a_scene_bands_and_stretch_are_taken(tmp_path: Path) -> None:
    bands = random_bands(4).astype(np.uint16) * 100
    source = write_raster(tmp_path / "a.tif", bands, photometric="minisblack", **PLACE)
    box = f"{580000 + 9},{4510000 - 27},{580000 + 36},{4510000 - 9}"
    result = run(
        source, "-o", tmp_path / "map.tif", "--bbox", box, "-b", "4,3,2", "--stretch", "0,25500", "--gsd", "1.5"
    )
    assert result.exit_code == 0, result.output
    assert "30 x 20 px" in result.stderr
    with rasterio.open(tmp_path / "map.tif") as dataset:
        assert (dataset.transform.c, dataset.transform.f) == (580009, 4509991)
        low, high = (read_card().levels or ())[0]
        assert dataset.tags()["SAT2MAP_STRETCH"].startswith(f"0,25500 -> {low},{high};")


def test_fast_mode_states_its_measured_error(tmp_path: Path) -> None:
    source = write_raster(tmp_path / "a.tif", random_bands(3, 200, 200), **PLACE)
    result = run(source, "-o", tmp_path / "map.tif", "--mode", "fast", "--gsd", "1.5", "--window", "128")
    assert result.exit_code == 0, result.output
    assert "mode fast: against the exact margin, up to" in result.stderr


NAMES = ("when?.tif", "{3F2504E0}.tif", "[bold]a[[b.tif", "100%.tif", "a b\u00fc.tif")


def test_names_are_data_and_no_format_markup_or_address(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in (*NAMES, "._a.tif"):
        write_raster(folder / name, random_bands(3), **PLACE)
    (folder / "x.tif").mkdir()
    result = CliRunner().invoke(sat2map, ["translate", str(folder), "-o", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_progress_bar_shows_any_name(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    source = write_raster(tmp_path / name, random_bands(3), **PLACE)
    result = CliRunner().invoke(sat2map, ["translate", str(source), "-o", str(tmp_path / "map.tif")])
    assert result.exit_code == 0, result.output
    assert name in result.stderr.replace("\x1b[0m", "")


def test_progress_in_lines_rises_to_the_whole_for_programs(tmp_path: Path) -> None:
    source = write_raster(tmp_path / "a.tif", random_bands(3, 96, 128), **PLACE)
    arguments = ["translate", str(source), "-o", str(tmp_path / "map.tif"), "--window", "64", "--progress", "lines"]
    result = CliRunner().invoke(sat2map, arguments)
    assert result.exit_code == 0, result.output
    told = [line for line in result.stderr.splitlines() if line.startswith("progress: ")]
    # Windows of 64 x 64 and 32 x 64 px, of 96 x 128 in all.
    assert told == [f"progress: {percent} %" for percent in (0, 33, 66, 83, 100)]
    assert "progress" not in CliRunner().invoke(sat2map, [*arguments, "--overwrite", "--quiet"]).stderr


def test_any_name_that_gdal_opens_is_a_scene(tmp_path: Path) -> None:
    bands, scene = random_bands(3), tmp_path / "a.tif"
    write_raster(scene, bands, **PLACE)
    package, netcdf = tmp_path / "a.gpkg", tmp_path / "a.nc"
    rasterio.shutil.copy(scene, package, driver="GPKG", TILE_FORMAT="PNG")
    rasterio.shutil.copy(scene, netcdf, driver="netCDF")
    names = [f"GPKG:{package}:a", f'NETCDF:"{netcdf}":Band2']
    result = CliRunner().invoke(sat2map, ["translate", *names, "-o", str(tmp_path / "out"), "--quiet"])
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.gpkg_a.tif", "a.nc_Band2.tif"]


def test_crs_that_is_given_is_the_maps(tmp_path: Path) -> None:
    source = write_raster(tmp_path / "a.tif", random_bands(3), transform=PLACE["transform"])
    arguments = ["translate", str(source), "-o", str(tmp_path / "map.tif"), "--crs", "EPSG:32618", "--json"]
    result = CliRunner().invoke(sat2map, arguments)
    assert result.exit_code == 0, result.output
    with rasterio.open(tmp_path / "map.tif") as drawn:
        assert (drawn.crs, drawn.transform) == (PLACE["crs"], PLACE["transform"])
    assert json.loads(result.stdout)[0]["resolution"].startswith("0.9 m/px")


@pytest.mark.parametrize("ending", [".tif", ".gpkg"])
def test_interrupt_says_what_stays_and_leaves_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    source = write_raster(tmp_path / "a.tif", random_bands(3), **PLACE)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("sat2map.engine.onnx.OnnxEngine.run_outputs", interrupt)
    result = run(source, "-o", tmp_path / f"map{ending}")
    left = f".map{ending}.sat2map" if ending == ".tif" else f"..map{ending}_map.tif.sat2map"
    told = f"what is drawn already stays in {tmp_path / left}, and the same command goes on from there"
    assert (result.exit_code, result.stderr.splitlines()[-2:]) == (130, [told, "interrupted"])
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([left, "a.tif"])
