"""A network of roads as it is written and scored: lines between junctions, with what is known of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely

from sat2map.arrays import Array, Bool, Float64, UInt8
from sat2map.scene.georeference import Grid
from sat2map.vector.roads_points import Int64


@dataclass(frozen=True)
class RoadGraph:
    """Roads that are one network: each line runs from a node to a node; where lines meet there is one node.

    Positions are pixels of the grid, x to the right and y down, (0, 0) at the corner of the first pixel; the methods
    give them in its CRS where it has a place. Nodes and lines are in the order of their pixels, row by row, whatever
    windows they were found in.
    """

    grid: Grid
    node_xy: Float64
    """Shape (N, 2)."""
    degree: Int64
    """Ends of lines at each node, shape (N,): 1 where a road ends, 3 and more where roads meet."""
    ends: Int64
    """The two nodes of each line, shape (E, 2)."""
    offsets: Int64
    """Line i has the coordinates from `offsets[i]` to `offsets[i + 1]`, shape (E + 1,)."""
    xy: Float64
    """Coordinates of the lines, shape (P, 2); the first and the last of a line are those of its nodes."""
    road_class: UInt8
    """Row of the class table, of most of the line, shape (E,)."""
    width_m: Float64
    """Median width, shape (E,)."""
    width_p10_m: Float64
    """Width that a tenth of the line is narrower than, shape (E,)."""
    length_m: Float64
    """On the ground, shape (E,)."""
    confidence: Float64
    """Mean, 0 to 1, shape (E,); NaN where it is unknown."""
    is_inferred: Bool
    """Lines across gaps, which the raster does not show, shape (E,)."""

    def __len__(self) -> int:
        return len(self.ends)

    def lines(self, some: slice = slice(None)) -> Array:
        """The lines as shapely's, in the grid's CRS or, where it has no place, in pixels: shape (E,)."""
        first, last = self.offsets[:-1][some], self.offsets[1:][some]
        if not len(first):
            return np.zeros(0, object)
        line = np.repeat(np.arange(len(first)), last - first)
        lines: Array = shapely.linestrings(self._placed(self.xy[first[0] : last[-1]]), indices=line)
        return lines

    def points(self, some: slice = slice(None)) -> Array:
        """The nodes as shapely's points, in the same coordinates: shape (N,)."""
        points: Array = shapely.points(self._placed(self.node_xy[some]))
        return points

    def road_columns(self, class_names: Sequence[str]) -> dict[str, Array]:
        """Attributes of the lines, as the layer `roads` has them; the names are those of the class table."""
        return {
            "start_node": self.ends[:, 0],
            "end_node": self.ends[:, 1],
            "class": np.array(class_names, object)[self.road_class],
            "width_m": self.width_m,
            "width_p10_m": self.width_p10_m,
            "length_m": self.length_m,
            "confidence": self.confidence,
            "is_inferred": self.is_inferred,
        }

    def junction_columns(self) -> dict[str, Array]:
        """Attributes of the nodes, as the layer `junctions` has them."""
        return {"node": np.arange(len(self.node_xy)), "degree": self.degree}

    def _placed(self, xy: Float64) -> Float64:
        t: Any = self.grid.transform
        if t is None:
            return xy
        x, y = xy.T
        return np.stack((t.a * x + t.b * y + t.c, t.d * x + t.e * y + t.f), -1)
