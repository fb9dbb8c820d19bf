"""What a map is made of: a raster, read by windows, or an image, held whole; both give RGB bytes and a mask."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.errors import NodataShadowWarning, NotGeoreferencedWarning

from sat2map.arrays import Bool, UInt8
from sat2map.errors import ImageError, SceneError
from sat2map.scene.gdal import OPEN_ERRORS, is_remote, is_utf8, open_raster
from sat2map.scene.georeference import Grid
from sat2map.scene.image import IMAGE_SUFFIXES, ImageSource
from sat2map.scene.options import DEFAULT_READ_OPTIONS, MaskFile, ReadOptions
from sat2map.scene.raster import RasterSource
from sat2map.scene.stretch import DEFAULT_RULE, NOTHING_SHARED, SharedStretch, Stretch, StretchRule
from sat2map.tiling import Window

__all__ = [
    "DEFAULT_READ_OPTIONS", "IMAGE_SUFFIXES", "RASTER_SUFFIXES", "Grid", "ReadOptions", "Source", "is_remote",
    "open_scene", "share_stretch",
]  # fmt: skip

RASTER_SUFFIXES = (".tif", ".tiff", ".vrt", ".jp2", ".img")
UNDECIDED = Stretch((0, 0, 0), (1, 1, 1))
"""Stands for a stretch that is not decided yet."""
UNSTRETCHED = SharedStretch(UNDECIDED, UNDECIDED)
"""With it, opening a scene decides no stretch."""


class Source(Protocol):
    """A scene that can be read."""

    grid: Grid
    has_mask: bool
    """Whether any pixel can be invalid."""
    files: tuple[Path, ...]
    """Everything that is read, the members of a mosaic included."""
    stretch: Stretch | None
    """How its numbers became bytes; None: they were."""
    remarks: tuple[str, ...]
    """What is odd about it and should be told."""

    def sample(self) -> npt.NDArray[Any]:
        """Numbers of valid pixels from all over the scene, shape (n, 3)."""

    def read(self, window: Window) -> UInt8:
        """RGB of a window within the scene: uint8, shape (h, w, 3)."""

    def valid(self, window: Window) -> Bool:
        """Where a window within the scene holds data: bool, shape (h, w)."""


@contextmanager
def open_scene(
    source: str | Path,
    options: ReadOptions = DEFAULT_READ_OPTIONS,
    rule: StretchRule = DEFAULT_RULE,
    shared: SharedStretch = NOTHING_SHARED,
) -> Iterator[Source]:
    """Open a raster, here or by URL, or an image.

    An image with a georeference (a world file) or of more than 8 bits is a raster, and so is one of which bands,
    nodata, a mask, a part, a CRS or a stretch are asked for.

    >>> from importlib.resources import files
    >>> with open_scene(str(files("sat2map.bundled") / "naip.tif")) as scene:
    ...     (scene.grid.height, scene.grid.width), scene.read(Window(0, 0, 2, 4)).shape
    ((204, 266), (2, 4, 3))

    Args:
        source: file or URL.
        options: what the user asks.
        rule: what the model wants of the scene's numbers; `Translator.stretch_rule` is a model's.
        shared: the stretch, where it was decided already.

    Raises:
        SceneError: the raster cannot be read, or is of a kind that cannot be translated.
        ImageError: the image cannot be read.
    """
    if not is_utf8(source):
        raise SceneError("file's name is not UTF-8, which GDAL needs", source, hint="rename it")
    if not is_remote(source) and not Path(source).exists():
        raise SceneError("no such file", source, hint="check the path")
    with _expected_warnings_ignored(), ExitStack() as stack:
        if not is_remote(source) and _is_image(Path(source), options):
            yield ImageSource(Path(source), rule, shared)
            return
        dataset = stack.enter_context(open_raster(source, options.crs))
        mask = stack.enter_context(open_raster(options.mask.path)) if isinstance(options.mask, MaskFile) else None
        yield RasterSource(dataset, source, options, rule, shared, mask)


@contextmanager
def _expected_warnings_ignored() -> Iterator[None]:
    with warnings.catch_warnings():
        # A raster without a georeference is translated like an image.
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        # Nodata beside an alpha band: `raster_layout` decides which of them counts.
        warnings.simplefilter("ignore", NodataShadowWarning)
        yield


def share_stretch(
    sources: Sequence[str | Path],
    options: ReadOptions = DEFAULT_READ_OPTIONS,
    rule: StretchRule = DEFAULT_RULE,
) -> SharedStretch:
    """Decide one stretch for all scenes that need any: one for those of 8 bits, another for all others.

    Scenes that cannot be read are left to be told later.

    Args:
        sources: files or URLs.
        options: what the user asks.
        rule: what the model wants of the scenes' numbers.
    """
    samples: dict[bool, list[npt.NDArray[Any]]] = {False: [], True: []}
    for source in sources:
        try:
            with open_scene(source, options, rule, UNSTRETCHED) as scene:
                if scene.stretch is not None:
                    sample = scene.sample()
                    samples[sample.dtype == np.uint8].append(sample)
        except (SceneError, ImageError):
            continue
    numbers, eight_bit = (
        Stretch.of_sample(np.concatenate(samples[is_bytes]), rule.levels) if samples[is_bytes] else None
        for is_bytes in (False, True)
    )
    return SharedStretch(numbers, eight_bit)


def _is_image(path: Path, options: ReadOptions) -> bool:
    asked = (options.bands, options.nodata, options.mask, options.bbox, options.stretch, options.crs)
    if path.suffix.lower() not in IMAGE_SUFFIXES or any(option is not None for option in asked):
        return False
    try:
        with rasterio.open(path) as dataset:
            # More than 8 bits are numbers as a GeoTIFF holds them: Pillow would take them all for 16.
            return bool(dataset.transform.is_identity) and {*dataset.dtypes} == {"uint8"}
    except OPEN_ERRORS:
        return True
