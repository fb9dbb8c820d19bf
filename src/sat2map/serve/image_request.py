"""What a request for an image asks for: its parameters, and the window of the scene that it needs; draws nothing."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple

from fastapi import Query, Request
from morecantile import Tile, TileMatrixSets, tms
from pydantic import BaseModel, Field, ValidationError
from rasterio.crs import CRS
from rio_tiler.errors import TileOutsideBounds
from titiler.core.dependencies import DefaultDependency

from sat2map.classes import ClassTable
from sat2map.errors import SceneError
from sat2map.scene.georeference import box_window
from sat2map.serve.earth import DEGREES, WEB_MERCATOR, can_transform, window_of_area
from sat2map.serve.errors import BadRequestError
from sat2map.serve.reader import hide_classes
from sat2map.serve.scenes import Scene
from sat2map.tiling import Window

MERCATOR = tms.get("WebMercatorQuad")
GRID = TileMatrixSets({"WebMercatorQuad": MERCATOR})
FORMATS = ("png", "webp", "jpg", "jpeg", "tif")
TILE_SIZES = (256, 512)
LARGEST_ZOOM = 24
LARGEST_SIDE_PX = 4096
Side = Annotated[int | None, Field(ge=1, le=LARGEST_SIDE_PX)]


@dataclass
class Reading(DefaultDependency):
    """How an image is read: the resampling from the pixels of the scene, and whether to wait for drawing."""

    resampling: Annotated[Literal["nearest", "bilinear"], Query(description="Of the scene's pixels.")] = "bilinear"
    wait: Annotated[bool, Query(description="Whether to wait for what is not drawn yet, if it is little.")] = True

    def as_dict(self, exclude_none: bool = True) -> dict[str, Any]:
        """Return the arguments for rio-tiler."""
        return {"resampling_method": self.resampling, "reproject_method": self.resampling}


@dataclass
class ImageSize(DefaultDependency):
    """The size of a preview or part in pixels: `width` and `height`, or `max_size` of the longer side."""

    max_size: Side = 1024
    width: Side = None
    height: Side = None

    def __post_init__(self) -> None:
        """Leave `max_size` out where a width or a height is given."""
        if self.width or self.height:
            self.max_size = None


Hidden = Annotated[list[str] | None, Query(description="Classes of the map that are left transparent.")]


def hidden_classes(table: ClassTable) -> Callable[..., Any]:
    """Make the dependency that gives the function which hides classes in an image; it is None where none is hidden."""

    def hiding(hide: Hidden = None) -> Any:
        return hide_classes(hide, table) if hide else None

    return hiding


class Needed(NamedTuple):
    """What an image needs: a window of the scene, and whether the request waits for it to be drawn."""

    window: Window
    wait: bool


Box = Annotated[str | None, Query(description="West,south,east,north in degrees; by default all of the scene.")]


def window_in(scene: Scene, bbox: str | None) -> Window:
    """Find the window of whole pixels that a box in degrees means; all of the scene where there is no box.

    Raises:
        BadRequestError: the box is malformed, or lies outside the scene.
    """
    if bbox is None:
        return Window(0, 0, scene.grid.height, scene.grid.width)
    try:
        west, south, east, north = map(float, bbox.split(","))
    except ValueError:
        raise BadRequestError("bbox is not west,south,east,north", 422) from None
    box = west, south, east, north
    if not all(map(math.isfinite, box)) or not can_transform(box, DEGREES):
        raise BadRequestError("bbox lies beyond the Earth", 422)
    try:
        return box_window(scene.grid, box, str(DEGREES), scene.name)
    except SceneError as error:
        raise BadRequestError(error.found.replace("`", ""), 404 if "beside" in error.found else 422) from error


class _Preview(BaseModel):
    """Parameters of an image of a whole scene that decide what must be drawn; TiTiler's routes check the others."""

    wait: bool = True
    dst_crs: str | None = None

    def window(self, scene: Scene) -> Window:
        """Return the window of the scene that the image needs."""
        _known_crs(scene, "dst_crs", self.dst_crs)
        return Window(0, 0, scene.grid.height, scene.grid.width)


class _Part(_Preview):
    """Parameters of an image of the part of a scene in a box."""

    minx: float
    miny: float
    maxx: float
    maxy: float
    coord_crs: str | None = None
    width: int | None = None
    height: int | None = None
    max_size: int = 1024

    def window(self, scene: Scene) -> Window:
        """Return the window of the scene that the image needs.

        Raises:
            BadRequestError: the box is empty, cannot be transformed, or lies outside the scene.
        """
        bounds = (self.minx, self.miny, self.maxx, self.maxy)
        if not all(map(math.isfinite, bounds)) or not (self.minx < self.maxx and self.miny < self.maxy):
            raise BadRequestError("bounds are not west, south, east, north", 422)
        _known_crs(scene, "dst_crs", self.dst_crs)
        crs = _known_crs(scene, "coord_crs", self.coord_crs)
        if not can_transform(bounds, crs):
            raise BadRequestError("bounds lie beyond the Earth", 422)
        n_px = min((side for side in (self.width, self.height) if side is not None), default=self.max_size)
        try:
            window = window_of_area(scene.grid, bounds, crs, max(n_px, 1))
        except Exception as error:  # GDAL raises errors of several classes here
            raise BadRequestError("bounds cannot be transformed to the scene's CRS", 422) from error
        if not window.height or not window.width:
            raise BadRequestError("bounds lie outside the scene", 404)
        return window


class _Tile(BaseModel):
    """Parameters of a web tile."""

    wait: bool = True
    x: int
    y: int
    z: int
    tilesize: int = 256

    def window(self, scene: Scene) -> Window:
        """Return the window of the scene that the tile needs.

        Raises:
            BadRequestError: there are no tiles of that size.
            TileOutsideBounds: there is no such tile, or it lies outside the scene.
        """
        if self.tilesize not in TILE_SIZES:
            raise BadRequestError(f"tiles have a side of {' or '.join(map(str, TILE_SIZES))} px", 422)
        if not (0 <= self.z <= LARGEST_ZOOM and 0 <= self.x < 2**self.z and 0 <= self.y < 2**self.z):
            raise TileOutsideBounds("no such tile")
        tile = Tile(self.x, self.y, self.z)
        west, south, east, north = MERCATOR.bounds(tile)
        if west >= scene.bounds[2] or east <= scene.bounds[0] or south >= scene.bounds[3] or north <= scene.bounds[1]:
            raise TileOutsideBounds("tile lies outside the scene")
        return window_of_area(scene.grid, MERCATOR.xy_bounds(tile), WEB_MERCATOR, self.tilesize)


def needed(request: Request, scene: Scene) -> Needed | None:
    """Find what must be drawn of a scene before a request can be answered.

    Returns:
        None where nothing must be drawn: the answer is no image, or a parameter is malformed, for which TiTiler's route
        answers with an error.

    Raises:
        BadRequestError, TileOutsideBounds: what the request asks for does not exist.
    """
    path, query = request.path_params, request.query_params
    _check_zooms(request)
    if (wanted := path.get("format", query.get("tile_format", "png"))) not in FORMATS:
        raise BadRequestError(f"no such format: {wanted}; one of {', '.join(FORMATS)}", 422)
    parameters = _parameters(request)
    if parameters is None:
        return None
    try:
        parsed = parameters.model_validate({**query, **path})
    except ValidationError:
        return None
    return Needed(parsed.window(scene), parsed.wait)


def _parameters(request: Request) -> type[_Preview | _Tile] | None:
    """Return the parameters of the route of a request; None where its answer is no image."""
    if "z" in request.path_params:
        return _Tile
    if "minx" in request.path_params:
        return _Part
    return _Preview if "/preview" in request.scope["route"].path else None


def _check_zooms(request: Request) -> None:
    """Refuse zooms out of range: documents list every zoom that they are asked for, and thousands would take too long.

    Raises:
        BadRequestError: a zoom is out of range.
    """
    for name in ("minzoom", "maxzoom", "zooms"):
        for number in re.findall(r"-?\d+", ",".join(request.query_params.getlist(name))):
            if len(number) > 2 or not 0 <= int(number) <= LARGEST_ZOOM:
                raise BadRequestError(f"{name} is not between 0 and {LARGEST_ZOOM}", 422)


def _known_crs(scene: Scene, name: str, value: str | None) -> CRS:
    """Return the CRS of a parameter: that of the scene, Web Mercator, or degrees, which is the default.

    Raises:
        BadRequestError: it is another CRS.
    """
    if value is None:
        return DEGREES
    known = {"epsg:3857": WEB_MERCATOR, "epsg:4326": DEGREES, str(scene.grid.crs).lower(): scene.grid.crs}
    crs = known.get(value.lower())
    if crs is None:
        raise BadRequestError(f"{name} is none of {', '.join(known)}", 422)
    return crs
