"""The raster of the confidence of a map: which file it is, and whether it is that map's."""

from __future__ import annotations

import logging
import math
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from sat2map.errors import SceneError
from sat2map.scene.destination import output_path
from sat2map.scene.formats import TILE_SUFFIXES
from sat2map.scene.gdal import check_is_one_raster, is_remote, open_raster
from sat2map.scene.georeference import at
from sat2map.scene.pieces import CONFIDENCE

TAG_PREFIX, PRODUCT_TAG = "SAT2MAP_", "SAT2MAP_PRODUCT"
"""Of what `translate` says of a raster; the product is another of a map and of its confidence."""
LARGEST_SHIFT_PX = 0.5
"""Between a map and its confidence: formats round where they lie."""

log = logging.getLogger(__name__)


def open_confidence(stack: ExitStack, dataset: Any, source: str | Path, given: str | Path | None) -> Any:
    """The confidence of a map, open for reading as long as `stack` is; None: there is none.

    Args:
        stack: closes it.
        dataset: the map, open for reading.
        source: file or URL of the map.
        given: the file that it is in; None: that which `translate` writes beside a map, if it is there and of this map.

    Raises:
        SceneError: it cannot be read, or is not on the map's grid.
    """
    beside = _confidence_beside(source) if given is None else None
    path = given or beside
    if path is None:
        return None
    confidence = stack.enter_context(opened_raster(path))
    if beside is not None and not _are_drawn_alike(dataset, confidence):
        log.warning("%s is the confidence of another map than %s, and is left out", beside, source)
        return None
    if not _is_confidence_on_grid(confidence, dataset):
        raise SceneError("confidence is not one band of 8 bits on the grid of its map", path, hint="make both again")
    return confidence


def _confidence_beside(source: str | Path) -> Path | None:
    """The confidence that `translate` writes beside a map; None: there is none, or not on the map's grid."""
    path = Path(source)
    # Web tiles have a grid of their own, and their confidence that of the scene.
    if is_remote(source) or path.suffix.lower() in TILE_SUFFIXES:
        return None
    beside = output_path(path, CONFIDENCE)
    return beside if beside.exists() else None


def _are_drawn_alike(a: Any, b: Any) -> bool:
    """Whether two rasters say the same of how they were drawn: a map may be newer than the confidence beside it."""
    first, second = a.tags(), b.tags()
    told = {key for key in {*first} & {*second} if key.startswith(TAG_PREFIX)} - {PRODUCT_TAG}
    return all(first[key] == second[key] for key in told)


def _is_confidence_on_grid(confidence: Any, dataset: Any) -> bool:
    """Whether a raster is one band of 8 bits, and each of its pixels lies where one of another raster does."""
    if confidence.shape != dataset.shape or confidence.dtypes != ("uint8",):
        return False
    if confidence.transform.is_identity:
        return True
    to_pixel = ~dataset.transform
    corners = [(0, 0), (dataset.width, 0), (0, dataset.height)]
    placed = [at(to_pixel, *at(confidence.transform, *corner)) for corner in corners]
    return all(math.dist(corner, there) < LARGEST_SHIFT_PX for corner, there in zip(corners, placed, strict=True))


def opened_raster(source: str | Path) -> Any:
    """A rasterio dataset, open for reading.

    Raises:
        SceneError: no such file, it cannot be opened, or it holds several rasters.
    """
    if not is_remote(source) and not Path(source).exists():
        raise SceneError("no such file", source, hint="check the path")
    dataset = open_raster(source)
    check_is_one_raster(dataset, source)
    return dataset
