"""What is at a point and how much there is of each class: equal to the translated file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.warp import transform as transform_points

from sat2map.classes import CLASS_NAMES, classify
from sat2map.scene.georeference import at, box_window
from sat2map.serve.layers import CONFIDENCE_COLOURS, confidence_of
from sat2map.serve.middleware import PENDING
from sat2map.translate import Settings

from .served import Server, serving, serving_beside_files, write_scene

HEIGHT, WIDTH = 300, 410


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path]]:
    with serving_beside_files(tmp_path_factory.mktemp("classes"), HEIGHT, WIDTH) as beside:
        yield beside


def read(path: Path) -> tuple[Any, Any]:
    """Pixels, shape (bands, h, w), and the valid mask."""
    with rasterio.open(path) as dataset:
        return dataset.read(), dataset.dataset_mask() > 0


def degrees(folder: Path, row: float, col: float) -> tuple[float, float]:
    """Longitude and latitude of a point that is told in pixels."""
    with rasterio.open(folder / "map.tif") as dataset:
        x, y = at(dataset.transform, col, row)
        (lon,), (lat,) = transform_points(dataset.crs, "EPSG:4326", [x], [y])
    return lon, lat


def test_point_is_the_pixel_of_the_translated_file(place: tuple[Server, Path]) -> None:
    server, folder = place
    (rgb, valid), (sure, _) = read(folder / "map.tif"), read(folder / "map_confidence.tif")
    for row, col in [(0, 0), (20, 17), (150, 200), (299, 409), (128, 127), (77, 333)]:
        lon, lat = degrees(folder, row + 0.5, col + 0.5)
        told = server.client.get(f"/scenes/scene/map/point/{lon},{lat}").json()
        also = server.client.get(f"/scenes/scene/confidence/point/{lon},{lat}").json()
        assert told["coordinates"] == [lon, lat]
        assert told["pixel"] == {"row": row, "column": col}
        if not valid[row, col]:
            assert (told["class"], told["values"], also["values"]) == (None, [None] * 3, [None])
            continue
        assert told["values"] == rgb[:, row, col].tolist()
        assert told["class"] == CLASS_NAMES[classify(rgb[:, row, col])]
        assert also["values"] == [sure[0, row, col]]
        assert also["confidence"] == pytest.approx(sure[0, row, col] / 255, abs=1e-3)
        assert also["class"] == told["class"]


def test_point_of_the_confidence_draws_it_together_with_the_map(tmp_path: Path) -> None:
    with serving(tmp_path / "cache", write_scene(tmp_path / "scene.tif", 100, 100)) as server:
        west, south, east, north = server.scenes.by_id["scene"].bounds
        there = f"point/{(west + east) / 2},{(south + north) / 2}"
        also = server.client.get(f"/scenes/scene/confidence/{there}").json()
        assert server.engine.n_runs == 1
        told = server.client.get(f"/scenes/scene/map/{there}").json()
        assert (told["class"], told["confidence"]) == (also["class"], also["confidence"])
        assert told["class"] in CLASS_NAMES
        assert server.engine.n_runs == 1


def test_point_outside_and_point_of_the_satellite_are_refused(place: tuple[Server, Path]) -> None:
    client = place[0].client
    refused = {
        "map/point/0,0": 404, "map/point/nan,0": 404, "map/point/1e300,0": 404, "map/point/a,b": 422,
        "satellite/point/-74,40": 422, "heat/point/0,0": 404,
    }  # fmt: skip
    for url, status in refused.items():
        response = client.get(f"/scenes/scene/{url}")
        assert response.status_code == status, url
        assert "error" in response.json()


def counts(told: dict[str, Any]) -> list[int]:
    return [kind["pixels"] for kind in told["classes"]]


def test_areas_of_the_scene_are_the_counts_of_the_class_raster(place: tuple[Server, Path]) -> None:
    server, folder = place
    classes, valid = read(folder / "classes.tif")
    expected = np.bincount(classes[0][valid], minlength=len(CLASS_NAMES))
    told = server.client.get("/scenes/scene/map/statistics").json()
    assert counts(told) == expected.tolist()
    assert told["b1"]["histogram"] == [expected.tolist(), list(range(len(CLASS_NAMES)))]
    assert told["b1"]["valid_pixels"] == valid.sum()
    assert told["b1"]["masked_pixels"] == (~valid).sum()
    assert told["b1"]["majority"] == expected.argmax()
    assert sum(kind["percent"] for kind in told["classes"]) == pytest.approx(100)
    # A pixel of 0.9 m of UTM is 0.81 m2, and a little less or more on the ground.
    for kind, n_px in zip(told["classes"], expected, strict=True):
        assert kind["area_m2"] == pytest.approx(0.81 * n_px, rel=2e-3)


def test_areas_of_a_view_are_the_counts_in_its_window(place: tuple[Server, Path]) -> None:
    server, folder = place
    classes, valid = read(folder / "classes.tif")
    (west, south), (east, north) = degrees(folder, 233.3, 40.2), degrees(folder, 70.7, 300.6)
    told = server.client.get(f"/scenes/scene/map/statistics?bbox={west},{south},{east},{north}").json()
    window = box_window(server.scenes.by_id["scene"].grid, (west, south, east, north), "EPSG:4326", "scene")
    assert told["window"] == {
        "row": window.row, "column": window.col, "height": window.height, "width": window.width
    }  # fmt: skip
    part = classes[0][window.slices][valid[window.slices]]
    assert counts(told) == np.bincount(part, minlength=len(CLASS_NAMES)).tolist()


def test_areas_without_waiting_are_of_what_is_drawn_and_draw_nothing(tmp_path: Path) -> None:
    with serving(tmp_path / "cache", write_scene(tmp_path / "scene.tif", 260, 260)) as server:
        response = server.client.get("/scenes/scene/map/statistics?wait=false")
        assert response.headers[PENDING] == "true"
        assert (sum(counts(response.json())), response.json()["n_windows_done"]) == (0, 0)
        west, south, east, north = server.scenes.by_id["scene"].bounds
        middle = f"{(west + east) / 2},{(south + north) / 2}"
        assert server.client.get(f"/scenes/scene/map/point/{middle}?wait=false").json()["class"] is None
        assert (server.filler.n_queued, server.engine.n_runs) == (0, 0)
        sparse_map, draw = server.sparse_map("scene"), server.scenes.by_id["scene"].layers["map"].draw
        assert draw is not None
        for future in server.filler.ask(sparse_map, draw, [4]):
            future.result()
        part = server.client.get("/scenes/scene/map/statistics?wait=false").json()
        assert (sum(counts(part)), part["n_windows_done"], part["n_windows"]) == (128 * 128, 1, 9)


@pytest.mark.parametrize("box", ["1,2,3", "a,b,c,d", "nan,0,1,1", "1,1,0,0", "1e300,0,2e300,1", "0,0,1,1", ""])
def test_box_that_means_nothing_is_refused(place: tuple[Server, Path], box: str) -> None:
    response = place[0].client.get(f"/scenes/scene/map/statistics?bbox={box}")
    assert response.status_code in (404, 422)
    assert "error" in response.json()


def test_areas_without_a_known_scale_have_no_hectares(tmp_path: Path) -> None:
    scene = write_scene(tmp_path / "plain.tif", 100, 100, crs=None, transform=None)
    with serving(tmp_path / "a", scene) as server:
        assert server.client.get("/scenes/plain/map/statistics").json()["classes"][0]["area_m2"] is None
    with serving(tmp_path / "b", scene, settings=Settings(core_px=128, gsd_m=2)) as server:
        told = server.client.get("/scenes/plain/map/statistics").json()["classes"]
        assert all(kind["area_m2"] == 4 * kind["pixels"] for kind in told)


def test_each_colour_of_the_confidence_stands_for_one_number() -> None:
    np.testing.assert_array_equal(confidence_of(CONFIDENCE_COLOURS[None]), np.arange(256)[None])
