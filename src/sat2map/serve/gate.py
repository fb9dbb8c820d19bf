"""What stands before TiTiler's routes: sees whether a request makes sense, and has what it needs drawn first."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import Query, Request
from morecantile import Tile, TileMatrixSets, tms
from pydantic import Field
from rasterio.crs import CRS
from rio_tiler.errors import TileOutsideBounds
from titiler.core.dependencies import DefaultDependency

from sat2map.serve.earth import DEGREES, WEB_MERCATOR, can_transform, window_of_area
from sat2map.serve.errors import BadRequestError
from sat2map.serve.filling import Filler
from sat2map.serve.layers import SATELLITE, MapLayer
from sat2map.serve.reader import View, hide_classes
from sat2map.serve.scenes import Scene, Scenes
from sat2map.serve.settings import ServeSettings
from sat2map.serve.sparse_map import SparseMap
from sat2map.tiling import Window

MERCATOR = tms.get("WebMercatorQuad")
GRID = TileMatrixSets({"WebMercatorQuad": MERCATOR})
FORMATS = ("png", "webp", "jpg", "jpeg", "tif")
TILE_SIZES = (256, 512)
LARGE_PATH = re.compile(r"/scenes/[^/]+/[^/]+/(preview|bbox)")
"""Of images whose size is the client's choice."""
LARGEST_ZOOM = 24
LARGEST_SIDE_PX = 4096
Side = Annotated[int | None, Field(ge=1, le=LARGEST_SIDE_PX)]


@dataclass
class Reading(DefaultDependency):
    """How an image is read: brought from the scene's pixels to its own, and when."""

    resampling: Annotated[Literal["nearest", "bilinear"], Query(description="Of the scene's pixels.")] = "bilinear"
    wait: Annotated[bool, Query(description="Whether to wait for what is not drawn yet, if it is little.")] = True

    def as_dict(self, exclude_none: bool = True) -> dict[str, Any]:
        """As rio-tiler calls it."""
        return {"resampling_method": self.resampling, "reproject_method": self.resampling}


@dataclass
class ImageSize(DefaultDependency):
    """Of a preview or part: `width` and `height`, or `max_size` of the longer side."""

    max_size: Side = 1024
    width: Side = None
    height: Side = None

    def __post_init__(self) -> None:
        """A width or height says it all."""
        if self.width or self.height:
            self.max_size = None


def hidden_classes(
    hide: Annotated[list[str] | None, Query(description="Classes of the map that are left transparent.")] = None,
) -> Any:
    """What is done to an image of the map."""
    return hide_classes(hide) if hide else None


class Gate:
    """Lets requests for images pass.

    Args:
        scenes: that are served.
        filler: draws their windows.
        settings: how many windows a request may wait for, and how long.
    """

    def __init__(self, scenes: Scenes, filler: Filler, settings: ServeSettings) -> None:
        self._scenes, self._filler, self._settings = scenes, filler, settings

    async def view(self, request: Request, scene_id: str, layer_name: str) -> View:
        """The layer that is asked for, drawn where the request needs it, or what there is of it.

        Raises:
            BadRequestError: there is no such layer, or what is asked for makes no sense.
            BusyError: too much is waited for already.
        """
        scene = self._scenes.by_id.get(scene_id)
        if scene is None or layer_name not in scene.layers:
            raise BadRequestError(f"no such layer: {scene_id}/{layer_name}", 404)
        layer = scene.layers[layer_name]
        _check_zooms(request)
        window = _window(request, scene)
        patience = request.query_params.get("wait", "true").lower() not in ("false", "0", "no", "off", "f", "n")
        if window is None or await self._drawn(layer, window, patience):
            return View(layer)
        request.scope.setdefault("state", {})["pending"] = True
        return View(layer, behind=scene.layers[SATELLITE])

    async def _drawn(self, layer: MapLayer, window: Window, patience: bool) -> bool:
        """Have what is missing drawn; whether it is."""
        sparse_map, draw = layer.sparse_map, layer.draw
        if sparse_map is None or draw is None:
            return True
        missing = sparse_map.missing(window)
        if missing and (not patience or len(missing) > self._settings.n_windows_at_once):
            self._filler.ask_behind(sparse_map, draw, missing, coarse_first(sparse_map, window))
            return False
        # What is drawn already passes without a turn at the filler.
        asked = self._filler.ask(sparse_map, draw, missing) if missing else []
        # Who waits for tiles asks for those beside them next; they are drawn while these are encoded.
        around = window.grown(sparse_map.windows[0].width // 2).clipped(sparse_map.grid.height, sparse_map.grid.width)
        if beside := sparse_map.missing(around):
            self._filler.ask_behind(sparse_map, draw, beside, coarse_first(sparse_map, window))
        if not asked:
            return True
        futures = [asyncio.wrap_future(future) for future in asked]
        finished, late = await asyncio.wait(futures, timeout=self._settings.wait_s)
        for future in finished:
            future.result()
        return not late


def coarse_first(sparse_map: SparseMap, window: Window) -> Callable[[int], float]:
    """The order in which windows come of which no one waits for any: here and there first, and near the middle."""
    row, col = window.row + window.height / 2, window.col + window.width / 2
    side = max(sparse_map.windows[0].height, sparse_map.windows[0].width)

    def order(index: int) -> float:
        core = sparse_map.windows[index]
        coarseness = math.gcd(core.row // side, core.col // side, 4)
        distance = math.hypot(core.row + core.height / 2 - row, core.col + core.width / 2 - col)
        return distance / side - 1000 * coarseness

    return order


def _check_zooms(request: Request) -> None:
    """Documents list every zoom that they are asked for; thousands of them would take for ever."""
    for name in ("minzoom", "maxzoom", "zooms"):
        for number in re.findall(r"-?\d+", ",".join(request.query_params.getlist(name))):
            if len(number) > 2 or not 0 <= int(number) <= LARGEST_ZOOM:
                raise BadRequestError(f"{name} is not between 0 and {LARGEST_ZOOM}", 422)


def _window(request: Request, scene: Scene) -> Window | None:
    """The pixels of a scene that a request reads; None: none, or it is malformed, which FastAPI tells."""
    path, query = request.path_params, request.query_params
    if (wanted := path.get("format", query.get("tile_format", "png"))) not in FORMATS:
        raise BadRequestError(f"no such format: {wanted}; one of {', '.join(FORMATS)}", 422)
    try:
        if "z" in path:
            tile = Tile(*(int(path[name]) for name in "xyz"))
            return _tile_window(scene, tile, int(query.get("tilesize", 256)))
        if "minx" in path:
            bounds = tuple(float(path[name]) for name in ("minx", "miny", "maxx", "maxy"))
            sizes = [int(text) for name in ("width", "height") if (text := {**query, **path}.get(name))]
            return _part_window(scene, query, bounds, min(sizes, default=int(query.get("max_size", 1024))))
    except ValueError:
        return None
    if LARGE_PATH.match(request.scope["path"]):
        _check_crs(scene, query, "dst_crs")
        return Window(0, 0, scene.grid.height, scene.grid.width)
    return None


def _tile_window(scene: Scene, tile: Tile, tile_px: int) -> Window:
    if tile_px not in TILE_SIZES:
        raise BadRequestError(f"tiles have a side of {' or '.join(map(str, TILE_SIZES))} px", 422)
    if not (0 <= tile.z <= LARGEST_ZOOM and 0 <= tile.x < 2**tile.z and 0 <= tile.y < 2**tile.z):
        raise TileOutsideBounds("no such tile")
    west, south, east, north = MERCATOR.bounds(tile)
    if west >= scene.bounds[2] or east <= scene.bounds[0] or south >= scene.bounds[3] or north <= scene.bounds[1]:
        raise TileOutsideBounds("tile lies outside the scene")
    return window_of_area(scene.grid, MERCATOR.xy_bounds(tile), WEB_MERCATOR, tile_px)


def _part_window(scene: Scene, query: Mapping[str, str], bounds: tuple[float, ...], n_px: int) -> Window:
    if not all(map(math.isfinite, bounds)) or not (bounds[0] < bounds[2] and bounds[1] < bounds[3]):
        raise BadRequestError("bounds are not west, south, east, north", 422)
    _check_crs(scene, query, "dst_crs")
    crs = _check_crs(scene, query, "coord_crs")
    if not can_transform(bounds, crs):
        raise BadRequestError("bounds lie beyond the Earth", 422)
    try:
        window = window_of_area(scene.grid, bounds, crs, max(n_px, 1))
    except Exception as error:  # GDAL raises errors of several classes here
        raise BadRequestError("bounds cannot be transformed to the scene's CRS", 422) from error
    if not window.height or not window.width:
        raise BadRequestError("bounds lie outside the scene", 404)
    return window


def _check_crs(scene: Scene, query: Mapping[str, str], name: str) -> CRS:
    """The CRS of a parameter: the scene's, Web Mercator, or degrees, which is the default."""
    if name not in query:
        return DEGREES
    known = {"epsg:3857": WEB_MERCATOR, "epsg:4326": DEGREES, str(scene.grid.crs).lower(): scene.grid.crs}
    crs = known.get(query[name].lower())
    if crs is None:
        raise BadRequestError(f"{name} is none of {', '.join(known)}", 422)
    return crs
