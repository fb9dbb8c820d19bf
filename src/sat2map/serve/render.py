"""From an image of a layer to the bytes that are sent; reads nothing."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image
from rio_tiler.models import ImageData
from titiler.core.resources.enums import ImageType
from titiler.core.utils import render_image

PNG_EFFORT = 2
"""Of 9: 12 % larger than with 6, in half of the time."""


def render(image: ImageData, output_format: ImageType | None = None, **options: Any) -> tuple[bytes, str]:
    """As TiTiler does it, but PNG by Pillow: in less than half of the time, and other threads go on meanwhile."""
    if output_format is ImageType.png:
        return png(image), output_format.mediatype
    return render_image(image, output_format=output_format, **options)


def png(image: ImageData) -> bytes:
    """An image of bytes, RGB, as PNG; with alpha where some of it is invalid."""
    mask = image.mask
    bands = [*image.data, mask] if (mask == 0).any() else [*image.data]
    file = io.BytesIO()
    Image.fromarray(np.stack(bands, -1)).save(file, "PNG", compress_level=PNG_EFFORT)
    return file.getvalue()
