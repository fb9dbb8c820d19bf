"""Vectors scored by the command line: roads on true roads, areas on their raster."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import rasterio
import shapely
from click.testing import CliRunner

from sat2map.classes import ClassTable, MapClass
from sat2map.cli.main import sat2map
from sat2map.scene.class_tag import CLASS_TABLE_TAG, as_tag
from tests.cli.test_vectorize import crossing, run


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a map of two roads that cross, and its vectors as they are and not simplified."""
    folder = tmp_path_factory.mktemp("made")
    crossing(folder / "map.tif")
    run("vectorize", folder / "map.tif", "-o", folder / "map.gpkg")
    run("vectorize", folder / "map.tif", "-o", folder / "exact.gpkg", "--simplify", "0")
    return folder


def scores(*arguments: object) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads(run("evaluate-vectors", *arguments, "--json"))
    return found


def refused(*arguments: object) -> str:
    result = CliRunner().invoke(sat2map, ["evaluate-vectors", *map(str, arguments)])
    assert result.exit_code == 2
    return result.stderr


def truth(path: Path, *lines: list[tuple[float, float]]) -> Path:
    """True roads in another CRS than the map's."""
    placed = [shapely.LineString([(5e5 + x, 5e6 - y) for x, y in line]) for line in lines]
    geopandas.GeoSeries(placed, crs="EPSG:32633").to_crs(4326).to_file(path)
    return path


def test_roads_are_scored_on_true_lines_in_any_crs(made: Path, tmp_path: Path) -> None:
    arms = [[(100.0, 100.0), end] for end in ((0.0, 100.0), (200.0, 100.0), (100.0, 0.0), (100.0, 200.0))]
    true = truth(tmp_path / "true.fgb", *arms)
    roads = scores(made / "map.gpkg", "--true", true)["roads"]
    assert roads["apls_4m"] > 0.95
    assert roads["length_ratio"] == pytest.approx(1, abs=0.01)
    assert (roads["junction_precision"], roads["junction_recall"]) == (1, 1)


def test_a_report_shows_where_roads_are_missing_and_false(made: Path, tmp_path: Path) -> None:
    true = truth(tmp_path / "true.fgb", [(0.0, 100.0), (200.0, 100.0)], [(0.0, 180.0), (40.0, 180.0)])
    report = tmp_path / "errors.gpkg"
    run("evaluate-vectors", made / "map.gpkg", "--true", true, "--errors", report)
    missing, false = (geopandas.read_file(report, layer=name) for name in ("missing", "false"))
    assert missing.length_m.sum() == pytest.approx(40, abs=0.5)
    # The road that runs down, but for what lies within 10 m of the other one.
    assert false.length_m.sum() == pytest.approx(180, abs=3)
    assert "exists" in refused(made / "map.gpkg", "--true", true, "--errors", report)


def test_roads_far_beside_the_true_ones_are_told(made: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for shift_m, is_told in ((1_150.0, False), (50_000.0, True)):
        true = truth(tmp_path / f"{shift_m}.fgb", [(shift_m, 100.0), (shift_m + 100, 100.0)])
        assert scores(made / "map.gpkg", "--true", true)["roads"]["apls_4m"] == 0
        assert ("50 km beside the true ones" in caplog.text) == is_told


def test_a_maps_own_roads_are_traced(made: Path) -> None:
    assert scores(made / "map.tif", "--true", made / "map.tif")["roads"]["apls_4m"] == pytest.approx(1)


def test_lettering_cuts_no_road_of_a_true_map(made: Path, tmp_path: Path) -> None:
    with rasterio.open(made / "map.tif") as dataset:
        profile, pixels = dataset.profile, dataset.read()
    pixels[..., 40:46] = pixels[:, :1, :1]
    with rasterio.open(tmp_path / "cut.tif", "w", **profile) as dataset:
        dataset.write(pixels)
    assert scores(made / "map.gpkg", "--true", tmp_path / "cut.tif")["roads"]["apls_4m"] > 0.95


def test_roads_of_a_map_are_those_of_its_own_classes(made: Path, tmp_path: Path) -> None:
    own = ClassTable([MapClass("track", ((9, 9, 9),), is_road=True), MapClass("field", ((0, 90, 0),))])
    with rasterio.open(made / "map.tif") as dataset:
        profile, is_land = dataset.profile, dataset.read(1) == 0
    with rasterio.open(tmp_path / "own.tif", "w", **profile) as dataset:
        dataset.update_tags(**{CLASS_TABLE_TAG: as_tag(own)})
        dataset.write(is_land.astype(np.uint8), 1)
    assert scores(made / "map.tif", "--true", tmp_path / "own.tif")["roads"]["apls_4m"] == pytest.approx(1)


def test_areas_are_scored_on_their_raster(made: Path) -> None:
    exact = scores(made / "exact.gpkg", "--map", made / "map.tif")["areas"]
    areas = scores(made / "map.gpkg", "--map", made / "map.tif")["areas"]
    assert exact["is_coverage"]
    assert areas["is_coverage"]
    assert {kind["iou"] for kind in exact["classes"].values() if kind["share"]} == {1.0}
    assert {kind["area_error"] for kind in exact["classes"].values() if kind["share"]} == {0.0}
    assert sum(kind["share"] for kind in exact["classes"].values()) == pytest.approx(1)
    assert areas["classes"]["road"]["iou"] > 0.97
    assert areas["vertices_per_km"] < exact["vertices_per_km"]


def test_areas_of_which_one_was_moved_are_no_coverage(made: Path, tmp_path: Path) -> None:
    areas = geopandas.read_file(made / "exact.gpkg", layer="areas")
    land = areas["class"] == "land"
    areas.loc[land, "geometry"] = areas.geometry[land].translate(3, 0)
    areas.to_file(tmp_path / "moved.gpkg", layer="areas")
    found = scores(tmp_path / "moved.gpkg", "--map", made / "map.tif")["areas"]
    assert not found["is_coverage"]
    assert found["classes"]["land"]["iou"] < 0.99


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("map.gpkg",), "nothing to compare with"),
        (("map.gpkg", "--errors", "e.gpkg", "--map", "map.tif"), "--errors is of roads"),
        (("map.gpkg", "--true", "none.gpkg"), "no such file of vectors"),
        (("map.gpkg", "--true", "areas.fgb"), "layer areas holds no line of a road"),
        (("roads.fgb", "--map", "map.tif"), "hold no areas"),
        (("map.gpkg", "--map", "elsewhere.tif"), "areas lie beside the raster"),
        (("map.gpkg", "--map", "site.tif"), "areas lie beside the raster"),
        (
            ("map.gpkg", "--true", "exact.gpkg", "--errors", "exact.gpkg", "--overwrite"),
            "output is the input itself: 'exact.gpkg'\nhint: choose another name with --errors",
        ),
        (("map.gpkg", "--true", "exact.gpkg", "--errors", "map.gpkg", "--overwrite"), "output is the input itself"),
    ],
)
def test_bad_input_is_one_line(
    made: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], words: str
) -> None:
    monkeypatch.chdir(made)
    for layer in ("areas", "roads"):
        if not Path(f"{layer}.fgb").exists():
            run("vectorize", "map.tif", "-o", f"{layer}.fgb", "--layer", layer)
    for name, crs, west in (("elsewhere", "EPSG:32633", 6e5), ("site", 'LOCAL_CS["site",UNIT["metre",1]]', 5e5)):
        crossing(Path(f"{name}.tif"))
        with rasterio.open(f"{name}.tif", "r+") as moved:
            moved.crs, moved.transform = rasterio.crs.CRS.from_string(crs), rasterio.Affine(1, 0, west, 0, -1, 5e6)
    assert words in refused(*arguments)
