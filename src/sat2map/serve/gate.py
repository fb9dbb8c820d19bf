"""The gate before TiTiler's routes: it has drawn what a request needs, or shows what there is."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import replace

from fastapi import Request

from sat2map.serve.filling import Filler
from sat2map.serve.image_request import Needed, needed
from sat2map.serve.layers import SATELLITE, MapLayer
from sat2map.serve.reader import View
from sat2map.serve.scenes import Scenes
from sat2map.serve.settings import ServeSettings
from sat2map.serve.sparse_map import SparseMap
from sat2map.tiling import Window


class Gate:
    """Lets a request for an image pass when the windows that it needs are drawn, or cannot be waited for.

    Args:
        scenes: scenes that are served.
        filler: draws their windows.
        settings: how many windows a request may wait for, and how long.
    """

    def __init__(self, scenes: Scenes, filler: Filler, settings: ServeSettings) -> None:
        self._scenes, self._filler, self._settings = scenes, filler, settings

    async def view(self, request: Request, scene_id: str, layer_name: str) -> View:
        """Return the layer that a request asks for, drawn where the request needs it, or as far as it is drawn.

        Raises:
            BadRequestError: there is no such layer, or what the request asks for does not exist.
            TileOutsideBounds: there is no such tile, or it lies outside the scene.
            BusyError: too many windows are waited for already.
        """
        scene, layer = self._scenes.layer(scene_id, layer_name)
        attribution = self._scenes.attribution(scene, layer_name)
        view = View(layer, f"{scene.name}: {layer_name}", attribution, scene.bounds, scene.zooms)
        request.state.view = view
        asked = needed(request, scene)
        if asked is None or await self.is_drawn(layer, asked):
            return view
        request.state.pending = True
        return replace(view, behind=scene.layers[SATELLITE])

    async def is_drawn(self, layer: MapLayer, asked: Needed) -> bool:
        """Have the missing windows drawn, wait for them if they are few, and tell whether all are drawn.

        Raises:
            BusyError: too many windows are waited for already.
        """
        sparse_map, draw, window = layer.sparse_map, layer.draw, asked.window
        if sparse_map is None or draw is None:
            return True
        missing = sparse_map.missing(window)
        if missing and (not asked.wait or len(missing) > self._settings.n_windows_at_once):
            self._filler.ask_behind(sparse_map, draw, missing, coarse_first(sparse_map, window))
            return False
        # What is drawn already passes without a turn at the filler.
        drawing = self._filler.ask(sparse_map, draw, missing) if missing else []
        # Who waits for tiles asks for those beside them next; they are drawn while these are encoded.
        around = window.grown(sparse_map.windows[0].width // 2).clipped(sparse_map.grid.height, sparse_map.grid.width)
        if beside := sparse_map.missing(around):
            self._filler.ask_behind(sparse_map, draw, beside, coarse_first(sparse_map, window))
        if not drawing:
            return True
        futures = [asyncio.wrap_future(future) for future in drawing]
        finished, late = await asyncio.wait(futures, timeout=self._settings.wait_s)
        for future in finished:
            future.result()
        return not late


def coarse_first(sparse_map: SparseMap, window: Window) -> Callable[[int], float]:
    """Return the order in which windows are drawn that no request waits for.

    Windows on a coarse raster come first, so that all of the scene is soon seen roughly; of those the nearest to the
    middle of `window` come first.
    """
    row, col = window.row + window.height / 2, window.col + window.width / 2
    side = max(sparse_map.windows[0].height, sparse_map.windows[0].width)

    def order(index: int) -> float:
        core = sparse_map.windows[index]
        coarseness = math.gcd(core.row // side, core.col // side, 4)
        distance = math.hypot(core.row + core.height / 2 - row, core.col + core.width / 2 - col)
        return distance / side - 1000 * coarseness

    return order
