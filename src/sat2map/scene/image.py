"""An image as a scene: decoded whole by Pillow, without a georeference."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from sat2map.arrays import Bool, UInt8
from sat2map.errors import ImageError
from sat2map.scene.georeference import Grid
from sat2map.scene.sampling import ENOUGH_PX, LARGEST_SAMPLE_PX
from sat2map.scene.stretch import SharedStretch, StretchRule, decide_stretch
from sat2map.tiling import Window

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif")


class ImageSource:
    """An image of bytes, decoded whole: grey, RGB, palette, CMYK, with alpha, turned as its EXIF says; first frame.

    Args:
        path: of the image.
        rule: what the model wants of its bytes.
        shared: the stretch that was decided already.

    Raises:
        ImageError: it cannot be decoded, or is too large to be held whole.
    """

    def __init__(self, path: Path, rule: StretchRule, shared: SharedStretch) -> None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", Image.DecompressionBombWarning)
                with Image.open(path) as opened:
                    image = ImageOps.exif_transpose(opened)
                    self._rgb, self._valid = as_rgb(image)
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise ImageError(
                f"image is too large to be held whole ({_first_number(str(error))} px)", path,
                hint="if you trust it: gdal_translate -co TILED=YES SRC scene.tif, and translate that",
            ) from error  # fmt: skip
        except (OSError, ValueError, SyntaxError, EOFError) as error:
            raise ImageError("image cannot be read", path, hint="is it empty, truncated or no image?") from error
        self.files: tuple[Path, ...] = (path,)
        self.grid = Grid(*self._rgb.shape[:2])
        self.has_mask = self._valid is not None
        self.remarks: tuple[str, ...] = ()
        self.stretch = decide_stretch(None, rule, shared, np.dtype(np.uint8), self.sample)

    def read(self, window: Window) -> UInt8:
        """See `Source.read`."""
        rgb = self._rgb[window.slices]
        return rgb if self.stretch is None else self.stretch.apply(rgb)

    def sample(self) -> UInt8:
        """Valid pixels from all over the image, shape (n, 3)."""
        step = max(max(self._rgb.shape) // LARGEST_SAMPLE_PX, 1)
        if self._valid is None:
            return self._rgb[::step, ::step].reshape(-1, 3)
        sample: UInt8 = self._rgb[::step, ::step][self._valid[::step, ::step]]
        # What is not transparent may lie between them.
        return sample if len(sample) >= ENOUGH_PX else self._rgb[self._valid]

    def valid(self, window: Window) -> Bool:
        """See `Source.valid`."""
        return np.ones((window.height, window.width), bool) if self._valid is None else self._valid[window.slices]


def as_rgb(image: Image.Image) -> tuple[UInt8, Bool | None]:
    """RGB bytes, and where they are not wholly transparent, as GDAL has it. Floats up to 1 are shares of white."""
    if image.mode.startswith(("I", "F")):
        levels = np.asarray(image, np.float64)
        white = 1 if image.mode == "F" and levels.max() <= 1 else 65535
        # Pillow would clip 16 bits to 8; what is beyond 16 bits is no image.
        image = Image.fromarray(np.rint(np.clip(levels / white, 0, 1) * 255).astype(np.uint8))
    if not image.has_transparency_data:
        return np.asarray(image.convert("RGB")), None
    rgba = np.asarray(image.convert("RGBA"))
    return rgba[..., :3], rgba[..., 3] > 0


def as_rgb_array(image: Any) -> UInt8:
    """An image as RGB bytes, uint8, shape (H, W, 3).

    Raises:
        ImageError: it is no array of bytes in one of the shapes that an image has.
    """
    if hasattr(image, "getbands"):  # a Pillow image
        return as_rgb(image)[0]
    array = np.asarray(image)
    channels = 1 if array.ndim == 2 else array.shape[-1] if array.ndim == 3 else 0
    if array.dtype != np.uint8 or channels not in (1, 3, 4) or not array.size:
        raise ImageError(
            "array is not an image of bytes", f"{array.dtype} {array.shape}",
            hint="give uint8 of shape (H, W, 3), (H, W, 4) or (H, W)",
        )  # fmt: skip
    if channels == 1:
        return np.repeat(array.reshape(*array.shape[:2], 1), 3, -1)
    rgb: UInt8 = array[..., :3]
    return rgb


def _first_number(text: str) -> str:
    return next((word.strip("(),") for word in text.split() if word.strip("(),").isdigit()), "?")
