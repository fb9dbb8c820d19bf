"""Vectors by the command line: of a map that exists, and of a scene."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import geopandas
import numpy as np
import pytest
import shapely
from click.testing import CliRunner

from sat2map.city import write_scene
from sat2map.cli.main import sat2map
from sat2map.vector.write import SUFFIXES
from tests.peak import PRINT_PEAK_MIB


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synthetic city, and beside it its true map."""
    path = tmp_path_factory.mktemp("city") / "city.tif"
    write_scene(path, 400, seed=1)
    return path


def truth(city: Path) -> Path:
    return city.with_name("city_truth.tif")


def run(*arguments: object) -> str:
    result = CliRunner().invoke(sat2map, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize("simplify", [(), ("--simplify", "0"), ("--simplify", "4")])
def test_areas_of_a_city_are_a_coverage_in_any_windows(city: Path, tmp_path: Path, simplify: tuple[str, ...]) -> None:
    texts = set()
    for window, workers in ((400, 1), (256, 3), (97, 1), (64, 3)):
        out = tmp_path / f"{window}.geojsonl"
        run("vectorize", truth(city), "-o", out, "--window", window, "--workers", workers, *simplify)
        texts.add(out.read_bytes())
    assert len(texts) == 1
    run("vectorize", truth(city), "-o", tmp_path / "a.gpkg", *simplify)
    areas = geopandas.read_file(tmp_path / "a.gpkg", layer="areas")
    assert len(areas) == len(texts.pop().splitlines())
    assert shapely.coverage_is_valid(areas.geometry.to_numpy())
    assert areas.geometry.is_valid.all()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_has_the_same_areas(city: Path, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"a{suffix}"
    told = json.loads(run("vectorize", truth(city), "-o", out, "--min-area", 50, "--json", "--quiet"))
    read = geopandas.read_parquet(out) if suffix == ".parquet" else geopandas.read_file(out, layer=0)
    assert told["features"] == {"areas": len(read)}
    assert told["outputs"] == [str(out)]
    assert list(read.columns) == ["area_id", "class", "area_m2", "confidence", *read.columns[4:]]
    assert read["area_m2"].min() >= 45
    side_m = 400 * 0.9
    assert read["area_m2"].sum() == pytest.approx(side_m**2, rel=0.01)


def test_a_scene_becomes_vectors_of_its_map_in_any_windows(city: Path, tmp_path: Path) -> None:
    texts = set()
    for window in (400, 128):
        out = tmp_path / f"{window}.geojsonl"
        told = run("translate", city, "-o", out, "--window", window, "--json", "--quiet")
        assert json.loads(told)["outputs"] == [str(out)]
        texts.add(out.read_bytes())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["128.geojsonl", "400.geojsonl"]
    also = tmp_path / "map.tif"
    run("translate", city, "-o", tmp_path / "a.geojsonl", "--also", also, "--quiet")
    texts.add((tmp_path / "a.geojsonl").read_bytes())
    run("vectorize", also, "-o", tmp_path / "b.geojsonl")
    texts.add((tmp_path / "b.geojsonl").read_bytes())
    assert len(texts) == 1


def test_confidence_of_a_map_is_that_of_its_areas(city: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.gpkg"
    run("translate", city, "-o", out, "--confidence", "--quiet")
    confidence = geopandas.read_file(out, layer="areas")["confidence"]
    assert confidence.between(0.1, 1).all()
    assert confidence.mean() > 0.4
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_killed_at_any_moment_it_leaves_nothing(city: Path, tmp_path: Path) -> None:
    whole, out = tmp_path / "whole.geojsonl", tmp_path / "a.geojsonl"
    program = Path(sys.executable).with_name("sat2map")
    begun = time.monotonic()
    subprocess.run([program, "vectorize", truth(city), "-o", whole, "--quiet"], check=True)
    duration = time.monotonic() - begun
    for share in np.linspace(0.1, 0.95, 8):
        process = subprocess.Popen([program, "vectorize", truth(city), "-o", out], stderr=subprocess.DEVNULL)
        time.sleep(share * duration)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        if out.exists():
            assert out.read_bytes() == whole.read_bytes()
            out.unlink()
    subprocess.run([program, "vectorize", truth(city), "-o", out, "--quiet"], check=True)
    assert out.read_bytes() == whole.read_bytes()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_memory_does_not_grow_with_the_raster(tmp_path: Path) -> None:
    write_scene(tmp_path / "city.tif", 1000, seed=2)
    code = (
        "import sys; from pathlib import Path; from sat2map.vector.vectorize import vectorize_file; "
        f"vectorize_file(sys.argv[1], Path(sys.argv[2])); {PRINT_PEAK_MIB}"
    )
    for n in (5, 10):
        mosaic = tmp_path / f"{n}.vrt"
        mosaic.write_text(repeated(tmp_path / "city_truth.tif", n), encoding="utf-8")
        command = [sys.executable, "-c", code, str(mosaic), str(tmp_path / f"{n}.gpkg")]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        assert int(done.stdout.split()[-1]) < 800


def repeated(path: Path, n: int) -> str:
    """A map of 1,000 px, n times in each direction."""
    import rasterio

    with rasterio.open(path) as dataset:
        t, wkt = dataset.transform, dataset.crs.to_wkt()
    bands = []
    for band, colour in enumerate(("Red", "Green", "Blue"), 1):
        sources = "".join(
            f'<SimpleSource><SourceFilename relativeToVRT="0">{path}</SourceFilename><SourceBand>{band}</SourceBand>'
            f'<DstRect xOff="{1000 * col}" yOff="{1000 * row}" xSize="1000" ySize="1000"/></SimpleSource>'
            for row in range(n)
            for col in range(n)
        )
        bands.append(
            f'<VRTRasterBand dataType="Byte" band="{band}"><ColorInterp>{colour}</ColorInterp>{sources}</VRTRasterBand>'
        )
    place = f"{t.c}, {t.a}, {t.b}, {t.f}, {t.d}, {t.e}"
    return (
        f'<VRTDataset rasterXSize="{1000 * n}" rasterYSize="{1000 * n}"><SRS>{wkt}</SRS>'
        f"<GeoTransform>{place}</GeoTransform>{''.join(bands)}</VRTDataset>"
    )
