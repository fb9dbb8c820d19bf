"""Squares of a scene that become pairs: which can, how their vectors are moved, and their files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import rasterio
import rasterio.transform
from PIL import Image
from rasterio.errors import RasterioError

from sat2map.arrays import Bool, UInt8
from sat2map.data.align import (
    ShiftAt,
    Shifts,
    estimate_shift,
    margin_px,
    missing_roads,
    missing_share,
    smooth_shifts,
)
from sat2map.data.footprint import Footprint
from sat2map.data.pairs import FOLDERS
from sat2map.errors import OutputError
from sat2map.scene.gdal import reason_of
from sat2map.scene.georeference import Grid
from sat2map.scene.source import Source
from sat2map.tiling import Window
from sat2map.vector.draw import VectorMap

CLASS_FOLDER = "classes"
Reason = Literal["written", "nodata", "no vectors", "roads are missing"]
PredictedRoads = Callable[[Window], Bool]
"""Where a model sees roads in a window of a scene: bool, shape (height, width)."""


class Cell(NamedTuple):
    """A square of a scene that could be a pair, and what became of it."""

    scene: str
    name: str
    """Of its files, without an ending."""
    window: Window
    footprint: Footprint
    reason: Reason
    shift: ShiftAt | None = None
    missing: float | None = None
    """Share of the roads that the model sees and that are not drawn."""
    is_completed: bool = False
    """Whether the roads that the model sees and that are not drawn are on the map."""


class CellWriter(NamedTuple):
    """Writes the squares of one scene.

    Attributes:
        source: the open scene.
        drawn: the vectors over it.
        folder: of the data set.
        name: by which its files begin.
        predicted: what a model sees, if it was asked.
    """

    source: Source
    drawn: VectorMap
    folder: Path
    name: str
    predicted: PredictedRoads | None

    def write_all(self, scene: str, size_px: int) -> list[Cell]:
        """Write the pairs; return all squares."""
        grid = self.source.grid
        cells = [
            Cell(scene, f"{self.name}_{w.row}_{w.col}", w, _footprint(grid, w), self._usable(w))
            for w in _windows(grid, size_px)
        ]
        kept = [cell.window for cell in cells if cell.reason == "written"]
        shifts = self._find_shifts(kept) if self.predicted else None
        return [self._write(cell, shifts) if cell.reason == "written" else cell for cell in cells]

    def _usable(self, window: Window) -> Reason:
        if self.source.has_mask and not self.source.valid(window).all():
            return "nodata"
        return "written" if self.drawn.has_any(window) else "no vectors"

    def _find_shifts(self, windows: Sequence[Window]) -> Shifts:
        """Where the model sees the roads of each square, beside where they are drawn."""
        assert self.predicted is not None
        px_m = self.drawn.frame.x_m, self.drawn.frame.y_m
        margin = margin_px(px_m)
        found = []
        for window in windows:
            roads = self.drawn.roads(window.grown(margin))
            found.append(estimate_shift(roads, self.predicted(window), px_m))
        return smooth_shifts(windows, found, px_m)

    def _write(self, cell: Cell, shifts: Shifts | None) -> Cell:
        shift = shifts.at(cell.window) if shifts else None
        colours = self.drawn.draw(cell.window, shift.smoothed_m if shift else (0.0, 0.0))
        if self.predicted is not None:
            frame, is_road = self.drawn.frame, self.drawn.style.classes.colour_is_road
            roads = is_road[colours], self.predicted(cell.window), (frame.x_m * frame.y_m) ** 0.5
            missing = missing_share(*roads)
            reason: Reason = "roads are missing" if missing.is_too_much else "written"
            if is_completed := missing.is_some and not missing.is_too_much:
                colours[missing_roads(*roads)] = is_road.argmax()
            cell = cell._replace(shift=shift, missing=missing.share, reason=reason, is_completed=is_completed)
        if cell.reason == "written":
            self._write_files(cell, colours)
        return cell

    def _write_files(self, cell: Cell, colours: UInt8) -> None:
        grid, classes = self.source.grid.part(cell.window), self.drawn.style.classes
        _write_raster(self.folder / FOLDERS[0] / f"{cell.name}.tif", self.source.read(cell.window), grid)
        _write_raster(self.folder / FOLDERS[1] / f"{cell.name}.tif", classes.colours_rgb[colours], grid)
        image = Image.fromarray(classes.class_of_colour[colours]).convert("P")
        image.putpalette([level for kind in classes for level in kind.colours_rgb[0]])
        image.save(self.folder / CLASS_FOLDER / f"{cell.name}.png")


def _windows(grid: Grid, size_px: int) -> Iterator[Window]:
    """Squares of a scene, laid from its middle; at its border less than a square is lost."""
    rows, cols = grid.height // size_px, grid.width // size_px
    top, left = (grid.height - rows * size_px) // 2, (grid.width - cols * size_px) // 2
    for row in range(rows):
        for col in range(cols):
            yield Window(top + row * size_px, left + col * size_px, size_px, size_px)


def _footprint(grid: Grid, window: Window) -> Footprint:
    part = grid.part(window)
    west, south, east, north = rasterio.transform.array_bounds(part.height, part.width, part.transform)
    return Footprint(grid.crs.to_wkt(), min(west, east), min(south, north), max(west, east), max(south, north))


def _write_raster(path: Path, pixels_hwc: UInt8, grid: Grid) -> None:
    options: dict[str, Any] = {"driver": "GTiff", "compress": "deflate", "predictor": 2, "photometric": "RGB"}
    size: dict[str, Any] = {"height": grid.height, "width": grid.width, "count": 3, "dtype": "uint8"}
    try:
        with rasterio.open(path, "w", crs=grid.crs, transform=grid.transform, **size, **options) as dataset:
            dataset.write(np.moveaxis(pixels_hwc, -1, 0))
        # When the disk is full, GDAL can close a truncated file without an error.
        with rasterio.open(path) as dataset:
            dataset.read()
    except RasterioError as error:
        raise OutputError(f"pairs cannot be written ({reason_of(error)})", path, hint="is the disk full?") from error
