"""Rasters opened by GDAL, here or by URL, whose errors are one line each."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import rasterio
from rasterio.crs import CRS
from rasterio.errors import CRSError, RasterioError

from sat2map.errors import SceneError

REMOTE_ENVIRONMENT = {
    "GDAL_HTTP_CONNECTTIMEOUT": "10",
    "GDAL_HTTP_TIMEOUT": "30",
    "GDAL_HTTP_MAX_RETRY": "2",
    "GDAL_HTTP_RETRY_DELAY": "1",
    "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": "YES",
}
"""For scenes by URL; a variable of that name in the process's environment wins."""
OPEN_ERRORS = (RasterioError, CRSError, UnicodeDecodeError)
"""What opening a raster may raise: rasterio reads its CRS, too, whose names may be no UTF-8."""
METADATA = ".aux.xml"
"""Ending of the file beside a raster in which GDAL keeps what its format does not hold."""
BY_DRIVER = re.compile(r"[A-Za-z][A-Za-z0-9_]+:(?!//)")
"""Beginning of the name of a subdataset; a single letter would be a drive."""
NOT_CORRUPT = re.compile(r"codec|configured|support|unavailable|such file|exist|cannot open|permission|memory", re.I)
"""In GDAL's reasons: the file is whole, and something else is missing."""
BESIDE = "GDAL_DISABLE_READDIR_ON_OPEN"
"""Whether GDAL lists the folder of a file (FALSE), asks for each file that may lie beside it (TRUE), or neither."""


def is_utf8(name: str | Path) -> bool:
    """Whether a name is text that GDAL takes; a file system may hold others."""
    try:
        return bool(str(name).encode())
    except UnicodeEncodeError:
        return False


def is_remote(source: str | Path) -> bool:
    """Whether a source is a URL or a name that only GDAL understands, and no file here."""
    return "://" in str(source) or str(source).startswith("/vsi") or is_named_by_gdal(source)


def is_named_by_gdal(source: str | Path) -> bool:
    """Whether a source is a part of a file, as GDAL names it.

    >>> [is_named_by_gdal(name) for name in ('NETCDF:"a.nc":red', "GPKG:a.gpkg:table", "C:/a.tif", "https://here/a.tif")]
    [True, True, False, False]
    """
    return bool(BY_DRIVER.match(str(source))) and not Path(source).exists()


ON_A_SERVER = re.compile(r"(https?|ftp|s3|gs|az|oss|swift)://|/vsi(curl|s3|gs|az|adls|oss|swift|webhdfs|hdfs)")
"""Beginnings of what lies on a server, where each look at another file takes time."""


def stem_of(source: str | Path) -> str:
    """A name for what is made of a scene: its file's, its URL's, or what its name among GDAL's ends in.

    >>> [stem_of(name) for name in ("in/when?.tif", "https://here/a.tif?key=1", 'NETCDF:"in/a.nc":red')]
    ['when?', 'a', 'a.nc_red']
    """
    name = str(source)
    if is_named_by_gdal(name):
        last = name.rpartition("/")[2] if "/" in name else name.partition(":")[2]
        return re.sub(r"[^\w.-]+", "_", last).strip("_")
    return Path(name.split("?")[0] if "://" in name else name).stem


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


def open_raster(source: str | Path, crs: str | None = None) -> Any:
    """A rasterio dataset, open for reading.

    Args:
        source: file, URL, or a name that GDAL understands.
        crs: that the user says it is in, which opens a raster whose own cannot be expressed.

    Raises:
        SceneError: GDAL cannot open it, or nobody can tell its CRS.
    """
    if crs is None:
        with crs_errors(source):
            return _opened(source)
    try:
        return _opened(source)
    except (CRSError, UnicodeDecodeError):
        known_crs(crs, "crs")
        # rasterio asks for the CRS as it opens a file; GDAL puts another there.
        return _opened(f"vrt://{source}?a_srs={crs}")


@contextmanager
def crs_errors(name: object) -> Iterator[None]:
    """Turn a CRS that PROJ cannot express, or whose names are not UTF-8, into one line about a scene."""
    try:
        yield
    except (CRSError, UnicodeDecodeError) as error:
        found = f"scene's CRS cannot be expressed ({' '.join(str(error).split())[:160]})"
        raise SceneError(found, name, hint="`crs` says which it is") from error


def is_transform_error(error: Exception) -> bool:
    """Whether GDAL could not bring points into a CRS; rasterio lets some of GDAL's own errors through."""
    return isinstance(error, RasterioError) or type(error).__module__ == "rasterio._err"


def known_crs(text: str, name: str) -> CRS:
    """The CRS that a parameter of that name asks for.

    Raises:
        SceneError: there is none such.
    """
    try:
        return CRS.from_user_input(text)
    except CRSError as error:
        raise SceneError(f"`{name}` is none that is known", text, hint="EPSG:4326 for degrees") from error


def _opened(source: str | Path) -> Any:
    try:
        if not is_remote(source):
            return rasterio.open(source)
        # What is said of the network holds for as long as a file is open.
        with remote_environment(source):
            dataset = rasterio.open(source)
            may_look = ON_A_SERVER.match(str(source)) and BESIDE not in os.environ
            # Its georeference may lie in a world file, its mask or nodata value in another. GDAL asks for 40 names.
            if may_look and (dataset.transform.is_identity or _has_files_beside(str(source))):
                dataset.close()
                with rasterio.Env(**{BESIDE: "TRUE"}):
                    return rasterio.open(source)
            return dataset
    except RasterioError as error:
        raise _not_opened(source, reason_of(error)) from error


def _has_files_beside(source: str) -> bool:
    """Whether a mask or metadata lie beside a raster on a server."""
    for ending in (".msk", METADATA) if "?" not in source else ():
        try:
            rasterio.open(source + ending).close()
        except RasterioError as error:
            # GDAL has no driver for metadata alone, but has seen that they are there.
            if "not recognized" not in str(error):
                continue
        return True
    return False


def _not_opened(source: str | Path, reason: str) -> SceneError:
    if is_remote(source) and not is_named_by_gdal(source):
        has_no_ranges = "ange" in reason and "not supported" in reason
        hint = "download it, and give the file" if has_no_ranges else "is it right, and is the server there?"
        return SceneError(f"URL cannot be read ({reason})", source, hint=hint)
    hint = "rio info tells what GDAL makes of it" + ("" if NOT_CORRUPT.search(reason) else "; is it truncated?")
    return SceneError(f"raster cannot be opened ({reason})", source, hint=hint)


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
        reason = reason_of(error)
        if is_remote(name):
            found, hint = f"reading failed {where} ({reason})", "run it again"
        elif NOT_CORRUPT.search(reason):
            found, hint = f"raster cannot be read {where} ({reason})", "rio info tells what GDAL makes of it"
        else:
            found, hint = f"raster is corrupt {where} ({reason})", "copy or download it again"
        raise SceneError(found, name, hint=hint) from error


def reason_of(error: BaseException) -> str:
    """What GDAL says went wrong, on one line."""
    while error.__cause__ is not None:
        error = error.__cause__
    return " ".join(str(error).split())[:160]


def check_is_one_raster(dataset: Any, name: str | Path) -> None:
    """Refuse a file that has no bands of its own: a netCDF of several variables, for one.

    Raises:
        SceneError: it has none; the rasters in it are named.
    """
    if dataset.count == 0:
        parts = dataset.subdatasets
        hint = f"name one of them: {'  '.join(parts)}" if parts else "is it a raster?"
        raise SceneError(f"file holds {len(parts) or 'no'} rasters and is none itself", name, hint=hint)


def check_band(band: int, count: int, name: str | Path) -> None:
    """Refuse a band that a scene has not.

    Raises:
        SceneError: bands are counted from 1 to `count`.
    """
    if not 1 <= band <= count:
        raise SceneError(f"scene has no band {band} (it has {count})", name, hint="count from 1")
