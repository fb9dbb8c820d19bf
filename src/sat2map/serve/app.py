"""The server: TiTiler's routes over the scenes, with a gate before them that has what is missing drawn first."""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path

from fastapi import APIRouter, FastAPI
from fastapi.middleware.cors import CORSMiddleware
from starlette.staticfiles import StaticFiles
from titiler.core.dependencies import DefaultDependency
from titiler.core.factory import TilerFactory, TMSFactory
from titiler.extensions.wmts import wmtsExtension

from sat2map.serve.errors import handle_errors
from sat2map.serve.filling import Filler
from sat2map.serve.gate import Gate
from sat2map.serve.hosts import KnownHosts
from sat2map.serve.image_request import GRID, ImageSize, Reading, hidden_classes
from sat2map.serve.middleware import FewAtOnce, HeadersAndLog, TileCache
from sat2map.serve.reader import LayerReader
from sat2map.serve.render import render
from sat2map.serve.routes import about, uploads
from sat2map.serve.scenes import Scenes
from sat2map.serve.settings import ServeSettings

PREFIX = "/scenes/{scene_id}/{layer_name}"
TILE_PATH = re.compile(r"/scenes/[^/]+/[^/]+/tiles/[^/]+/.+")
LARGE_PATH = re.compile(r"/scenes/[^/]+/[^/]+/(preview|bbox)")
"""Beginning of the paths of images whose size the client chooses."""
N_LARGE_AT_ONCE = 2
"""Such images take up to half a gigabyte each."""
VIEWER = Path(str(files("sat2map.serve") / "viewer"))
GDAL = {"GDAL_CACHEMAX": 64 * 2**20, "GDAL_NUM_THREADS": "1"}
"""The blocks of a file are forgotten when it is closed, after each request: what matters is that memory is bounded."""


def create_app(scenes: Scenes, filler: Filler, settings: ServeSettings) -> FastAPI:
    """The application; `scenes` and `filler` are closed when it shuts down."""

    folder = tempfile.TemporaryDirectory(prefix="sat2map-")

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        # What is being drawn is finished; it may take seconds.
        await asyncio.to_thread(filler.stop)
        scenes.close()
        folder.cleanup()

    app = FastAPI(title="sat2map", lifespan=lifespan, docs_url=None, redoc_url=None)
    gate = Gate(scenes, filler, settings)
    app.include_router(_layers(gate), prefix=PREFIX)
    app.include_router(TMSFactory(supported_tms=GRID).router)
    app.include_router(about(scenes, filler))
    app.include_router(uploads(scenes, filler, settings, Path(folder.name)))
    handle_errors(app)
    app.mount("/viewer", StaticFiles(directory=VIEWER))
    app.add_middleware(TileCache, settings.tile_cache_mib * 2**20, lambda path: bool(TILE_PATH.fullmatch(path)))
    if settings.allow_origin:
        app.add_middleware(CORSMiddleware, allow_origins=[settings.allow_origin], allow_methods=["GET"])
    app.add_middleware(FewAtOnce, N_LARGE_AT_ONCE, lambda path: bool(LARGE_PATH.match(path)))
    app.add_middleware(KnownHosts, [*settings.allow_host, settings.host])
    app.add_middleware(HeadersAndLog)
    return app


def _layers(gate: Gate) -> APIRouter:
    """TiTiler's routes, less those that compute what the page does not need, with bounds on every size."""

    class Factory(TilerFactory):
        def register_routes(self) -> None:
            for register in (self.info, self.tilesets, self.tile, self.tilejson, self.preview, self.part):
                register()  # type: ignore[no-untyped-call]
            # Parts of any outline, sent as GeoJSON: the gate could not see what they need.
            self.router.routes[:] = [r for r in self.router.routes if "POST" not in getattr(r, "methods", ())]

    return Factory(
        router_prefix=PREFIX,
        reader=LayerReader,
        path_dependency=gate.view,
        layer_dependency=DefaultDependency,
        dataset_dependency=Reading,
        tile_dependency=DefaultDependency,
        process_dependency=hidden_classes,
        img_preview_dependency=ImageSize,
        img_part_dependency=ImageSize,
        colormap_dependency=lambda: None,
        render_dependency=DefaultDependency,
        environment_dependency=lambda: GDAL,
        render_func=render,
        supported_tms=GRID,
        add_viewer=False,
        extensions=[wmtsExtension(layer_identifier_provider=str)],
    ).router
