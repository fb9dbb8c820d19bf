"""Small rasters that the tests make."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.crs import CRS
from rasterio.enums import ColorInterp
from rasterio.errors import NotGeoreferencedWarning
from rasterio.transform import from_origin

PLACE = {"crs": CRS.from_epsg(32618), "transform": from_origin(580000, 4510000, 0.9, 0.9)}


def write_raster(
    path: Path,
    bands_chw: npt.NDArray[Any],
    *,
    colours: list[ColorInterp] | None = None,
    mask: npt.NDArray[np.bool_] | None = None,
    **profile: Any,
) -> Path:
    count, height, width = bands_chw.shape
    shape = {"count": count, "height": height, "width": width, "dtype": bands_chw.dtype}
    with warnings.catch_warnings(), rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path, "w", driver="GTiff", **{**shape, **profile}) as dataset:
            dataset.write(bands_chw)
            if colours:
                dataset.colorinterp = colours
            if mask is not None:
                dataset.write_mask(mask)
    return path


def random_bands(count: int, height: int = 40, width: int = 50, seed: int = 0) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(1, 255, (count, height, width), np.uint8)
