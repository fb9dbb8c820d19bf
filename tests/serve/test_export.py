"""Downloads: the translated file's own pixels, and vectors of them."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import rasterio.windows

from sat2map.scene.georeference import box_window
from sat2map.translate import Settings, Translator

from ..need import need
from .served import SMALL, QuickEngine, Server, serving, serving_beside_files, write_scene


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path]]:
    with serving_beside_files(
        tmp_path_factory.mktemp("export"), 700, 800, n_windows_waited_for=99, export_mpx=1
    ) as place:
        yield place


def fetch(server: Server, url: str) -> Any:
    """The answer, when all that it needs is drawn."""
    for _ in range(200):
        response = server.client.get(url)
        if response.status_code != 202:
            return response
        assert int(response.headers["retry-after"]) > 0
        time.sleep(0.05)
    raise AssertionError("it was never drawn")


@pytest.mark.parametrize("product", ["map", "classes", "confidence"])
@pytest.mark.parametrize("whole", [True, False])
def test_geotiff_is_the_translated_file(
    place: tuple[Server, Path], tmp_path: Path, product: str, *, whole: bool
) -> None:
    server, folder = place
    scene = server.scenes.by_id["scene"]
    west, south, east, north = scene.bounds
    box = (west + (east - west) * 0.31, south + (north - south) * 0.2, east, north - (north - south) * 0.3)
    url = f"/scenes/scene/export.tif?product={product}" + ("" if whole else f"&bbox={','.join(map(str, box))}")
    response = fetch(server, url)
    assert response.status_code == 200, response.text
    assert f"scene_{product}.tif" in response.headers["content-disposition"]
    (tmp_path / "sent.tif").write_bytes(response.content)
    name = "map_confidence.tif" if product == "confidence" else f"{product}.tif"
    with rasterio.open(tmp_path / "sent.tif") as sent, rasterio.open(folder / name) as translated:
        part = box_window(scene.grid, scene.bounds if whole else box, "EPSG:4326", "scene")
        window = rasterio.windows.Window(part.col, part.row, part.width, part.height)
        np.testing.assert_array_equal(sent.read(), translated.read(window=window))
        np.testing.assert_array_equal(sent.dataset_mask(), translated.dataset_mask(window=window))
        assert (sent.crs, sent.transform) == (translated.crs, translated.window_transform(window))
        assert sent.nodata == translated.nodata
        assert sent.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        ours = {key: value for key, value in translated.tags().items() if key.startswith("SAT2MAP_")}
        assert ours["SAT2MAP_MODEL_LICENCE"]
        assert {key: value for key, value in sent.tags().items() if key.startswith("SAT2MAP_")} == ours


def test_part_that_is_not_drawn_is_not_sent_half(tmp_path: Path) -> None:
    with serving(tmp_path / "cache", write_scene(tmp_path / "scene.tif", 400, 400), n_windows_at_once=1) as server:
        response = server.client.get("/scenes/scene/export.tif")
        assert response.status_code == 202
        assert response.json()["n_windows"] == 16
        assert fetch(server, "/scenes/scene/export.tif").status_code == 200


def test_too_large_or_unknown_parts_are_refused(tmp_path: Path) -> None:
    scene = write_scene(tmp_path / "scene.tif", 1200, 1000)
    with serving(tmp_path / "cache", scene, export_mpx=1) as server:
        for url, status in {"export.tif": 422, "export.tif?product=heat": 422, "export.tif?bbox=0,0,1,1": 404,
                            "export.gpkg": 422, "vectors/WebMercatorQuad/tilejson.json": 422}.items():  # fmt: skip
            response = server.client.get(f"/scenes/scene/{url}")
            assert response.status_code == status, (url, response.text)
            assert "error" in response.json()
        assert server.client.get("/scenes/other/export.tif").status_code == 404
        assert server.engine.n_runs == 0


def test_geopackage_and_vector_tiles_hold_what_vectorize_makes(tmp_path: Path) -> None:
    scene = write_scene(tmp_path / "scene.tif", 100, 120)
    Translator(QuickEngine()).translate_file(
        scene, tmp_path / "map.tif", Settings(core_px=SMALL.core_px, confidence=True)
    )
    with serving(tmp_path / "cache", scene) as server:
        check_vectors(server, tmp_path)


def check_vectors(server: Server, tmp_path: Path) -> None:
    import morecantile
    import pyogrio

    from sat2map.vector.vectorize import vectorize_file

    assert server.client.get("/scenes/scene/vectors/tiles/WebMercatorQuad/16/1/1.mvt").status_code == 404
    fetch(server, "/scenes/scene/export.tif?product=confidence")  # so that areas have a confidence
    (tmp_path / "sent.gpkg").write_bytes(fetch(server, "/scenes/scene/export.gpkg").content)
    made = vectorize_file(tmp_path / "map.tif", tmp_path / "made.gpkg")
    for layer, n_features in made.n_features.items():
        tables = [pyogrio.read_arrow(tmp_path / name, layer=layer)[1] for name in ("sent.gpkg", "made.gpkg")]
        assert tables[0].num_rows == n_features
        assert tables[0].equals(tables[1])
    about = fetch(server, "/scenes/scene/vectors/WebMercatorQuad/tilejson.json").json()
    assert [layer["id"] for layer in about["vector_layers"]] == ["areas", "roads"]
    assert "quick" in about["attribution"]
    west, south, east, north = about["bounds"]
    found = {"areas": 0, "roads": 0}
    for tile in morecantile.tms.get("WebMercatorQuad").tiles(west, south, east, north, [about["maxzoom"]]):
        url = about["tiles"][0].format(z=tile.z, x=tile.x, y=tile.y)
        response = server.client.get(url)
        assert response.status_code in (200, 204)
        if response.status_code == 200:
            (tmp_path / "0.pbf").write_bytes(response.content)
            options = {"X": tile.x, "Y": tile.y, "Z": tile.z}
            for layer in found:
                found[layer] += pyogrio.read_arrow(f"MVT:{tmp_path}/0.pbf", layer=layer, **options)[1].num_rows
    assert found["areas"] >= made.n_features["areas"] / 2
    assert found["roads"] > 0
    before = server.engine.n_runs
    assert server.client.get("/scenes/scene/vectors/WebMercatorQuad/tilejson.json").json() == about
    assert server.engine.n_runs == before


def test_scene_without_georeference_has_rasters(tmp_path: Path) -> None:
    scene = write_scene(tmp_path / "plain.tif", 90, 120, crs=None, transform=None)
    with serving(tmp_path / "cache", scene) as server:
        (tmp_path / "sent.tif").write_bytes(fetch(server, "/scenes/plain/export.tif").content)
        with pytest.warns(rasterio.errors.NotGeoreferencedWarning), rasterio.open(tmp_path / "sent.tif") as sent:
            assert (sent.shape, sent.crs) == ((90, 120), None)


def test_scene_without_georeference_has_no_vectors(tmp_path: Path) -> None:
    need("shapely", find_spec("shapely") and find_spec("pyogrio"), "pip install sat2map[vector]")
    scene = write_scene(tmp_path / "plain.tif", 90, 120, crs=None, transform=None)
    with serving(tmp_path / "cache", scene) as server:
        for url in ("export.gpkg", "vectors/WebMercatorQuad/tilejson.json"):
            response = server.client.get(f"/scenes/plain/{url}")
            assert response.status_code == 422
            assert "no georeference" in response.text
        assert (server.filler.n_queued, server.engine.n_runs) == (0, 0)


def test_vectors_without_their_extra_are_refused_before_anything_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyogrio", None)
    with serving(tmp_path / "cache", write_scene(tmp_path / "scene.tif", 90, 120)) as server:
        for url in ("export.gpkg", "vectors/WebMercatorQuad/tilejson.json"):
            response = server.client.get(f"/scenes/scene/{url}")
            assert response.status_code == 422
            assert "sat2map[vector]" in response.text
        assert (server.filler.n_queued, server.engine.n_runs) == (0, 0)
