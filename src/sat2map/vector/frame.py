"""A plane in metres over a scene, in which widths and distances are measured."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import shapely
from rasterio import Affine

from sat2map.errors import SceneError
from sat2map.scene.georeference import Box, Grid
from sat2map.scene.gsd import ground_gsd
from sat2map.tiling import Window
from sat2map.vector.mend import reproject
from sat2map.vector.read import Objects

MARGIN_M = 150.0
"""Vectors so far beside the scene are read: half the widest road, and the largest shift."""
N_POINTS = 21
"""Points on each side of the scene's outline: straight in one CRS is bent in another."""


class MetricFrame(NamedTuple):
    """A plane in metres over a scene: x along its rows, y up its columns, from its upper left corner.

    A width in metres is the same in all directions there, also of a scene in degrees or in Web Mercator.
    """

    grid: Grid
    x_m: float
    """Metres per pixel along a row."""
    y_m: float

    @classmethod
    def of(cls, grid: Grid, name: object) -> MetricFrame:
        """The frame of a scene.

        Raises:
            SceneError: it has no georeference.
        """
        if grid.transform is not None and grid.crs is None:
            raise SceneError("scene has no CRS, so vectors have no place on it", name, hint="`crs` says which it is")
        sides = ground_gsd(grid)
        if sides is None or grid.crs is None:
            raise SceneError(
                "scene has no georeference, so vectors have no place on it",
                name,
                hint="rio edit-info --crs --transform",
            )
        return cls(grid, *sides)

    def transform(self, window: Window) -> Affine:
        """Pixels of a window to metres."""
        return Affine(self.x_m, 0, window.col * self.x_m, 0, -self.y_m, -window.row * self.y_m)

    def box(self, margin_m: float = 0) -> Box:
        """Bounds of the scene with a margin."""
        m = margin_m
        return -m, -self.grid.height * self.y_m - m, self.grid.width * self.x_m + m, m

    def from_crs(self, shapes: Objects) -> Objects:
        """Bring shapes from the scene's CRS."""
        t = ~self.grid.transform
        x, y = self.x_m, -self.y_m
        moved: Objects = shapely.transform(
            shapes, lambda p: np.stack(((p @ (t.a, t.b) + t.c) * x, (p @ (t.d, t.e) + t.f) * y), -1)
        )
        return moved

    def box_in(self, crs: Any) -> Box | None:
        """Bounds of the scene and its margin in another CRS; None where they have no place there."""
        west, south, east, north = self.box(MARGIN_M)
        steps = np.linspace(0, 1, N_POINTS)
        xs, ys = west + (east - west) * steps, south + (north - south) * steps
        points = np.array([(x, y) for x in xs for y in ys])
        t = self.grid.transform
        cols, rows = points[:, 0] / self.x_m, -points[:, 1] / self.y_m
        in_crs = shapely.points(t.a * cols + t.b * rows + t.c, t.d * cols + t.e * rows + t.f)
        moved, _ = reproject(in_crs, self.grid.crs, crs)
        return tuple(shapely.total_bounds(moved).tolist()) if len(moved) else None

    @property
    def is_mirrored(self) -> bool:
        """Whether the plane shows the ground from below, as that of a scene does whose rows run north."""
        return bool(self.grid.transform.determinant > 0)
