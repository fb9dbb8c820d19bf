"""Vectors by the command line: of a map that exists, and of a scene."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio
import rasterio.shutil
import shapely
from click.testing import CliRunner

from sat2map import engine
from sat2map.arrays import UInt8
from sat2map.city import write_scene
from sat2map.cli.main import sat2map
from sat2map.vector.write import SUFFIXES
from tests.killing import run_and_kill
from tests.peak import PRINT_PEAK_MIB
from tests.vector.road_fields import drawn

DATA = os.environ.get("SAT2MAP_DATA")


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synthetic city, and beside it its true map."""
    path = tmp_path_factory.mktemp("city") / "city.tif"
    write_scene(path, 400, seed=1)
    return path


def truth(city: Path) -> Path:
    return city.with_name("city_truth.tif")


def write_classes(path: Path, classes_hw: UInt8) -> Path:
    place = {"crs": "EPSG:32633", "transform": rasterio.Affine(1, 0, 5e5, 0, -1, 5e6)}
    height, width = classes_hw.shape
    with rasterio.open(path, "w", "GTiff", width, height, 1, dtype="uint8", **place) as dataset:
        dataset.write(classes_hw, 1)
    return path


def crossing(path: Path) -> Path:
    """A road and a major road that cross; the road has a gap of 10 m."""
    field = drawn(200, 200, [([(0, 100), (200, 100)], 9, 1), ([(100, 0), (100, 200)], 9, 2)])
    field[:, 40:50] = 0
    return write_classes(path, field)


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
    assert told["features"]["areas"] == len(read)
    assert list(told["features"]) == (["areas", "roads", "junctions"] if suffix == ".gpkg" else ["areas"])
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


@pytest.mark.parametrize("name", ["map.tif", "map.geojsonl"])
def test_a_translation_loads_its_model_once(
    city: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    loaded = []
    load = engine.load_engine
    for module in ("sat2map.translate.translator", "sat2map.engine"):
        monkeypatch.setattr(f"{module}.load_engine", lambda *arguments: loaded.append(arguments) or load(*arguments))
    run("translate", city, "-o", tmp_path / name, "--quiet")
    assert len(loaded) == 1


def test_confidence_of_a_map_is_that_of_its_areas(city: Path, tmp_path: Path) -> None:
    # Whose map is kept under a name that is no pattern.
    out = tmp_path / "[a] b.gpkg"
    run("translate", city, "-o", out, "--quiet")
    confidence = geopandas.read_file(out, layer="areas")["confidence"]
    assert confidence.between(0.1, 1).all()
    assert confidence.mean() > 0.4
    assert list(tmp_path.iterdir()) == [out]


def test_vectors_may_have_a_name_as_long_as_names_can_be(city: Path, tmp_path: Path) -> None:
    out = tmp_path / f"{'m' * 246}.geojsonl"
    run("translate", city, "-o", out, "--quiet")
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize("name", ["map.tiff", "map.TIF", "map.png"])
def test_vectors_are_the_same_whatever_the_ending_of_their_map(city: Path, tmp_path: Path, name: str) -> None:
    run("translate", city, "-o", tmp_path / "alone.geojsonl", "--quiet")
    run("translate", city, "-o", tmp_path / "with.geojsonl", "--also", tmp_path / name, "--quiet")
    run("vectorize", tmp_path / name, "-o", tmp_path / "later.geojsonl", "--quiet")
    alone = (tmp_path / "alone.geojsonl").read_bytes()
    assert b'"confidence":0' in alone.replace(b" ", b"")
    assert (tmp_path / "with.geojsonl").read_bytes() == (tmp_path / "later.geojsonl").read_bytes() == alone


def test_web_tiles_become_vectors_and_are_no_map_beside_them(city: Path, tmp_path: Path) -> None:
    tiles = tmp_path / "map.mbtiles"
    run("translate", city, "-o", tiles, "--confidence", "--quiet")
    # Their confidence is on the scene's grid, not on theirs.
    run("vectorize", tiles, "-o", tmp_path / "map.fgb", "--quiet")
    assert len(geopandas.read_file(tmp_path / "map.fgb"))
    result = CliRunner().invoke(sat2map, ["translate", str(city), "-o", str(tmp_path / "a.gpkg"), "--also", str(tiles)])
    assert result.exit_code == 2
    assert "--also takes .tif or .png" in result.stderr


def test_a_scene_or_map_in_a_geopackage_is_not_replaced_by_its_vectors(city: Path, tmp_path: Path) -> None:
    for command, source in (("translate", city), ("vectorize", truth(city))):
        scene, mosaic = tmp_path / f"{command}.gpkg", tmp_path / f"{command}.vrt"
        with rasterio.Env(GDAL_PAM_ENABLED=False):
            rasterio.shutil.copy(source, scene, driver="GPKG")
            rasterio.shutil.copy(scene, mosaic, driver="VRT")
        before = scene.read_bytes()
        for given in (scene, mosaic):
            result = CliRunner().invoke(sat2map, [command, str(given), "-o", str(scene), "--overwrite"])
            assert result.exit_code == 2
            assert "output is the input itself" in result.stderr
        assert scene.read_bytes() == before


@pytest.mark.parametrize("suffix", [".gpkg", ".parquet"])
def test_vectors_of_a_building_site_lie_on_its_grid(tmp_path: Path, suffix: str) -> None:
    source = crossing(tmp_path / "site.tif")
    with rasterio.open(source, "r+") as site:
        site.crs = rasterio.crs.CRS.from_wkt('LOCAL_CS["site",UNIT["metre",1]]')
    out = tmp_path / f"a{suffix}"
    run("vectorize", source, "-o", out, "--simplify", "0")
    areas = geopandas.read_parquet(out) if suffix == ".parquet" else geopandas.read_file(out, layer="areas")
    assert areas.area_m2.tolist() == pytest.approx(areas.geometry.area.tolist())
    assert areas.area_m2.sum() == pytest.approx(200 * 200)
    result = CliRunner().invoke(sat2map, ["vectorize", str(source), "-o", str(tmp_path / "a.geojsonl")])
    assert result.exit_code == 2
    assert "CRS does not lead to degrees" in result.stderr
    assert not list(tmp_path.glob("*.geojsonl"))


@pytest.mark.parametrize("layer", ["roads", "junctions"])
def test_roads_of_a_city_are_the_same_in_any_windows(city: Path, tmp_path: Path, layer: str) -> None:
    texts = set()
    for window, workers in ((256, 1), (256, 3), (704, 1), (704, 3)):
        out = tmp_path / f"{window}_{workers}.geojsonl"
        run("vectorize", truth(city), "-o", out, "--layer", layer, "--window", window, "--workers", workers)
        texts.add(out.read_bytes())
    assert len(texts) == 1
    run("vectorize", truth(city), "-o", tmp_path / "a.gpkg")
    assert len(geopandas.read_file(tmp_path / "a.gpkg", layer=layer)) == len(texts.pop().splitlines()) > 10


def test_a_crossing_has_its_roads_and_junctions(tmp_path: Path) -> None:
    source, out = crossing(tmp_path / "a.tif"), tmp_path / "a.gpkg"
    told = json.loads(run("vectorize", source, "-o", out, "--json", "--quiet"))
    assert told["features"] == {"areas": 7, "roads": 6, "junctions": 7}
    roads, junctions = (geopandas.read_file(out, layer=layer) for layer in ("roads", "junctions"))
    assert sorted(roads["class"]) == ["major road"] * 2 + ["road"] * 4
    assert roads["is_inferred"].sum() == 1
    assert roads["length_m"].to_numpy() == pytest.approx(roads.length.to_numpy(), rel=1e-3)
    assert roads["width_m"].to_numpy() == pytest.approx(9, abs=1.1)
    assert roads["confidence"].isna().all()
    assert sorted(junctions["degree"]) == [1, 1, 1, 1, 2, 2, 4]


def test_gaps_stay_open_where_none_is_to_be_closed(tmp_path: Path) -> None:
    source, out = crossing(tmp_path / "a.tif"), tmp_path / "a.fgb"
    run("vectorize", source, "-o", out, "--layer", "roads", "--close-gaps", 0)
    assert not geopandas.read_file(out)["is_inferred"].any()


def test_confidence_goes_to_the_roads_too(tmp_path: Path) -> None:
    source = crossing(tmp_path / "a.tif")
    with rasterio.open(source) as dataset:
        profile = dataset.profile
    with rasterio.open(tmp_path / "a_confidence.tif", "w", **profile) as dataset:
        dataset.write(np.full((200, 200), 204, np.uint8), 1)
    run("vectorize", source, "-o", tmp_path / "a.parquet", "--layer", "roads")
    roads = geopandas.read_parquet(tmp_path / "a.parquet")
    assert roads["confidence"].to_numpy() == pytest.approx(np.where(roads["is_inferred"], 0, 0.8))


@pytest.mark.parametrize("names", [("land", "forest", "sea"), ("land", "sea", "road")])
def test_roads_are_found_by_the_names_of_other_classes(tmp_path: Path, names: tuple[str, ...]) -> None:
    table = "".join(f'[[classes]]\nname = "{name}"\ncolours_rgb = [[{i}, 0, 0]]\n' for i, name in enumerate(names))
    (tmp_path / "c.toml").write_text(table)
    command = ["vectorize", crossing(tmp_path / "a.tif"), "-o", tmp_path / "a.gpkg"]
    result = CliRunner().invoke(sat2map, [str(a) for a in [*command, "--class-table", tmp_path / "c.toml", "--json"]])
    assert result.exit_code == 0, result.output
    has_roads = "road" in names
    assert ("roads" in json.loads(result.stdout)["features"]) == has_roads
    if has_roads:
        assert set(geopandas.read_file(tmp_path / "a.gpkg", layer="roads")["class"]) == {"road"}


def test_ground_without_roads_has_empty_layers(tmp_path: Path) -> None:
    source = write_classes(tmp_path / "a.tif", np.zeros((50, 50), np.uint8))
    for layer in ("roads", "junctions"):
        for suffix in (".fgb", ".parquet", ".geojsonl"):
            run("vectorize", source, "-o", tmp_path / f"{layer}{suffix}", "--layer", layer)
    told = run("vectorize", source, "-o", tmp_path / "a.gpkg", "--json")
    assert json.loads(told)["features"] == {"areas": 1, "roads": 0, "junctions": 0}
    assert len(geopandas.read_file(tmp_path / "a.gpkg", layer="roads")) == 0


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_files_are_the_same_bytes_in_any_windows(city: Path, tmp_path: Path, suffix: str) -> None:
    files = set()
    for window, workers in ((400, 1), (97, 3)):
        out = tmp_path / f"{window}{suffix}"
        run("vectorize", truth(city), "-o", out, "--window", window, "--workers", workers)
        files.add(out.read_bytes())
    assert len(files) == 1


@pytest.mark.slow
@pytest.mark.skipif(DATA is None, reason="SAT2MAP_DATA is not set: no mosaic")
@pytest.mark.parametrize("suffix", [".gpkg", ".fgb", ".geojsonl"])
def test_files_of_a_mosaic_are_the_same_bytes_in_any_windows(tmp_path: Path, suffix: str) -> None:
    digests = set()
    for window, workers in ((256, 3), (704, 1), (1408, 3), (10_000, 1)):
        out = tmp_path / f"{window}{suffix}"
        run("vectorize", f"{DATA}/mosaics/v198_map.tif", "-o", out, "--window", window, "--workers", workers)
        digests.add(hashlib.sha256(out.read_bytes()).hexdigest())
    assert len(digests) == 1


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".gpkg", ".fgb", ".geojsonl"])
def test_killed_translation_goes_on_to_the_same_bytes(city: Path, tmp_path: Path, suffix: str) -> None:
    whole, out = tmp_path / f"whole{suffix}", tmp_path / f"a{suffix}"
    run("translate", city, "-o", whole, "--window", 400)
    rows = tmp_path / f"..a{suffix}_map.tif.sat2map" / "*"
    for files, nth in ((rows, 2), (rows, 9), (rows.parent / "finished" / "*", 1), (tmp_path / ".a.*.part*", 1)):
        run_and_kill(["translate", str(city), "-o", str(out), "--window", "64"], files, nth, os.environ)
        assert not out.exists()
    run("translate", city, "-o", out, "--window", 64)
    assert out.read_bytes() == whole.read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {out.name, whole.name}


@pytest.mark.slow
def test_killed_run_leaves_no_layer(city: Path, tmp_path: Path) -> None:
    whole, out = tmp_path / "whole.geojsonl", tmp_path / "a.geojsonl"
    program = Path(sys.executable).with_name("sat2map")
    subprocess.run([program, "vectorize", truth(city), "-o", whole, "--quiet"], check=True)
    for nth in (1, 2, 3):  # the file is made, written to its end, and about to get its name
        run_and_kill(["vectorize", str(truth(city)), "-o", str(out)], tmp_path / ".a.*", nth, os.environ)
        assert not out.exists()
    subprocess.run([program, "vectorize", truth(city), "-o", out, "--quiet"], check=True)
    assert out.read_bytes() == whole.read_bytes()


@pytest.mark.slow
def test_memory_does_not_grow_with_the_raster(tmp_path: Path) -> None:
    write_scene(tmp_path / "city.tif", 1000, seed=2)
    code = (
        "import sys; from pathlib import Path; from sat2map.vector.vectorize import vectorize_file; "
        f"vectorize_file(sys.argv[1], Path(sys.argv[2])); {PRINT_PEAK_MIB}"
    )
    peaks_mib = []
    for n in (5, 10):
        mosaic = tmp_path / f"{n}.vrt"
        mosaic.write_text(repeated(tmp_path / "city_truth.tif", n), encoding="utf-8")
        command = [sys.executable, "-c", code, str(mosaic), str(tmp_path / f"{n}.gpkg")]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        peaks_mib.append(int(done.stdout.split()[-1]))
    # A few numbers of each area, arc and line are in memory, and none of a pixel or a point.
    assert peaks_mib[1] < peaks_mib[0] + 200


def repeated(path: Path, n: int) -> str:
    """A map of 1,000 px, n times in each direction."""
    with rasterio.open(path) as dataset:
        t, wkt = dataset.transform, dataset.crs.to_wkt()
    bands = []
    for band, colour in enumerate(("Red", "Green", "Blue"), 1):
        sources = "".join(
            f'<SimpleSource><SourceFilename relativeToVRT="0">{path}</SourceFilename><SourceBand>{band}</SourceBand>'
            f'<SrcRect xOff="0" yOff="0" xSize="1000" ySize="1000"/>'
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


def test_progress_in_lines_is_of_areas_and_then_of_roads(city: Path, tmp_path: Path) -> None:
    def told(name: str) -> list[int]:
        given = ["vectorize", str(truth(city)), "-o", str(tmp_path / name), "--window", "128", "--workers", "1"]
        result = CliRunner().invoke(sat2map, [*given, "--progress", "lines"])
        assert result.exit_code == 0, result.output
        found = re.findall(r"^progress: (\d+) %$", result.stderr, re.MULTILINE)
        return [int(percent) for percent in found]

    # 400 rows in windows of 128.
    assert told("a.fgb") == [32, 64, 96, 100]
    both = told("a.gpkg")
    assert both[:4] == [16, 32, 48, 50]
    assert both == sorted(set(both))
    assert both[-1] == 100
