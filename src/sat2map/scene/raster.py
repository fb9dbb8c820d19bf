"""A raster as a scene, read window by window: its layout says what is read, its stretch how numbers become bytes."""

from __future__ import annotations

import functools
import logging
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio

from sat2map.arrays import Bool, UInt8
from sat2map.errors import SceneError
from sat2map.scene.gdal import read_errors
from sat2map.scene.layout import raster_layout
from sat2map.scene.mask import NodataMask, OwnMask, TransparentColours
from sat2map.scene.options import MaskBand, MaskFile, NoMask, ReadOptions
from sat2map.scene.sampling import ENOUGH_PX, look_through, sample_windows
from sat2map.scene.stretch import SharedStretch, StretchOption, StretchRange, StretchRule, decide_stretch
from sat2map.tiling import Window

LOOK_CACHE_BYTES = 16 * 2**20
FEW_PX = 1000
"""Valid pixels below which it is said that a stretch is decided from few."""

SUSPICIOUS_SHARE = 0.05
"""Of a sample: so many equal pixels at one end of its numbers draw the stretch to them."""

log = logging.getLogger(__name__)


class RasterSource:
    """A raster of numbers: one band (grey or palette), or three of many.

    Args:
        dataset: a rasterio dataset, open for reading.
        name: of it, for errors.
        options: what the user asks.
        rule: what the model wants of its numbers.
        shared: the stretch that was decided already.
        mask: the raster of `options.mask`, where that is one, open for reading.

    Raises:
        SceneError: it is no image, or lacks what the options ask for.
    """

    def __init__(
        self,
        dataset: Any,
        name: str | Path,
        options: ReadOptions,
        rule: StretchRule,
        shared: SharedStretch,
        mask: Any = None,
    ) -> None:
        self._dataset, self._name, self._mask = dataset, name, mask
        self.layout = raster_layout(dataset, options, name)
        if mask is not None:
            _check_mask(mask, dataset)
        self.files = tuple(Path(file) for file in [*dataset.files, *(mask.files if mask else [])])
        self.grid, self.has_mask = self.layout.grid, self.layout.has_mask
        self._bands = sorted(set(self.layout.bands))
        self._palette: UInt8 | None = None if self.layout.palette is None else np.array(self.layout.palette, np.uint8)
        self._darkest = self._number_of_black(options) if self.layout.white_is_zero else None
        # Colours of a palette are bytes, whatever their indices are.
        dtype = self.layout.dtype if self._palette is None else np.dtype(np.uint8)
        asked = self._inverted(options.stretch)
        remarks = [*self.layout.remarks]
        self.stretch = decide_stretch(asked, rule, shared, dtype, lambda: self._looked_at_sample(remarks))
        self.remarks = tuple(remarks)
        for remark in self.remarks:
            warn_once(f"{remark}: {name}")

    def _looked_at_sample(self, remarks: list[str]) -> npt.NDArray[Any]:
        """A sample that a stretch is decided from; what makes it a bad one is said."""
        sample = self.sample()
        if len(sample) < FEW_PX:
            remarks.append(f"stretch is decided from only {len(sample)} valid pixels of it")
        elif self.layout.valid_where == NoMask():
            remarks += _untold_nodata(sample)
        return sample

    def sample(self) -> npt.NDArray[Any]:
        """Numbers of valid pixels from all over the scene, shape (n, 3): of an overview, or of many small windows."""
        area = self.layout.window
        windows = sample_windows(self._dataset, area)
        sample = self._valid_numbers(windows)
        is_all = sum(height * width for _, (height, width) in windows) >= area.height * area.width
        if is_all or len(sample) >= ENOUGH_PX:
            return sample
        # The data may lie between them. GDAL would keep a twentieth of the machine's memory of what is looked through.
        with rasterio.Env(GDAL_CACHEMAX=LOOK_CACHE_BYTES):
            return self._valid_numbers(look_through(area))

    def _valid_numbers(self, windows: list[tuple[Window, tuple[int, int]]]) -> npt.NDArray[Any]:
        return np.concatenate([self._numbers(*window)[self._valid(*window)] for window in windows])

    def read(self, window: Window) -> UInt8:
        """See `Source.read`."""
        numbers = self._numbers(self._inside(window))
        return numbers if self.stretch is None else self.stretch.apply(numbers)

    def valid(self, window: Window) -> Bool:
        """See `Source.valid`."""
        return self._valid(self._inside(window))

    def _number_of_black(self, options: ReadOptions) -> Any:
        """What small numbers, which are bright, are taken from, so that they are large."""
        n_bits = self._dataset.tags(self._bands[0], ns="IMAGE_STRUCTURE").get("NBITS")
        dtype = self.layout.dtype
        if dtype.kind != "u":
            return dtype.type(0 if dtype.kind == "f" else -1)
        return dtype.type(255 if options.stretch == "none" else 2 ** int(n_bits) - 1 if n_bits else np.iinfo(dtype).max)

    def _inverted(self, asked: StretchOption | None) -> StretchOption | None:
        """A range, as the scene's own numbers tell it, of those that are stretched."""
        if self._darkest is None or not isinstance(asked, StretchRange):
            return asked
        black = float(self._darkest)
        ends = [tuple(black - number for number in end) for end in (asked.high, asked.low)]
        return StretchRange(*ends)  # type: ignore[arg-type]

    def _inside(self, window: Window) -> Window:
        """The same ground, counted from the corner of the raster."""
        corner = self.layout.window
        return Window(window.row + corner.row, window.col + corner.col, window.height, window.width)

    def _numbers(self, window: Window, shape: tuple[int, int] | None = None) -> npt.NDArray[Any]:
        """What the raster holds, shape (h, w, 3)."""
        if self._palette is not None:
            index = self._read(self._dataset.read, self._bands[0], window, shape).astype(np.intp)
            beyond = len(self._palette) - 1
            coloured: UInt8 = self._palette[np.where((index < 0) | (index > beyond), beyond, index)]
            return coloured
        numbers = self._read(self._dataset.read, self._bands, window, shape)
        if self._darkest is not None:
            numbers = self._darkest - numbers
        return np.moveaxis(numbers[[self._bands.index(band) for band in self.layout.bands]], 0, -1)

    def _valid(self, window: Window, shape: tuple[int, int] | None = None) -> Bool:
        valid = self._mask_says(window, shape)
        if self.layout.dtype.kind == "f":
            valid &= np.isfinite(self._numbers(window, shape)).all(-1)
        return valid

    def _mask_says(self, window: Window, shape: tuple[int, int] | None) -> Bool:
        valid: Bool
        match self.layout.valid_where:
            case NoMask():
                valid = np.ones(shape or (window.height, window.width), bool)
            case MaskFile():
                valid = self._read(self._mask.read, 1, window, shape) > 0
            case MaskBand(band):
                # As GDAL has it, so that the map's mask is the raster's: the faintest alpha is data.
                valid = self._read(self._dataset.read, band, window, shape) > 0
            case NodataMask(nodata):
                valid = (self._read(self._dataset.read, self._bands, window, shape) != nodata).any(0)
            case TransparentColours(indices):
                valid = ~np.isin(self._read(self._dataset.read, self._bands[0], window, shape), indices)
            case OwnMask(bands):
                # A pixel is real if any of its bands is: the nodata value may be a legal brightness in one of them.
                valid = self._read(self._dataset.read_masks, list(bands), window, shape).any(0)
        return valid

    def _read(self, reader: Any, bands: Any, window: Window, shape: tuple[int, int] | None) -> Any:
        if shape is not None and not isinstance(bands, int):
            shape = (len(bands), *shape)  # type: ignore[assignment]
        rows = f"rows {window.row} to {window.row + window.height}"
        with read_errors(self._name, f"in {rows}, columns {window.col} to {window.col + window.width}"):
            return reader(bands, window=window.slices, out_shape=shape)


def _untold_nodata(sample: npt.NDArray[Any]) -> list[str]:
    """Words about a least or greatest number that so many pixels hold in all bands that it may stand for no data."""
    ends = [sample.min().item(), sample.max().item()]
    shares = [float((sample == end).all(-1).mean()) for end in ends]
    if min(shares) >= SUSPICIOUS_SHARE:
        # A drawing of few colours.
        return []
    return [
        f"{share:.0%} of its pixels hold {end} and count as data (if they are none, `nodata` {end} says so)"
        for end, share in zip(ends, shares, strict=True) if share >= SUSPICIOUS_SHARE
    ]  # fmt: skip


def _check_mask(mask: Any, dataset: Any) -> None:
    if mask.shape != dataset.shape:
        shape = " x ".join(map(str, reversed(mask.shape)))
        raise SceneError(
            f"mask has {shape} px, its scene {dataset.width} x {dataset.height}", mask.name,
            hint="give one on the scene's own grid",
        )  # fmt: skip


@functools.cache
def warn_once(text: str) -> None:
    """A scene may be opened several times; what is odd about it is said once."""
    log.warning(text)
