"""The routes that tell what is there: the class at a point, and how much of a scene each class takes."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Path, Query, Request
from fastapi.concurrency import run_in_threadpool

from sat2map.classes import ClassTable
from sat2map.serve.class_areas import CountedAreas
from sat2map.serve.earth import pixel_at
from sat2map.serve.errors import BadRequestError
from sat2map.serve.gate import Gate
from sat2map.serve.image_request import Box, Needed, window_in
from sat2map.serve.layers import CONFIDENCE, MAP, MapLayer, confidence_of, sparse_map_of
from sat2map.serve.scenes import Scene, Scenes
from sat2map.tiling import Window

Longitude = Annotated[float, Path(description="Longitude in degrees.")]
Latitude = Annotated[float, Path(description="Latitude in degrees.")]
Wait = Annotated[bool, Query(description="Whether to draw what is not drawn yet, and to wait for it if it is little.")]


def class_routes(scenes: Scenes, gate: Gate) -> APIRouter:
    """Make the routes of points and statistics, with the names and the answers of TiTiler's."""
    router = APIRouter(tags=["classes"])

    @router.get("/scenes/{scene_id}/{layer_name}/point/{lon},{lat}")
    async def point(
        request: Request, scene_id: str, layer_name: str, lon: Longitude, lat: Latitude, wait: Wait = True
    ) -> dict[str, Any]:
        """Tell the value of the map or the confidence at a point, and the class and the probability there.

        The confidence comes with the class, since both are drawn together; the map alone is drawn without a confidence.
        """
        scene, layer = _drawn_layer(scenes, scene_id, layer_name)
        pixel = pixel_at(scene.grid, lon, lat)
        if pixel is None:
            raise BadRequestError("point lies outside the scene", 404)
        window = Window(*pixel, 1, 1)
        if wait and not await gate.is_drawn(layer, Needed(window, wait)):
            request.state.pending = True
        return _point(scene, layer, pixel, scenes.card.classes) | {"coordinates": [lon, lat]}

    @router.get("/scenes/{scene_id}/{layer_name}/statistics")
    async def statistics(
        request: Request, scene_id: str, layer_name: str, bbox: Box = None, wait: Wait = True
    ) -> dict[str, Any]:
        """Count the pixels of each class of the map, in all of a scene or in a box, as far as it is drawn."""
        scene, layer = _drawn_layer(scenes, scene_id, layer_name)
        if layer.name != MAP:
            raise BadRequestError(f"only the map has classes, and not the layer {layer.name}", 422)
        window = window_in(scene, bbox)
        if wait:
            await gate.is_drawn(layer, Needed(window, wait))
        areas = await run_in_threadpool(scene.areas.areas, window)
        if areas.n_windows_done < areas.n_windows:
            request.state.pending = True
        return _statistics(areas, window, scenes.card.classes)

    return router


def _drawn_layer(scenes: Scenes, scene_id: str, layer_name: str) -> tuple[Scene, MapLayer]:
    scene, layer = scenes.layer(scene_id, layer_name)
    if layer.draw is None or layer.name not in (MAP, CONFIDENCE):
        raise BadRequestError(f"values of the layer {layer_name} are those of its file", 422)
    return scene, layer


def _point(scene: Scene, layer: MapLayer, pixel: tuple[int, int], classes: ClassTable) -> dict[str, Any]:
    """The answer of TiTiler's route, and what the value means."""
    row, col = pixel
    rgb = _value_at(scene.layers[MAP], pixel)
    told: dict[str, Any] = {
        "pixel": {"row": row, "column": col}, "class": None if rgb is None else classes.names[classes.classify(rgb)]
    }  # fmt: skip
    confidence = _value_at(scene.layers[CONFIDENCE], pixel) if CONFIDENCE in scene.layers else None
    if confidence is not None:
        confidence = confidence_of(confidence[None, None])[0, 0]
        told["confidence"] = round(int(confidence) / 255, 3)
    if layer.name == CONFIDENCE:
        values = [None if confidence is None else int(confidence)]
        return told | {"values": values, "band_names": ["b1"], "band_descriptions": [CONFIDENCE]}
    values = [None, None, None] if rgb is None else rgb.tolist()
    return told | {
        "values": values, "band_names": ["b1", "b2", "b3"], "band_descriptions": ["red", "green", "blue"]
    }  # fmt: skip


def _value_at(layer: MapLayer, pixel: tuple[int, int]) -> Any:
    """Read a pixel of a layer, uint8, shape (3,), RGB; None where it is not drawn yet, or holds no data."""
    sparse_map, window = sparse_map_of(layer), Window(*pixel, 1, 1)
    if sparse_map.missing(window):
        return None
    rgb_hwc, valid = sparse_map.read(window)
    return rgb_hwc[0, 0] if valid is None or valid[0, 0] else None


def _statistics(areas: CountedAreas, window: Window, classes: ClassTable) -> dict[str, Any]:
    """The answer of TiTiler's route to `categorical=true`, with the numbers of classes as values; and each by name."""
    n_px = areas.n_px
    total, numbers = n_px.sum(), np.arange(len(classes))
    present = n_px > 0
    area_m2 = [None] * len(classes) if areas.area_m2 is None else [round(x, 2) for x in areas.area_m2.tolist()]
    share = n_px / max(total, 1)
    return {
        "b1": {
            "count": total, "valid_pixels": total, "masked_pixels": areas.n_masked_px,
            "valid_percent": round(100 * total / max(total + areas.n_masked_px, 1), 2), "unique": int(present.sum()),
            "majority": int(n_px.argmax()) if total else None,
            "minority": int(numbers[present][n_px[present].argmin()]) if total else None,
            "histogram": [n_px.tolist(), numbers.tolist()], "description": "class",
        },
        "classes": [
            {"name": name, "value": i, "pixels": int(n_px[i]), "percent": 100 * share[i], "area_m2": area_m2[i]}
            for i, name in enumerate(classes.names)
        ],
        "window": {"row": window.row, "column": window.col, "height": window.height, "width": window.width},
        "n_windows": areas.n_windows, "n_windows_done": areas.n_windows_done,
    }  # fmt: skip
