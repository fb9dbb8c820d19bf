"""Uploads: received up to a limit, and checked by their headers before anything decodes them."""

from __future__ import annotations

import asyncio
import warnings
from pathlib import Path

import numpy as np
import rasterio
from fastapi import Request
from PIL import Image
from rasterio.errors import NotGeoreferencedWarning

from sat2map.errors import ImageError, SceneError
from sat2map.scene.gdal import OPEN_ERRORS
from sat2map.serve.errors import BadRequestError
from sat2map.serve.settings import ServeSettings

IMAGE_FORMATS = {"PNG": ".png", "JPEG": ".jpg", "WEBP": ".webp"}
TIFF_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
LARGEST_BLOCK = 2**28
"""Largest decoded size of a block of a TIFF, in bytes; GDAL holds whole blocks in memory."""


async def receive(request: Request, path: Path, settings: ServeSettings) -> None:
    """Write the body of a request to a file.

    Args:
        request: request with the upload as its body.
        path: file that is written.
        settings: limits of size and time.

    Raises:
        BadRequestError: the body is empty or too large.
        TimeoutError: the body takes too long to arrive.
    """
    limit = settings.upload_mib * 2**20
    too_large = BadRequestError(f"an image may have {settings.upload_mib} MiB", 413)
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > limit:
        raise too_large
    size = 0
    with path.open("wb") as file:
        async with asyncio.timeout(settings.upload_s):
            async for chunk in request.stream():
                size += len(chunk)
                if size > limit:
                    raise too_large
                await asyncio.to_thread(file.write, chunk)
    if not size:
        raise BadRequestError("the request has no body", 422)


def check_image(path: Path, settings: ServeSettings) -> Path:
    """Find the format of an uploaded file from its header, and rename the file to the suffix of that format.

    Args:
        path: the file.
        settings: limits of size.

    Returns:
        The path with its new suffix.

    Raises:
        ImageError: the file is no image of a supported format, or has too many pixels.
        SceneError: the blocks of a TIFF are too large.
    """
    with path.open("rb") as file:
        is_tiff = file.read(4) in TIFF_SIGNATURES
    suffix, n_px = _look_at_tiff(path) if is_tiff else _look_at_image(path)
    if n_px > settings.upload_mpx * 1e6:
        raise ImageError(
            f"image has {n_px / 1e6:.0f} million pixels, {settings.upload_mpx:g} are taken",
            hint="sat2map serve FILE takes scenes of any size",
        )
    return path.rename(path.with_suffix(suffix))


def _look_at_image(path: Path) -> tuple[str, int]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path, formats=list(IMAGE_FORMATS)) as image:
                return IMAGE_FORMATS[str(image.format)], image.width * image.height
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ImageError("this is no image that can be read", hint="PNG, JPEG, WebP or GeoTIFF") from error


def _look_at_tiff(path: Path) -> tuple[str, int]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            # Only this driver is allowed: others follow paths and URLs that a file holds.
            with rasterio.open(path, driver="GTiff") as dataset:
                height, width = dataset.block_shapes[0]
                n_together = dataset.count if dataset.interleaving.name == "pixel" else 1
                # numpy has no types for the complex integers of GDAL.
                n_bytes = max(16 if "complex" in kind else np.dtype(kind).itemsize for kind in dataset.dtypes)
                if height * width * n_together * n_bytes > LARGEST_BLOCK or dataset.count > 64:
                    raise SceneError(
                        "TIFF is laid out in blocks that are too large", hint="gdal_translate -co TILED=YES"
                    )
                return ".tif", dataset.width * dataset.height
    except OPEN_ERRORS as error:
        raise ImageError("this is no GeoTIFF that can be read", hint="is it truncated?") from error
