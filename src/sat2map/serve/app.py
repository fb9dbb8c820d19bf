"""The server as an application: TiTiler's routes for the scenes, the routes of our own, and the middleware."""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import APIRouter, FastAPI
from fastapi.middleware.cors import CORSMiddleware
from starlette.staticfiles import StaticFiles
from titiler.core.dependencies import DefaultDependency
from titiler.core.factory import TilerFactory, TMSFactory

from sat2map.classes import ClassTable
from sat2map.serve.basemap import basemap_of
from sat2map.serve.class_routes import class_routes
from sat2map.serve.documents import add_tilejson, wmts_extension
from sat2map.serve.drop_routes import drop_routes
from sat2map.serve.errors import handle_errors
from sat2map.serve.export_routes import export_routes
from sat2map.serve.filling import Filler
from sat2map.serve.gate import Gate
from sat2map.serve.hosts import KnownHosts
from sat2map.serve.image_request import GRID, ImageSize, Reading, hidden_classes
from sat2map.serve.middleware import FewAtOnce, HeadersAndLog, TileCache, security_headers
from sat2map.serve.reader import LayerReader
from sat2map.serve.render import render
from sat2map.serve.routes import VIEWER, about
from sat2map.serve.scenes import Scenes
from sat2map.serve.settings import ServeSettings
from sat2map.serve.vector_routes import vector_routes

PREFIX = "/scenes/{scene_id}/{layer_name}"
TILE_PATH = re.compile(r"/scenes/[^/]+/[^/]+/tiles/[^/]+/.+")
LARGE_PATH = re.compile(r"/scenes/[^/]+/([^/]+/(preview|bbox)|export\.)")
"""Beginning of the paths of images and files whose size the client chooses."""
N_LARGE_AT_ONCE = 2
"""Such images take up to half a gigabyte each."""
GDAL = {"GDAL_CACHEMAX": 64 * 2**20, "GDAL_NUM_THREADS": "1"}
"""Limits of GDAL: its cache of blocks helps within one request only, because the file is closed after each."""


def create_app(scenes: Scenes, filler: Filler, settings: ServeSettings, pages: Sequence[str] = ()) -> FastAPI:
    """Make the application; `scenes` and `filler` are closed when it shuts down.

    Args:
        scenes: scenes that are shown, and to which uploads are added.
        filler: draws their windows.
        settings: settings of the server.
        pages: origins of pages that may show it in a frame.

    Raises:
        Sat2mapError: the base map of the settings is none.
    """
    basemap = basemap_of(settings)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[dict[str, Path]]:
        with tempfile.TemporaryDirectory(prefix="sat2map-") as folder:
            # What is given here is part of `request.state`.
            yield {"folder": Path(folder)}
            # Finishes the window that is being drawn, which may take seconds.
            await asyncio.to_thread(filler.stop)
            scenes.close()

    app = FastAPI(title="sat2map", lifespan=lifespan, docs_url=None, redoc_url=None)
    gate = Gate(scenes, filler, settings)
    for router in (
        class_routes(scenes, gate), export_routes(scenes, gate, settings), vector_routes(scenes, gate, settings),
        about(scenes, filler, basemap), drop_routes(scenes, filler, settings), TMSFactory(supported_tms=GRID).router,
    ):  # fmt: skip
        app.include_router(router)
    app.include_router(_layers(gate, scenes.card.classes), prefix=PREFIX)
    handle_errors(app, scenes.by_id.__contains__)
    app.mount("/viewer", StaticFiles(directory=VIEWER))
    _add_middleware(app, settings, security_headers(basemap.origin if basemap else None, pages))
    return app


def _add_middleware(app: FastAPI, settings: ServeSettings, headers: Mapping[str, str]) -> None:
    """Put what every request passes before an application; what is added last comes first."""
    app.add_middleware(TileCache, settings.tile_cache_mib * 2**20, lambda path: bool(TILE_PATH.fullmatch(path)))
    if settings.allow_origin:
        app.add_middleware(CORSMiddleware, allow_origins=[settings.allow_origin], allow_methods=["GET"])
    app.add_middleware(FewAtOnce, N_LARGE_AT_ONCE, lambda path: bool(LARGE_PATH.match(path)))
    app.add_middleware(KnownHosts, [*settings.allow_host, settings.host])
    app.add_middleware(HeadersAndLog, headers)


def _layers(gate: Gate, classes: ClassTable) -> APIRouter:
    """Make TiTiler's routes for layers, with limits on every size; routes that the page does not need are left out."""

    class Factory(TilerFactory):
        def register_routes(self) -> None:
            for register in (self.info, self.tilesets, self.tile, self.preview, self.part):
                register()  # type: ignore[no-untyped-call]
            add_tilejson(self)
            # Parts of any outline, sent as GeoJSON, are left out: the gate could not see which windows they need.
            self.router.routes[:] = [r for r in self.router.routes if "POST" not in getattr(r, "methods", ())]

    return Factory(
        router_prefix=PREFIX,
        reader=LayerReader,
        path_dependency=gate.view,
        layer_dependency=DefaultDependency,
        dataset_dependency=Reading,
        tile_dependency=DefaultDependency,
        process_dependency=hidden_classes(classes),
        img_preview_dependency=ImageSize,
        img_part_dependency=ImageSize,
        colormap_dependency=lambda: None,
        render_dependency=DefaultDependency,
        environment_dependency=lambda: GDAL,
        render_func=render,
        supported_tms=GRID,
        add_viewer=False,
        extensions=[wmts_extension()],
    ).router
