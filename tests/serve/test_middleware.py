"""What is kept in memory, and how much passes at once, whatever the application behind."""

from __future__ import annotations

import asyncio
from collections import Counter

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from sat2map.serve.middleware import FewAtOnce, TileCache

KIB = 1024


def cached(limit: int) -> tuple[TestClient, Counter[str]]:
    """A client of an application that answers with 10 KiB, and how often it was asked for what."""
    asked: Counter[str] = Counter()

    async def tile(request: Request) -> Response:
        asked[request.url.path] += 1
        request.scope["state"]["pending"] = "pending" in request.url.path
        return Response(bytes(10 * KIB))

    app = Starlette(
        routes=[Route("/{path:path}", tile)],
        middleware=[Middleware(TileCache, limit, lambda path: path.startswith("/tiles/"))],
    )
    return TestClient(app), asked


def test_tiles_are_kept_and_those_longest_not_used_go_first() -> None:
    client, asked = cached(40 * KIB)  # three of 10 KiB with their headers
    for path in "abcad":
        client.get(f"/tiles/{path}")
    assert asked == {"/tiles/a": 1, "/tiles/b": 1, "/tiles/c": 1, "/tiles/d": 1}
    for path in "acdb":
        client.get(f"/tiles/{path}")
    assert asked == {"/tiles/a": 1, "/tiles/b": 2, "/tiles/c": 1, "/tiles/d": 1}


def test_what_is_pending_or_no_tile_is_made_anew() -> None:
    client, asked = cached(100 * KIB)
    for _ in range(2):
        for path in ("/tiles/pending", "/health"):
            client.get(path)
    assert asked == {"/tiles/pending": 2, "/health": 2}


def test_large_images_pass_few_at_once() -> None:
    running: Counter[str] = Counter()
    most: Counter[str] = Counter()

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        kind = scope["path"]
        running[kind] += 1
        most[kind] = max(most[kind], running[kind])
        await asyncio.sleep(0.01)
        running[kind] -= 1

    async def receive() -> dict[str, object]:
        return {}

    async def send(_message: object) -> None:
        return None

    async def twelve() -> None:
        few = FewAtOnce(app, 2, lambda path: path == "/large")
        scopes = [{"type": "http", "path": path} for path in ("/large", "/small")] * 6
        await asyncio.gather(*(few(scope, receive, send) for scope in scopes))

    asyncio.run(twelve())
    assert most == {"/large": 2, "/small": 6}
