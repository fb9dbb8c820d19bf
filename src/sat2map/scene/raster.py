"""A raster as a scene: which of its bands, where it is valid, and how its numbers become bytes."""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio.windows
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import RasterioError

from sat2map.arrays import Bool, UInt8
from sat2map.errors import SceneError
from sat2map.scene.georeference import Box, Grid, box_window
from sat2map.scene.mask import alpha_is_a_mask, sample_windows
from sat2map.scene.stretch import Levels, Stretch
from sat2map.tiling import Window

LARGEST_BLOCK_MIB = 512

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ReadOptions:
    """How a scene is read where its file alone does not say it.

    Attributes:
        bands: of red, green, blue, or of one grey, counted from 1; None: as the file's colours say.
        nodata: a pixel is invalid if every band used holds it; None: as the file says.
        mask: `none`, a raster whose pixels other than 0 are valid, or the number of a band; None: as the file says.
        bbox: west, south, east, north: only that part.
        bbox_crs: of the box; None: the scene's.
        stretch: a line (or `LO,HI[;..]`), `auto` (decided from the scene), or `none` (numbers are bytes already);
            None: `auto`, for 8 bit only where `stretch_bytes` says so.
        levels: where `auto` puts the scene's percentiles: those of the model's card.
        stretch_bytes: whether 8 bit is stretched too: as the model's card says.
        collection: the line of `auto` where it was decided for several scenes together.
        collection_bytes: likewise, for those of 8 bits.
    """

    bands: tuple[int, ...] | None = None
    nodata: float | None = None
    mask: str | None = None
    bbox: Box | None = None
    bbox_crs: str | None = None
    stretch: Stretch | str | None = None
    levels: Levels | None = None
    stretch_bytes: bool = False
    collection: Stretch | None = None
    collection_bytes: Stretch | None = None


DEFAULT_READ_OPTIONS = ReadOptions()


def is_remote(source: str | Path) -> bool:
    """Whether a source is a URL or a path of GDAL's own file systems, and no file here."""
    return "://" in str(source) or str(source).startswith("/vsi")


class RasterSource:
    """A raster of numbers: one band (grey or palette), or three of many.

    Args:
        dataset: open for reading.
        name: of it, for errors.
        options: how it is read.
        mask: a second raster that says where the first is valid.

    Raises:
        SceneError: it is no image, or lacks what the options ask for.
    """

    def __init__(self, dataset: Any, name: str | Path, options: ReadOptions, mask: Any = None) -> None:
        self._dataset, self._name, self._options, self._mask_dataset = dataset, name, options, mask
        self.files = tuple(Path(file) for file in [*dataset.files, *(mask.files if mask else [])])
        place = self._find_place()
        self._area = Window(0, 0, place.height, place.width)
        if options.bbox is not None:
            self._area = box_window(place, options.bbox, options.bbox_crs, name)
        self.grid = place.part(self._area)
        self._bands = self._pick_bands()
        self._dtype = self._find_dtype()
        self._palette = self._read_palette()
        self._alpha = self._find_alpha() if options.mask is None and options.nodata is None else None
        self._masked = self._find_mask()
        self.has_mask = self._masked or self._dtype.kind == "f"
        self.stretch = self._find_stretch()

    def _find_place(self) -> Grid:
        dataset = self._dataset
        if dataset.transform.is_identity:
            # With ground control points alone there may be a CRS, and still no place on a grid.
            if dataset.gcps[0]:
                warn_once(f"placed by ground control points only, so its map has no place: {self._name}")
            return Grid(dataset.height, dataset.width)
        if dataset.crs is None:
            warn_once(f"has a transform but no CRS, and so will its map: {self._name}")
        return Grid(dataset.height, dataset.width, dataset.crs, dataset.transform)

    def _pick_bands(self) -> list[int]:
        count, colours = self._dataset.count, list(self._dataset.colorinterp)
        if self._options.bands is not None:
            bands = list(self._options.bands)
            if len(bands) not in (1, 3):
                raise SceneError("`bands` takes one band or three", ",".join(map(str, bands)), hint="`bands` 3,2,1")
            absent = [band for band in bands if not 1 <= band <= count]
            if absent:
                raise SceneError(f"scene has no band {absent[0]} (it has {count})", self._name, hint="count from 1")
            return bands * (3 // len(bands))
        wanted = [ColorInterp.red, ColorInterp.green, ColorInterp.blue]
        if all(colour in colours for colour in wanted):
            return [colours.index(colour) + 1 for colour in wanted]
        if count == 1 or (count == 2 and colours[1] == ColorInterp.alpha):
            return [1, 1, 1]
        if count == 2:
            raise SceneError("scene has 2 bands, the model takes 3", self._name, hint="`bands` 1 for a grey image")
        if count > 3:
            warn_once(f"no band says that it is red, green or blue, so bands 1, 2 and 3 are taken: {self._name}")
        return [1, 2, 3]

    def _find_dtype(self) -> np.dtype[Any]:
        kinds = sorted({self._dataset.dtypes[band - 1] for band in self._bands})
        if len(kinds) > 1 or np.dtype(kinds[0].replace("complex_int16", "complex64")).kind not in "uif":
            raise SceneError(
                f"raster holds {', '.join(kinds)}, which are no image", self._name,
                hint="give one of red, green and blue in whole or decimal numbers",
            )  # fmt: skip
        dtype: np.dtype[Any] = np.dtype(kinds[0])
        height, width = self._dataset.block_shapes[self._bands[0] - 1]
        mib = height * width * dtype.itemsize / 2**20
        if mib > LARGEST_BLOCK_MIB:
            raise SceneError(
                f"raster's blocks of {width} x {height} px take {mib:.0f} MiB each", self._name,
                hint="gdal_translate -co TILED=YES -co SPARSE_OK=YES SRC tiled.tif, and translate that",
            )  # fmt: skip
        return dtype

    def _read_palette(self) -> UInt8 | None:
        if self._dataset.colorinterp[self._bands[0] - 1] != ColorInterp.palette:
            return None
        table = np.zeros((256, 3), np.uint8)
        for value, colour in self._dataset.colormap(self._bands[0]).items():
            table[value % 256] = colour[:3]
        return table

    def _find_alpha(self) -> int | None:
        colours = list(self._dataset.colorinterp)
        if ColorInterp.alpha not in colours:
            return None
        band = colours.index(ColorInterp.alpha) + 1
        with self._one_line("in its alpha band"):
            if alpha_is_a_mask(self._dataset, band):
                return band
        warn_once(f"band {band} is tagged alpha but is no mask (near infrared?), so it is ignored: {self._name}")
        return None

    def _find_mask(self) -> bool:
        """Whether anything but a number that is none makes a pixel invalid."""
        mask, dataset = self._options.mask, self._dataset
        if self._mask_dataset is not None and self._mask_dataset.shape != dataset.shape:
            shape = " x ".join(map(str, reversed(self._mask_dataset.shape)))
            raise SceneError(
                f"mask has {shape} px, its scene {dataset.width} x {dataset.height}", mask,
                hint="give one on the scene's own grid",
            )  # fmt: skip
        if mask is not None and mask.isdigit() and not 1 <= int(mask) <= dataset.count:
            raise SceneError(f"scene has no band {mask} (it has {dataset.count})", self._name, hint="count from 1")
        if mask is not None or self._options.nodata is not None:
            return mask != "none"
        # The flag is on every band of a raster with an alpha band, whether it is a mask or not.
        flags = [flags for flags in dataset.mask_flag_enums if MaskFlags.alpha not in flags]
        return self._alpha is not None or any(MaskFlags.all_valid not in f for f in flags)

    def _find_stretch(self) -> Stretch | None:
        wanted = self._options.stretch
        if isinstance(wanted, str) and wanted not in ("auto", "none"):
            wanted = Stretch.parse(wanted, self._options.levels)
        if isinstance(wanted, Stretch):
            return wanted
        if wanted == "none" and self._dtype != np.uint8:
            return Stretch((0, 0, 0), (255, 255, 255), ((0, 255),) * 3)
        is_bytes = self._dtype == np.uint8
        if wanted == "none" or (wanted is None and is_bytes and not self._options.stretch_bytes):
            return None
        common = self._options.collection_bytes if is_bytes else self._options.collection
        return common or Stretch.of_sample(self.sample(), self._options.levels)

    def sample(self) -> npt.NDArray[Any]:
        """Numbers of valid pixels from all over the scene, shape (n, 3): of an overview, or of many small windows."""
        windows = sample_windows(self._dataset, self._area)
        parts = [self._numbers(window, shape)[self._valid(window, shape)] for window, shape in windows]
        return np.concatenate(parts)

    def read(self, window: Window) -> UInt8:
        """See `Source.read`."""
        numbers = self._numbers(self._inside(window))
        return numbers if self.stretch is None else self.stretch.apply(numbers)

    def valid(self, window: Window) -> Bool:
        """See `Source.valid`."""
        return self._valid(self._inside(window))

    def _inside(self, window: Window) -> Window:
        """The same ground, counted from the corner of the raster."""
        return Window(window.row + self._area.row, window.col + self._area.col, window.height, window.width)

    def _numbers(self, window: Window, shape: tuple[int, int] | None = None) -> npt.NDArray[Any]:
        """What the raster holds, shape (h, w, 3)."""
        if self._palette is not None:
            coloured: UInt8 = self._palette[self._read(self._dataset.read, self._bands[0], window, shape)]
            return coloured
        bands = sorted(set(self._bands))
        numbers = self._read(self._dataset.read, bands, window, shape)
        return np.moveaxis(numbers[[bands.index(band) for band in self._bands]], 0, -1)

    def _valid(self, window: Window, shape: tuple[int, int] | None = None) -> Bool:
        valid = np.ones(shape or (window.height, window.width), bool)
        if self._masked:
            valid = self._says_mask(window, shape)
        if self._dtype.kind == "f":
            valid &= np.isfinite(self._numbers(window, shape)).all(-1)
        return valid

    def _says_mask(self, window: Window, shape: tuple[int, int] | None) -> Bool:
        valid: Bool
        mask, nodata = self._options.mask, self._options.nodata
        if self._mask_dataset is not None:
            valid = self._read(self._mask_dataset.read, 1, window, shape) > 0
        elif self._alpha is not None or mask is not None:
            # As GDAL has it, so that the map's mask is the raster's: the faintest alpha is data.
            valid = self._read(self._dataset.read, self._alpha or int(mask or 0), window, shape) > 0
        elif nodata is not None:
            bands = sorted(set(self._bands))
            valid = (self._read(self._dataset.read, bands, window, shape) != nodata).any(0)
        else:
            # A pixel is real if any of its bands is: the nodata value may be a legal brightness in one of them.
            valid = self._read(self._dataset.read_masks, None, window, shape).any(0)
        return valid

    def _read(self, reader: Any, bands: Any, window: Window, shape: tuple[int, int] | None) -> Any:
        place = rasterio.windows.Window(window.col, window.row, window.width, window.height)
        if shape is not None and not isinstance(bands, int):
            shape = (self._dataset.count if bands is None else len(bands), *shape)  # type: ignore[assignment]
        rows = f"rows {window.row} to {window.row + window.height}"
        with self._one_line(f"in {rows}, columns {window.col} to {window.col + window.width}"):
            return reader(bands, window=place, out_shape=shape)

    @contextmanager
    def _one_line(self, where: str) -> Iterator[None]:
        try:
            yield
        except RasterioError as error:
            if is_remote(self._name):
                found, hint = f"reading failed {where} ({reason(error)})", "run it again"
            else:
                found, hint = f"raster is corrupt {where}", "copy or download it again"
            raise SceneError(found, self._name, hint=hint) from error


def reason(error: BaseException) -> str:
    """What GDAL says went wrong, on one line."""
    while error.__cause__ is not None:
        error = error.__cause__
    return " ".join(str(error).split())[:160]


@functools.cache
def warn_once(text: str) -> None:
    """A scene may be opened several times; what is odd about it is said once."""
    log.warning(text)
