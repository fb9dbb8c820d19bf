"""The routes of vector tiles: their TileJSON, which has them made, and the tiles."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import Response

from sat2map.serve.errors import answer
from sat2map.serve.export import Export, check_vectors
from sat2map.serve.export_routes import check_size, not_drawn
from sat2map.serve.gate import Gate
from sat2map.serve.image_request import LARGEST_ZOOM, Needed, window_in
from sat2map.serve.layers import MAP
from sat2map.serve.scenes import Scenes
from sat2map.serve.settings import ServeSettings
from sat2map.serve.vector_tiles import LAYERS, make_tiles, read_tile, tiles_file, zooms_of

Zoom = Annotated[int, Path(ge=0, le=LARGEST_ZOOM)]
Number = Annotated[int, Path(ge=0, lt=2**LARGEST_ZOOM)]
FIELDS = {
    "areas": {"class": "String", "area_m2": "Number", "confidence": "Number"},
    "roads": {"class": "String", "length_m": "Number", "width_m": "Number", "is_inferred": "Boolean"},
}  # fmt: skip


def vector_routes(scenes: Scenes, gate: Gate, settings: ServeSettings) -> APIRouter:
    """Make the routes of vector tiles."""
    router = APIRouter(tags=["vectors"])

    @router.get("/scenes/{scene_id}/vectors/WebMercatorQuad/tilejson.json")
    async def tilejson(request: Request, scene_id: str) -> Any:
        """Have areas and roads of the whole map made, and tell where their tiles are; 202 while the map is drawn."""
        scene = scenes.known(scene_id)
        await run_in_threadpool(check_vectors, scene)
        layer, window = scene.layers[MAP], window_in(scene, None)
        check_size(window, settings)
        if not await gate.is_drawn(layer, Needed(window, True)):
            return not_drawn(layer, window)
        await run_in_threadpool(make_tiles, Export(scene, window, scenes.card))
        minzoom, maxzoom = zooms_of(scene)
        address = f"{str(request.base_url).rstrip('/')}/scenes/{scene_id}/vectors/tiles/WebMercatorQuad"
        return {
            "tilejson": "3.0.0", "name": f"{scene.name}: areas and roads",
            "attribution": scenes.attribution(scene, MAP), "tiles": [f"{address}/{{z}}/{{x}}/{{y}}.mvt"],
            "bounds": scene.bounds, "minzoom": minzoom, "maxzoom": maxzoom,
            "vector_layers": [{"id": name, "fields": FIELDS[name]} for name in LAYERS],
        }  # fmt: skip

    @router.get("/scenes/{scene_id}/vectors/tiles/WebMercatorQuad/{z}/{x}/{y}.mvt", response_class=Response)
    async def tile(scene_id: str, z: Zoom, x: Number, y: Number) -> Response:
        """Send a tile of areas and roads; 404 until the TileJSON was asked for, 204 where the tile is empty."""
        scene = scenes.known(scene_id)
        if not all(tiles_file(scene, layer).exists() for layer in LAYERS):
            return answer(404, "vectors are not made yet", "ask for their tilejson.json")
        content = await run_in_threadpool(read_tile, scene, z, x, y)
        if not content:
            return Response(status_code=204)
        return Response(content, media_type="application/vnd.mapbox-vector-tile")

    return router
