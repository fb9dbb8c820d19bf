"""The routes of our own that only tell: the page, the description of the routes, the scenes, and health."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from starlette.responses import FileResponse, Response

from sat2map.serve.basemap import Basemap
from sat2map.serve.described import described
from sat2map.serve.filling import Filler
from sat2map.serve.layers import CONFIDENCE_RGB
from sat2map.serve.scenes import Scenes

VIEWER = Path(str(files("sat2map.serve") / "viewer"))


def about(scenes: Scenes, filler: Filler, basemap: Basemap | None) -> APIRouter:
    """Make the routes of the page, the scenes and health."""
    router = APIRouter()

    @router.get("/", include_in_schema=False)
    async def page() -> Response:
        return FileResponse(VIEWER / "index.html")

    @router.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return FileResponse(VIEWER / "docs.html")

    @router.get("/health", tags=["about"])
    async def health() -> dict[str, Any]:
        """Tell that the server answers, and how many windows it has to draw."""
        return {"status": "ok", "n_windows_queued": filler.n_queued}

    @router.get("/scenes", tags=["about"])
    async def list_scenes() -> dict[str, Any]:
        """List the scenes, the classes of their maps, the colours of the confidence, the base map and the model."""
        card = scenes.card
        classes = [{"name": c.name, "colour": "#{:02x}{:02x}{:02x}".format(*c.colours_rgb[0])} for c in card.classes]
        return {
            "scenes": [described(scenes, scene) for scene in list(scenes.by_id.values())], "classes": classes,
            "confident": ["#{:02x}{:02x}{:02x}".format(*colour) for colour in CONFIDENCE_RGB.tolist()],
            "model": {"name": card.name, "licence": card.licence},
            "basemap": None if basemap is None else basemap.described,
        }  # fmt: skip

    @router.get("/scenes/{scene_id}", tags=["about"])
    async def one_scene(scene_id: str) -> dict[str, Any]:
        """Describe a scene, and how much of its map is drawn."""
        return described(scenes, scenes.known(scene_id)) | {"n_windows_queued": filler.n_queued}

    return router
