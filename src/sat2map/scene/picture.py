"""A picture as a scene: decoded whole by Pillow, without a place."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from sat2map.errors import PictureError
from sat2map.scene.mask import LARGEST_SAMPLE_PX
from sat2map.scene.place import Grid
from sat2map.scene.raster import ReadOptions
from sat2map.scene.stretch import Stretch
from sat2map.tiling import Window

UInt8 = npt.NDArray[np.uint8]
Bool = npt.NDArray[np.bool_]

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif")


class PictureSource:
    """A picture, decoded whole: grey, RGB, palette, 16 bit, CMYK, with alpha, turned as its EXIF says; first frame.

    Args:
        path: of the picture.
        options: of these, only the stretch.

    Raises:
        PictureError: it cannot be decoded, or is too large to be held whole.
    """

    def __init__(self, path: Path, options: ReadOptions) -> None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", Image.DecompressionBombWarning)
                with Image.open(path) as opened:
                    picture = ImageOps.exif_transpose(opened)
                    self._rgb, self._valid = _as_rgb(picture)
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise PictureError(
                f"picture is too large to be held whole ({_first_number(str(error))} px)", path,
                hint="if you trust it: gdal_translate -co TILED=YES SRC scene.tif, and translate that",
            ) from error  # fmt: skip
        except (OSError, ValueError, SyntaxError, EOFError) as error:
            raise PictureError("picture cannot be read", path, hint="is it empty, truncated or no picture?") from error
        self.files: tuple[Path, ...] = (path,)
        self.grid = Grid(*self._rgb.shape[:2])
        self.has_mask = self._valid is not None
        self.stretch: Stretch | None = options.stretch if isinstance(options.stretch, Stretch) else None
        if self.stretch is None and options.stretch_bytes:
            self.stretch = options.collection_bytes or Stretch.of_sample(self.sample(), options.levels)

    def read(self, window: Window) -> UInt8:
        """See `Source.read`."""
        rgb = self._rgb[window.slices]
        return rgb if self.stretch is None else self.stretch.apply(rgb)

    def sample(self) -> UInt8:
        """Valid pixels from all over the picture, shape (n, 3)."""
        step = max(max(self._rgb.shape) // LARGEST_SAMPLE_PX, 1)
        pixels = self._rgb[::step, ::step]
        return pixels[... if self._valid is None else self._valid[::step, ::step]].reshape(-1, 3)

    def valid(self, window: Window) -> Bool:
        """See `Source.valid`."""
        return np.ones((window.height, window.width), bool) if self._valid is None else self._valid[window.slices]


def _as_rgb(picture: Image.Image) -> tuple[UInt8, Bool | None]:
    """RGB bytes, and where alpha is at least one half."""
    if picture.mode.startswith(("I", "F")):
        # Pillow would clip 16 bits to 8; what is beyond 16 bits is no picture.
        levels = np.clip(np.asarray(picture, np.float64), 0, 65535) / 257
        picture = Image.fromarray(np.rint(levels).astype(np.uint8))
    if not picture.has_transparency_data:
        return np.asarray(picture.convert("RGB")), None
    rgba = np.asarray(picture.convert("RGBA"))
    return rgba[..., :3], rgba[..., 3] >= 128


def _first_number(text: str) -> str:
    return next((word.strip("(),") for word in text.split() if word.strip("(),").isdigit()), "?")
