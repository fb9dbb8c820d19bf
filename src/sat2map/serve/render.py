"""Encoding of an image of a layer to the bytes that are sent."""

from __future__ import annotations

from typing import Any

import numpy as np
from rio_tiler.models import ImageData
from titiler.core.resources.enums import ImageType
from titiler.core.utils import render_image

from sat2map.scene.formats import png_bytes


def render(image: ImageData, output_format: ImageType | None = None, **options: Any) -> tuple[bytes, str]:
    """Encode an image as TiTiler does, but PNG by `png_bytes`, and without an alpha band where all pixels are valid.

    Returns:
        The encoded bytes and their media type.
    """
    if output_format is not ImageType.png:
        return render_image(image, output_format=output_format, **options)
    bands = [*image.data, image.mask] if (image.mask == 0).any() else [*image.data]
    return png_bytes(np.stack(bands, -1)), output_format.mediatype
