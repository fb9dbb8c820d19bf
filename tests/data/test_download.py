from __future__ import annotations

import gzip
import io
import os
import tarfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sat2map.data import download as module
from sat2map.data.download import MAPS, Archive, digest, download
from sat2map.errors import DataError, OutputError

IMAGES = {f"small/{folder}/{i}.jpg": bytes([i]) * 40_000 for folder in ("train", "val") for i in (1, 2, 3)}


def packed(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    # Stored, not deflated: an archive of some size.
    return gzip.compress(buffer.getvalue(), 0)


WHOLE = packed(IMAGES)
PIECE = 3 * module.CHUNK_BYTES
GO_ON = f"bytes={PIECE}-"
STALL_S = (60.0, 2.0)
"""To connect, and between two pieces, where the server stalls until the test ends; elsewhere no time is too long."""


class Server(ThreadingHTTPServer):
    """Answers `/` with the archive, in one of the ways in which servers fail; remembers what was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = WHOLE
        self.mode: list[str] = []
        """One for each request to come; the last one stays."""
        self.asked: list[str | None] = []
        self.stop = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/maps.tar.gz"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        server = self.server
        server.asked.append(self.headers.get("Range"))
        mode = server.mode.pop(0) if len(server.mode) > 1 else (server.mode or ["good"])[0]
        getattr(self, mode)()

    def answer(self, content: bytes, *, length: int | None = None, with_range: bool = True) -> None:
        start = int((self.headers.get("Range") or "bytes=0-")[6:-1]) if with_range else 0
        if start and start >= len(content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str((length or len(content)) - start))
        self.end_headers()
        self.wfile.write(content[start:])

    def good(self) -> None:
        self.answer(self.server.content)

    def no_range(self) -> None:
        self.answer(self.server.content, with_range=False)

    def missing(self) -> None:
        self.send_error(404)

    def broken(self) -> None:
        self.send_error(503)

    def truncated(self) -> None:
        """Promises all, sends a piece more each time, and hangs up."""
        start = int((self.headers.get("Range") or "bytes=0-")[6:-1])
        self.answer(self.server.content[: start + PIECE], length=len(self.server.content))

    def hangs_up(self) -> None:
        self.close_connection = True

    def stalls(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.server.content)))
        self.end_headers()
        self.wfile.write(self.server.content[: module.CHUNK_BYTES])
        self.wfile.flush()
        self.server.stop.wait()

    def redirects(self) -> None:
        self.send_response(302)
        self.send_header("Location", "/elsewhere.tar.gz")
        self.end_headers()

    def web_page(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<html>please log in</html>")

    def other_file(self) -> None:
        self.answer(packed(IMAGES | {"small/train/2.jpg": b"another"}))

    def cut_short(self) -> None:
        """A truncated file on the server itself."""
        self.answer(self.server.content[:-70_000])

    def damaged(self) -> None:
        content = bytearray(self.server.content)
        content[-20_000] ^= 1
        self.answer(bytes(content))

    def no_archive(self) -> None:
        self.answer(b"something else entirely" * 99)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.stop.set()
        running.shutdown()
        thread.join()


@pytest.fixture
def archive(server: Server, tmp_path: Path) -> Archive:
    for name, content in IMAGES.items():
        (tmp_path / "known" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "known" / name).write_bytes(content)
    known = digest(tmp_path / "known" / "small" / "train")
    return Archive("small", (server.url,), {"train": 3, "val": 3}, {"train": known}, "0" * 64, "a notice")


def check(place: Path, folder: Path) -> None:
    assert place == folder / "small"
    found = {p.relative_to(folder).as_posix(): p.read_bytes() for p in place.rglob("*.jpg")}
    assert found == IMAGES
    assert [p.name for p in folder.iterdir()] == ["small"]


@pytest.mark.parametrize(
    ("modes", "ranges"),
    [
        (["good"], [None]),
        (["truncated", "good"], [None, GO_ON]),
        (["truncated"], [None, *(f"bytes={n}-" for n in range(PIECE, len(WHOLE), PIECE))]),
        (["truncated", "no_range"], [None, GO_ON]),
        (["hangs_up", "hangs_up", "good"], [None, None, None]),
        (["stalls", "good"], [None, f"bytes={module.CHUNK_BYTES}-"]),
        (["redirects", "good"], [None, None]),
        (["truncated", "redirects", "good"], [None, GO_ON, GO_ON]),
    ],
    ids=lambda value: " ".join(map(str, value))[:40],
)
def test_archive_arrives_whole(
    server: Server,
    archive: Archive,
    tmp_path: Path,
    modes: list[str],
    ranges: list[str | None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if "stalls" in modes:
        monkeypatch.setattr(module, "TIMEOUT_S", STALL_S)
    server.mode = modes.copy()
    seen: list[tuple[int, int]] = []
    folder = tmp_path / "deep" / "data"
    check(download(archive, folder, progress=lambda done, total: seen.append((done, total))), folder)
    assert server.asked == ranges
    assert seen[-1] == (len(WHOLE), len(WHOLE))


def test_next_call_goes_on_where_a_broken_one_stopped(server: Server, archive: Archive, tmp_path: Path) -> None:
    server.mode = ["truncated", "hangs_up"]
    with pytest.raises(DataError, match="cannot be reached, or breaks off") as caught:
        download(archive, tmp_path / "data")
    assert "goes on where it stopped" in str(caught.value.hint)
    assert [p.stat().st_size for p in (tmp_path / "data").iterdir()] == [PIECE]
    server.mode, server.asked = ["good"], []
    check(download(archive, tmp_path / "data"), tmp_path / "data")
    assert server.asked == [GO_ON]


@pytest.mark.parametrize("size", [len(WHOLE), len(WHOLE) + 5])
def test_partial_file_of_full_length_is_asked_for_no_more(
    server: Server, archive: Archive, tmp_path: Path, size: int
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / ".small.tar.gz.partial").write_bytes((WHOLE + b"extra")[:size])
    check(download(archive, folder), folder)


def test_part_of_another_file_is_thrown_away(server: Server, archive: Archive, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / ".small.tar.gz.partial").write_bytes(b"\0" * 30_000)
    check(download(archive, folder), folder)
    assert server.asked == ["bytes=30000-", None]


def test_mirror_stands_in_and_goes_on_from_what_the_first_gave(
    server: Server, archive: Archive, tmp_path: Path
) -> None:
    server.mode = ["truncated", "missing", "good"]
    urls = ("http://127.0.0.1:9/maps.tar.gz", server.url, server.url)
    check(download(replace(archive, urls=urls), tmp_path / "data"), tmp_path / "data")
    assert server.asked == [None, GO_ON, GO_ON]


FAILS = {
    "missing": "answers 404",
    "broken": "answers 503",
    "hangs_up": "cannot be reached, or breaks off",
    "stalls": "does not answer",
    "redirects": "without end",
    "web_page": "answers with a web page",
    "no_archive": "archive is truncated or none",
    "cut_short": "archive is truncated or none",
    "damaged": "archive is truncated or none",
    "other_file": "differ from those that were published",
}


@pytest.mark.parametrize("mode", FAILS)
def test_failure_is_told_and_leaves_no_data_set(
    server: Server, archive: Archive, tmp_path: Path, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if mode == "stalls":
        monkeypatch.setattr(module, "TIMEOUT_S", STALL_S)
    server.mode = [mode]
    with pytest.raises(DataError, match=FAILS[mode]) as caught:
        download(archive, tmp_path / "data")
    assert server.url in f"{caught.value} {caught.value.hint}"
    left = [p.name for p in (tmp_path / "data").iterdir()]
    assert left == ([".small.tar.gz.partial"] if mode == "stalls" else [])


def traversal() -> dict[str, bytes]:
    return {
        "../evil.jpg": b"x",
        "small/train/../../../evil.jpg": b"x",
        "/tmp/evil.jpg": b"x",
        "small/other/1.jpg": b"x",
    }


def test_nothing_but_the_pairs_is_unpacked(server: Server, archive: Archive, tmp_path: Path) -> None:
    server.content = packed(IMAGES | traversal() | {"small/train/run.sh": b"x"})
    check(download(archive, tmp_path / "data"), tmp_path / "data")
    assert not list(tmp_path.rglob("evil.jpg"))


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda files: files.pop("small/val/3.jpg"), "2 pairs of 3"),
        (lambda files: files.update({"small/val/4.jpg": b"x"}), "4 pairs of 3"),
        (lambda files: files.update({"small/train/1.jpg": b"x"}), "differ"),
        (dict.clear, "0 pairs of 3"),
    ],
)
def test_content_is_checked(
    archive: Archive, tmp_path: Path, change: Callable[[dict[str, bytes]], object], found: str
) -> None:
    files = dict(IMAGES)
    change(files)
    own = tmp_path / "mine.tar.gz"
    own.write_bytes(packed(files))
    with pytest.raises(DataError, match=found):
        download(archive, tmp_path / "data", by_hand=own)
    assert own.exists()


def test_archive_fetched_by_hand_is_used_and_kept(server: Server, archive: Archive, tmp_path: Path) -> None:
    own = tmp_path / "mine.tar.gz"
    own.write_bytes(WHOLE)
    check(download(archive, tmp_path / "data", by_hand=own), tmp_path / "data")
    assert own.exists()
    assert server.asked == []


def test_existing_data_set_is_left_alone(server: Server, archive: Archive, tmp_path: Path) -> None:
    (tmp_path / "small").mkdir()
    with pytest.raises(OutputError, match="output exists"):
        download(archive, tmp_path)
    assert server.asked == []


def test_published_archive_is_described() -> None:
    assert MAPS.folders == {"train": 1096, "val": 1098}
    assert all(url.endswith("/maps.tar.gz") for url in MAPS.urls)
    assert "Google" in MAPS.notice


@pytest.mark.skipif("SAT2MAP_DATA" not in os.environ, reason="the digest is of $SAT2MAP_DATA/maps/train")
def test_digest_of_the_real_training_pairs() -> None:
    assert digest(Path(os.environ["SAT2MAP_DATA"]) / "maps" / "train") == MAPS.digests["train"]
