"""Scores of road graphs, on graphs worked out by hand and against another program."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import shapely
from rasterio.crs import CRS

from sat2map.evaluate.graph_apls import SAT2GRAPH, SPACENET, apls
from sat2map.evaluate.graph_lines import LineGraph, line_graph
from sat2map.evaluate.graph_score import junctions, road_errors, score_roads, write_road_errors
from sat2map.evaluate.graph_topo import topo

from ..need import SHARED

APLS_PROGRAM = SHARED / "tools" / "apls.py"


def graph(*lines: Sequence[tuple[float, ...]]) -> LineGraph:
    return line_graph([np.array(line, float) for line in lines])


CROSS = graph(*([(0, 0), (100 * x, 100 * y)] for x, y in ((1, 0), (0, 1), (-1, 0), (0, -1))))
ROAD = graph([(0, 0), (200, 0)])


def test_a_graph_is_all_right_compared_with_itself() -> None:
    scores = score_roads(CROSS, CROSS).as_dict()
    assert list(scores.values()) == pytest.approx([1.0] * 7)


def test_a_graph_far_from_the_true_one_has_nothing_right() -> None:
    away = graph([(1000, 1000), (1200, 1000)])
    scores = score_roads(ROAD, away)
    assert (scores.apls_4m, scores.apls_10m, scores.topo_precision, scores.topo_recall) == (0, 0, 0, 0)
    assert scores.length_ratio == pytest.approx(1)


def test_no_road_at_all_is_right_where_there_is_none() -> None:
    none = graph()
    assert (apls(none, none, SPACENET), topo(none, none), junctions(none, none)) == (1.0, (1.0, 1.0), (1.0, 1.0))
    assert (apls(ROAD, none, SPACENET), topo(ROAD, none), apls(none, ROAD, SAT2GRAPH)) == (0, (0, 0), 0)


def test_apls_of_a_road_of_which_half_was_found() -> None:
    # Control points at 0, 50, 100, 150, 200 m; the first three are found: of ten pairs three are there, all of theirs.
    half = graph([(0, 0), (100, 0)])
    assert apls(ROAD, half, SPACENET) == pytest.approx(2 * 0.3 * 1 / 1.3)
    # From 100 m on there are six pairs, of which one is found.
    assert apls(ROAD, half, SAT2GRAPH) == pytest.approx((1 / 6 + 1) / 2)


def test_apls_of_a_detour() -> None:
    # Between the ends 200 m became 2 sqrt(100^2 + 75^2) = 250 m; no other control point is found.
    detour = graph([(0, 0), (100, 75), (200, 0)])
    there = 0.25 / 10 + 9 / 10
    # Back: control points at 0, 50, 100, 150, 200, 250 m, of 15 pairs that of the ends is found, 50 of 250 m too short.
    back = (0.2 + 14) / 15
    mean = 2 * (1 - there) * (1 - back) / (2 - there - back)
    assert apls(ROAD, detour, SPACENET) == pytest.approx(mean)


def test_apls_of_a_gap_counts_paths_that_are_not_there() -> None:
    # Points at 0, 50, 100 m lie on the first part, those at 150 and 200 m on the second: 3 + 1 pairs of 10.
    parts = graph([(0, 0), (120, 0)], [(130, 0), (200, 0)])
    there = 4 / 10
    # Control points of both parts are all found: 3 + 3 + ... pairs, each of its own length.
    assert apls(ROAD, parts, SPACENET) == pytest.approx(2 * there / (1 + there))


def test_apls_snaps_to_lines_and_not_to_their_points() -> None:
    moved = graph([(0, 3.9), (200, 3.9)])
    assert apls(ROAD, moved, SPACENET) == pytest.approx(1)
    assert apls(ROAD, graph([(0, 4.1), (200, 4.1)]), SPACENET) == 0
    assert apls(ROAD, graph([(0, 4.1), (200, 4.1)]), SAT2GRAPH) == pytest.approx(1)


def test_topo_of_a_road_of_which_half_was_found() -> None:
    # Marbles at 2.5, 7.5, ... 197.5 m, all within reach of each other; 20 and two more within 10 m have a partner.
    score = topo(ROAD, graph([(0, 0), (100, 0)]), n_seeds=1000)
    assert score.precision == pytest.approx(1)
    assert score.recall == pytest.approx((20 / 40) * (22 / 40), abs=0.001)


def test_topo_wants_the_same_direction() -> None:
    across = graph(*([(x, -4), (x, 4)] for x in range(5, 200, 10)))
    assert topo(ROAD, across) == (0, 0)


def test_junctions_are_matched_one_to_one() -> None:
    star = [[(0, 0), (50, 0)], [(0, 0), (0, 50)], [(0, 0), (-50, 0)]]
    near = [[(x + 7, y) for x, y in line] for line in star]
    both = graph(*star, *near)
    assert junctions(graph(*star), both) == (0.5, 1.0)
    assert junctions(graph(*star), graph(*near)) == (1.0, 1.0)
    assert junctions(graph(*star), graph(*near), within_m=6) == (0.0, 0.0)
    # Junctions of the true graph that are nearer than 5 m are one.
    clump = graph(*star, *[[(x + 4, y) for x, y in line] for line in star])
    assert junctions(clump, graph(*star)) == (1.0, 1.0)


def test_errors_are_lines_where_the_other_graph_has_no_road(tmp_path: Path) -> None:
    errors = road_errors(ROAD, graph([(0, 0), (100, 0)], [(0, 500), (30, 500)]))
    assert shapely.length(errors.missing).sum() == pytest.approx(90, abs=0.1)
    assert shapely.length(errors.false).tolist() == pytest.approx([30])
    for overwrite in (False, True):
        write_road_errors(tmp_path / "errors.gpkg", errors, CRS.from_epsg(32618), overwrite=overwrite)
    from pyogrio import list_layers, read_info

    assert sorted(list_layers(tmp_path / "errors.gpkg")[:, 0]) == ["false", "layer_styles", "missing"]
    assert read_info(tmp_path / "errors.gpkg", layer="missing")["features"] == 1


def grid(rng: np.random.Generator, drop: float, shake_m: float) -> list[list[list[float]]]:
    """A street grid, some streets of which are missing and all of which are a little off."""
    numbers = [(i, j) for i in range(8) for j in range(6)]
    corner = {(i, j): [80.0 * i + rng.normal(0, shake_m), 110.0 * j + rng.normal(0, shake_m)] for i, j in numbers}
    pairs = [((i, j), (i + a, j + b)) for i, j in corner for a, b in ((1, 0), (0, 1)) if (i + a, j + b) in corner]
    return [[corner[p], corner[q]] for p, q in pairs if rng.random() >= drop]


@pytest.mark.skipif(not APLS_PROGRAM.exists(), reason="no independent scorer beside the checkout")
@pytest.mark.parametrize("seed", range(3))
def test_apls_is_that_of_another_program(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    sides = grid(rng, 0.0, 8.0), grid(np.random.default_rng(seed), 0.15, 7.0)
    files = [tmp_path / name for name in ("true.json", "predicted.json")]
    for path, lines in zip(files, sides, strict=True):
        features = [{"type": "Feature", "geometry": {"type": "LineString", "coordinates": line}} for line in lines]
        path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    out = tmp_path / "scores.json"
    subprocess.run([sys.executable, str(APLS_PROGRAM), *map(str, files), "--metres", "--json", str(out)], check=True)
    other = json.loads(out.read_text())
    ours = score_roads(*(graph(*[[tuple(p) for p in line] for line in lines]) for lines in sides), n_sources=10**6)
    assert ours.apls_4m == pytest.approx(other["apls_spacenet"], abs=0.01)
    assert ours.apls_10m == pytest.approx(other["apls_sat2graph"], abs=0.01)
    assert ours.length_ratio == pytest.approx(other["length_ratio"], abs=1e-6)
