"""A server of the live map: the socket on which it listens, its scenes, and what answers."""

from __future__ import annotations

import hashlib
import logging
import socket
import warnings
from collections.abc import Sequence
from pathlib import Path

import uvicorn
from rio_tiler.errors import NoOverviewWarning

from sat2map.errors import Sat2mapError
from sat2map.model.bundled import resolve
from sat2map.scene.options import ReadOptions
from sat2map.serve.app import create_app
from sat2map.serve.filling import Filler
from sat2map.serve.scenes import Scenes
from sat2map.serve.settings import ServeSettings
from sat2map.translate import Settings, Translator


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


def make_server(scenes: Scenes, settings: ServeSettings, pages: Sequence[str] = ()) -> uvicorn.Server:
    """Make the server of the live map, which closes the scenes when it ends.

    Args:
        scenes: what it shows.
        settings: its settings.
        pages: origins of pages that may show it in a frame.
    """
    warnings.simplefilter("ignore", NoOverviewWarning)
    app = create_app(scenes, Filler(settings.n_windows_waited_for), settings, pages)
    config = uvicorn.Config(
        app, log_config=None, access_log=False, server_header=False, timeout_keep_alive=10,
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
