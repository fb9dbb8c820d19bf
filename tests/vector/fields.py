"""Fields of classes for tests: random ones with all that is hard about borders, and what must hold of their areas."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import shapely
from hypothesis import strategies as st
from rasterio import Affine
from rasterio.crs import CRS

from sat2map.classes import CLASSES
from sat2map.scene.georeference import Grid
from sat2map.tiling import Window
from sat2map.vector.areas import AreaSettings, trace_areas
from sat2map.vector.class_raster import ClassWindow

UTM = CRS.from_epsg(32633)
METRE = Affine(1, 0, 500_000, 0, -1, 5_000_000)


class Field(NamedTuple):
    """uint8, shape (H, W), and where there are data."""

    classes: npt.NDArray[np.uint8]
    valid: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class ArrayClasses:
    """A raster of classes in memory."""

    grid: Grid
    values: ClassWindow

    def read(self, window: Window) -> ClassWindow:
        confidence = self.values.confidence_hw
        return ClassWindow(
            self.values.classes_hw[window.slices],
            self.values.valid_hw[window.slices],
            None if confidence is None else confidence[window.slices],
        )


class Areas(NamedTuple):
    geometry: npt.NDArray[Any]
    area_id: npt.NDArray[np.int64]
    name: npt.NDArray[Any]
    area_m2: npt.NDArray[np.float64]
    confidence: npt.NDArray[np.float64]


@st.composite
def fields(draw: st.DrawFn, largest_px: int = 20) -> Field:
    """Noise, blots, rings, necks of one pixel and diagonals, with or without holes in the data."""
    height, width = draw(st.integers(1, largest_px)), draw(st.integers(1, largest_px))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(1, 4))
    kind = draw(st.sampled_from(["noise", "blots", "rings", "diagonals", "necks"]))
    y, x = np.indices((height, width))
    if kind == "noise":
        classes = rng.integers(0, n, (height, width))
    elif kind == "blots":
        coarse = rng.integers(0, n, (height // 3 + 1, width // 3 + 1))
        classes = coarse.repeat(3, 0).repeat(3, 1)[:height, :width]
    elif kind == "rings":
        centre = rng.integers(0, largest_px, 2)
        classes = np.maximum(np.abs(y - centre[0]), np.abs(x - centre[1])) // rng.integers(1, 4) % (n + 1)
    elif kind == "diagonals":
        classes = (x + rng.choice([-1, 1]) * y) // rng.integers(1, 4) % (n + 1)
    else:
        classes = ((x % 4 == 0) | (y % 5 == 0)).astype(int) * rng.integers(0, 2, (height, width))
    share = draw(st.sampled_from([1.0, 1.0, 0.9, 0.5]))
    return Field(classes.astype(np.uint8), rng.random((height, width)) <= share)


def areas_of(field: Field, folder: Path, settings: AreaSettings, confidence: Any = None, **grid: Any) -> Areas:
    """The areas of a field."""
    place = Grid(*field.classes.shape, **({"crs": UTM, "transform": METRE} | grid))
    layer = trace_areas(ArrayClasses(place, ClassWindow(*field, confidence)), CLASSES, folder, settings)
    batches = list(layer.batches)
    columns = {name: np.concatenate([b.columns[name] for b in batches]) for name in layer.fields}
    geometry = np.concatenate([b.geometry for b in batches])
    return Areas(geometry, columns["area_id"], columns["class"], columns["area_m2"], columns["confidence"])


def in_pixels(geometry: Any) -> Any:
    """Polygons of a field, in pixels from its upper left corner, rows downwards."""
    return shapely.transform(geometry, lambda xy: (xy - [METRE.c, METRE.f]) * [1, -1])


def labels(field: Field) -> npt.NDArray[np.int64]:
    """Areas of a field, 4-connected, numbered by their first pixels from 1; 0 where there are no data: plainly."""
    height, width = field.classes.shape
    found = np.zeros((height, width), np.int64)
    n = 0
    for start in zip(*np.nonzero(field.valid), strict=True):
        if found[start]:
            continue
        n += 1
        waiting, found[start] = [start], n
        while waiting:
            row, col = waiting.pop()
            for r, c in ((row - 1, col), (row + 1, col), (row, col - 1), (row, col + 1)):
                inside = 0 <= r < height and 0 <= c < width
                if not inside or found[r, c] or not field.valid[r, c]:
                    continue
                if field.classes[r, c] == field.classes[row, col]:
                    found[r, c] = n
                    waiting.append((r, c))
    return found


def burnt(geometry: Any, shape: tuple[int, int]) -> npt.NDArray[np.int64]:
    """For each pixel the number from 1 of the polygon that holds its middle, 0 without."""
    y, x = np.indices(shape) + 0.5
    points = shapely.points(x.ravel(), y.ravel())
    point, polygon = shapely.STRtree(geometry).query(points, predicate="within")
    assert len(np.unique(point)) == len(point)
    found = np.zeros(x.size, np.int64)
    found[point] = polygon + 1
    return found.reshape(shape)
