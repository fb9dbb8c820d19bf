"""How a raster is laid out: which window, bands, numbers and mask of it a scene is, from the dataset and what is asked.

Nothing here reads pixels, but for a sample of a band that is tagged alpha: only its values tell whether it is a mask.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rasterio.enums import ColorInterp

from sat2map.errors import SceneError
from sat2map.scene.bands import is_one_of_many, told_bands
from sat2map.scene.gdal import check_band, check_is_one_raster
from sat2map.scene.georeference import Grid, box_window, raster_grid
from sat2map.scene.mask import ValidWhere, find_mask
from sat2map.scene.options import NoMask, ReadOptions
from sat2map.tiling import Window

LARGEST_BLOCK_MIB = 512
ONE_BAND = (
    "is one band of a satellite's scene by its name, and drawn as grey "
    "(gdalbuildvrt -separate rgb.vrt RED GREEN BLUE makes one scene of three files)"
)
RGB = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)

Palette = tuple[tuple[int, int, int], ...]
"""RGB of each value from 0; the last one is that of all values beyond."""


@dataclass(frozen=True)
class RasterLayout:
    """What a scene is of a raster.

    Attributes:
        window: of the raster, in its pixels: all of it, or the part asked for.
        grid: size and georeference of that window.
        bands: of red, green and blue, counted from 1; three times the same one of a grey raster.
        dtype: of their numbers.
        palette: colours of the values, where the band holds indices.
        valid_where: what says where pixels are valid.
        remarks: what is odd about it and should be told.
        white_is_zero: whether small numbers are bright.
    """

    window: Window
    grid: Grid
    bands: tuple[int, int, int]
    dtype: np.dtype[Any]
    palette: Palette | None
    valid_where: ValidWhere
    remarks: tuple[str, ...] = ()
    white_is_zero: bool = False

    @property
    def has_mask(self) -> bool:
        """Whether any pixel can be invalid."""
        return self.valid_where != NoMask() or self.dtype.kind == "f"


def raster_layout(dataset: Any, options: ReadOptions, name: str | Path) -> RasterLayout:
    """Find out how a raster is laid out.

    Args:
        dataset: a rasterio dataset, open for reading.
        options: what is asked.
        name: of the raster, for errors and remarks.

    Raises:
        SceneError: it is no image, or lacks what is asked of it.
    """
    remarks: list[str] = []
    check_is_one_raster(dataset, name)
    whole = raster_grid(dataset, options.crs, name, remarks)
    window = Window(0, 0, whole.height, whole.width)
    if options.bbox is not None:
        window = box_window(whole, options.bbox, options.bbox_crs, name)
    bands = _bands(dataset, options.bands, name, remarks)
    dtype = _dtype(dataset, bands, name)
    palette = _palette(dataset, bands[0])
    valid_where = find_mask(dataset, options, bands, name, remarks)
    white_is_zero = palette is None and dataset.tags(ns="IMAGE_STRUCTURE").get("MINISWHITE") == "YES"
    return RasterLayout(window, whole.part(window), bands, dtype, palette, valid_where, tuple(remarks), white_is_zero)


def _bands(dataset: Any, wanted: Sequence[int] | None, name: str | Path, remarks: list[str]) -> tuple[int, int, int]:
    count, colours = dataset.count, list(dataset.colorinterp)
    if wanted is not None:
        return _bands_asked_for(count, wanted, name)
    coloured = tuple(colours.index(colour) + 1 for colour in RGB) if all(c in colours for c in RGB) else None
    told = told_bands(dataset)
    if told is not None and told != (coloured or (1, 2, 3)):
        remarks.append(f"its bands {told[0]}, {told[1]} and {told[2]} are said to be red, green and blue, and so taken")
    if told or coloured:
        return told or coloured  # type: ignore[return-value]
    if count == 1 or (count == 2 and colours[1] == ColorInterp.alpha):
        if is_one_of_many(dataset.name):
            remarks.append(ONE_BAND)
        return 1, 1, 1
    if count == 2:
        raise SceneError("scene has 2 bands, the model takes 3", name, hint="`bands` 1 for a grey image")
    if count > 3:
        remarks.append("not all of red, green and blue are said to be in a band of it, so bands 1, 2 and 3 are taken")
    return 1, 2, 3


def _bands_asked_for(count: int, wanted: Sequence[int], name: str | Path) -> tuple[int, int, int]:
    if len(wanted) not in (1, 3):
        raise SceneError("`bands` takes one band or three", ",".join(map(str, wanted)), hint="`bands` 3,2,1")
    for band in wanted:
        check_band(band, count, name)
    red, green, blue = [*wanted] * (3 // len(wanted))
    return red, green, blue


def _dtype(dataset: Any, bands: Sequence[int], name: str | Path) -> np.dtype[Any]:
    """The type of the numbers, which are an image's and come in blocks that can be held."""
    kinds = sorted({dataset.dtypes[band - 1] for band in bands})
    if len(kinds) > 1 or np.dtype(kinds[0].replace("complex_int16", "complex64")).kind not in "uif":
        raise SceneError(
            f"raster holds {', '.join(kinds)}, which are no image", name,
            hint="give one of red, green and blue in whole or decimal numbers",
        )  # fmt: skip
    dtype: np.dtype[Any] = np.dtype(kinds[0])
    height, width = dataset.block_shapes[bands[0] - 1]
    mib = height * width * dtype.itemsize / 2**20
    if mib > LARGEST_BLOCK_MIB:
        raise SceneError(
            f"raster's blocks of {width} x {height} px take {mib:.0f} MiB each", name,
            hint="gdal_translate -co TILED=YES -co SPARSE_OK=YES SRC tiled.tif, and translate that",
        )  # fmt: skip
    return dtype


def _palette(dataset: Any, band: int) -> Palette | None:
    if dataset.colorinterp[band - 1] != ColorInterp.palette:
        return None
    of_value = dataset.colormap(band)
    # One more, black, for what has no colour; bytes have no more than 256 values.
    n_colours = 256 if dataset.dtypes[band - 1] == "uint8" else max(of_value, default=0) + 2
    colours = [(0, 0, 0)] * n_colours
    for value, (red, green, blue, _) in of_value.items():
        colours[value] = (red, green, blue)
    return tuple(colours)
