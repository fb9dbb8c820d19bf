"""A server of the live map: the socket on which it listens, its scenes, and what answers."""

from __future__ import annotations

import hashlib
import logging
import socket
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import uvicorn
from rio_tiler.errors import NoOverviewWarning
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sat2map.errors import Sat2mapError
from sat2map.model.bundled import resolve
from sat2map.scene.options import ReadOptions
from sat2map.serve.app import create_app
from sat2map.serve.filling import Filler
from sat2map.serve.scenes import Scenes
from sat2map.serve.settings import ServeSettings
from sat2map.translate import Settings, Translator

NO_FRAME = "frame-ancestors 'none'"


def open_scenes(
    sources: Sequence[str | Path], model: str | Path | None, device: str, drawing: Settings, reading: ReadOptions,
    settings: ServeSettings,
) -> Scenes:  # fmt: skip
    """Load a model, and open scenes that it will draw.

    Args:
        sources: files or URLs.
        model: a bundled model's name or a file; None: the default one.
        device: where the network runs.
        drawing: how scenes are drawn.
        reading: how they are read.
        settings: of the server: where it keeps what is drawn.

    Raises:
        Sat2mapError: the model or a scene cannot be opened; none of the scenes stays open.
    """
    model_key = hashlib.sha256(resolve(model).read_bytes()).hexdigest()
    cache_bytes = round(settings.cache_gib * 2**30)
    scenes = Scenes(Translator.load(model, device), settings.cache, cache_bytes, model_key, drawing, reading)
    try:
        for source in sources:
            scenes.add(source)
    except Sat2mapError:
        scenes.close()
        raise
    return scenes


def make_server(
    scenes: Scenes, settings: ServeSettings, wrap: Callable[[ASGIApp], ASGIApp] = lambda app: app
) -> uvicorn.Server:
    """Make the server of the live map, which closes the scenes when it ends.

    Args:
        scenes: what it shows.
        settings: its settings.
        wrap: what stands before its application.
    """
    warnings.simplefilter("ignore", NoOverviewWarning)
    app = create_app(scenes, Filler(settings.n_windows_waited_for), settings)
    config = uvicorn.Config(
        wrap(app), log_config=None, access_log=False, server_header=False, timeout_keep_alive=10,
        timeout_graceful_shutdown=30, limit_concurrency=settings.n_connections,
    )  # fmt: skip
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    return uvicorn.Server(config)


def listen(host: str, port: int) -> socket.socket:
    """Open a socket that listens at an address and port.

    Raises:
        Sat2mapError: there is no such address, or the port is in use.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            # From now on a browser that connects early waits for an answer, and is not refused.
            listener.listen(128)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise Sat2mapError(
            f"cannot listen there ({reason})", f"{host}:{port}", hint="`port` 0 takes a free one"
        ) from error
    return listener


def address_of(listener: socket.socket) -> str:
    """Return the address of the page, as `http://127.0.0.1:8765/`."""
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"


class InFrame:
    """Middleware that lets some pages show the application in a frame, which its headers forbid.

    Args:
        app: the application.
        pages: origins of these pages.
    """

    def __init__(self, app: ASGIApp, pages: Sequence[str]) -> None:
        self._app, self._allowed = app, " ".join(("frame-ancestors", *pages))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, as ASGI defines it."""

        async def send_allowed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                policy = headers.get("content-security-policy", "")
                headers["content-security-policy"] = policy.replace(NO_FRAME, self._allowed)
            await send(message)

        await self._app(scope, receive, send_allowed)
