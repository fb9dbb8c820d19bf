"""What is served equals what is read from the translated file, whatever was asked before and by whom."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from morecantile import tms
from rio_tiler.io import Reader

from sat2map.serve.middleware import PENDING
from sat2map.translate import Translator

from ..scene.rasters import write_raster
from .served import SMALL, QuickEngine, Server, ground, pixels_of_png, serving, write_scene

GRID = tms.get("WebMercatorQuad")
SHAPES = [(640, 801, False), (527, 1033, True)]


def random_tiles(scene: Path, n: int, seed: int) -> list[tuple[int, int, int]]:
    """Tiles that the scene shares: of the world, and at every zoom from the scene in one to twice its resolution."""
    rng = np.random.default_rng(seed)
    with Reader(str(scene)) as reader:
        west, south, east, north = reader.get_geographic_bounds(rasterio.CRS.from_epsg(4326))
        zooms = [*range(reader.minzoom - 2, reader.maxzoom + 2), 0, 5]
    tiles = []
    for i in range(n):
        tile = GRID.tile(rng.uniform(west, east), rng.uniform(south, north), zooms[i % len(zooms)])
        tiles.append((tile.z, tile.x, tile.y))
    return tiles


def fetch(server: Server, layer: str, z: int, x: int, y: int, size: int, resampling: str) -> np.ndarray:
    url = f"/scenes/scene/{layer}/tiles/WebMercatorQuad/{z}/{x}/{y}.png?tilesize={size}&resampling={resampling}"
    for _ in range(200):
        response = server.client.get(url)
        if response.status_code == 200 and PENDING not in response.headers:
            return pixels_of_png(response.content)
        assert response.status_code in (200, 503), response.text
        server.wait()
    raise AssertionError("never drawn")


def read(path: Path, z: int, x: int, y: int, size: int, resampling: str) -> np.ndarray:
    with Reader(str(path)) as reader:
        image = reader.tile(x, y, z, tilesize=size, resampling_method=resampling, reproject_method=resampling)
    rgba = np.concatenate([image.data, image.mask[None]]).astype(np.uint8)
    return np.moveaxis(rgba, 0, -1)


@pytest.mark.parametrize(("height", "width", "masked"), SHAPES)
@settings(max_examples=3, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32 - 1), resampling=st.sampled_from(["nearest", "bilinear"]))
def test_served_tiles_equal_those_of_the_translated_file(
    tmp_path: Path, height: int, width: int, masked: bool, seed: int, resampling: str
) -> None:
    scene = write_scene(tmp_path / "scene.tif", height, width, masked=masked)
    translated, cache = tmp_path / "map.tif", tmp_path / f"cache-{seed}-{resampling}"
    Translator(QuickEngine()).translate_file(scene, translated, SMALL, overwrite=True)
    tiles = random_tiles(scene, 20, seed)
    rng = np.random.default_rng(seed)

    def check(server: Server, tile: tuple[int, int, int]) -> None:
        size = int(rng.choice([256, 512]))
        got = fetch(server, "map", *tile, size, resampling)
        wanted = read(translated, *tile, size, resampling)
        np.testing.assert_array_equal(got[..., 3], wanted[..., 3])
        seen = wanted[..., 3] > 0
        np.testing.assert_array_equal(got[seen], wanted[seen])

    with serving(cache, scene) as server, ThreadPoolExecutor(2) as clients:
        list(clients.map(lambda tile: check(server, tile), tiles[:14]))
        n_drawn = server.engine.n_runs
        assert n_drawn <= len(server.sparse_map("scene").windows)  # none twice
    with serving(cache, scene) as server:  # again, on what is there
        for tile in tiles[8:]:
            check(server, tile)
        assert n_drawn + server.engine.n_runs <= len(server.sparse_map("scene").windows)


def test_ground_with_gaps_is_read_from_a_sparse_map(tmp_path: Path) -> None:
    # As it is, rio-tiler would warp all of it at its own pixels for a tile of the world.
    scenes = [write_scene(tmp_path / f"{masked}.tif", 200, 300, masked=masked) for masked in (False, True)]
    with serving(tmp_path / "cache", *scenes) as server:
        whole, gaps = (server.scenes.by_id[name].layers["satellite"] for name in ("false", "true"))
        assert whole.sparse_map is None
        assert gaps.sparse_map is not None
        response = server.client.get("/scenes/true/satellite/tiles/WebMercatorQuad/0/0/0.png")
        assert response.status_code == 200


def test_changed_scene_gets_a_canvas_of_its_own(tmp_path: Path) -> None:
    scene = write_scene(tmp_path / "scene.tif", 200, 300, seed=1)
    with serving(tmp_path / "cache", scene) as server:
        before = server.client.get("/scenes/scene/map/preview.png").content
    write_scene(scene, 200, 301, seed=2)
    with serving(tmp_path / "cache", scene) as server:
        assert server.engine.n_runs == 0
        assert server.client.get("/scenes/scene/map/preview.png").content != before
    assert len(list((tmp_path / "cache").glob("map-*"))) == 2


def test_pending_tile_shows_faint_ground_and_then_the_map(tmp_path: Path) -> None:
    scene = write_scene(tmp_path / "scene.tif", 640, 801)
    z, x, y = random_tiles(scene, 1, 0)[0]
    url = f"/scenes/scene/map/tiles/WebMercatorQuad/{z}/{x}/{y}.png"
    with serving(tmp_path / "cache", scene, n_windows_at_once=1) as server:
        first = server.client.get(url)
        assert first.status_code == 200
        assert first.headers[PENDING] == "true"
        assert first.headers["cache-control"] == "no-store"
        seen = pixels_of_png(first.content)
        faint = (seen[..., 0] == seen[..., 1]) & (seen[..., 0] > 100)
        assert faint[seen[..., 3] > 0].mean() > 0.3
        server.wait()
        second = server.client.get(url)
        assert PENDING not in second.headers
        assert second.content != first.content
        again = server.client.get(url, headers={"if-none-match": second.headers["etag"]})
        assert again.status_code == 304


def test_small_request_waits_and_no_wait_does_not(tmp_path: Path) -> None:
    scene = write_scene(tmp_path / "scene.tif", 100, 100)
    with serving(tmp_path / "cache", scene) as server:
        url = "/scenes/scene/map/preview.png"
        assert PENDING in server.client.get(f"{url}?wait=false").headers
        assert PENDING not in server.client.get(url).headers
        assert PENDING not in server.client.get(f"{url}?wait=false").headers


def test_windows_beside_what_is_waited_for_are_drawn_behind(tmp_path: Path) -> None:
    scene = write_scene(tmp_path / "scene.tif", 640, 640)
    with Reader(str(scene)) as reader:
        west, south, east, north = reader.get_geographic_bounds(rasterio.CRS.from_epsg(4326))
    tile = GRID.tile((west + east) / 2, (south + north) / 2, 20)  # 32 px, in the middle of five by five windows
    with serving(tmp_path / "cache", scene) as server:
        fetch(server, "map", tile.z, tile.x, tile.y, 256, "nearest")
        server.wait()
        drawn = [i for i in range(25) if server.sparse_map("scene").is_done(i)]
    assert drawn == [6, 7, 8, 11, 12, 13, 16, 17, 18]


def test_hidden_classes_are_transparent(tmp_path: Path) -> None:
    scene = write_scene(tmp_path / "scene.tif", 100, 100)
    with serving(tmp_path / "cache", scene) as server:
        url = "/scenes/scene/map/preview.png?resampling=nearest"
        shown, hidden = (pixels_of_png(server.client.get(url + more).content) for more in ("", "&hide=road&hide=park"))
    is_road = (shown[..., :3] == (255, 255, 255)).all(-1)
    assert is_road.any()
    assert (hidden[is_road][:, 3] == 0).all()
    assert (hidden[(shown[..., :3] == (177, 208, 254)).all(-1)][:, 3] == 255).all()


def test_part_as_geotiff_lies_where_it_was_asked_for(tmp_path: Path) -> None:
    scene = write_scene(tmp_path / "scene.tif", 300, 400)
    with serving(tmp_path / "cache", scene) as server:
        west, south, east, north = server.scenes.by_id["scene"].bounds
        box = (west + (east - west) / 4, south + (north - south) / 4, east, north)
        url = f"/scenes/scene/map/bbox/{','.join(map(str, box))}.tif?dst_crs=EPSG:32618"
        for _ in range(50):
            response = server.client.get(url)
            if PENDING not in response.headers:
                break
            server.wait()
    with rasterio.open(io.BytesIO(response.content)) as part, rasterio.open(scene) as whole:
        assert part.crs == whole.crs
        assert part.res == pytest.approx(whole.res, rel=0.02)
        assert part.bounds.left == pytest.approx(whole.bounds.left + 100 * 0.9, abs=6)
        assert part.bounds.top == pytest.approx(whole.bounds.top, abs=6)


def test_scene_without_overviews_bands_or_place_is_shown(tmp_path: Path) -> None:
    band = ground(200, 300)[0]
    write_raster(tmp_path / "plain.tif", band[None])
    with serving(tmp_path / "cache", tmp_path / "plain.tif") as server:
        about = server.client.get("/scenes/plain").json()
        assert not about["has_georeference"]
        url = "/scenes/plain/satellite/preview.png?resampling=nearest"
        assert PENDING in server.client.get(url).headers
        server.wait()
        pixels = pixels_of_png(server.client.get(url).content)
    np.testing.assert_array_equal(pixels[..., 0], band)
    np.testing.assert_array_equal(pixels[..., 2], band)


def test_description_tells_the_share_that_looks_unfamiliar(tmp_path: Path) -> None:
    scene = write_scene(tmp_path / "scene.tif", 300, 300, masked=True)
    with serving(tmp_path / "plain", scene) as server:
        assert server.client.get("/scenes/scene").json()["unfamiliar_share"] is None
    for _ in range(2):
        with serving(tmp_path / "cache", scene, is_familiar=True) as server:
            before = server.client.get("/scenes/scene").json()
            server.client.get("/scenes/scene/map/preview.png")
            server.wait()
            after = server.client.get("/scenes/scene").json()
            done = after["n_windows_done"] == after["n_windows"]
            assert done
            assert 0 <= after["unfamiliar_share"] <= 1
    # The second server finds what the first one drew.
    assert before["unfamiliar_share"] == after["unfamiliar_share"]


def test_confidence_is_a_layer_that_draws_the_map_with_it(tmp_path: Path) -> None:
    scene = write_scene(tmp_path / "scene.tif", 200, 150, masked=True)
    with serving(tmp_path / "cache", scene) as server:
        url = "/scenes/scene/{}/preview.png?resampling=nearest"
        sure = pixels_of_png(server.client.get(url.format("confidence")).content)
        n_runs = server.engine.n_runs
        assert pixels_of_png(server.client.get(url.format("map")).content).shape == sure.shape
        assert server.engine.n_runs == n_runs
    with rasterio.open(scene) as dataset:
        red, valid = dataset.read(1), dataset.read_masks(1) > 0
    np.testing.assert_array_equal(sure[..., 3] > 0, valid)
    order = np.argsort(red[valid], kind="stable")
    assert (np.diff(sure[valid][order, 1].astype(int)) >= 0).all()  # green rises all along the scale
