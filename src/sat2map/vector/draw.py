"""Vectors drawn as a map on the grid of a scene: read, matched by a style, made wide, and painted in order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import rasterio.features
import rasterio.transform
import shapely
from rasterio import Affine

from sat2map.arrays import Bool, Float64, Int64, UInt8
from sat2map.errors import DataError
from sat2map.scene.georeference import Box, Grid
from sat2map.tiling import Window
from sat2map.vector.coast import sea_polygons
from sat2map.vector.draw_style import DrawStyle
from sat2map.vector.frame import MARGIN_M, MetricFrame
from sat2map.vector.match import Matched, count_unknown, match
from sat2map.vector.mend import AREAL, LINEAR, mend, reproject
from sat2map.vector.read import Features, Objects, VectorLayer, read_features, vector_layers

QUADRANT_SEGMENTS = 4
LARGE, CLIP_PX = 500, 4
"""Shapes of more points are cut to the window and so many pixels more: painting takes time by the point."""
KINDS = {"area": AREAL, "line": LINEAR, "coastline": (*AREAL, *LINEAR)}
"""Types of shapes that rules of each geometry draw."""


@dataclass
class Counts:
    """What became of the features that were read."""

    n_read: int = 0
    n_drawn: int = 0
    """Features that a rule draws."""
    n_repaired: int = 0
    n_broken: int = 0
    """Without a geometry, or with one that has no place on the ground."""
    n_other_geometry: int = 0
    """Matched by rules that want polygons and not lines, or lines and not polygons, and by no other."""
    unknown: Counter[str] = field(default_factory=Counter)
    """Values of the style's counted tag that no rule knows."""


class _Painted(NamedTuple):
    """Shapes of one rule, ready to be painted."""

    shapes: Objects
    colour: int
    order: int
    rank: int
    levels: Int64
    areas: Float64


@dataclass(frozen=True)
class VectorMap:
    """Vectors over a scene, ready to be drawn window by window.

    Attributes:
        frame: in which the shapes lie.
        style: by which they are drawn.
        shapes: polygons in the order in which they are painted.
        colours: uint8, shape (n,): row of all colours of the class table for each shape.
        counts: what became of the features.
    """

    frame: MetricFrame
    style: DrawStyle
    shapes: Objects
    colours: UInt8
    counts: Counts

    @cached_property
    def _tree(self) -> shapely.STRtree:
        return shapely.STRtree(self.shapes)

    def has_any(self, window: Window) -> bool:
        """Whether anything is drawn in a window."""
        w, h = window.width, window.height
        bounds = rasterio.transform.array_bounds(h, w, self.frame.transform(window))
        return len(self._tree.query(shapely.box(*bounds), predicate="intersects")) > 0

    def draw(self, window: Window, shift_m: tuple[float, float] = (0.0, 0.0)) -> UInt8:
        """Draw a window of the scene, which may reach beyond it.

        Args:
            window: of the scene.
            shift_m: by which the vectors are moved, to the right and up.

        Returns:
            uint8, shape (height, width): row of all colours of the class table.
        """
        frame, shape = self.frame, (window.height, window.width)
        transform = frame.transform(window)
        transform = Affine(transform.a, 0, transform.c - shift_m[0], 0, transform.e, transform.f - shift_m[1])
        west, south, east, north = rasterio.transform.array_bounds(*shape, transform)
        near = np.sort(self._tree.query(shapely.box(west, south, east, north)))
        background = self.style.background_colour
        if not len(near):
            return np.full(shape, background, np.uint8)
        shapes = self.shapes[near]
        large = shapely.get_num_coordinates(shapes) > LARGE
        around = self.frame.x_m * CLIP_PX, self.frame.y_m * CLIP_PX
        box = west - around[0], south - around[1], east + around[0], north + around[1]
        shapes[large] = shapely.clip_by_rect(shapes[large], *box)
        colours = self.colours[near]
        kept = ~shapely.is_empty(shapes)
        if not kept.any():
            return np.full(shape, background, np.uint8)
        painted = zip(shapes[kept], colours[kept].tolist(), strict=True)
        drawn: UInt8 = rasterio.features.rasterize(
            painted, out_shape=shape, fill=background, transform=transform, dtype=np.uint8
        )
        return drawn

    def roads(self, window: Window, shift_m: tuple[float, float] = (0.0, 0.0)) -> Bool:
        """Where roads are drawn in a window, as of `draw`: bool, shape (height, width)."""
        found: Bool = self.style.classes.colour_is_road[self.draw(window, shift_m)]
        return found


def open_vector_map(
    files: Sequence[Path], style: DrawStyle, grid: Grid, name: object, layers: Sequence[str] = ()
) -> VectorMap:
    """Read the vectors of a scene and make them ready to be drawn.

    Args:
        files: of vectors.
        style: which of them are drawn as what.
        grid: of the scene.
        name: of the scene, for errors.
        layers: names or patterns of the layers that are meant; none: all.

    Raises:
        DataError: a file cannot be read, none has anything near the scene, or the style matches nothing.
        SceneError: the scene has no georeference.
    """
    collected = _Collected(style, MetricFrame.of(grid, name))
    opened = [layer for file in files for layer in vector_layers(file, layers)]
    for layer in opened:
        if (box := collected.frame.box_in(layer.crs)) is not None:
            for features in read_features(layer, tuple(style.keys()), box):
                collected.take(features, box)
    if not collected.counts.n_read:
        _refuse_beside(opened, collected.frame, files, name)
    drawn = collected.in_order()
    if not len(drawn.shapes):
        _refuse_unmatched(style, drawn.counts, files)
    return drawn


@dataclass
class _Collected:
    """What rules draw of the features that were read so far."""

    style: DrawStyle
    frame: MetricFrame
    counts: Counts = field(default_factory=Counts)
    painted: list[_Painted] = field(default_factory=list)
    coastlines: dict[int, list[Objects]] = field(default_factory=dict)
    """Of each rule of coastlines, by its rank."""

    def take(self, features: Features, box: Box) -> None:
        """Take a batch of features, of which all beyond a box in their CRS may be lost."""
        counts, n = self.counts, len(features.geometry)
        counts.n_read += n
        counts.unknown.update(count_unknown(self.style, features))
        matched = list(match(self.style, features))
        rows = np.unique(np.concatenate([m.rows for m in matched])) if matched else np.empty(0, np.int64)
        mended = mend(features.geometry[rows], box)
        shapes, good = reproject(mended.shapes, features.layer.crs, self.frame.grid.crs)
        shapes, feature = self.frame.from_crs(shapes), rows[mended.feature[good]]
        drawn = np.zeros(n, bool)
        for each in matched:
            position = np.searchsorted(each.rows, feature).clip(0, len(each.rows) - 1)
            fits = (each.rows[position] == feature) & np.isin(shapely.get_type_id(shapes), KINDS[each.rule.geometry])
            drawn[feature[fits]] = True
            self._paint(each, shapes[fits], position[fits])
        has_shape = np.zeros(n, bool)
        has_shape[feature] = True
        counts.n_repaired += mended.n_repaired
        counts.n_drawn += int(drawn.sum())
        counts.n_broken += int((~has_shape[rows]).sum())
        counts.n_other_geometry += int((has_shape & ~drawn).sum())

    def _paint(self, matched: Matched, shapes: Objects, position: Int64) -> None:
        """Make shapes ready that a rule draws; the position says which of its features each is a part of."""
        rule, frame = matched.rule, self.frame
        if rule.geometry == "coastline":
            self.coastlines.setdefault(matched.rank, []).append(shapes)
            return
        areas = shapely.area(shapes)
        if rule.geometry == "line":
            half_m = np.maximum(matched.widths_m[position], max(frame.x_m, frame.y_m)) / 2
            shapes = shapely.buffer(shapes, half_m, quad_segs=QUADRANT_SEGMENTS)
        colour = self.style.colour_of(rule)
        self.painted.append(_Painted(shapes, colour, rule.order, matched.rank, matched.levels[position], areas))

    def in_order(self) -> VectorMap:
        """All of it, in the order in which it is painted."""
        painted = [*self.painted, *self._sea()]
        if not painted:
            return VectorMap(self.frame, self.style, np.empty(0, object), np.empty(0, np.uint8), self.counts)
        sizes = [len(part.shapes) for part in painted]
        colours, orders, ranks = (
            np.repeat([getattr(part, name) for part in painted], sizes) for name in ("colour", "order", "rank")
        )
        shapes, levels, areas = (
            np.concatenate([getattr(part, name) for part in painted]) for name in ("shapes", "levels", "areas")
        )
        by: npt.NDArray[np.intp] = np.lexsort((ranks, -areas, levels, orders))
        return VectorMap(self.frame, self.style, shapes[by], colours[by].astype(np.uint8), self.counts)

    def _sea(self) -> Iterator[_Painted]:
        """Water beside the coastlines of each rule, of all files together."""
        for rank, parts in self.coastlines.items():
            rule, box = self.style.rules[rank], self.frame.box(MARGIN_M / 2)
            shapes = sea_polygons(np.concatenate(parts), box, mirrored=self.frame.is_mirrored)
            levels = np.zeros(len(shapes), np.int64)
            yield _Painted(shapes, self.style.colour_of(rule), rule.order, rank, levels, shapely.area(shapes))


def _refuse_beside(layers: Sequence[VectorLayer], frame: MetricFrame, files: Sequence[Path], name: object) -> None:
    hint = f"none of {', '.join(file.name for file in files)} has anything there; rio bounds tells where the scene is"
    for layer in layers:
        box = frame.box_in(layer.crs)
        if box and layer.crs.is_geographic:
            west, south, east, north = box
            if next(read_features(layer, (), (south, west, north, east)), None) is not None:
                hint = f"coordinates of {layer.path.name} are latitude first: swap them"
    raise DataError("vectors lie beside the scene", name, hint=hint)


def _refuse_unmatched(style: DrawStyle, counts: Counts, files: Sequence[Path]) -> None:
    what = f"style {style.name} draws nothing of the {counts.n_read} features near the scene"
    if counts.n_other_geometry:
        what += f" ({counts.n_other_geometry} are lines where a rule wants polygons, or the other way round)"
    elif counts.n_broken:
        what += f" ({counts.n_broken} have no geometry that can be drawn)"
    raise DataError(
        what, ", ".join(map(str, files)), hint="`style` names another: a TOML file whose rules are of these attributes"
    )
