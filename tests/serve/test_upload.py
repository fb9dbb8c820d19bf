"""Files from strangers."""

from __future__ import annotations

import errno
import io
import os
import shutil
import struct
import tempfile
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from rasterio import Affine
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import MemoryFile

from sat2map.errors import SceneError
from sat2map.serve.filling import BusyError
from sat2map.serve.layers import MAP
from sat2map.serve.middleware import PENDING
from sat2map.serve.reader import LayerReader
from sat2map.serve.settings import ServeSettings
from sat2map.serve.upload import check_image

from ..scene.rasters import PLACE
from .served import Server, ground, pixels_of_png, serving, write_scene


@pytest.fixture(scope="module", autouse=True)
def own_temporary_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Folders of servers that run beside these tests would count as what is kept."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("temporary")))
        yield


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("up") / "cache", n_uploads=2, upload_mib=1, upload_mpx=0.5) as served:
        yield served


def image(kind: str = "PNG", height: int = 60, width: int = 80, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.moveaxis(ground(height, width), 0, -1)).save(buffer, kind, **options)
    return buffer.getvalue()


def tiff(height: int = 60, width: int = 80, count: int = 3, **profile: object) -> bytes:
    with warnings.catch_warnings(), MemoryFile() as memory:
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        shape = {"height": height, "width": width, "count": count, "dtype": "uint8", **profile}
        with memory.open(driver="GTiff", **shape) as dataset:
            if height * width < 1e6:
                dataset.write(np.resize(ground(height, width), (count, height, width)).astype(dataset.dtypes[0]))
        return bytes(memory.read())


def bomb() -> bytes:
    """A PNG of a few kilobytes that says it has 40,000 x 40,000 px."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(10**6)))
        + chunk(b"IEND", b"")
    )


def at(transform: Affine, crs: str = "EPSG:3857") -> dict[str, Any]:
    return {"crs": crs, "transform": transform}


VRT = b'<VRTDataset rasterXSize="9" rasterYSize="9"><VRTRasterBand dataType="Byte" band="1"><SimpleSource><SourceFilename>/etc/passwd</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>'  # noqa: E501
HOSTILE = {
    "nothing": (b"", 422),
    "text": (b"hello, this is no image", 422),
    "a VRT that names a file": (VRT, 422),
    "a VRT behind a TIFF's signature": (b"II*\0" + VRT, 422),
    "SVG": (b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>', 422),
    "PostScript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) run\n", 422),
    "a PNG that is cut off": (image()[:400], 422),
    "a JPEG that is cut off": (image("JPEG")[:700], 422),
    "a TIFF that is cut off": (tiff()[:100], 422),
    "a PNG bomb": (bomb(), 422),
    "a TIFF bomb": (tiff(30_000, 30_000, tiled=True, sparse_ok=True, bigtiff="yes"), 422),
    "a TIFF of a thousand bands": (tiff(20, 20, 1000), 422),
    "too many bytes": (image() + bytes(2**20), 413),
    "a place beyond the Earth": (tiff(**at(Affine(1e20, 0, 1e30, 0, -1e20, 1e30))), 422),
    "across the 180th meridian": (tiff(**at(Affine(9e3, 0, 5e5, 0, -9e3, 1e6), "EPSG:32660")), 422),
    "complex numbers": (tiff(dtype="complex64"), 422),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_upload_is_refused_in_one_line(server: Server, name: str) -> None:
    content, status = HOSTILE[name]
    response = server.client.post("/scenes?name=x", content=content)
    assert response.status_code == status, response.text
    assert "error" in response.json()
    assert "/tmp" not in response.text
    assert server.client.get("/health").status_code == 200


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_image_becomes_a_scene_of_its_own_pixels(server: Server, kind: str) -> None:
    content = image(kind)
    scene = server.client.post("/scenes?name=holiday.jpg", content=content).json()
    assert (scene["name"], scene["width"], scene["height"], scene["has_georeference"]) == ("holiday", 80, 60, False)
    for layer in ("satellite", "map"):
        response = server.client.get(f"/scenes/{scene['id']}/{layer}/preview.png?resampling=nearest")
        assert response.status_code == 200
        assert PENDING not in response.headers
        pixels = pixels_of_png(response.content)
        assert pixels.shape == (60, 80, 4)
        if layer == "satellite":
            with Image.open(io.BytesIO(content)) as sent:
                np.testing.assert_array_equal(pixels[..., :3], np.asarray(sent))


def test_geotiff_keeps_its_place(server: Server) -> None:
    scene = server.client.post("/scenes?name=a.tif", content=tiff(photometric="RGB", **PLACE)).json()
    assert scene["has_georeference"]
    assert scene["crs"] == "EPSG:32618"
    west = server.client.get(f"/scenes/{scene['id']}").json()["bounds"][0]
    assert west == pytest.approx(-74.05, abs=0.01)


@pytest.mark.parametrize(
    ("name", "shown"),
    {
        "../../etc/passwd": "passwd",
        "C:\\Users\\me\\photo.png": "photo",
        "%00": "image",
        "<script>alert(1)</script>.png": "script>",
        "a" * 200: "a" * 80,
    }.items(),
)
def test_name_is_only_ever_shown(server: Server, name: str, shown: str) -> None:
    response = server.client.post("/scenes", params={"name": name.replace("%00", "\0")}, content=image())
    assert response.status_code == 201
    assert response.json()["name"] == shown
    assert response.json()["id"].startswith("drop-")


def test_oldest_image_goes_when_there_are_too_many(server: Server) -> None:
    ids = [server.client.post("/scenes?name=x", content=image()).json()["id"] for _ in range(3)]
    assert [server.client.get(f"/scenes/{name}").status_code for name in ids] == [404, 200, 200]


def test_block_of_a_tiff_is_measured_in_bytes(tmp_path: Path) -> None:
    path = tmp_path / "1.upload"
    path.write_bytes(tiff(4500, 4500, dtype="float64", tiled=True, blockxsize=4096, blockysize=4096, sparse_ok=True))
    with pytest.raises(SceneError, match="blocks that are too large"):
        check_image(path, ServeSettings())


def test_what_has_gone_is_drawn_on_no_more(server: Server) -> None:
    first, *others = (server.client.post("/scenes?name=x", content=image()).json()["id"] for _ in range(2))
    layer = server.scenes.by_id[first].layers[MAP]
    assert layer.sparse_map is not None
    assert layer.draw is not None
    server.client.post("/scenes?name=x", content=image())
    with pytest.raises(BusyError):
        server.filler.ask(layer.sparse_map, layer.draw, [0])
    server.filler.ask_behind(layer.sparse_map, layer.draw, [0], float)
    assert server.filler.n_queued == 0
    # Its descriptors' numbers may be other files' by now.
    with pytest.raises(OSError, match="Bad file descriptor"):
        layer.sparse_map.write(0, np.zeros((60, 80, 3), np.uint8), None)
    assert others[0] in server.scenes.by_id


def test_page_of_another_origin_cannot_upload(server: Server) -> None:
    response = server.client.post("/scenes", content=image(), headers={"origin": "https://evil.example"})
    assert response.status_code == 403


def test_body_of_no_declared_length_is_bounded_too(server: Server) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(64):
            yield bytes(2**16)

    assert server.client.post("/scenes", content=endless()).status_code == 413


def kept() -> set[Path]:
    return {path for folder in Path(tempfile.gettempdir()).glob("sat2map-*") for path in folder.iterdir()}


def test_nothing_of_a_refused_upload_stays(server: Server) -> None:
    before = kept()
    for content in (b"hello", image()[:300], tiff(dtype="complex64")):
        assert server.client.post("/scenes", content=content).status_code == 422
    assert kept() == before


def test_nothing_of_an_upload_stays_when_the_server_stops(tmp_path: Path) -> None:
    before = kept()
    with serving(tmp_path / "cache") as server:
        scene = server.client.post("/scenes", content=image()).json()
        server.client.get(f"/scenes/{scene['id']}/map/preview.png")
        assert kept() != before
        assert list((tmp_path / "cache").iterdir())
    assert kept() == before
    assert not list((tmp_path / "cache").iterdir())


def test_drop_is_removed_and_its_file_with_it(server: Server) -> None:
    before = kept()
    scene = server.client.post("/scenes?name=x", content=image()).json()
    assert scene["temporary"]
    assert server.client.delete(f"/scenes/{scene['id']}").status_code == 204
    assert kept() <= before
    for method in ("DELETE", "PATCH", "GET"):
        assert server.client.request(method, f"/scenes/{scene['id']}").status_code == 404


def test_scene_that_goes_while_it_is_read_is_no_scene(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = server.client.post("/scenes", content=image()).json()
    address = f"/scenes/{scene['id']}/satellite/preview.png"
    assert server.client.get(address).status_code == 200
    opened = LayerReader.__init__

    def go_first(reader: LayerReader, *args: Any, **kwargs: Any) -> None:
        assert server.client.delete(f"/scenes/{scene['id']}").status_code == 204
        opened(reader, *args, **kwargs)

    monkeypatch.setattr(LayerReader, "__init__", go_first)
    answer = server.client.get(f"{address}?width=40&height=30")
    assert (answer.status_code, answer.json()) == (404, {"error": f"no such scene: {scene['id']}"})


def test_full_disk_is_said_and_the_scene_stays(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = server.client.post("/scenes", content=image()).json()
    before = kept()

    def full(_source: object, target: Path) -> None:
        target.write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(shutil, "copyfile", full)
    answer = server.client.patch(f"/scenes/{scene['id']}?gsd_m=0.25")
    assert (answer.status_code, answer.json()["error"]) == (507, "the server's disk is full")
    assert kept() == before
    assert server.client.get(f"/scenes/{scene['id']}").status_code == 200


def test_drop_that_goes_while_it_is_read_again_is_no_scene(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = server.client.post("/scenes", content=image()).json()
    copied = shutil.copyfile

    def go_first(source: Path, target: Path) -> None:
        assert server.client.delete(f"/scenes/{scene['id']}").status_code == 204
        copied(source, target)

    monkeypatch.setattr(shutil, "copyfile", go_first)
    answer = server.client.patch(f"/scenes/{scene['id']}?gsd_m=0.25")
    assert (answer.status_code, answer.json()) == (404, {"error": f"no such scene: {scene['id']}"})


def test_example_is_a_drop_with_a_georeference(server: Server) -> None:
    scene = server.client.post("/scenes/example").json()
    assert (scene["temporary"], scene["has_georeference"], scene["width"]) == (True, True, 266)
    assert server.client.delete(f"/scenes/{scene['id']}").status_code == 204


def test_what_is_said_of_a_drop_counts(server: Server) -> None:
    plain = server.client.post("/scenes?name=a.png", content=image()).json()
    assert (plain["has_known_gsd"], plain["gsd_m"]) == (False, None)
    said = server.client.patch(f"/scenes/{plain['id']}?gsd_m=0.25").json()
    assert (said["name"], said["has_known_gsd"], said["gsd_m"]) == ("a", True, 0.25)
    assert server.client.get(f"/scenes/{plain['id']}").status_code == 404
    # The engine knows 0.5 to 2 m, so it sees half of the pixels.
    assert server.scenes.by_id[said["id"]].drawing.plan.width == 40
    content = tiff(count=4, transform=PLACE["transform"])
    lost = server.client.post("/scenes?name=b.tif", content=content).json()
    assert (lost["has_georeference"], lost["has_transform"], lost["n_bands"]) == (False, True, 4)
    found = server.client.patch(f"/scenes/{lost['id']}?crs=EPSG:32618&bands=4,3,2").json()
    assert (found["crs"], found["has_georeference"]) == ("EPSG:32618", True)
    assert server.scenes.by_id[found["id"]].drawing.scene.layout.bands == (4, 3, 2)  # type: ignore[attr-defined]


@pytest.mark.parametrize("query", ["crs=EPSG:1", "bands=9,9,9", "gsd_m=0", "gsd_m=x", "bands=1;2", "bands=0"])
def test_what_cannot_be_true_of_a_drop_leaves_it_as_it_was(server: Server, query: str) -> None:
    scene = server.client.post("/scenes?name=a.tif", content=tiff(**PLACE)).json()
    before = kept()
    response = server.client.patch(f"/scenes/{scene['id']}?{query}")
    assert response.status_code == 422
    assert "error" in response.json()
    assert server.client.get(f"/scenes/{scene['id']}").status_code == 200
    assert kept() == before


def test_named_scenes_and_other_pages_are_refused(tmp_path: Path) -> None:
    with serving(tmp_path / "cache", write_scene(tmp_path / "named.tif", 60, 60)) as server:
        for method in ("DELETE", "PATCH"):
            assert server.client.request(method, "/scenes/named").status_code == 403
        scene = server.client.post("/scenes?name=x", content=image()).json()
        evil = {"origin": "https://evil.example"}
        for method, url in (("DELETE", scene["id"]), ("PATCH", scene["id"]), ("POST", "example")):
            assert server.client.request(method, f"/scenes/{url}", headers=evil).status_code == 403
        assert server.client.get(f"/scenes/{scene['id']}").status_code == 200
