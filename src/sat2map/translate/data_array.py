"""Scenes and maps as xarray's arrays, by the conventions of rioxarray; xarray itself is the caller's."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from rasterio import Affine
from rasterio.crs import CRS
from rasterio.dtypes import in_dtype_range
from rasterio.errors import CRSError, NotGeoreferencedWarning
from rasterio.io import MemoryFile

from sat2map.arrays import Bool, UInt8
from sat2map.errors import SceneError
from sat2map.scene.options import ReadOptions
from sat2map.scene.pieces import Product
from sat2map.scene.raster import RasterSource
from sat2map.scene.source import Source
from sat2map.scene.stretch import NOTHING_SHARED, StretchOption, StretchRule

if TYPE_CHECKING:
    from xarray import DataArray

DIMS = ("band", "y", "x")
TOLERANCE = 1e-6
"""Of a pixel: what coordinates are rounded by."""
UNEVENNESS = 1e-3
"""Of a pixel: how far coordinates may lie off an even grid."""


@contextmanager
def open_data_array(scene: DataArray, stretch: StretchOption | None, rule: StretchRule) -> Iterator[Source]:
    """A scene in memory, read as the raster that `scene.rio.to_raster` would write.

    Args:
        scene: numbers of dims band, y, x, in memory or lazy.
        stretch: what the user asks of the numbers.
        rule: what the model wants of them.

    Raises:
        SceneError: the array is no scene.
    """
    array, name = _numbers(scene), scene.name or "DataArray"
    attributes = _georeference_attributes(scene)
    nodata = scene.attrs.get("_FillValue")
    profile: dict[str, Any] = {
        "driver": "GTiff", "count": len(array), "height": array.shape[1], "width": array.shape[2], "dtype": array.dtype,
        "crs": _crs(attributes), "transform": _transform(scene, attributes), "bigtiff": "if_safer",
        "nodata": nodata if nodata is not None and in_dtype_range(nodata, array.dtype) else None,
    }  # fmt: skip
    with warnings.catch_warnings(), MemoryFile() as memory:
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with memory.open(**profile) as written:
            written.write(array)
        with memory.open() as dataset:
            yield RasterSource(dataset, str(name), ReadOptions(stretch=stretch), rule, NOTHING_SHARED)


def map_like(scene: DataArray, map_hwc: UInt8, valid: Bool | None, product: Product) -> DataArray:
    """A map with the georeference of its scene.

    Args:
        scene: of the map.
        map_hwc: uint8, shape (H, W, bands of the product).
        valid: where the scene holds data, bool, shape (H, W); None: everywhere.
        product: what the map is.
    """
    nodata = product.nodata or 0
    bands = np.moveaxis(map_hwc if valid is None else np.where(valid[..., None], map_hwc, nodata), -1, 0)
    coordinates = {name: coordinate for name, coordinate in scene.coords.items() if "band" not in coordinate.dims}
    drawn = type(scene)(
        bands.astype(np.uint8), {"band": np.arange(1, len(bands) + 1), **coordinates}, DIMS, name=product.name
    )
    if valid is not None:
        drawn.attrs["_FillValue"] = nodata
    for source, target in ((scene.attrs, drawn.attrs), (scene.encoding, drawn.encoding)):
        if "grid_mapping" in source:
            target["grid_mapping"] = source["grid_mapping"]
    return drawn


def _numbers(scene: DataArray) -> npt.NDArray[Any]:
    """The array's numbers, shape (bands, H, W), in this machine's byte order."""
    if getattr(scene, "dims", None) != DIMS:
        found = getattr(scene, "dims", type(scene).__name__)
        raise SceneError("scene is no DataArray of dims band, y, x", found, hint='scene.transpose("band", "y", "x")')
    numbers = np.asarray(scene.values)
    if numbers.dtype.kind not in "uif" or not numbers.size:
        raise SceneError("scene is no image", f"{numbers.dtype} {numbers.shape}", hint="give whole or decimal numbers")
    return numbers.astype(numbers.dtype.newbyteorder("="), copy=False)


def _georeference_attributes(scene: DataArray) -> dict[str, Any]:
    """Attributes of the coordinate that says where the scene lies."""
    name = scene.encoding.get("grid_mapping", scene.attrs.get("grid_mapping", "spatial_ref"))
    return dict(scene.coords[name].attrs) if name in scene.coords else {}


def _crs(attributes: dict[str, Any]) -> CRS | None:
    text = attributes.get("crs_wkt", attributes.get("spatial_ref"))
    if text is None:
        return None
    try:
        return CRS.from_user_input(text)
    except CRSError as error:
        raise SceneError("CRS of the scene is none that is known", text, hint="scene.rio.write_crs sets it") from error


def _transform(scene: DataArray, attributes: dict[str, Any]) -> Affine | None:
    """From pixel to CRS. Coordinates win over the attribute, which slicing leaves as it was, unless it is rotated."""
    text = attributes.get("GeoTransform")
    known = None if text is None else Affine.from_gdal(*map(float, text.split()))
    if known is not None and (known.b or known.d):
        return known
    if "x" not in scene.coords or "y" not in scene.coords:
        return known
    x = _axis(scene.coords["x"].values, None if known is None else known.a)
    y = _axis(scene.coords["y"].values, None if known is None else known.e)
    return None if x is None or y is None else Affine(x[1], 0, x[0], 0, y[1], y[0])


def _axis(centres: npt.NDArray[Any], known_step: float | None) -> tuple[float, float] | None:
    """Edge of the first pixel and the step, from pixels' centres; a step that is known is exact where it agrees."""
    first, n_steps = float(centres[0]), len(centres) - 1
    step = (float(centres[-1]) - first) / n_steps if n_steps else known_step
    if step is None:
        return None
    if known_step is not None and abs(step - known_step) * n_steps <= TOLERANCE * abs(step):
        step = known_step
    even = first + step * np.arange(len(centres))
    if not step or np.abs(even - centres).max() > UNEVENNESS * abs(step):
        raise SceneError("scene's coordinates are not evenly spaced", first, hint="scene.rio.reproject makes them so")
    return first - step / 2, step
