"""All scores of a road graph, and where its errors are."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import shapely
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components, maximum_bipartite_matching
from scipy.spatial import cKDTree

from sat2map.arrays import Array, Float64
from sat2map.evaluate.graph_apls import N_SOURCES, SAT2GRAPH, SPACENET, apls
from sat2map.evaluate.graph_lines import LineGraph
from sat2map.evaluate.graph_topo import topo
from sat2map.vector.layer import FeatureBatch, FeatureLayer
from sat2map.vector.write import write_layers

JUNCTION_M = 10.0
CLUMP_M = 5.0
ERROR_M = 10.0
"""Road that is farther from any road of the other graph is missing, or false."""
ERROR_RGB = {"missing": (0, 90, 200), "false": (200, 30, 30)}
"""By which QGIS shows the layers of errors."""


@dataclass(frozen=True)
class RoadScores:
    """How a road graph compares with the true one; all but the ratio from 0 to 1, higher is better."""

    apls_4m: float
    """As SpaceNet's."""
    apls_10m: float
    """As Sat2Graph's."""
    topo_precision: float
    topo_recall: float
    junction_precision: float
    junction_recall: float
    length_ratio: float
    """Predicted length to true length; NaN where there is no true road."""

    def as_dict(self) -> dict[str, float]:
        """By name."""
        return asdict(self)


class RoadErrors(NamedTuple):
    """Parts of roads that the other graph has no road beside: shapely's LineStrings."""

    missing: Array
    false: Array


def score_roads(true: LineGraph, predicted: LineGraph, *, n_sources: int = N_SOURCES, seed: int = 0) -> RoadScores:
    """Compare a road graph with the true one.

    Args:
        true: the true graph.
        predicted: the one that is scored.
        n_sources: control points that paths start from, for APLS.
        seed: of what is drawn by chance.
    """
    reached = topo(true, predicted, seed=seed)
    precision, recall = junctions(true, predicted)
    length = true.lengths_m.sum()
    return RoadScores(
        apls_4m=apls(true, predicted, SPACENET, n_sources=n_sources, seed=seed),
        apls_10m=apls(true, predicted, SAT2GRAPH, n_sources=n_sources, seed=seed),
        topo_precision=reached.precision,
        topo_recall=reached.recall,
        junction_precision=precision,
        junction_recall=recall,
        length_ratio=float(predicted.lengths_m.sum() / length) if length else float("nan"),
    )


def junctions(true: LineGraph, predicted: LineGraph, within_m: float = JUNCTION_M) -> tuple[float, float]:
    """Precision and recall of the nodes at which three or more lines end, matched one to one.

    Of the true graph, junctions nearer to each other than `CLUMP_M` are one: where a road is as wide as that, roads
    that meet it from both sides meet there.
    """
    a, b = _one_a_clump(_junctions(true)), _junctions(predicted)
    if not len(a) or not len(b):
        return float(len(a) == len(b)), float(len(a) == len(b))
    near = cKDTree(a).sparse_distance_matrix(cKDTree(b), within_m, output_type="ndarray")
    pairs = csr_matrix((np.ones(len(near)), (near["i"], near["j"])), shape=(len(a), len(b)))
    n = int((maximum_bipartite_matching(pairs) >= 0).sum())
    return n / len(b), n / len(a)


def _junctions(graph: LineGraph) -> Float64:
    return graph.nodes[graph.degrees > 2]


def _one_a_clump(xy: Float64) -> Float64:
    """Points that are near each other are one, in their middle."""
    near = cKDTree(xy).query_pairs(CLUMP_M, output_type="ndarray") if len(xy) else np.zeros((0, 2), int)
    links = csr_matrix((np.ones(len(near)), (near[:, 0], near[:, 1])), shape=(len(xy), len(xy)))
    n, of = connected_components(links, directed=False)
    sums = [np.bincount(of, xy[:, axis], minlength=n) for axis in (0, 1)]
    middles: Float64 = np.stack(sums, -1) / np.bincount(of, minlength=n)[:, None]
    return middles


def road_errors(true: LineGraph, predicted: LineGraph) -> RoadErrors:
    """Find missing roads, which only the true graph has, and false ones, which only the predicted graph has."""
    return RoadErrors(_beyond(true, predicted), _beyond(predicted, true))


def _beyond(graph: LineGraph, other: LineGraph) -> Array:
    near = shapely.union_all(shapely.buffer(other.lines, ERROR_M))
    parts = shapely.get_parts(shapely.difference(graph.lines, near))
    long: Array = parts[shapely.length(parts) > 0]
    return long


def write_road_errors(path: Path, errors: RoadErrors, crs: Any, *, overwrite: bool = False) -> None:
    """Write the layers `missing` and `false` of a GeoPackage.

    Args:
        path: of the GeoPackage.
        errors: what `road_errors` found.
        crs: of the coordinates (rasterio's).
        overwrite: whether a file that is there may be replaced.

    Raises:
        OutputError: it cannot be written.
    """
    layers = [
        FeatureLayer(
            name,
            "LineString",
            {"class": "string", "length_m": "double"},
            crs,
            [FeatureBatch(lines, {"class": np.full(len(lines), name, object), "length_m": shapely.length(lines)})],
            {name: ERROR_RGB[name]},
        )
        for name, lines in errors._asdict().items()
    ]
    write_layers(path, layers, overwrite=overwrite)
