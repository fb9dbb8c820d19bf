"""The command `sat2map serve`, which serves the live map of scenes to browsers and as tiles."""

from __future__ import annotations

import hashlib
import logging
import socket
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sat2map.cli import options
from sat2map.cli.scenes import read_options, scenes_of
from sat2map.errors import Sat2mapError, import_extra

if TYPE_CHECKING:
    from sat2map.scene.options import ReadOptions
    from sat2map.serve.scenes import Scenes
    from sat2map.serve.settings import ServeSettings
    from sat2map.translate import Settings


@click.command()
@click.argument("sources", metavar="SCENE...", nargs=-1)
@click.option("--host", metavar="ADDRESS", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="Port; 0 for any that is free.  [default: 8765]")
@click.option(
    "--cache", type=click.Path(path_type=Path), help="Folder for what is drawn.  [default: ~/.cache/sat2map/serve]"
)
@click.option("--cache-gib", type=float, metavar="GIB", help="Room that it may take.  [default: 20]")
@click.option("--allow-origin", metavar="ORIGIN", help="Web pages elsewhere that may show the tiles (or *).")
@click.option(
    "--allow-host", multiple=True, metavar="NAME", help="A name by which the server is called; may be repeated."
)
@click.option(
    "--basemap",
    metavar="URL",
    help="Tiles of a base map, with {z}, {x}, {y}; fetched when it is switched on.",
)
@click.option("--basemap-attribution", metavar="TEXT", help="Whose base map it is.  [default: by its host]")
@options.model_option
@options.head_option
@options.window_option
@options.margin_option
@options.bands_option
@options.nodata_option
@options.mask_option
@options.stretch_option
@options.gsd_option
@options.crs_option
@options.device_option
@options.precision_option
@options.log_options
def serve(
    sources: tuple[str, ...],
    model: str | None,
    head: str | None,
    window_px: int | None,
    margin_px: int | None,
    gsd_m: float | None,
    device: str,
    precision: Any,
    quiet: bool,
    **given: Any,
) -> None:
    """Show each SCENE (a file, a folder of them, or a URL) and its map in the browser.

    The map is drawn while you look at it. Bands, nodata, mask, stretch, GSD and CRS are those of every SCENE named.
    Without a SCENE the page waits for an image to be dropped on it. The same tiles feed QGIS, MapLibre and others:
    docs/serve.md says how.
    """
    for module in ("titiler.core", "titiler.extensions", "uvicorn", "pydantic_settings"):
        import_extra(module, "serve")
    from sat2map.serve.basemap import basemap_of
    from sat2map.serve.settings import ServeSettings
    from sat2map.translate import DEFAULT_CORE_PX, Settings

    reading = read_options(given)
    settings = ServeSettings(
        **{name: given[name] for name in ServeSettings.model_fields if given.get(name) not in (None, ())}
    )
    basemap_of(settings)  # found wrong before any scene is opened
    drawing = Settings(head, window_px or DEFAULT_CORE_PX, margin_px, gsd_m=gsd_m, precision=precision)
    with _listen(settings.host, settings.port) as listener:
        files = [file for source in sources for file in scenes_of(source)]
        scenes = _open_scenes(files, model, device, drawing, reading, settings)
        if not quiet:
            click.echo(f"the live map is at {_address(listener)} (Ctrl-C stops it)", err=True)
        _run(scenes, settings, listener)


def _open_scenes(
    sources: Sequence[str],
    model: str | None,
    device: str,
    drawing: Settings,
    reading: ReadOptions,
    settings: ServeSettings,
) -> Scenes:
    from sat2map.model.bundled import resolve
    from sat2map.serve.scenes import Scenes
    from sat2map.translate import Translator

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


def _run(scenes: Scenes, settings: ServeSettings, listener: socket.socket) -> None:
    """Serve until someone stops it."""
    import uvicorn
    from rio_tiler.errors import NoOverviewWarning

    from sat2map.serve.app import create_app
    from sat2map.serve.filling import Filler

    warnings.simplefilter("ignore", NoOverviewWarning)
    app = create_app(scenes, Filler(settings.n_windows_waited_for), settings)
    config = uvicorn.Config(
        app, log_config=None, access_log=False, server_header=False, timeout_keep_alive=10,
        timeout_graceful_shutdown=30, limit_concurrency=settings.n_connections,
    )  # fmt: skip
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    uvicorn.Server(config).run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
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
            f"cannot listen there ({reason})", f"{host}:{port}", hint="--port 0 takes a free one"
        ) from error
    return listener


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"
