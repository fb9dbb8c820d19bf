"""The network of roads of a raster of classes: windows are traced, joined, tidied and made smooth; writes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import numpy as np

from sat2map.arrays import Array, Float64, UInt8
from sat2map.scene.georeference import Grid
from sat2map.scene.gsd import ground_gsd
from sat2map.tiling import Window
from sat2map.vector.class_raster import ClassRaster, ClassWindow
from sat2map.vector.road_graph import RoadGraph
from sat2map.vector.roads_ends import Ends, one_node_a_meeting, with_ends
from sat2map.vector.roads_gaps import Closing, gaps_closed
from sat2map.vector.roads_network import RoadLines
from sat2map.vector.roads_points import POINT, Int64, LinePoints, PointStore
from sat2map.vector.roads_shape import smooth_lines
from sat2map.vector.roads_stitch import in_order, stitched
from sat2map.vector.roads_tidy import Tidying, one_node_a_junction, shown_confidence, tidied, without_weak_ends
from sat2map.vector.roads_trace import Tracing, trace_window
from sat2map.vector.spool import Spool


@dataclass(frozen=True)
class RoadSettings:
    """How roads become lines; the defaults were tuned on maps of the training set at 0.9 m per pixel."""

    close_gaps_m: float = 20.0
    """Longer gaps stay open; 0: all."""
    sigma_px: float = 2.0
    """How far the points of a line are smoothed along it."""
    tolerance_px: float = 0.3
    """How far a line may be off after it was simplified."""
    gsd_m: float | None = None
    """Metres per pixel; None: as the grid says, or 1 where it has no place."""
    tracing: Tracing = field(default_factory=Tracing)
    tidying: Tidying = field(default_factory=Tidying)
    ends: Ends = field(default_factory=Ends)


def trace_roads(
    raster: ClassRaster,
    settings: RoadSettings | None = None,
    *,
    window_px: int = 1024,
    n_workers: int = 1,
    folder: Path | None = None,
) -> RoadGraph:
    """Trace the roads of a raster; the result depends neither on the windows nor on how many work on them.

    Args:
        raster: of classes.
        settings: how roads become lines.
        window_px: side of the windows that are read, to which a margin comes.
        n_workers: threads.
        folder: where intermediate results find space; None: where the system has its temporary files.

    Raises:
        OutputError: there is no space for intermediate results.
    """
    settings = settings or RoadSettings()
    grid = raster.grid
    sides = (settings.gsd_m,) * 2 if settings.gsd_m else ground_gsd(grid) or (1.0, 1.0)
    gsd_m = float(np.sqrt(sides[0] * sides[1]))
    tidying, has_confidence = settings.tidying, raster.read(Window(0, 0, 1, 1)).confidence_hw is not None
    with closing(Spool(folder, POINT)) as store:
        net = tidied(_traced(raster, settings.tracing, window_px, n_workers, store), tidying)
        if has_confidence:
            net = without_weak_ends(net, tidying, tidying.weak_before)
        net = gaps_closed(net, Closing(settings.close_gaps_m / gsd_m))
        if has_confidence:
            net = without_weak_ends(net, tidying, tidying.weak_after)
        net = one_node_a_meeting(one_node_a_junction(net, tidying), settings.ends)
        net = in_order(net.without_idle_nodes(), grid.width)
        graph = _graph(with_ends(net, settings.ends, grid.height, grid.width), grid, settings, gsd_m)
    return graph if has_confidence else replace(graph, confidence=np.full(len(graph), np.nan))


def _traced(raster: ClassRaster, settings: Tracing, window_px: int, n_workers: int, store: PointStore) -> RoadLines:
    """The lines of all windows, joined."""
    height, width = raster.grid.height, raster.grid.width
    lock = Lock()

    def trace(core: Window) -> tuple[Int64, RoadLines]:
        read = core.grown(settings.margin_px)
        with lock:
            values = _read(raster, read)
        return trace_window(values, read, core, width, settings)

    with ThreadPoolExecutor(n_workers) as pool:
        return stitched(pool.map(trace, _windows(height, width, window_px)), width, store)


def _read(raster: ClassRaster, window: Window) -> ClassWindow:
    """Read a window; beyond the raster its border goes on, so that roads do not end before they reach it."""
    within = window.clipped(raster.grid.height, raster.grid.width)
    values = raster.read(within)
    row, col = within.row - window.row, within.col - window.col
    pad = (row, window.height - within.height - row), (col, window.width - within.width - col)
    confidence = None if values.confidence_hw is None else np.pad(values.confidence_hw, pad, mode="edge")
    return ClassWindow(
        np.pad(values.classes_hw, pad, mode="edge"), np.pad(values.valid_hw, pad, mode="edge"), confidence
    )


def _windows(height: int, width: int, side: int) -> Iterator[Window]:
    for row in range(0, height, side):
        for col in range(0, width, side):
            yield Window(row, col, side, side).clipped(height, width)


class _Attributes(NamedTuple):
    """What a line is written with: an array of shape (n,) each, and all coordinates."""

    xy: Float64
    n_points: Int64
    length_px: Float64
    width_px: Float64
    width_p10_px: Float64
    kind: Array
    confidence: Float64


NO_ROADS = _Attributes(
    np.zeros((0, 2)), np.zeros(0, np.int64), np.zeros(0), np.zeros(0), np.zeros(0), np.zeros(0, np.uint8), np.zeros(0)
)


def _graph(net: RoadLines, grid: Grid, settings: RoadSettings, gsd_m: float) -> RoadGraph:
    found = [_attributes(points, net.xy[net.ends[lines]], settings) for lines, points in net.batches()]
    made = _Attributes(*(np.concatenate(column) for column in zip(*found, strict=True))) if found else NO_ROADS
    return RoadGraph(
        grid=grid,
        node_xy=net.xy,
        degree=net.degrees,
        ends=net.ends,
        offsets=np.append(0, np.cumsum(made.n_points)),
        xy=made.xy,
        road_class=made.kind,
        width_m=made.width_px * gsd_m,
        width_p10_m=made.width_p10_px * gsd_m,
        length_m=made.length_px * gsd_m,
        confidence=np.where(net.is_inferred, 0.0, made.confidence),
        is_inferred=net.is_inferred,
    )


def _attributes(lines: LinePoints, nodes: Float64, settings: RoadSettings) -> _Attributes:
    xy, offsets = smooth_lines(lines, nodes, sigma_px=settings.sigma_px, tolerance_px=settings.tolerance_px)
    steps = np.append(0, np.hypot(*np.diff(xy, axis=0).T))
    steps[offsets[:-1]] = 0
    length = np.add.reduceat(steps, offsets[:-1])
    # Of the points that lie in no junction.
    order = np.lexsort((lines.points["radius"], lines.line_of_point))
    width = 2 * lines.points["radius"][order].astype(np.float64)
    median, tenth = (width[lines.offsets[:-1] + lines.counts // share] for share in (2, 10))
    kind = _classes(lines, settings.tracing.road_classes)
    return _Attributes(xy, np.diff(offsets), length, median, tenth, kind, shown_confidence(lines))


def _classes(lines: LinePoints, road_classes: Sequence[int]) -> UInt8:
    """The class of most points of each line, the first of the road classes where that is not decided."""
    first = lines.offsets[:-1]
    votes = [np.add.reduceat(lines.points["kind"] == kind, first, dtype=np.int64) for kind in road_classes]
    most: UInt8 = np.array(road_classes, np.uint8)[np.argmax(votes, 0)]
    return most
