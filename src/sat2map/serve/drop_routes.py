"""The routes of images that are dropped on the page: a drop is a scene until it is removed or the server stops."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import Response

from sat2map.serve.described import described
from sat2map.serve.errors import BadRequestError
from sat2map.serve.filling import Filler
from sat2map.serve.hosts import is_own_origin
from sat2map.serve.scenes import Drop, Scene, Scenes
from sat2map.serve.settings import ServeSettings
from sat2map.serve.upload import check_image, receive

BODY = {"requestBody": {"required": True, "content": {"application/octet-stream": {"schema": {"type": "string"}}}}}
EXAMPLE = "naip.tif"
"""Bundled aerial image of a street in California; NAIP is in the public domain."""
EXAMPLE_NAME = "Example: a street in California"


class Drops:
    """The dropped images that are shown; the oldest goes when there are too many.

    Args:
        scenes: scenes to which drops are added.
        filler: draws the windows of the scenes.
        settings: limits of uploads.
    """

    def __init__(self, scenes: Scenes, filler: Filler, settings: ServeSettings) -> None:
        self._scenes, self._filler, self._settings = scenes, filler, settings
        self._kept: list[Scene] = []
        self._one_by_one = threading.Lock()
        self._count = 0

    @contextmanager
    def new_file(self, folder: Path) -> Iterator[Path]:
        """Give the path of a file for an upload, in a folder; what is there afterwards is deleted."""
        self._count += 1
        file = folder / f"{self._count}.upload"
        try:
            yield file
        finally:
            file.unlink(missing_ok=True)

    def admit(self, file: Path, name: str, drop: Drop) -> Scene:
        """Make a scene of an uploaded file.

        Raises:
            Sat2mapError: the file is no image that can be shown.
        """
        image = check_image(file, self._settings)
        with self._one_by_one:
            scene = self._scenes.add(image, name, f"drop-{file.stem}", dropped=drop)
            self._kept.append(scene)
            while len(self._kept) > self._settings.n_uploads:
                self._remove(self._kept[0])
        return scene

    def remove(self, scene: Scene) -> None:
        """Close a drop and delete its file.

        Raises:
            BadRequestError: it has gone already.
        """
        with self._one_by_one:
            if scene not in self._kept:
                raise BadRequestError(f"no such scene: {scene.id}", 404)
            self._remove(scene)

    def _remove(self, scene: Scene) -> None:
        self._kept.remove(scene)
        self._scenes.remove(scene, self._filler.forget)

    def read_again(self, scene: Scene, drop: Drop) -> Scene:
        """Show a drop as a user says that it is to be read; where that fails, it stays as it was.

        Raises:
            Sat2mapError: the file cannot be read so.
        """
        with self.new_file(Path(scene.file).parent) as file:
            shutil.copyfile(scene.file, file)
            fresh = self.admit(file, scene.name, drop)
        # Among many others the old one may have gone to make room.
        if scene in self._kept:
            self.remove(scene)
        return fresh


def own_page(request: Request) -> None:
    """Let only this server's own page change what is shown.

    Raises:
        BadRequestError: the request comes from a page of another origin.
    """
    origin = request.headers.get("origin")
    if origin is not None and not is_own_origin(origin, request.headers.get("host")):
        raise BadRequestError("uploads come from this server's own page", 403)


def said_of_drop(
    gsd_m: Annotated[float | None, Query(gt=0, le=1e4, description="Metres on the ground per pixel.")] = None,
    crs: Annotated[str | None, Query(max_length=200, description="CRS, where the file does not say it.")] = None,
    bands: Annotated[str | None, Query(pattern=r"^\d{1,3}(,\d{1,3}){0,2}$", description="Red, green and blue.")] = None,
) -> Drop:
    """Read what a request says of a drop."""
    return Drop(gsd_m, crs or None, None if bands is None else tuple(map(int, bands.split(","))))


Said = Annotated[Drop, Depends(said_of_drop)]


def drop_routes(scenes: Scenes, filler: Filler, settings: ServeSettings) -> APIRouter:
    """Make the routes of uploads, of what is said of them, and of their removal."""
    router = APIRouter(tags=["uploads"], dependencies=[Depends(own_page)])
    drops = Drops(scenes, filler, settings)

    @router.post("/scenes", status_code=201, openapi_extra=BODY)
    async def upload(
        request: Request, said: Said, name: Annotated[str, Query(max_length=200)] = "image"
    ) -> dict[str, Any]:
        """Take the body of the request, an image (PNG, JPEG, WebP) or GeoTIFF, as a scene."""
        with drops.new_file(request.state.folder) as file:
            await receive(request, file, settings)
            return described(scenes, await run_in_threadpool(drops.admit, file, _printable(name), said))

    @router.post("/scenes/example", status_code=201)
    async def example(request: Request) -> dict[str, Any]:
        """Show the example scene, as if it had been dropped."""
        with drops.new_file(request.state.folder) as file:
            file.write_bytes((files("sat2map.bundled") / EXAMPLE).read_bytes())
            return described(scenes, await run_in_threadpool(drops.admit, file, EXAMPLE_NAME, Drop()))

    _add_changes(router, scenes, drops)
    return router


def _add_changes(router: APIRouter, scenes: Scenes, drops: Drops) -> None:
    @router.patch("/scenes/{scene_id}")
    async def say(scene_id: str, said: Said) -> dict[str, Any]:
        """Read a dropped image again, with the GSD, CRS and bands that are given; it becomes a scene of another id."""
        scene = dropped(scene_id)
        return described(scenes, await run_in_threadpool(drops.read_again, scene, said))

    @router.delete("/scenes/{scene_id}", status_code=204)
    async def remove(scene_id: str) -> Response:
        """Remove a dropped image, and what was drawn of it."""
        await run_in_threadpool(drops.remove, dropped(scene_id))
        return Response(status_code=204)

    def dropped(scene_id: str) -> Scene:
        scene = scenes.known(scene_id)
        if not scene.temporary:
            raise BadRequestError("only dropped images can be changed, and this one was named at the start", 403)
        return scene


def _printable(name: str) -> str:
    """Return the last part of a file's name without its suffix; it is shown, and never used as a path."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return "".join(c for c in last.rpartition(".")[0] or last if c.isprintable())[:80] or "image"
