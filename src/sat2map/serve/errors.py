"""Answers to errors: one line of JSON with the right status, without tracebacks and without paths of this machine."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioError
from rio_tiler.errors import RioTilerError, TileOutsideBounds
from starlette.exceptions import HTTPException

from sat2map.errors import OutputError, Sat2mapError
from sat2map.files import NO_ROOM
from sat2map.serve.filling import BusyError

log = logging.getLogger(__name__)


class BadRequestError(Exception):
    """A request asks for something that does not exist or is not allowed.

    Args:
        found: what was found, in words.
        status: HTTP status of the answer.
    """

    def __init__(self, found: str, status: int = 400) -> None:
        super().__init__(found)
        self.status = status


def answer(status: int, found: str, hint: str | None = None, headers: Any = None) -> JSONResponse:
    """Make an answer of one line of JSON: `{"error": ..., "hint": ...}`."""
    content = {"error": " ".join(found.split())[:500]} | ({"hint": hint} if hint else {})
    return JSONResponse(content, status, headers=headers)


def handle_errors(app: FastAPI, has_scene: Callable[[str], bool]) -> None:
    """Make an application answer every error by the table `HANDLERS`.

    Args:
        app: the application.
        has_scene: whether there is a scene of an id, still: what fails as its scene goes is answered 404.
    """
    for kind, handler in HANDLERS.items():
        app.add_exception_handler(kind, _unless_scene_went(handler, has_scene) if kind in OF_READING else handler)


def _unless_scene_went(handler: Any, has_scene: Callable[[str], bool]) -> Any:
    def handle(request: Request, error: Any) -> JSONResponse:
        scene_id = request.path_params.get("scene_id")
        if scene_id is not None and not has_scene(scene_id):
            return answer(404, f"no such scene: {scene_id}")
        response: JSONResponse = handler(request, error)
        return response

    return handle


def _busy(_request: Request, error: Any) -> JSONResponse:
    return answer(503, "the server is busy", headers={"Retry-After": str(error.retry_after_s)})


def _http(_request: Request, error: Any) -> JSONResponse:
    return answer(error.status_code, str(error.detail), headers=error.headers)


def _invalid(_request: Request, error: Any) -> JSONResponse:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if part not in ("query", "path", "body"))
    return answer(422, f"{where}: {first['msg']}")


def _user_error(_request: Request, error: Any) -> JSONResponse:
    # The value of the error is left out, since it may be a path of this machine.
    status = 507 if isinstance(error, OutputError) else 422
    return answer(status, error.found, error.hint)


def _unreadable(_request: Request, error: Any) -> JSONResponse:
    log.warning("cannot be read or encoded: %s", error)
    return answer(422, "image cannot be made of these numbers")


def _os_error(request: Request, error: Any) -> JSONResponse:
    if error.errno in NO_ROOM:
        return answer(507, "the server's disk is full", "make room on it, or send a smaller image")
    return _unexpected(request, error)


def _unexpected(request: Request, error: Any) -> JSONResponse:
    log.error("%s %s", request.method, request.url.path, exc_info=error)
    return answer(500, "the server made a mistake")


HANDLERS: dict[type[Exception], Any] = {
    BusyError: _busy,
    BadRequestError: lambda _request, error: answer(error.status, str(error)),
    HTTPException: _http,
    RequestValidationError: _invalid,
    TileOutsideBounds: lambda _request, _error: answer(404, "tile lies outside the scene"),
    asyncio.TimeoutError: lambda _request, _error: answer(408, "it took too long to arrive"),
    Sat2mapError: _user_error,
    RioTilerError: _unreadable,
    RasterioError: _unreadable,
    CPLE_BaseError: _unreadable,
    OSError: _os_error,
    Exception: _unexpected,
}
OF_READING = (Sat2mapError, RioTilerError, RasterioError, CPLE_BaseError, OSError, Exception)
"""Errors that a scene's files raise, too, when they go while they are read."""
