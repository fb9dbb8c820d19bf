from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from xml.etree import ElementTree

import geopandas
import numpy as np
import pyarrow.parquet
import pyogrio
import pytest
import shapely

from sat2map.errors import OutputError
from sat2map.vector.layer import FeatureBatch, FeatureLayer, is_name_for_pyogrio
from sat2map.vector.write import SUFFIXES, write_layers
from tests.need import need
from tests.vector.fields import UTM

COLOURS = {"road": (255, 255, 255), "water & ice": (177, 208, 254)}


def squares(n: int = 5, fails_after: int | None = None) -> FeatureLayer:
    """Squares in two batches; of unequal classes, one without a number."""

    def batches() -> Iterator[FeatureBatch]:
        for i, some in enumerate((np.arange(0, 2), np.arange(2, n))):
            if fails_after == i:
                raise RuntimeError
            x = 500_000.0 + 10 * some
            names = np.array(["road", "water & ice"], object)[some % 2]
            share = np.where(some == 1, np.nan, some / 10)
            yield FeatureBatch(shapely.box(x, 5e6, x + 10, 5e6 + 10), {"n": some, "class": names, "share": share})

    return FeatureLayer(
        "areas", "Polygon", {"n": "int64", "class": "string", "share": "double"}, UTM, batches(), COLOURS
    )


def points() -> FeatureLayer:
    batch = FeatureBatch(shapely.points([[5e5, 5e6], [5e5 + 1, 5e6]]), {"degree": np.array([3, 4])})
    return FeatureLayer("junctions", "Point", {"degree": "int64"}, UTM, [batch])


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_features_come_back_from_every_format(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    write_layers(path, [squares()])
    read = geopandas.read_parquet(path) if suffix == ".parquet" else geopandas.read_file(path, layer=0)
    read = read.sort_values("n")
    assert list(read["n"]) == [0, 1, 2, 3, 4]
    assert list(read["class"]) == ["road", "water & ice", "road", "water & ice", "road"]
    assert list(read["share"].isna()) == [False, True, False, False, False]
    in_metres = read.to_crs(32633)
    expected = [batch.geometry for batch in squares().batches]
    assert shapely.hausdorff_distance(in_metres.geometry.to_numpy(), np.concatenate(expected)).max() < 0.02
    assert list(tmp_path.iterdir()) == [path]


def test_geopackage_holds_all_layers_and_their_colours(tmp_path: Path) -> None:
    path = tmp_path / "a.gpkg"
    write_layers(path, [squares(), points()])
    assert [name for name, _ in pyogrio.list_layers(path)][:2] == ["areas", "junctions"]
    with sqlite3.connect(path) as database:
        # 1.2, which GDAL of Debian 12 knows.
        assert database.execute("PRAGMA user_version").fetchone() == (10200,)
        rows = database.execute("SELECT f_table_name, styleQML, useAsDefault, update_time FROM layer_styles").fetchall()
    database.close()
    assert [row[0] for row in rows] == ["areas", "junctions"]
    assert all(row[2] == 1 and row[3] for row in rows)
    renderer = ElementTree.fromstring(rows[0][1]).find("renderer-v2")
    assert renderer is not None
    shown = {}
    for category in renderer.iter("category"):
        symbol = renderer.find(f"symbols/symbol[@name='{category.get('symbol')}']")
        assert symbol is not None
        colour = symbol.find("layer/prop[@k='color']")
        assert colour is not None
        shown[category.get("value")] = colour.get("v")
    assert shown == {"road": "255,255,255,255", "water & ice": "177,208,254,255"}


@pytest.mark.parametrize("suffix", [".fgb", ".parquet", ".geojsonl"])
def test_formats_of_one_layer_refuse_more(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(OutputError, match="holds one"):
        write_layers(tmp_path / f"a{suffix}", [squares(), points()])
    assert list(tmp_path.iterdir()) == []


def test_geoparquet_says_what_its_columns_are(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    write_layers(path, [squares()])
    table = pyarrow.parquet.read_table(path)
    geo = json.loads(table.schema.metadata[b"geo"])
    column = geo["columns"]["geometry"]
    assert (geo["version"], geo["primary_column"]) == ("1.1.0", "geometry")
    assert (column["encoding"], column["geometry_types"]) == ("WKB", ["Polygon"])
    assert column["crs"]["id"] == {"authority": "EPSG", "code": 32633}
    assert column["covering"]["bbox"]["ymax"] == ["bbox", "ymax"]
    assert table["bbox"][1].as_py() == {"xmin": 500_010, "ymin": 5e6, "xmax": 500_020, "ymax": 5e6 + 10}
    assert len(geopandas.read_parquet(path, bbox=(500_011, 5e6, 500_012, 5e6 + 1))) == 1


def test_geojson_is_in_degrees_with_seven_decimals_against_the_clock(tmp_path: Path) -> None:
    path = tmp_path / "a.geojsonl"
    write_layers(path, [squares()])
    lines = path.read_text("utf-8").splitlines()
    assert len(lines) == 5
    features = [json.loads(line) for line in lines]
    assert [feature["properties"]["n"] for feature in features] == [0, 1, 2, 3, 4]
    assert features[1]["properties"]["share"] is None
    ring = features[0]["geometry"]["coordinates"][0]
    assert ring[0] == ring[-1]
    assert all(round(value, 7) == value for point in ring for value in point)
    assert ring[0] == pytest.approx([15, 45.15], abs=0.01)
    assert shapely.LinearRing(ring).is_ccw


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_nothing_appears_of_what_fails(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(Exception, match=r"^.*$"):
        write_layers(tmp_path / f"a{suffix}", [squares(fails_after=1)])
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a mebibyte."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = shutil.which("mount")
    options = ["-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    mounted = mount is not None and subprocess.run([mount, *options], capture_output=True).returncode == 0
    need("tmpfs", mounted)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("filled_kib", [100, 900, 1000])
def test_a_full_disk_is_told_and_leaves_nothing(small_disk: Path, suffix: str, filled_kib: int) -> None:
    (small_disk / "filler").write_bytes(bytes(filled_kib * 1024))
    path = small_disk / f"a{suffix}"
    with suppress(OutputError):
        write_layers(path, [squares(20_000)])
        # It fitted: then it is whole.
        read = geopandas.read_parquet(path) if suffix == ".parquet" else geopandas.read_file(path, layer=0)
        assert len(read) == 20_000
    assert {p.name for p in small_disk.iterdir()} <= {"filler", path.name}
    assert filled_kib < 1000 or not path.exists()


def test_nothing_is_replaced_unasked(tmp_path: Path) -> None:
    path = tmp_path / "a.geojsonl"
    path.write_text("mine")
    with pytest.raises(OutputError, match="output exists"):
        write_layers(path, [squares()])
    assert path.read_text() == "mine"
    write_layers(path, [squares()], overwrite=True)
    assert len(path.read_text("utf-8").splitlines()) == 5


def test_an_ending_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="ending"):
        write_layers(tmp_path / "a.shp", [squares()])


@pytest.mark.parametrize(("name", "is_one"), [("50% #1?.gpkg", True), ("roads!.gpkg", False), ("roads\t.gpkg", False)])
def test_names_that_pyogrio_would_take_for_other_ones_are_known(name: str, is_one: bool) -> None:
    assert is_name_for_pyogrio(Path(name)) == is_one
