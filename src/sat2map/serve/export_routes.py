"""The routes of downloads: GeoTIFFs and GeoPackages of a scene or a part of it, when all of the part is drawn."""

from __future__ import annotations

import shutil
import tempfile
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from starlette.background import BackgroundTask
from starlette.responses import FileResponse, JSONResponse, Response

from sat2map.serve.errors import BadRequestError
from sat2map.serve.export import PRODUCTS, Export, check_vectors, layer_of, write_geotiff, write_vectors
from sat2map.serve.gate import Gate
from sat2map.serve.image_request import Box, Needed, window_in
from sat2map.serve.layers import MAP, MapLayer, sparse_map_of
from sat2map.serve.scenes import Scenes
from sat2map.serve.settings import ServeSettings
from sat2map.tiling import Window

MEDIA_TYPES = {
    ".tif": "image/tiff; application=geotiff; profile=cloud-optimized",
    ".gpkg": "application/geopackage+sqlite3",
}
RETRY_S = 2


def export_routes(scenes: Scenes, gate: Gate, settings: ServeSettings) -> APIRouter:
    """Make the routes of downloads.

    Args:
        scenes: scenes that are served.
        gate: has drawn what is asked for.
        settings: how large a file may be.
    """
    router = APIRouter(tags=["downloads"])
    send = _Sender(scenes, gate, settings).send

    @router.get("/scenes/{scene_id}/export.tif", response_class=Response)
    async def geotiff(
        request: Request,
        scene_id: str,
        bbox: Box = None,
        product: Annotated[Literal["map", "classes", "confidence"], Query()] = "map",
    ) -> Response:
        """Send a part of the translated file: its own pixels, as Cloud-Optimized GeoTIFF with its tags."""
        kind = PRODUCTS[product]
        write = partial(write_geotiff, product=kind)
        folder = request.state.folder
        return await send(folder, scene_id, bbox, file=f"{product}.tif", layer_name=layer_of(kind), write=write)

    @router.get("/scenes/{scene_id}/export.gpkg", response_class=Response)
    async def geopackage(request: Request, scene_id: str, bbox: Box = None) -> Response:
        """Send areas, roads and junctions of a part of the map, as GeoPackage."""
        await run_in_threadpool(check_vectors, scenes.known(scene_id))
        folder = request.state.folder
        return await send(folder, scene_id, bbox, file="map.gpkg", layer_name=MAP, write=write_vectors)

    return router


class _Sender:
    """Makes files of parts of scenes, and sends them."""

    def __init__(self, scenes: Scenes, gate: Gate, settings: ServeSettings) -> None:
        self._scenes, self._gate, self._settings = scenes, gate, settings

    async def send(
        self, folder: Path, scene_id: str, bbox: str | None, *, file: str, layer_name: str, write: Any
    ) -> Response:
        """Send what `write` makes of a part of a scene, named after it and `file`; 202 until the part is drawn.

        It lies in `folder` while it is sent.
        """
        scene, layer = self._scenes.layer(scene_id, layer_name)
        window = window_in(scene, bbox)
        check_size(window, self._settings)
        if not await self._gate.is_drawn(layer, Needed(window, True)):
            return not_drawn(layer, window)
        work = Path(tempfile.mkdtemp(dir=folder))
        try:
            await run_in_threadpool(write, Export(scene, window, self._scenes.card), path=work / file)
        except BaseException:
            shutil.rmtree(work)
            raise
        name = f"{scene.name}_{file}"
        return FileResponse(
            work / file, media_type=MEDIA_TYPES[Path(file).suffix], background=BackgroundTask(shutil.rmtree, work),
            headers={"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}"},
        )  # fmt: skip


def check_size(window: Window, settings: ServeSettings) -> None:
    """See that a part is not too large to be made while someone waits.

    Raises:
        BadRequestError: it is.
    """
    if window.height * window.width > settings.export_mpx * 1e6:
        n_mpx = window.height * window.width / 1e6
        raise BadRequestError(
            f"part has {n_mpx:.0f} million pixels, {settings.export_mpx:g} are sent; sat2map translate has no limit",
            422,
        )


def not_drawn(layer: MapLayer, window: Window) -> JSONResponse:
    """Answer that a part is being drawn, and how much of it is missing: a client asks again."""
    sparse_map = sparse_map_of(layer)
    n_missing, n_windows = len(sparse_map.missing(window)), len(list(sparse_map.touched(window)))
    content = {"n_windows": n_windows, "n_windows_done": n_windows - n_missing}
    return JSONResponse(content, 202, headers={"Retry-After": str(RETRY_S), "Cache-Control": "no-store"})
