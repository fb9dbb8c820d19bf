"""What a map is made of: a raster, read by windows, or an image, held whole; both give RGB bytes and a mask."""

from __future__ import annotations

import dataclasses
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.errors import NodataShadowWarning, NotGeoreferencedWarning, RasterioError

from sat2map.arrays import Bool, UInt8
from sat2map.errors import ImageError, SceneError
from sat2map.scene.georeference import Grid
from sat2map.scene.image import IMAGE_SUFFIXES, ImageSource
from sat2map.scene.raster import DEFAULT_READ_OPTIONS, RasterSource, ReadOptions, is_remote, reason
from sat2map.scene.stretch import Stretch
from sat2map.tiling import Window

__all__ = [
    "DEFAULT_READ_OPTIONS",
    "IMAGE_SUFFIXES",
    "RASTER_SUFFIXES",
    "Grid",
    "ReadOptions",
    "Source",
    "is_remote",
    "open_scene",
    "with_one_stretch",
]


RASTER_SUFFIXES = (".tif", ".tiff", ".vrt", ".jp2", ".img")
REMOTE_ENVIRONMENT = {
    "GDAL_HTTP_CONNECTTIMEOUT": "10",
    "GDAL_HTTP_TIMEOUT": "30",
    "GDAL_HTTP_MAX_RETRY": "2",
    "GDAL_HTTP_RETRY_DELAY": "1",
    # Without it every opening lists the folder on the server.
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": "YES",
}
"""For scenes by URL; a variable of that name in the process's environment wins."""


NO_STRETCH = Stretch((0, 0, 0), (1, 1, 1))
"""Stands for one that is not decided yet."""


class Source(Protocol):
    """A scene that can be read."""

    grid: Grid
    has_mask: bool
    """Whether any pixel can be invalid."""
    files: tuple[Path, ...]
    """Everything that is read, the members of a mosaic included."""
    stretch: Stretch | None
    """How its numbers became bytes; None: they were."""

    def sample(self) -> npt.NDArray[Any]:
        """Numbers of valid pixels from all over the scene, shape (n, 3)."""

    def read(self, window: Window) -> UInt8:
        """RGB of a window within the scene: uint8, shape (h, w, 3)."""

    def valid(self, window: Window) -> Bool:
        """Where a window within the scene holds data: bool, shape (h, w)."""


@contextmanager
def open_scene(source: str | Path, options: ReadOptions = DEFAULT_READ_OPTIONS) -> Iterator[Source]:
    """Open a raster, here or by URL, or an image.

    An image with a place (a world file) is a raster, and so is one of which bands, nodata, a mask or a stretch are
    asked for.

    Raises:
        SceneError: the raster cannot be read, or is of a kind that cannot be translated.
        ImageError: the image cannot be read.
    """
    remote = is_remote(source)
    if not remote and not Path(source).exists():
        raise SceneError("no such file", source, hint="check the path")
    with ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        # A raster without a place is translated like an image.
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        # Nodata beside an alpha band: `RasterSource` decides which of them counts.
        warnings.simplefilter("ignore", NodataShadowWarning)
        if remote:
            ours = {key: value for key, value in REMOTE_ENVIRONMENT.items() if key not in os.environ}
            stack.enter_context(rasterio.Env(**ours))
        elif _is_image(Path(source), options):
            yield ImageSource(Path(source), options)
            return
        dataset = stack.enter_context(_opened(source))
        mask = None
        if options.mask is not None and options.mask != "none" and not options.mask.isdigit():
            mask = stack.enter_context(_opened(options.mask))
        yield RasterSource(dataset, source, options, mask)


def with_one_stretch(sources: Sequence[str | Path], options: ReadOptions) -> ReadOptions:
    """Options by which all scenes that need a stretch get the same one: those of 8 bits one, all others another.

    Scenes that cannot be read are left to be told later.
    """
    undecided = dataclasses.replace(options, collection=NO_STRETCH, collection_bytes=NO_STRETCH)
    samples: dict[bool, list[npt.NDArray[Any]]] = {False: [], True: []}
    for source in sources:
        try:
            with open_scene(source, undecided) as scene:
                if scene.stretch is not None:
                    sample = scene.sample()
                    samples[sample.dtype == np.uint8].append(sample)
        except (SceneError, ImageError):
            continue
    numbers, eight_bit = (
        Stretch.of_sample(np.concatenate(samples[is_bytes]), options.levels) if samples[is_bytes] else None
        for is_bytes in (False, True)
    )
    return dataclasses.replace(options, collection=numbers, collection_bytes=eight_bit)


def _is_image(path: Path, options: ReadOptions) -> bool:
    if path.suffix.lower() not in IMAGE_SUFFIXES:
        return False
    if any(o is not None for o in (options.bands, options.nodata, options.mask, options.bbox)) or isinstance(
        options.stretch, str
    ):
        return False
    try:
        with rasterio.open(path) as dataset:
            return bool(dataset.transform.is_identity)
    except RasterioError:
        return True


def _opened(source: str | Path) -> Any:
    try:
        return rasterio.open(source)
    except RasterioError as error:
        if is_remote(source):
            raise SceneError(
                f"URL cannot be read ({reason(error)})", source, hint="is it right, and is the server there?"
            ) from error
        raise SceneError(
            "raster cannot be opened", source, hint="rio info tells what GDAL makes of it; is it truncated?"
        ) from error
