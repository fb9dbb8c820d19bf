"""Scenes of the server: read as is asked, told of as the command tells of them, whatever their names."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from click.testing import CliRunner
from rasterio.crs import CRS
from rasterio.transform import from_origin
from rasterio.warp import transform

from sat2map.cli.main import sat2map
from sat2map.errors import SceneError
from sat2map.scene.options import MaskBand, ReadOptions
from sat2map.scene.stretch import StretchRange
from sat2map.translate import Settings, Translator

from ..scene.rasters import PLACE, random_bands, write_raster
from ..scene.test_gdal import server as web_server
from .served import SMALL, QuickEngine, pixels_of_png, serving, write_scene

__all__ = ["web_server"]
ASKED = {
    "bands": ReadOptions(bands=(3, 1, 2)),
    "nodata": ReadOptions(nodata=77),
    "mask": ReadOptions(mask=MaskBand(2)),
    "stretch": ReadOptions(stretch=StretchRange((0, 0, 0), (100, 100, 100))),
    "crs": ReadOptions(crs="EPSG:32617"),
}


@pytest.mark.parametrize("asked", ASKED)
def test_scene_is_read_as_is_asked(tmp_path: Path, asked: str) -> None:
    bands = random_bands(3, 200, 260)
    bands[:, 20:60, 30:90] = 77
    bands[1, :20] = 0
    scene, reading = write_raster(tmp_path / "a.tif", bands, photometric="RGB", **PLACE), ASKED[asked]
    translator = Translator(QuickEngine())
    translator.translate_file(scene, tmp_path / "map.tif", SMALL, reading=reading)
    with serving(tmp_path / "cache", scene, reading=reading) as server:
        shown = server.scenes.by_id["a"]
        assert server.client.get("/scenes/a/map/preview.png?max_size=4096").status_code == 200
        server.wait()
        with rasterio.open(tmp_path / "map.tif") as expected, rasterio.open(shown.layers["map"].path) as drawn:
            np.testing.assert_array_equal(drawn.read(), expected.read())
            np.testing.assert_array_equal(drawn.dataset_mask(), expected.dataset_mask())
            assert drawn.crs == expected.crs
        # What the first answer lacks is drawn after it.
        server.client.get("/scenes/a/satellite/preview.png?max_size=4096")
        server.wait()
        satellite = pixels_of_png(server.client.get("/scenes/a/satellite/preview.png?max_size=4096").content)
    if asked == "bands":
        np.testing.assert_array_equal(satellite[..., :3], np.moveaxis(bands[[2, 0, 1]], 0, -1))


@pytest.mark.parametrize("how", ["renamed", "in place", "deleted"])
@pytest.mark.parametrize("masked", [False, True])
def test_scene_whose_file_has_changed_is_refused_and_draws_nothing(tmp_path: Path, how: str, *, masked: bool) -> None:
    scene = write_scene(tmp_path / "scene.tif", 300, 300, masked=masked)
    other = write_scene(tmp_path / "other.tif", 300, 300, seed=1, masked=masked)
    with serving(tmp_path / "cache", scene, n_windows_at_once=1) as server:
        layers = server.scenes.by_id["scene"].layers
        assert server.client.get("/scenes/scene").json()["notices"] == []
        if how == "renamed":
            other.replace(scene)
        elif how == "in place":
            shutil.copyfile(other, scene)
        else:
            scene.unlink()
        for url in ("satellite/preview.png", "map/preview.png", "map/statistics", "export.tif"):
            response = server.client.get(f"/scenes/scene/{url}")
            assert response.status_code == 422
            assert response.json()["hint"] == "start sat2map serve again"
        (notice,) = server.client.get("/scenes/scene").json()["notices"]
        assert "has changed since it was opened" in notice
        # A window that was asked for before it changed is not kept either.
        for layer in layers.values():
            if layer.sparse_map is None or layer.draw is None:
                continue
            (future,) = server.filler.ask(layer.sparse_map, layer.draw, [0])
            with pytest.raises(SceneError):
                future.result()
            assert layer.sparse_map.n_done == 0


def test_statistics_that_are_written_beside_a_scene_are_no_change(tmp_path: Path) -> None:
    scene = write_scene(tmp_path / "scene.tif", 100, 100)
    aux = tmp_path / "scene.tif.aux.xml"
    aux.write_text("<PAMDataset></PAMDataset>")
    with serving(tmp_path / "cache", scene) as server:
        aux.write_text("<PAMDataset>  </PAMDataset>")
        assert server.client.get("/scenes/scene/map/preview.png").status_code == 200


def test_scene_whose_crs_cannot_be_expressed_is_shown_in_the_one_that_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    write_raster(
        path, random_bands(3, 200, 260), photometric="RGB", **PLACE | {"crs": "+proj=laea +lat_0=5 +ellps=GRS80"}
    )
    path.write_bytes(path.read_bytes().replace(b"unknown|", b"unb\xfcrgt|", 1))
    with serving(tmp_path / "cache", path, reading=ReadOptions(crs="EPSG:32617")) as server:
        assert server.client.get("/scenes/a").json()["crs"] == "EPSG:32617"
        for layer in ("map", "satellite"):
            assert server.client.get(f"/scenes/a/{layer}/preview.png").status_code == 200


def test_map_of_a_crs_that_a_geotiff_cannot_hold_lies_where_its_scene_does(tmp_path: Path) -> None:
    rotated = CRS.from_string("+proj=ob_tran +o_proj=longlat +o_lon_p=-162 +o_lat_p=39.25 +lon_0=180 +datum=WGS84")
    path = tmp_path / "a.tif"
    write_raster(
        path, random_bands(3, 200, 260), photometric="RGB", crs=rotated, transform=from_origin(10, 10, 1e-5, 1e-5)
    )
    with serving(tmp_path / "cache", path) as server:
        shown = server.scenes.by_id["a"]
        with rasterio.open(shown.layers["map"].path) as drawn, rasterio.open(path) as scene:
            assert drawn.crs.to_wkt() == scene.crs.to_wkt()
        west, south, east, north = shown.bounds
        ((lon,), (lat,)) = transform(rotated, "EPSG:4326", [10.0013], [9.999])
        assert west < lon < east
        assert south < lat < north
        assert server.client.get("/scenes/a/map/preview.png").status_code == 200


def test_ground_resolution_that_is_asked_for_is_that_of_named_scenes_alone(tmp_path: Path) -> None:
    scene = write_scene(tmp_path / "a.tif", 100, 130)
    with serving(tmp_path / "cache", scene, settings=Settings(core_px=128, gsd_m=30)) as server:
        described = server.client.get("/scenes/a").json()
        assert any("too coarse" in notice for notice in described["notices"])
        dropped = server.client.post("/scenes?name=b", content=scene.read_bytes()).json()
        assert dropped["notices"] == []


DOUBTFUL: dict[str, tuple[dict[str, Any], str]] = {
    "too coarse": ({"transform": from_origin(580000, 4510000, 30, 30)}, "too coarse"),
    "alpha": ({"alpha": "yes"}, "tagged alpha but is no mask"),
    "no georeference": ({"crs": None, "transform": None}, "ground resolution unknown"),
    "no CRS": ({"crs": None}, "taken for metres"),
    "bands": ({"photometric": "minisblack"}, "bands 1, 2 and 3 are taken"),
    "nothing": ({"count": 3}, ""),
}


@pytest.mark.parametrize("case", DOUBTFUL)
def test_answers_carry_what_the_command_warns_of(tmp_path: Path, case: str) -> None:
    profile, expected = DOUBTFUL[case]
    n_bands = 3 if case in ("nothing", "too coarse") else 4
    merged = {"photometric": "RGB", "alpha": "no", **PLACE, **profile}
    scene = write_raster(tmp_path / "a.tif", random_bands(n_bands, 100, 130), **merged)
    with serving(tmp_path / "cache", scene) as server:
        for notices in (
            server.client.get("/scenes/a").json()["notices"],
            server.client.get("/scenes").json()["scenes"][0]["notices"],
            server.client.post("/scenes?name=b", content=scene.read_bytes()).json()["notices"],
        ):
            assert str(tmp_path) not in str(notices)
            assert notices == [] if case == "nothing" else any(expected in notice for notice in notices)


def test_longitudes_beyond_180_degrees_are_shown_where_they_are(tmp_path: Path) -> None:
    place = {"crs": "EPSG:4326", "transform": from_origin(286, 41, 1e-5, 1e-5)}
    scene = write_scene(tmp_path / "a.tif", 200, 260, **place)
    with serving(tmp_path / "cache", scene) as server:
        described = server.client.get("/scenes/a").json()
        assert described["has_georeference"]
        assert described["bounds"] == pytest.approx([-74, 41 - 200e-5, -74 + 260e-5, 41])
        west, _, _, north = described["bounds"]
        box = f"{west},{north - 100e-5},{west + 100e-5},{north}"
        part = pixels_of_png(server.client.get(f"/scenes/a/satellite/bbox/{box}/100x100.png").content)
        assert (part[..., 3] == 255).mean() > 0.9


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_scene_by_url_and_part_of_a_file_are_served(tmp_path: Path, web_server: str) -> None:
    scene = write_scene(tmp_path / "a.tif", 100, 130)
    rasterio.shutil.copy(scene, tmp_path / "b.gpkg", driver="GPKG", TILE_FORMAT="PNG")
    sources = (f"{web_server}/a.tif", f"GPKG:{tmp_path}/b.gpkg:b")
    with serving(tmp_path / "cache", *sources) as server:
        assert list(server.scenes.by_id) == ["a", "b-gpkg-b"]
        for name in server.scenes.by_id:
            for layer in ("map", "satellite"):
                answer = server.client.get(f"/scenes/{name}/{layer}/preview.png")
                assert answer.status_code == 200
                assert pixels_of_png(answer.content)[..., :3].std() > 5


def test_command_opens_all_scenes_of_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[list[str]] = []
    monkeypatch.setattr(
        "sat2map.cli.serve._run", lambda scenes, *_: (opened.append(sorted(scenes.by_id)), scenes.close())
    )
    for name in ("a.tif", "b.tif", "._b.tif"):
        write_scene(tmp_path / name, 100, 130)
    (tmp_path / "c.tif").mkdir()
    asked = [
        "--gsd",
        "1.5",
        "-b",
        "3,2,1",
        "--nodata",
        "0",
        "--stretch",
        "0,200",
        "--crs",
        "EPSG:32618",
        "--mask",
        "none",
    ]
    where = ["--port", "0", "--cache", str(tmp_path / "cache")]
    result = CliRunner().invoke(sat2map, ["serve", str(tmp_path), *where, *asked])
    assert result.exit_code == 0, result.output
    assert opened == [["a", "b"]]
