"""Middleware for every request: a cache of tiles, security headers, the access log, and a limit on large images."""

from __future__ import annotations

import asyncio
import json
import logging
import time
import zlib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

access_log = logging.getLogger("sat2map.serve.access")

PENDING = "X-Sat2map-Pending"
"""Header of an image that is not drawn completely yet."""


NOBODY = "'none'"


def security_headers(tiles_origin: str | None = None, pages: Sequence[str] = ()) -> dict[str, str]:
    """Return the headers by which a browser fetches and runs only what this server sends.

    Args:
        tiles_origin: the one other origin from which the page may fetch tiles; None: none.
        pages: origins of the pages that may show the page in a frame.
    """
    other = "" if tiles_origin is None else f" {tiles_origin}"
    return {
        "Content-Security-Policy": (
            f"default-src 'self'; img-src 'self' blob: data:{other}; connect-src 'self'{other}; "
            "worker-src 'self' blob:; style-src 'self' 'unsafe-inline'; "
            f"object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors {' '.join(pages) or NOBODY}"
        ),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        # Owners of tiles, OpenStreetMap among them, want to know which page shows them.
        "Referrer-Policy": "no-referrer" if tiles_origin is None else "strict-origin-when-cross-origin",
        "X-Content-Type-Options": "nosniff",
    }


class HeadersAndLog:
    """Middleware that adds the security headers, and writes one line of JSON to the log for each request.

    HEAD is answered like GET; the HTTP server leaves the body out.

    Args:
        app: application that makes the answers.
        headers: security headers.
    """

    def __init__(self, app: ASGIApp, headers: Mapping[str, str]) -> None:
        self._app, self._headers = app, headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, as ASGI defines it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, requested = time.perf_counter(), {"status": 0, "bytes": 0}
        method = scope["method"]
        if method == "HEAD":
            scope = {**scope, "method": "GET"}

        async def watch(message: Message) -> None:
            if message["type"] == "http.response.start":
                requested["status"] = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
                if scope.get("state", {}).get("pending"):
                    headers[PENDING], headers["Cache-Control"] = "true", "no-store"
                else:
                    headers.setdefault("Cache-Control", "no-cache")
            else:
                requested["bytes"] += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, watch)
        finally:
            line = {
                "time": round(time.time(), 3), "method": method, "path": scope["path"],
                "query": scope["query_string"].decode("latin-1"), **requested,
                "ms": round(1000 * (time.perf_counter() - start), 1),
                "client": (scope.get("client") or ("",))[0],
            }  # fmt: skip
            access_log.info("%s", json.dumps(line))


class TileCache:
    """Middleware that keeps answers in memory with an ETag; images that are not drawn completely are not kept.

    Args:
        app: application that makes the answers.
        limit_bytes: size of what is kept; the answers that were not used for longest are dropped.
        is_cached: tells for a path whether its answers are kept.
    """

    def __init__(self, app: ASGIApp, limit_bytes: int, is_cached: Callable[[str], bool]) -> None:
        self._app, self._limit_bytes, self._is_cached = app, limit_bytes, is_cached
        self._kept: OrderedDict[tuple[str, bytes], Response] = OrderedDict()
        self._n_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, as ASGI defines it."""
        if scope["type"] != "http" or scope["method"] != "GET" or not self._is_cached(scope["path"]):
            await self._app(scope, receive, send)
            return
        key = (scope["path"], scope["query_string"])
        response = self._kept.get(key)
        if response is None:
            response = await self._made(scope, receive)
            if response.status_code == 200 and not scope["state"].get("pending"):
                response.headers["ETag"] = f'"{zlib.crc32(response.body):08x}{len(response.body):x}"'
                self._keep(key, response)
        else:
            self._kept.move_to_end(key)
        tag = response.headers.get("ETag")
        if tag and Headers(scope=scope).get("if-none-match") == tag:
            response = Response(status_code=304, headers={"ETag": tag})
        await response(scope, receive, send)

    async def _made(self, scope: Scope, receive: Receive) -> Response:
        """Return the whole answer of the application."""
        start: dict[str, Any] = {}
        body: list[bytes] = []

        async def collect(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            else:
                body.append(message.get("body", b""))

        scope.setdefault("state", {})
        await self._app(scope, receive, collect)
        response = Response(b"".join(body), start["status"])
        response.raw_headers = list(start["headers"])
        return response

    def _keep(self, key: tuple[str, bytes], response: Response) -> None:
        if replaced := self._kept.pop(key, None):
            self._n_bytes -= _size(key, replaced)
        self._kept[key] = response
        self._n_bytes += _size(key, response)
        while self._n_bytes > self._limit_bytes:
            self._n_bytes -= _size(*self._kept.popitem(last=False))


def _size(key: tuple[str, bytes], response: Response) -> int:
    """Estimate the bytes that an answer takes, with its headers and the objects around it."""
    return len(response.body) + len(key[0]) + len(key[1]) + 2048


class FewAtOnce:
    """Middleware that lets only a few requests for large images pass at the same time.

    Args:
        app: application that makes the images.
        n: number of requests that pass at the same time.
        is_large: tells for a path whether its images are large.
    """

    def __init__(self, app: ASGIApp, n: int, is_large: Callable[[str], bool]) -> None:
        self._app, self._is_large = app, is_large
        self._turns = asyncio.Semaphore(n)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, as ASGI defines it."""
        if scope["type"] == "http" and self._is_large(scope["path"]):
            async with self._turns:
                await self._app(scope, receive, send)
        else:
            await self._app(scope, receive, send)
