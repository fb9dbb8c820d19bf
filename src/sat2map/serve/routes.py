"""The routes of our own: the page, the list of scenes and their progress, uploads, and health."""

from __future__ import annotations

import threading
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import FileResponse, Response

from sat2map.serve.errors import BadRequestError
from sat2map.serve.filling import Filler
from sat2map.serve.hosts import is_own_origin
from sat2map.serve.layers import CONFIDENCE_RGB, MAP
from sat2map.serve.scenes import Scene, Scenes
from sat2map.serve.settings import ServeSettings
from sat2map.serve.upload import check_image, receive

VIEWER = Path(str(files("sat2map.serve") / "viewer"))


def about(scenes: Scenes, filler: Filler) -> APIRouter:
    """Make the routes of the page, the scenes and health."""
    router = APIRouter()

    @router.get("/", include_in_schema=False)
    async def page() -> Response:
        return FileResponse(VIEWER / "index.html")

    @router.get("/health", tags=["about"])
    async def health() -> dict[str, Any]:
        """Tell that the server answers, and how many windows it has to draw."""
        return {"status": "ok", "n_windows_queued": filler.n_queued}

    @router.get("/scenes", tags=["about"])
    async def list_scenes() -> dict[str, Any]:
        """List the scenes, the classes of their maps, the colours of the confidence, and the model."""
        card = scenes.card
        classes = [{"name": c.name, "colour": "#{:02x}{:02x}{:02x}".format(*c.colours_rgb[0])} for c in card.classes]
        return {
            "scenes": [described(scene) for scene in list(scenes.by_id.values())], "classes": classes,
            "confident": ["#{:02x}{:02x}{:02x}".format(*colour) for colour in CONFIDENCE_RGB.tolist()],
            "model": {"name": card.name, "licence": card.licence},
        }  # fmt: skip

    @router.get("/scenes/{scene_id}", tags=["about"])
    async def one_scene(scene_id: str) -> dict[str, Any]:
        """Describe a scene, and how much of its map is drawn."""
        if scene_id not in scenes.by_id:
            raise BadRequestError(f"no such scene: {scene_id}", 404)
        return described(scenes.by_id[scene_id]) | {"n_windows_queued": filler.n_queued}

    return router


def described(scene: Scene) -> dict[str, Any]:
    """Describe a scene as the page needs it."""
    sparse_map = scene.layers[MAP].sparse_map
    assert sparse_map is not None
    unfamiliar = scene.layers[MAP].unfamiliar
    return {
        "id": scene.id, "name": scene.name, "bounds": scene.bounds, "has_georeference": scene.has_georeference,
        "crs": str(scene.grid.crs), "width": scene.grid.width, "height": scene.grid.height,
        "minzoom": scene.zooms[0], "maxzoom": scene.zooms[1], "layers": list(scene.layers),
        "notices": list(scene.notices),
        "layers_drawn": [layer.name for layer in scene.layers.values() if layer.sparse_map],
        "n_windows": len(sparse_map.windows), "n_windows_done": sparse_map.n_done,
        "n_windows_done_all": sum(sparse_map.n_done for sparse_map in scene.sparse_maps()),
        "unfamiliar_share": None if unfamiliar is None else unfamiliar.share,
    }  # fmt: skip


def uploads(scenes: Scenes, filler: Filler, settings: ServeSettings, folder: Path) -> APIRouter:
    """Make the route of uploads; an upload is a scene until the server stops, or too many others followed.

    Args:
        scenes: scenes to which uploads are added.
        filler: draws the windows of the scenes.
        settings: limits of uploads.
        folder: folder for the files.
    """
    router = APIRouter()
    kept: list[Scene] = []
    one_by_one = threading.Lock()
    count = 0

    def admit(path: Path, name: str, scene_id: str) -> Scene:
        image = check_image(path, settings)
        with one_by_one:
            scene = scenes.add(image, name, scene_id, temporary=True)
            kept.append(scene)
            while len(kept) > settings.n_uploads:
                scenes.remove(kept.pop(0), filler.forget)
        return scene

    @router.post("/scenes", status_code=201, tags=["uploads"], openapi_extra=BODY)
    async def upload(request: Request, name: Annotated[str, Query(max_length=200)] = "image") -> dict[str, Any]:
        """Take the body of the request, an image (PNG, JPEG, WebP) or GeoTIFF, as a scene."""
        nonlocal count
        origin = request.headers.get("origin")
        if origin is not None and not is_own_origin(origin, request.headers.get("host")):
            raise BadRequestError("uploads come from this server's own page", 403)
        count += 1
        path = folder / f"{count}.upload"
        try:
            await receive(request, path, settings)
            return described(await run_in_threadpool(admit, path, _printable(name), f"drop-{count}"))
        finally:
            path.unlink(missing_ok=True)

    return router


BODY = {"requestBody": {"required": True, "content": {"application/octet-stream": {"schema": {"type": "string"}}}}}


def _printable(name: str) -> str:
    """Return the last part of a file's name without its suffix; it is shown, and never used as a path."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return "".join(c for c in last.rpartition(".")[0] or last if c.isprintable())[:80] or "image"
