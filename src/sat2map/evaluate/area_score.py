"""Areas scored on the raster that they were made of: what simplifying them cost, and whether they are a coverage."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import shapely
from rasterio import Affine
from rasterio.features import rasterize

from sat2map.arrays import Array
from sat2map.classes import MapClass
from sat2map.errors import DataError
from sat2map.scene.georeference import Grid, at
from sat2map.tiling import Window
from sat2map.vector.class_file import open_class_raster
from sat2map.vector.class_raster import ClassRaster
from sat2map.vector.frame import MetricFrame
from sat2map.vector.mend import reproject
from sat2map.vector.read import Objects, read_layer

AREAS = "areas"
WINDOW_PX = 2048
NO_AREA = 255


class ClassAreas(NamedTuple):
    """How the areas of a class compare with its pixels."""

    share: float
    """Of the raster's valid pixels."""
    area_error: float
    """Area of the polygons to that of the pixels, less 1; NaN where the class has no pixel."""
    iou: float
    """Of the pixels whose middle lies in a polygon and those of the raster."""


class AreaScores(NamedTuple):
    """How areas compare with the raster that they were made of."""

    n_areas: int
    is_coverage: bool
    """Whether no areas overlap, and neighbours share their vertices."""
    vertices_per_km: float
    """Of all polygons' borders; a border of two areas counts for both."""
    classes: dict[str, ClassAreas]


def score_areas(areas: Path, raster: Path, table: Sequence[MapClass] | None = None) -> AreaScores:
    """Compare the areas of a file with a raster of classes.

    Args:
        areas: vectors with a layer `areas` (or one layer alone), whose field `class` names the class.
        raster: a map, or numbers of classes.
        table: the classes; None: those that the raster names, else the default ones.

    Raises:
        DataError: the vectors cannot be read, hold no areas, or name a class that the table has not.
        SceneError: the raster cannot be read, or holds no classes.
    """
    with open_class_raster(raster, table) as classes:
        table = classes.table
        shapes, kinds = _read_areas(areas, classes.grid, [kind.name for kind in table])
        in_pixels = MetricFrame(classes.grid, 1, -1).from_crs(shapes)
        counts = _confusion(in_pixels, kinds, classes, len(table))
        area_px = np.bincount(kinds, shapely.area(in_pixels), minlength=len(table))
        metres = MetricFrame.of(classes.grid, raster).from_crs(shapes)
    n_vertices = shapely.get_num_coordinates(metres).sum() - len(shapely.get_rings(metres))
    return AreaScores(
        n_areas=len(shapes),
        is_coverage=bool(shapely.coverage_is_valid(shapes)),
        vertices_per_km=float(n_vertices / shapely.length(metres).sum() * 1000),
        classes={kind.name: _of_class(counts, i, area_px[i]) for i, kind in enumerate(table)},
    )


def _of_class(counts: Array, i: int, area_px: float) -> ClassAreas:
    """Of the counts, rows are the raster's classes and columns those of the areas."""
    n, either = counts[i].sum(), counts[i].sum() + counts[:, i].sum() - counts[i, i]
    return ClassAreas(
        share=float(n / max(counts[:-1].sum(), 1)),
        area_error=float(area_px / n - 1) if n else float("nan"),
        iou=float(counts[i, i] / either) if either else float("nan"),
    )


def _read_areas(path: Path, grid: Grid, names: list[str]) -> tuple[Objects, Array]:
    """The polygons in the grid's CRS, and the row of the class table of each."""
    layer, parts = read_layer(path, AREAS, ("class",))
    shapes = np.concatenate([part.geometry for part in parts]) if parts else np.zeros(0, object)
    named = np.concatenate([part.tags["class"] for part in parts]) if parts else np.zeros(0, object)
    if not len(shapes) or not np.isin(shapely.get_type_id(shapes), (3, 6)).all():
        raise DataError("vectors hold no areas", path, hint="give a file of vectorize with the layer `areas`")
    unknown = sorted({str(name) for name in named} - set(names))
    if unknown:
        raise DataError(f"class {unknown[0]!r} of the areas is not in the class table", path, hint=", ".join(names))
    moved, has_place = reproject(shapes, layer.crs, grid.crs)
    corners = [
        at(grid.transform, x, y) for x, y in ((0, 0), (grid.width, 0), (grid.width, grid.height), (0, grid.height))
    ]
    if not shapely.intersects(moved, shapely.Polygon(corners)).any():
        raise DataError("areas lie beside the raster", path, hint="give the raster that they were made of")
    return moved, np.array([names.index(name) for name in named[has_place]], np.uint8)


def _confusion(shapes: Objects, kinds: Array, raster: ClassRaster, n_classes: int) -> Array:
    """Pixels by their class in the raster and in the areas; the last row and column are no data and no area."""
    tree, counts = shapely.STRtree(shapes), np.zeros((n_classes + 1, n_classes + 1), np.int64)
    height, width = raster.grid.height, raster.grid.width
    for row in range(0, height, WINDOW_PX):
        for col in range(0, width, WINDOW_PX):
            window = Window(row, col, WINDOW_PX, WINDOW_PX).clipped(height, width)
            values = raster.read(window)
            near = tree.query(shapely.box(col, row, col + window.width, row + window.height))
            drawn = _burnt(shapes[near], kinds[near], window)
            true = np.where(values.valid_hw, values.classes_hw, n_classes).ravel().astype(np.int64)
            found = np.where(drawn == NO_AREA, n_classes, drawn).ravel()
            counts += np.bincount(true * (n_classes + 1) + found, minlength=counts.size).reshape(counts.shape)
    return counts


def _burnt(shapes: Objects, kinds: Array, window: Window) -> Array:
    drawn = np.full((window.height, window.width), NO_AREA, np.uint8)
    if len(shapes):
        pairs = zip(shapes, kinds.tolist(), strict=True)
        rasterize(pairs, out=drawn, transform=Affine.translation(window.col, window.row))
    return drawn
