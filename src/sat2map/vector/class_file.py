"""Rasters of classes in files: a map, ours or one like it, or numbers of classes."""

from __future__ import annotations

import threading
import tomllib
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.enums import ColorInterp
from rasterio.errors import NotGeoreferencedWarning

from sat2map.arrays import Float32, UInt8
from sat2map.classes import CLASSES, MapClass
from sat2map.errors import DataError, SceneError
from sat2map.scene.class_tag import named_classes
from sat2map.scene.gdal import read_errors
from sat2map.scene.georeference import Grid
from sat2map.tiling import Window
from sat2map.vector.class_raster import ClassWindow
from sat2map.vector.confidence_file import open_confidence, opened_raster

SAMPLE_PX = 512
"""Side of the sample by which a map is told from a photograph."""
LARGEST_DISTANCE = 32.0
"""Levels of 0..255 between a map's colours and those of the table, on half of the ground."""
UNKNOWN = 255
ROAD_NAMES = ("road", "major road")
"""Where a class table does not say what are roads, classes of these names are."""
CACHE_BYTES = 64 * 2**20
"""Of GDAL's blocks; its default is a share of the machine's memory."""


class FileClasses:
    """A raster of classes in a file: classes by number, or a map whose colours are looked up.

    Args:
        dataset: open for reading.
        name: of it, for errors.
        table: the classes.
        confidence: a raster of one band on the same grid, 0..255 for 0 to 1.

    Attributes:
        files: everything that is read, the members of a mosaic included.

    Raises:
        SceneError: it holds no classes, or other ones.
    """

    def __init__(self, dataset: Any, name: str | Path, table: Sequence[MapClass], confidence: Any = None) -> None:
        self._dataset, self._name, self._confidence = dataset, name, confidence
        self.files = [Path(file) for file in (*dataset.files, *(confidence.files if confidence else ()))]
        self.grid = Grid(dataset.height, dataset.width, dataset.crs, dataset.transform)
        # A dataset is read by one thread at a time; what follows is done by several.
        self._lock = threading.Lock()
        self.table, self._n_classes = table, len(table)
        kinds = sorted(set(dataset.dtypes))
        self._is_map = dataset.count in (3, 4) and kinds == ["uint8"]
        if self._is_map:
            self._colours = ColourTable(table)
            self._check_colours()
        elif dataset.count > 2 or np.dtype(kinds[0]).kind not in "ui":
            words = f"{dataset.count} bands of {', '.join(kinds)}"
            raise SceneError(
                f"raster holds {words}: neither classes nor a map", name,
                hint="give one band of whole numbers from 0, or a map in red, green and blue",
            )  # fmt: skip

    def read(self, window: Window) -> ClassWindow:
        """Read a window that lies within the raster.

        Raises:
            SceneError: the raster is corrupt, or holds a number that is no class.
        """
        with self._lock, read_errors(self._name, f"in rows {window.row} to {window.row + window.height}"):
            pixels = self._dataset.read([1, 2, 3] if self._is_map else 1, window=window.slices)
            valid = self._dataset.dataset_mask(window=window.slices) > 0
            confidence = None if self._confidence is None else self._confidence.read(1, window=window.slices)
        if self._is_map:
            return ClassWindow(self._colours.classify(pixels), valid, confidence)
        wrong = pixels[valid & ((pixels < 0) | (pixels >= self._n_classes))]
        if len(wrong):
            raise SceneError(
                f"raster holds {int(wrong[0])}, and the classes are 0 to {self._n_classes - 1}", self._name,
                hint="name its classes with `class_table`, and its nodata value with rio edit-info --nodata",
            )  # fmt: skip
        return ClassWindow(np.where(valid, pixels, 0).astype(np.uint8), valid, confidence)

    def _check_colours(self) -> None:
        """See that the colours are those of the table, or nearly: a photograph is no map."""
        shape = tuple(min(side, SAMPLE_PX) for side in self._dataset.shape)
        with read_errors(self._name, "as a whole"):
            rgb = self._dataset.read([1, 2, 3], out_shape=(3, *shape))
            valid = self._dataset.dataset_mask(out_shape=shape) > 0
        far = self._colours.distance(rgb[:, valid])
        if len(far) and np.median(far) > LARGEST_DISTANCE:
            raise SceneError(
                "raster's colours are not those of the classes, so it is no map of them", self._name,
                hint="translate an image first; name the classes of another map with `class_table`",
            )  # fmt: skip


class ColourTable:
    """Finds the class of a colour, and remembers it.

    Args:
        table: the classes; of equally near colours the first one's wins.
    """

    def __init__(self, table: Sequence[MapClass]) -> None:
        self._colours = np.array([rgb for c in table for rgb in c.colours_rgb], np.float32)
        self._class = np.array([i for i, c in enumerate(table) for _ in c.colours_rgb], np.uint8)
        self._known = np.full(2**24, UNKNOWN, np.uint8)

    def classify(self, rgb_chw: UInt8) -> UInt8:
        """The class of each pixel, by the nearest colour.

        Args:
            rgb_chw: uint8, shape (3, ...).
        """
        key = (rgb_chw[0].astype(np.uint32) << 16) | (rgb_chw[1].astype(np.uint32) << 8) | rgb_chw[2]
        found: UInt8 = self._known[key]
        if (new := found == UNKNOWN).any():
            colours = np.unique(key[new])
            self._known[colours] = self._class[self._squares(colours).argmin(-1)]
            found = self._known[key]
        return found

    def distance(self, rgb_chw: UInt8) -> Float32:
        """How far each pixel is from the nearest colour: Euclidean, in levels of 0..255; shape (...)."""
        key = (rgb_chw[0].astype(np.uint32) << 16) | (rgb_chw[1].astype(np.uint32) << 8) | rgb_chw[2]
        colours, place = np.unique(key, return_inverse=True)
        nearest: Float32 = np.sqrt(self._squares(colours).min(-1, initial=3 * 255.0**2))[place]
        return nearest

    def _squares(self, colours: npt.NDArray[np.uint32]) -> Float32:
        rgb = np.stack([colours >> 16, colours >> 8 & 255, colours & 255], -1).astype(np.float32)
        found = np.empty((len(rgb), len(self._colours)), np.float32)
        for i, colour in enumerate(self._colours):
            found[:, i] = ((rgb - colour) ** 2).sum(-1)
        return found


@contextmanager
def open_class_raster(
    source: str | Path, table: Sequence[MapClass] | None = None, confidence: str | Path | None = None
) -> Iterator[FileClasses]:
    """Open a raster of classes: a map (by the nearest colour of the table) or one band of numbers of classes from 0.

    Args:
        source: file or URL.
        table: its classes; None: those that the file names, as `translate` writes them; else the default ones, with
            which a colour table in the file must agree.
        confidence: a raster on the same grid; None: that which `translate` writes beside a map, if it is there.

    Raises:
        SceneError: it cannot be read, holds no classes, or has no CRS.
    """
    with ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        stack.enter_context(rasterio.Env(GDAL_CACHEMAX=CACHE_BYTES))
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        dataset = stack.enter_context(opened_raster(source))
        if dataset.crs is None or dataset.transform.is_identity:
            raise SceneError(
                "raster has no CRS, so its vectors would have no place", source, hint="rio edit-info --crs --transform"
            )
        table = table or named_classes(dataset, source)
        if table is None:
            _check_palette(dataset, source)
        certain = open_confidence(stack, dataset, source, confidence)
        yield FileClasses(dataset, source, table or CLASSES, certain)


def _check_palette(dataset: Any, name: str | Path) -> None:
    """See that a colour table is ours: numbers with other colours are other classes."""
    if dataset.count > 2 or dataset.colorinterp[0] != ColorInterp.palette:
        return
    palette = dataset.colormap(1)
    for i, kind in enumerate(CLASSES):
        if palette.get(i, (0, 0, 0))[:3] not in kind.colours_rgb:
            raise SceneError(
                f"raster's colour table is not that of the classes ({kind.name} is {palette.get(i)})", name,
                hint="name its classes with `class_table`",
            )  # fmt: skip


def read_class_table(path: Path) -> tuple[MapClass, ...]:
    """Read a class table: TOML with a `[[classes]]` for each, in the order of their numbers.

    Each has a `name` and `colours_rgb`, a list of colours, the usual one first; with `is_road = true` it is a road.

    Raises:
        DataError: it is no such file.
    """
    hint = '[[classes]] with name = "forest" and colours_rgb = [[0, 100, 0]] for each'
    try:
        rows = tomllib.loads(path.read_text("utf-8"))["classes"]
        table = tuple(
            MapClass(
                str(r["name"]), tuple((int(x), int(y), int(z)) for x, y, z in r["colours_rgb"]),
                bool(r.get("is_road", r["name"] in ROAD_NAMES)),
            )
            for r in rows
        )  # fmt: skip
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise DataError("class table cannot be read", path, hint=hint) from error
    colours = [level for kind in table for rgb in kind.colours_rgb for level in rgb]
    names = {kind.name for kind in table}
    good = all(0 <= level <= 255 for level in colours) and all(kind.colours_rgb for kind in table)
    if not (0 < len(table) < UNKNOWN and len(names) == len(table) and good):
        raise DataError("class table needs names and colours of 0 to 255, each name once", path, hint=hint)
    return table
