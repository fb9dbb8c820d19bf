"""The live map in a notebook: a server within this process, and the frame that shows it."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Sequence
from html import escape
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from sat2map.errors import import_extra
from sat2map.scene.options import DEFAULT_READ_OPTIONS, ReadOptions
from sat2map.translate import Settings

if TYPE_CHECKING:
    import uvicorn

    from sat2map.serve.settings import ServeSettings

NOTEBOOKS = ("http://localhost:*", "http://127.0.0.1:*")
"""Pages that show the live map in a frame: notebooks of this computer."""
STOP_S = 40.0
EXTRA = ("titiler.core", "titiler.extensions", "uvicorn", "pydantic_settings")
"""Modules that the extra `serve` brings."""


class LiveMap:
    """The live map of scenes, which goes on until it is closed, or nothing refers to it any more.

    As the last value of a notebook's cell it shows its page in a frame. The browser must run on the same computer.

    Args:
        sources: rasters or images, files or URLs; of none, the page waits for an image to be dropped on it.
        model: a bundled model's name or a file; None: the default one.
        drawing: how scenes are drawn.
        reading: how they are read.
        height_px: of the frame.
        settings: of the server; the port is a free one unless they say another.
        pages: origins of pages that may show it in a frame, such as `https://jupyter.example.org`.

    Raises:
        MissingExtraError: the extra `serve` is not installed.
        Sat2mapError: the model or a scene cannot be opened, or the port is in use.
    """

    def __init__(
        self, *sources: str | Path, model: str | Path | None = None, drawing: Settings | None = None,
        reading: ReadOptions = DEFAULT_READ_OPTIONS, height_px: int = 520, settings: ServeSettings | None = None,
        pages: Sequence[str] = NOTEBOOKS,
    ) -> None:  # fmt: skip
        for module in EXTRA:
            import_extra(module, "serve")
        from sat2map.serve.server import address_of, listen, make_server, open_scenes
        from sat2map.serve.settings import ServeSettings

        settings = settings or ServeSettings(port=0)
        with listen(settings.host, settings.port) as listener:
            scenes = open_scenes(sources, model, "auto", drawing or Settings(), reading, settings)
            self.url, self.height_px = address_of(listener), height_px
            self.scene_ids = tuple(scenes.by_id)
            server = make_server(scenes, settings, pages)
            # The thread has a listener of its own, since this one is closed here.
            own = listener.dup()
        thread = threading.Thread(target=server.run, kwargs={"sockets": [own]}, daemon=True)
        thread.start()
        self._stop = weakref.finalize(self, _stop, server, thread)

    @property
    def tiles(self) -> dict[str, str]:
        """XYZ address of the map of each scene, for leafmap's `add_tile_layer`, ipyleaflet, folium and others."""
        return {
            name: f"{self.url}scenes/{name}/map/tiles/WebMercatorQuad/{{z}}/{{x}}/{{y}}.png" for name in self.scene_ids
        }

    def close(self) -> None:
        """Stop the server; what is drawn stays in the cache."""
        self._stop()

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        """Stop the server."""
        self.close()

    def __repr__(self) -> str:
        """Its address, and whether it is there."""
        return f"LiveMap({self.url}{'' if self._stop.alive else ', closed'})"

    def _repr_html_(self) -> str | None:
        """Return its page in a frame; None once it is closed."""
        if not self._stop.alive:
            return None
        style = f"width:100%;height:{self.height_px}px;border:0"
        return f'<iframe src="{escape(self.url)}" title="sat2map" style="{style}" allowfullscreen></iframe>'


def _stop(server: uvicorn.Server, thread: threading.Thread) -> None:
    server.should_exit = True
    thread.join(STOP_S)
