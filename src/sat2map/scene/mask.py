"""Which pixels of a raster hold data: by what is asked, its alpha band, its mask, or its nodata value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rasterio.enums import ColorInterp, MaskFlags

from sat2map.scene.gdal import check_band, read_errors
from sat2map.scene.options import MaskBand, MaskFile, NoMask, ReadOptions
from sat2map.scene.sampling import sample_windows
from sat2map.tiling import Window

SMALLEST_SHARE = 0.9


@dataclass(frozen=True)
class NodataMask:
    """Pixels are invalid where every band used holds one value.

    Attributes:
        value: that value.
    """

    value: float


@dataclass(frozen=True)
class OwnMask:
    """Pixels are valid where the file says so: by its nodata value, or its mask.

    Attributes:
        bands: that say so, counted from 1; all the others would make every pixel valid.
    """

    bands: tuple[int, ...]


@dataclass(frozen=True)
class TransparentColours:
    """Pixels are invalid whose colour in the palette is transparent.

    Attributes:
        indices: of those colours.
    """

    indices: tuple[int, ...]


ValidWhere = NoMask | MaskBand | MaskFile | NodataMask | OwnMask | TransparentColours


def find_mask(
    dataset: Any, options: ReadOptions, bands: Sequence[int], name: str | Path, remarks: list[str]
) -> ValidWhere:
    """Find what says where a raster holds data.

    What is asked for wins over the file: first a mask, then a nodata value.

    Args:
        dataset: a rasterio dataset, open for reading.
        options: what is asked.
        bands: of red, green and blue, counted from 1.
        name: of the raster, for errors.
        remarks: gets what is odd and should be told.

    Raises:
        SceneError: there is no such band, or the alpha band cannot be read.
    """
    if options.mask is not None:
        if isinstance(options.mask, MaskBand):
            check_band(options.mask.band, dataset.count, name)
        return options.mask
    if options.nodata is not None:
        return NodataMask(options.nodata)
    alpha = _alpha(dataset, name, remarks)
    if alpha is not None:
        return MaskBand(alpha)
    # The flag of alpha is on every band of a raster with an alpha band, whether it is a mask or not.
    nothing_said = {MaskFlags.alpha, MaskFlags.all_valid}
    saying = [i for i, flags in enumerate(dataset.mask_flag_enums, start=1) if not nothing_said & {*flags}]
    if transparent := _transparent_colours(dataset, bands[0]):
        return TransparentColours(transparent)
    if not {*bands} & {*saying}:
        return NoMask()
    # A mask of the whole raster is the same in all bands, and is read once.
    return OwnMask(tuple(saying[:1] if MaskFlags.per_dataset in dataset.mask_flag_enums[saying[0] - 1] else saying))


def _transparent_colours(dataset: Any, band: int) -> tuple[int, ...]:
    """Indices of a palette that are wholly transparent, and its nodata value; none where a mask of its own counts."""
    if dataset.colorinterp[band - 1] != ColorInterp.palette or MaskFlags.per_dataset in dataset.mask_flag_enums[0]:
        return ()
    indices = [index for index, (*_, alpha) in dataset.colormap(band).items() if alpha == 0]
    nodata = dataset.nodatavals[band - 1]
    return (*indices, int(nodata)) if indices and nodata is not None else tuple(indices)


def _alpha(dataset: Any, name: str | Path, remarks: list[str]) -> int | None:
    """The band that is a mask and tagged so; what a sample of its values says counts for more than the tag."""
    colours = list(dataset.colorinterp)
    if ColorInterp.alpha not in colours:
        return None
    band = colours.index(ColorInterp.alpha) + 1
    with read_errors(name, "in its alpha band"):
        if alpha_is_a_mask(dataset, band):
            return band
    remarks.append(f"band {band} is tagged alpha but is no mask (near infrared?), so it is ignored")
    return None


def alpha_is_a_mask(dataset: Any, band: int) -> bool:
    """Whether a band tagged alpha is one: at least 90 % of a sample of it is 0 or opaque.

    NAIP tags its near infrared so; taken for a mask it would make most of the ground transparent.

    Args:
        dataset: a rasterio dataset, open for reading.
        band: counted from 1.
    """
    n_binary = n_all = 0
    binary = (0, *_opaque_values(dataset, band))
    for window, shape in sample_windows(dataset, Window(0, 0, *dataset.shape)):
        sample = dataset.read(band, window=window.slices, out_shape=shape)
        n_binary += int(np.isin(sample, binary).sum())
        n_all += sample.size
    return n_binary >= SMALLEST_SHARE * n_all


def _opaque_values(dataset: Any, band: int) -> list[float]:
    """What stands for opaque: the greatest number of the type or of its bits, or 255, which GDAL writes in others."""
    dtype = np.dtype(dataset.dtypes[band - 1])
    if dtype.kind == "f":
        return [1, 255]
    n_bits = int(dataset.tags(band, ns="IMAGE_STRUCTURE").get("NBITS", 8))
    return [255, 2**n_bits - 1, int(np.iinfo(dtype).max)]
