"""What a map is made of: a raster, read by windows, or a picture, held whole; both give RGB bytes and a mask."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import rasterio
import rasterio.windows
from PIL import Image, ImageOps
from rasterio.enums import ColorInterp
from rasterio.errors import NodataShadowWarning, NotGeoreferencedWarning, RasterioError, RasterioIOError

from sat2map.errors import PictureError, SceneError
from sat2map.scene.mask import alpha_is_a_mask
from sat2map.tiling import Window

UInt8 = npt.NDArray[np.uint8]
Bool = npt.NDArray[np.bool_]

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif")
RASTER_SUFFIXES = (".tif", ".tiff", ".vrt", ".jp2", ".img")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Grid:
    """Size and place of a scene; `crs` and `transform` (pixel to CRS) are None where it has no place."""

    height: int
    width: int
    crs: Any = None
    transform: Any = None


class Source(Protocol):
    """A scene that can be read."""

    grid: Grid
    has_mask: bool
    """Whether any pixel can be invalid."""
    files: tuple[Path, ...]
    """Everything that is read, the members of a mosaic included."""

    def read(self, window: Window) -> UInt8:
        """RGB of a window within the scene: uint8, shape (h, w, 3)."""

    def valid(self, window: Window) -> Bool:
        """Where a window within the scene holds data: bool, shape (h, w)."""


@contextmanager
def open_source(path: Path) -> Iterator[Source]:
    """Open a raster or a picture, by its ending.

    Raises:
        SceneError: the raster cannot be read, or is of a kind that cannot be translated.
        PictureError: the picture cannot be read.
    """
    if not path.exists():
        raise SceneError("no such file", path, hint="check the path")
    if path.suffix.lower() in PICTURE_SUFFIXES:
        yield PictureSource(path)
        return
    with warnings.catch_warnings():
        # A raster without a place is translated like a picture.
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        # Nodata beside an alpha band: `RasterSource` decides which of them counts.
        warnings.simplefilter("ignore", NodataShadowWarning)
        try:
            dataset = rasterio.open(path)
        except RasterioError as error:
            raise SceneError(
                "raster cannot be opened", path, hint="rio info tells what GDAL makes of it; is it truncated?"
            ) from error
        with dataset:
            yield RasterSource(dataset, path)


class RasterSource:
    """An 8-bit raster of one band (grey or palette) or of three and more.

    Args:
        dataset: open for reading.
        path: named in errors.

    Raises:
        SceneError: its values are not 8-bit.
    """

    def __init__(self, dataset: Any, path: Path) -> None:
        self._dataset, self._path = dataset, path
        _refuse_what_is_no_picture(dataset, path)
        self.files = tuple(Path(name) for name in dataset.files)
        self.grid = self._find_place()
        self._bands = self._pick_bands()
        self._palette = self._read_palette()
        self._alpha = self._find_alpha()
        self.has_mask = self._alpha is not None or any(
            rasterio.enums.MaskFlags.all_valid not in flags for flags in self._mask_flags()
        )

    def _find_place(self) -> Grid:
        dataset = self._dataset
        if dataset.transform.is_identity:
            # With ground control points alone there may be a CRS, and still no place on a grid.
            if dataset.gcps[0]:
                log.warning("placed by ground control points only, so its map has no place: %s", self._path)
            return Grid(dataset.height, dataset.width)
        if dataset.crs is None:
            log.warning("has a transform but no CRS, and so will its map: %s", self._path)
        return Grid(dataset.height, dataset.width, dataset.crs, dataset.transform)

    def _pick_bands(self) -> list[int]:
        colours = list(self._dataset.colorinterp)
        wanted = [ColorInterp.red, ColorInterp.green, ColorInterp.blue]
        if all(colour in colours for colour in wanted):
            return [colours.index(colour) + 1 for colour in wanted]
        # One band is grey, two are grey and something else.
        return [1, 2, 3] if self._dataset.count >= 3 else [1, 1, 1]

    def _read_palette(self) -> UInt8 | None:
        if self._dataset.colorinterp[self._bands[0] - 1] != ColorInterp.palette:
            return None
        table = np.zeros((256, 3), np.uint8)
        for value, colour in self._dataset.colormap(self._bands[0]).items():
            table[value] = colour[:3]
        return table

    def _find_alpha(self) -> int | None:
        colours = list(self._dataset.colorinterp)
        if ColorInterp.alpha not in colours:
            return None
        band = colours.index(ColorInterp.alpha) + 1
        with self._one_line("in its alpha band"):
            if alpha_is_a_mask(self._dataset, band):
                return band
        log.warning("band %d is tagged alpha but is no mask (near infrared?), so it is ignored: %s", band, self._path)
        return None

    def _mask_flags(self) -> list[Any]:
        alpha = rasterio.enums.MaskFlags.alpha
        # The flag is on every band of a raster with an alpha band, whether it is a mask or not.
        return [flags for flags in self._dataset.mask_flag_enums if alpha not in flags]

    def read(self, window: Window) -> UInt8:
        """See `Source.read`."""
        bands = self._read(self._dataset.read, self._bands[:1] if self._palette is not None else self._bands, window)
        if self._palette is not None:
            coloured: UInt8 = self._palette[bands[0]]
            return coloured
        return np.moveaxis(bands, 0, -1)

    def valid(self, window: Window) -> Bool:
        """See `Source.valid`."""
        if self._alpha is not None:
            # As GDAL has it, so that the map's mask is the raster's: the faintest alpha is data.
            alpha: Bool = self._read(self._dataset.read, self._alpha, window) > 0
            return alpha
        if not self.has_mask:
            return np.ones((window.height, window.width), bool)
        # A pixel is real if any of its bands is: the nodata value may be a legal brightness in one of them.
        masks = self._read(self._dataset.read_masks, None, window)
        valid: Bool = masks.any(0)
        return valid

    def _read(self, reader: Any, bands: Any, window: Window) -> Any:
        place = rasterio.windows.Window(window.col, window.row, window.width, window.height)
        rows = f"rows {window.row} to {window.row + window.height}"
        with self._one_line(f"in {rows}, columns {window.col} to {window.col + window.width}"):
            return reader(bands, window=place)

    @contextmanager
    def _one_line(self, where: str) -> Iterator[None]:
        try:
            yield
        except RasterioIOError as error:
            raise SceneError(f"raster is corrupt {where}", self._path, hint="copy or download it again") from error


def _refuse_what_is_no_picture(dataset: Any, path: Path) -> None:
    kinds = sorted(set(dataset.dtypes))
    if any("complex" in kind for kind in kinds):
        raise SceneError(
            f"raster holds {', '.join(kinds)}, which are no picture",
            path,
            hint="give a picture of 8-bit red, green, blue",
        )
    if kinds != ["uint8"]:
        raise SceneError(
            f"raster holds {', '.join(kinds)}, the model takes uint8", path,
            hint="gdal_translate -ot Byte -scale SRC 8bit.tif",
        )  # fmt: skip


class PictureSource:
    """A picture, decoded whole: grey, RGB, palette, 16 bit, CMYK, with alpha, turned as its EXIF says; first frame.

    Args:
        path: of the picture.

    Raises:
        PictureError: it cannot be decoded, or is too large to be held whole.
    """

    def __init__(self, path: Path) -> None:
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

    def read(self, window: Window) -> UInt8:
        """See `Source.read`."""
        return self._rgb[window.slices]

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
