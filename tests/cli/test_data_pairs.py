"""`sat2map data pairs`: what it says, and that what can be wrong ends in one line, a hint, and nothing half-written."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import shapely
from click.testing import CliRunner
from rasterio import Affine
from rasterio.warp import transform

from sat2map.cli.main import sat2map
from sat2map.data.pairs import list_pairs

from ..vector.ground import CRS_M, NORTH_M, WEST_M, line, square, write_geojson, write_layer

ROADS = [(line((-20, 100), (220, 100)), {"highway": "residential"})]


def _scene(path: Path, **options: Any) -> Path:
    pixels = np.random.default_rng(0).integers(1, 255, (3, 200, 200), np.uint8)
    place = {"crs": CRS_M, "transform": Affine(1, 0, WEST_M, 0, -1, NORTH_M), **options}
    with rasterio.open(path, "w", driver="GTiff", height=200, width=200, count=3, dtype="uint8", **place) as scene:
        scene.write(pixels)
    return path


def _latin_style(folder: Path) -> Path:
    (folder / "style.toml").write_bytes(b'name = "caf\xe9"')
    return folder / "style.toml"


def _pairs(folder: Path, vectors: object, *more: object, scene: Path | None = None) -> list[str]:
    given = [
        "data",
        "pairs",
        scene or _scene(folder / "scene.tif"),
        "--vectors",
        vectors,
        "-o",
        folder / "out",
        "--size",
        64,
    ]
    return [str(part) for part in (*given, *more)]


def _roads(folder: Path) -> Path:
    return write_geojson(folder / "roads.geojson", ROADS)


def _degrees(*, swapped: bool) -> list[tuple[Any, dict[str, str]]]:
    lons, lats = transform(CRS_M, "EPSG:4326", *np.array(ROADS[0][0].coords).T)
    both = (lats, lons) if swapped else (lons, lats)
    return [(shapely.LineString(zip(*both, strict=True)), {"highway": "residential"})]


def _without_crs(folder: Path) -> Path:
    return write_layer(
        folder / "roads.shp", [ROADS[0][0]], {"highway": ["residential"]}, crs=None, geometry_type="LineString"
    )


def _text(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


FAR = [(square(90_000, 0, 90_100, 100), {"leisure": "park"})]
PARK_LINES = [(ROADS[0][0], {"leisure": "park"})]
CASES: dict[str, tuple[Callable[[Path], list[str]], str]] = {
    "no such vectors": (lambda d: _pairs(d, d / "gone.gpkg"), "gone.gpkg"),
    "vectors elsewhere": (lambda d: _pairs(d, write_geojson(d / "far.geojson", FAR)), "beside the scene"),
    "latitude first": (
        lambda d: _pairs(d, write_geojson(d / "yx.geojson", _degrees(swapped=True), rasterio.crs.CRS.from_epsg(4326))),
        "latitude first",
    ),
    "vectors without a CRS": (lambda d: _pairs(d, _without_crs(d)), "no CRS"),
    "scene without a CRS": (
        lambda d: _pairs(d, _roads(d), scene=_scene(d / "plain.tif", crs=None)), "--crs says which it is",
    ),
    "no such layer": (lambda d: _pairs(d, _roads(d), "--layer", "rivers"), "no layer rivers"),
    "style that matches nothing": (lambda d: _pairs(d, _roads(d), "--style", "areas"), "draws nothing"),
    "lines where polygons are wanted": (lambda d: _pairs(d, write_geojson(d / "l.geojson", PARK_LINES)), "1 are lines"),
    "vectors that are none": (lambda d: _pairs(d, _text(d / "a.gpkg", "no vectors")), "a.gpkg"),
    "Parquet that is none": (lambda d: _pairs(d, _text(d / "a.parquet", "no vectors")), "a.parquet"),
    "extract that is none": (lambda d: _pairs(d, _text(d / "a.osm.pbf", "no vectors")), "a.osm.pbf"),
    "style that is not UTF-8": (lambda d: _pairs(d, _roads(d), "--style", str(_latin_style(d))), "not UTF-8"),
    "no such style": (lambda d: _pairs(d, _roads(d), "--style", "osn"), "osn"),
    "style that is no TOML": (lambda d: _pairs(d, _roads(d), "--style", _text(d / "s.toml", "[[[")), "s.toml"),
    "style without rules": (lambda d: _pairs(d, _roads(d), "--style", _text(d / "s.toml", 'name = "s"')), "rules"),
    "unknown country": (lambda d: _pairs(d, _roads(d), "--country", "XX"), "XX"),
    "model without a question": (lambda d: _pairs(d, _roads(d), "--model", "newyork"), "--align"),
    "pairs larger than the scene": (lambda d: _pairs(d, _roads(d), "--size", "300"), "smaller than a pair"),
    "output in no folder": (lambda d: _pairs(d, _roads(d), "-o", d / "none" / "out"), "none"),
    "output that is a file": (lambda d: _pairs(d, _roads(d), "-o", _text(d / "f", "x")), "not a folder"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_wrong_input_ends_in_one_line_and_a_hint(case: str, tmp_path: Path) -> None:
    make, named = CASES[case]
    arguments = make(tmp_path)
    before = set(tmp_path.rglob("*"))
    result = CliRunner().invoke(sat2map, arguments)
    assert result.exit_code == 2, result.output
    starts = [entry.partition(":")[0] for entry in result.stderr.splitlines()]
    assert starts == ["error", "hint"], result.stderr
    assert named in result.stderr
    assert set(tmp_path.rglob("*")) == before


def test_a_geopackage_that_another_program_has_locked_is_read(tmp_path: Path) -> None:
    path = write_layer(
        tmp_path / "locked.gpkg", [ROADS[0][0]], {"highway": ["residential"]}, geometry_type="LineString"
    )
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("BEGIN EXCLUSIVE")
        result = CliRunner().invoke(sat2map, _pairs(tmp_path, path))
    assert result.exit_code == 0, result.output


def test_what_was_done_is_told(tmp_path: Path) -> None:
    roads = [*ROADS, (line((0, 20), (200, 20)), {"highway": "hyperloop"})]
    path = write_geojson(tmp_path / "roads.geojson", roads)
    result = CliRunner().invoke(sat2map, _pairs(tmp_path, path, "--json"))
    assert result.exit_code == 0, result.output
    assert "no rule knows hyperloop (1)" in result.stderr
    assert "left out: 6 of 9 squares (no vectors)" in result.stderr
    assert "3 pairs in" in result.stderr
    said = json.loads(result.stdout)
    assert [square["became"] for square in said["squares"]].count("written") == 3
    assert len(list_pairs(tmp_path / "out")) == 3


def test_degrees_lie_where_metres_do(tmp_path: Path) -> None:
    one = write_geojson(tmp_path / "m.geojson", ROADS)
    other = write_geojson(tmp_path / "d.geojson", _degrees(swapped=False), rasterio.crs.CRS.from_epsg(4326))
    maps = []
    for path in (one, other):
        result = CliRunner().invoke(sat2map, _pairs(tmp_path, path, "--overwrite", "--quiet"))
        assert result.exit_code == 0, result.output
        with rasterio.open(next((tmp_path / "out" / "B").iterdir())) as drawn:
            maps.append(drawn.read())
    assert (maps[0] != maps[1]).mean() < 0.01


def test_align_asks_the_model(tmp_path: Path) -> None:
    """On noise it sees no roads, and moves nothing."""
    result = CliRunner().invoke(sat2map, _pairs(tmp_path, _roads(tmp_path), "--align"))
    assert result.exit_code == 0, result.output
    assert "moved by 0.0 m to the right and 0.0 m up" in result.stderr.replace("-0.0", "0.0")
    assert (tmp_path / "out" / "alignment.csv").is_file()
