"""Rasters opened by GDAL, here or by URL, whose errors are one line each."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import rasterio
from rasterio.errors import RasterioError

from sat2map.errors import SceneError

REMOTE_ENVIRONMENT = {
    "GDAL_HTTP_CONNECTTIMEOUT": "10",
    "GDAL_HTTP_TIMEOUT": "30",
    "GDAL_HTTP_MAX_RETRY": "2",
    "GDAL_HTTP_RETRY_DELAY": "1",
    "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": "YES",
}
"""For scenes by URL; a variable of that name in the process's environment wins."""
BESIDE = "GDAL_DISABLE_READDIR_ON_OPEN"
"""Whether GDAL lists the folder of a file (FALSE), asks for each file that may lie beside it (TRUE), or neither."""


def is_remote(source: str | Path) -> bool:
    """Whether a source is a URL or a path of GDAL's own file systems, and no file here."""
    return "://" in str(source) or str(source).startswith("/vsi")


ON_A_SERVER = re.compile(r"(https?|ftp|s3|gs|az|oss|swift)://|/vsi(curl|s3|gs|az|adls|oss|swift|webhdfs|hdfs)")
"""Beginnings of what lies on a server, where each look at another file takes time."""


def remote_environment(source: str | Path) -> rasterio.Env:
    """GDAL's settings for a scene by URL.

    Args:
        source: a URL or a path of GDAL's own file systems.
    """
    settings = dict(REMOTE_ENVIRONMENT)
    if ON_A_SERVER.match(str(source)):
        # Without it every opening lists the folder on the server.
        settings[BESIDE] = "EMPTY_DIR"
    return rasterio.Env(**{key: value for key, value in settings.items() if key not in os.environ})


def open_raster(source: str | Path) -> Any:
    """A rasterio dataset, open for reading.

    Raises:
        SceneError: GDAL cannot open it.
    """
    try:
        dataset = rasterio.open(source)
        if ON_A_SERVER.match(str(source)) and BESIDE not in os.environ and dataset.transform.is_identity:
            # Then its georeference may lie in a world file beside it.
            dataset.close()
            with rasterio.Env(**{BESIDE: "TRUE"}):
                return rasterio.open(source)
        return dataset
    except RasterioError as error:
        if is_remote(source):
            raise SceneError(
                f"URL cannot be read ({_reason(error)})", source, hint="is it right, and is the server there?"
            ) from error
        raise SceneError(
            "raster cannot be opened", source, hint="rio info tells what GDAL makes of it; is it truncated?"
        ) from error


@contextmanager
def read_errors(name: str | Path, where: str) -> Iterator[None]:
    """Turn what GDAL cannot read into one line about a scene.

    Args:
        name: of the scene.
        where: the part that is read, as in `in rows 0 to 512`.
    """
    try:
        yield
    except RasterioError as error:
        if is_remote(name):
            found, hint = f"reading failed {where} ({_reason(error)})", "run it again"
        else:
            found, hint = f"raster is corrupt {where}", "copy or download it again"
        raise SceneError(found, name, hint=hint) from error


def _reason(error: BaseException) -> str:
    """What GDAL says went wrong, on one line."""
    while error.__cause__ is not None:
        error = error.__cause__
    return " ".join(str(error).split())[:160]
