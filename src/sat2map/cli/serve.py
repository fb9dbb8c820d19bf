"""The command `sat2map serve`, which serves the live map of scenes to browsers and as tiles."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sat2map.cli import options
from sat2map.cli.scenes import read_options, scenes_of
from sat2map.cli.written import say
from sat2map.errors import import_extra

if TYPE_CHECKING:
    import socket

    from sat2map.serve.scenes import Scenes
    from sat2map.serve.settings import ServeSettings


@click.command()
@click.argument("sources", metavar="SCENE...", nargs=-1)
@click.option("--host", metavar="ADDRESS", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="Port; 0 for any that is free.  [default: 8765]")
@click.option(
    "--cache", type=click.Path(path_type=Path), help="Folder for what is drawn.  [default: ~/.cache/sat2map/serve]"
)
@click.option(
    "--cache-gib", type=options.FiniteFloat(min=0), metavar="GIB", help="Room that it may take.  [default: 20]"
)
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
    from sat2map.serve.live_map import EXTRA

    for module in EXTRA:
        import_extra(module, "serve")
    from sat2map.serve.basemap import basemap_of
    from sat2map.serve.server import address_of, listen, open_scenes
    from sat2map.serve.settings import ServeSettings
    from sat2map.translate import DEFAULT_CORE_PX, Settings

    reading = read_options(given)
    settings = ServeSettings(
        **{name: given[name] for name in ServeSettings.model_fields if given.get(name) not in (None, ())}
    )
    basemap_of(settings)  # found wrong before any scene is opened
    drawing = Settings(head, window_px or DEFAULT_CORE_PX, margin_px, gsd_m=gsd_m, precision=precision)
    with listen(settings.host, settings.port) as listener:
        files = [file for source in sources for file in scenes_of(source)]
        scenes = open_scenes(files, model, device, drawing, reading, settings)
        if not quiet:
            say(f"the live map is at {address_of(listener)} (Ctrl-C stops it)")
        _run(scenes, settings, listener)


def _run(scenes: Scenes, settings: ServeSettings, listener: socket.socket) -> None:
    """Serve until someone stops it."""
    from sat2map.serve.server import make_server

    make_server(scenes, settings).run(sockets=[listener])
