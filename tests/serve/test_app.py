"""What people may ask for and must not get, and what goes with every answer."""

from __future__ import annotations

import json
import logging
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sat2map.errors import Sat2mapError
from sat2map.serve.app import create_app
from sat2map.serve.basemap import basemap_of
from sat2map.serve.filling import BusyError, Filler
from sat2map.serve.settings import ServeSettings

from .served import Server, serving, write_scene

TILES = "/scenes/scene/map/tiles/WebMercatorQuad"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("app")
    with serving(folder / "cache", write_scene(folder / "scene.tif", 200, 300)) as served:
        yield served


def test_folder_of_the_application_is_there_while_it_runs_and_not_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    with serving(tmp_path / "cache") as server:
        (folder,) = (tmp_path / "tmp").iterdir()
        server.client.post("/scenes/example")
        assert [file.name for file in folder.iterdir()] == ["1.tif"]
        create_app(server.scenes, server.filler, ServeSettings(cache=tmp_path / "cache"))
        assert list((tmp_path / "tmp").iterdir()) == [folder]
    assert not list((tmp_path / "tmp").iterdir())


def here(server: Server) -> str:
    return ",".join(map(str, server.scenes.by_id["scene"].bounds))


BAD = {
    "no such page": ("/nope", 404),
    "no such scene": ("/scenes/other", 404),
    "no such scene's tile": ("/scenes/other/map/tiles/WebMercatorQuad/1/0/0.png", 404),
    "no such layer": ("/scenes/scene/heat/tiles/WebMercatorQuad/1/0/0.png", 404),
    "path trick": ("/scenes/..%2f..%2fetc/map/info", 404),
    "path trick in the page's files": ("/viewer/..%2f..%2fapp.py", 404),
    "url of another place": ("/scenes/scene/map/info?url=http://127.0.0.1:1/x.tif", 200),
    "zoom out of range": (f"{TILES}/99999999999/0/0.png", 404),
    "negative zoom": (f"{TILES}/-1/0/0.png", 404),
    "tile out of range": (f"{TILES}/3/99/99.png", 404),
    "tile beside the scene": (f"{TILES}/15/0/0.png", 404),
    "zoom that is no number": (f"{TILES}/a/0/0.png", 422),
    "number beyond all bounds": (f"{TILES}/1/{'9' * 5000}/0.png", 422),
    "other grid": ("/scenes/scene/map/tiles/Moon/1/0/0.png", 422),
    "other format": (f"{TILES}/1/0/0.exe", 422),
    "format that needs another driver": (f"{TILES}/1/0/0.jp2", 422),
    "document for tiles of a format that is not there": (
        "/scenes/scene/map/WebMercatorQuad/tilejson.json?tile_format=npy",
        422,
    ),
    "huge tile": (f"{TILES}/15/9649/12315.png?tilesize=100000", 422),
    "huge preview": ("/scenes/scene/map/preview.png?width=100000&height=100000", 422),
    "preview of no size": ("/scenes/scene/map/preview.png?width=0", 422),
    "document of too many zooms": ("/scenes/scene/map/tiles/WebMercatorQuad?minzoom=0&maxzoom=99999", 422),
    "capabilities of too many zooms": ("/scenes/scene/map/WMTSCapabilities.xml?zooms=*::0,9999", 422),
    "outline instead of a box": ("/scenes/scene/map/feature.png", 404),
    "no such class": ("/scenes/scene/map/preview.png?hide=lava", 422),
    "part upside down": ("/scenes/scene/map/bbox/1,1,0,0.png", 422),
    "part of infinity": ("/scenes/scene/map/bbox/-inf,0,inf,1.png", 422),
    "part of nothing": ("/scenes/scene/map/bbox/nan,0,1,1.png", 422),
    "part beyond the Earth": ("/scenes/scene/map/bbox/1e20,1e20,1e21,1e21/64x64.png?coord_crs=EPSG:3857", 422),
    "part far beyond": ("/scenes/scene/map/bbox/-3.6e16,-3e16,0,0/301x549.jpeg", 422),
    "part in an unknown CRS": ("/scenes/scene/map/bbox/0,0,1,1.png?coord_crs=EPSG:99999", 422),
    "host of someone else": ("/health", 400),
    "method that is not there": ("/health", 405),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_request_is_answered_with_its_status_and_one_line(server: Server, name: str) -> None:
    url, status = BAD[name]
    headers = {"host": "evil.example"} if "host" in name else {}
    response = server.client.request("DELETE" if "method" in name else "GET", url, headers=headers)
    assert response.status_code == status, response.text
    if status != 200:
        assert next(iter(response.json())) == "error"
        assert "\n" not in response.text
        assert "Traceback" not in response.text


def test_part_far_away_or_tiny_is_no_mistake_of_the_server(server: Server) -> None:
    for box in ("0,0,1,1", "-180,-90,180,90", "-74,40.7,-73.9999999999,40.70000000001", "1e300,1e300,1e301,1e301"):
        response = server.client.get(f"/scenes/scene/map/bbox/{box}/64x64.png")
        assert response.status_code in (200, 404, 422), (box, response.text)


def test_head_is_answered_as_get(server: Server) -> None:
    for url in ("/", "/health", "/viewer/main.js", "/scenes/scene/map/preview.png", "/nope"):
        assert server.client.head(url).status_code == server.client.get(url).status_code


def test_empty_tag_is_no_mistake_of_the_server(server: Server) -> None:
    assert server.client.get(f"{TILES}/15/0/0.png", headers={"if-none-match": ""}).status_code == 404


def test_documents_say_where_tiles_are(server: Server) -> None:
    tilejson = server.client.get("/scenes/scene/map/WebMercatorQuad/tilejson.json").json()
    assert "/scenes/scene/map/tiles/WebMercatorQuad/{z}/{x}/{y}" in tilejson["tiles"][0]
    west, _, east, _ = server.scenes.by_id["scene"].bounds
    assert tilejson["bounds"][0] == pytest.approx(west)
    assert tilejson["bounds"][2] == pytest.approx(east)
    wmts = server.client.get("/scenes/scene/satellite/WMTSCapabilities.xml").text
    assert "/scenes/scene/satellite/tiles/WebMercatorQuad/{TileMatrix}/{TileCol}/{TileRow}.png" in wmts
    assert (tilejson["name"], "quick" in tilejson["attribution"]) == ("scene: map", True)
    assert "<ows:Title>scene: satellite</ows:Title>" in wmts
    assert "TiTiler" not in wmts
    tileset = server.client.get("/scenes/scene/map/tiles/WebMercatorQuad").json()
    assert tileset["crs"]
    assert "tileMatrixSets" in server.client.get("/tileMatrixSets").json()


def test_page_about_the_addresses_loads_nothing_from_elsewhere(server: Server) -> None:
    page = server.client.get("/docs")
    assert page.status_code == 200
    assert "://" not in page.text


def test_base_map_opens_the_policy_for_its_host_alone(tmp_path: Path) -> None:
    url = "https://tile.openstreetmap.org/{z}/{x}/{y}.png"
    with serving(tmp_path / "cache", basemap=url) as server:
        policy = server.client.get("/").headers["content-security-policy"]
        assert "connect-src 'self' https://tile.openstreetmap.org;" in policy
        assert policy.count("https://") == 2  # images and what is fetched
        # Its owner asks for the name of the page.
        assert server.client.get("/").headers["referrer-policy"] == "strict-origin-when-cross-origin"
        basemap = server.client.get("/scenes").json()["basemap"]
        assert basemap["url"] == url
        assert "OpenStreetMap contributors" in basemap["attribution"]
        assert basemap["link"] == "https://www.openstreetmap.org/copyright"


@pytest.mark.parametrize(
    "url",
    ["https://example.org/tiles.png", "ftp://example.org/{z}/{x}/{y}", "https://a b/{z}/{x}/{y}", "{z}/{x}/{y}",
     "https://*/{z}/{x}/{y}", "https://a;script-src/{z}/{x}/{y}", "https://me@a/{z}/{x}/{y}", "https://[/{z}/{x}/{y}"],
)  # fmt: skip
def test_base_map_that_is_none_is_refused_at_the_start(url: str) -> None:
    with pytest.raises(Sat2mapError, match="no address of tiles"):
        basemap_of(ServeSettings(basemap=url))


def test_formats_are_what_they_say(server: Server) -> None:
    for ending, kind in {"png": "image/png", "webp": "image/webp", "jpg": "image/jpg", "tif": "image/tiff"}.items():
        response = server.client.get(f"/scenes/scene/satellite/preview.{ending}")
        assert response.status_code == 200
        assert response.headers["content-type"].startswith(kind)


def test_every_answer_has_security_headers_and_a_line_in_the_log(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "sat2map.serve.access"):
        for url in ("/", "/viewer/main.js", "/health", "/nope"):
            response = server.client.get(url)
            assert response.headers["x-content-type-options"] == "nosniff"
            assert "default-src 'self'" in response.headers["content-security-policy"]
    lines = [json.loads(record.message) for record in caplog.records if record.name == "sat2map.serve.access"]
    assert [(line["path"], line["status"]) for line in lines] == [
        ("/", 200), ("/viewer/main.js", 200), ("/health", 200), ("/nope", 404)
    ]  # fmt: skip


def test_full_queue_is_answered_503_with_retry_after(tmp_path: Path) -> None:
    scene = write_scene(tmp_path / "scene.tif", 260, 260)  # 9 windows
    with serving(tmp_path / "cache", scene, n_windows_at_once=9, n_windows_waited_for=8) as server:
        response = server.client.get("/scenes/scene/map/preview.png")
        assert response.status_code == 503
        assert 1 <= int(response.headers["retry-after"]) <= 30
        assert response.json() == {"error": "the server is busy"}
        assert server.client.get("/health").json() == {"status": "ok", "n_windows_queued": 0}


def test_scene_that_breaks_halfway_is_one_line(tmp_path: Path) -> None:
    scene = write_scene(
        tmp_path / "scene.tif", 600, 600, compress="deflate", tiled=True, blockxsize=128, blockysize=128
    )
    data = bytearray(scene.read_bytes())
    data[len(data) // 3 : 2 * len(data) // 3] = b"\xff" * (2 * len(data) // 3 - len(data) // 3)
    scene.write_bytes(data)
    with serving(tmp_path / "cache", scene, n_windows_at_once=99) as server:
        response = server.client.get("/scenes/scene/map/preview.png")
        assert response.status_code == 422
        assert "corrupt" in response.json()["error"]
        assert str(tmp_path) not in response.text
        assert server.client.get("/health").status_code == 200


def test_stopping_finishes_what_is_being_drawn_and_turns_the_rest_away(tmp_path: Path) -> None:
    scene = write_scene(tmp_path / "scene.tif", 260, 260)
    with serving(tmp_path / "cache", scene) as server:
        sparse_map, layer = server.sparse_map("scene"), server.scenes.by_id["scene"].layers["map"]
        assert layer.draw is not None
        futures = server.filler.ask(sparse_map, layer.draw, range(9))
        futures[0].result()
        server.filler.stop()
        assert all(future.done() for future in futures)
        refused = [future for future in futures if isinstance(future.exception(), BusyError)]
        assert sparse_map.n_done == 9 - len(refused)
        with pytest.raises(BusyError):
            server.filler.ask(sparse_map, layer.draw, [8])


def test_filler_draws_what_is_waited_for_before_the_rest(tmp_path: Path) -> None:
    drawn: list[int] = []
    with serving(tmp_path / "cache", write_scene(tmp_path / "scene.tif", 260, 260)) as server:
        sparse_map = server.sparse_map("scene")
    filler = Filler(4)
    begun, go_on = threading.Event(), threading.Event()

    def draw(index: int) -> Callable[[], None]:
        begun.set()
        go_on.wait()
        return lambda: drawn.append(index)

    filler.ask_behind(sparse_map, draw, [0, 1, 2], float)
    begun.wait()
    for _ in range(1000):  # the same again and again takes no room
        filler.ask_behind(sparse_map, draw, [3, 2, 1], lambda index: -index)
    assert len(filler._heap) < 200
    futures = filler.ask(sparse_map, draw, [5, 1])
    go_on.set()
    for future in futures:
        future.result()
    while filler.n_queued:
        pass
    filler.stop()
    assert drawn == [0, 5, 1, 3, 2]
