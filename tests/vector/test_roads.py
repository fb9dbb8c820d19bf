"""Roads of a raster become one graph: what it looks like, and that windows leave no trace in it."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

import sat2map.vector.roads_network
from sat2map.arrays import Bool, UInt8
from sat2map.city.draw import city
from sat2map.classes import CLASS_NAMES, classify
from sat2map.evaluate.graph_apls import SPACENET, apls
from sat2map.evaluate.graph_lines import line_graph
from sat2map.evaluate.graph_score import junctions
from sat2map.vector.road_graph import RoadGraph
from sat2map.vector.roads import RoadSettings, trace_roads
from sat2map.vector.roads_trace import Tracing, squared_distance
from tests.city.centre_lines import centre_lines
from tests.vector.road_fields import Stroke, band, drawn, raster

ROAD, MAJOR = 1, 2


def traced(classes_hw: UInt8, valid_hw: Bool | None = None, **settings_: Any) -> RoadGraph:
    return trace_roads(raster(classes_hw, valid_hw), RoadSettings(**settings_))


def contents(graph: RoadGraph) -> dict[str, bytes]:
    return {f.name: np.asarray(getattr(graph, f.name)).tobytes() for f in fields(graph) if f.name != "grid"}


def test_a_crossing_is_one_node_and_four_roads_with_their_width_length_and_class() -> None:
    graph = traced(drawn(200, 200, [([(0, 100), (200, 100)], 9, ROAD), ([(100, 0), (100, 200)], 11, MAJOR)]))
    assert sorted(graph.degree.tolist()) == [1, 1, 1, 1, 4]
    assert graph.node_xy[graph.degree == 4][0] == pytest.approx((100.5, 100.5), abs=0.6)
    assert sorted(graph.road_class.tolist()) == [ROAD, ROAD, MAJOR, MAJOR]
    assert graph.width_m == pytest.approx(np.where(graph.road_class == ROAD, 9, 11), abs=1)
    assert graph.length_m == pytest.approx(np.full(4, 100), abs=1.5)
    assert graph.confidence == pytest.approx(np.full(4, 0.8))
    assert not graph.is_inferred.any()


@pytest.mark.parametrize("angle_deg", [50, 65, 80, 90])
def test_slanting_roads_that_cross_meet_in_one_node(angle_deg: float) -> None:
    turn = np.radians(angle_deg)
    ahead = 150 * np.array([np.cos(turn), np.sin(turn)])
    field = band(300, 300, (0, 150), (300, 150), 9) | band(300, 300, tuple(150 - ahead), tuple(150 + ahead), 9)
    graph = traced(field.astype(np.uint8))
    assert (graph.degree > 2).sum() == 1
    assert graph.node_xy[graph.degree > 2][0] == pytest.approx((150, 150), abs=2)


@pytest.mark.parametrize("slope", [0.0, 0.07, 0.31, 0.5, 0.77, 1.0])
@pytest.mark.parametrize("wide", [4.0, 7.3, 12.0])
def test_lines_are_smooth_and_in_the_middle_of_the_road(slope: float, wide: float) -> None:
    start, end = (0.0, 60.0), (400.0, 60 + 400 * slope)
    graph = traced(band(500, 400, start, end, wide).astype(np.uint8))
    assert len(graph) == 1
    line = shapely.LineString(graph.xy)
    aside = shapely.distance(shapely.LineString([start, end]), shapely.points(graph.xy))
    assert np.median(aside) < 0.5
    assert aside.max() < 1.2
    assert line.length < 1.003 * np.hypot(*(graph.xy[-1] - graph.xy[0]))
    assert graph.width_m[0] == pytest.approx(wide, abs=1.2)


def test_roads_reach_the_border_of_the_scene_and_of_the_data() -> None:
    valid = np.ones((100, 200), bool)
    valid[:, 150:] = False
    graph = traced(drawn(100, 200, [([(-20, 50), (220, 50)], 8, ROAD)]), valid)
    assert len(graph) == 1
    assert sorted(graph.node_xy[:, 0]) == pytest.approx([0, 150], abs=1)


def test_corners_of_roads_make_no_spurs() -> None:
    square = np.zeros((120, 300), np.uint8)
    square[50:64, 20:280] = ROAD
    square[60:67, 130:134] = ROAD
    graph = traced(square)
    assert len(graph) == 1
    assert graph.length_m[0] == pytest.approx(260, abs=3)


def test_a_wide_square_is_one_node_and_its_streets_lead_there() -> None:
    field = drawn(300, 300, [([(0, 150), (300, 150)], 8, ROAD), ([(150, 0), (150, 300)], 8, ROAD)])
    field[110:190, 110:190] = ROAD
    graph = traced(field)
    assert sorted(graph.degree.tolist()) == [1, 1, 1, 1, 4]
    assert graph.node_xy[graph.degree == 4][0] == pytest.approx((150, 150), abs=2)


def test_a_roundabout_stays_a_ring_and_a_small_island_does_not() -> None:
    def with_island(radius: float) -> RoadGraph:
        y, x = np.mgrid[:300, :300] - 149.5
        field = drawn(300, 300, [([(0, 150), (300, 150)], 8, ROAD)])
        away = np.hypot(x, y)
        field[away < radius + 8] = ROAD
        field[away < radius] = 0
        return traced(field)

    ring, none = with_island(20), with_island(4)
    assert sorted(ring.degree.tolist()) == [1, 1, 3, 3]
    assert sorted(none.degree.tolist()) == [1, 1]


def test_a_ring_that_meets_no_road_is_a_line_from_a_node_to_itself() -> None:
    y, x = np.mgrid[:200, :200] - 99.5
    graph = traced((np.abs(np.hypot(x, y) - 50) < 4).astype(np.uint8))
    assert graph.ends.tolist() == [[0, 0]]
    assert graph.length_m[0] == pytest.approx(2 * np.pi * 50, rel=0.01)


def test_dual_carriageways_are_two_lines() -> None:
    graph = traced(drawn(100, 400, [([(-9, 40), (409, 40)], 8, MAJOR), ([(-9, 54), (409, 54)], 8, MAJOR)]))
    assert len(graph) == 2


def gap(of_px: int, aside_px: int = 0) -> UInt8:
    return drawn(
        120,
        300,
        [([(-9, 60), (140, 60)], 8, ROAD), ([(140 + 9 + of_px, 60 + aside_px), (309, 60 + aside_px)], 8, ROAD)],
    )


def test_a_gap_is_closed_and_marked_inferred() -> None:
    graph = traced(gap(8))
    assert sorted(graph.is_inferred.tolist()) == [False, False, True]
    assert graph.degree[graph.ends[graph.is_inferred][0]].tolist() == [2, 2]
    assert graph.confidence[graph.is_inferred] == 0


@pytest.mark.parametrize(
    ("field", "settings_"),
    [(gap(8), {"close_gaps_m": 0.0}), (gap(40), {}), (gap(4, aside_px=30), {})],
    ids=["not asked for", "too long", "not in line"],
)
def test_other_gaps_stay_open(field: UInt8, settings_: dict[str, Any]) -> None:
    graph = traced(field, **settings_)
    assert len(graph) == 2
    assert not graph.is_inferred.any()


def test_a_road_that_ends_before_another_one_is_led_there() -> None:
    graph = traced(drawn(200, 300, [([(-9, 60), (309, 60)], 8, ROAD), ([(150, 76), (150, 209)], 8, ROAD)]))
    assert sorted(graph.degree.tolist()) == [1, 1, 1, 2, 3]
    assert graph.node_xy[graph.degree == 3][0] == pytest.approx((150, 60), abs=1.5)
    assert graph.is_inferred.sum() == 1


def with_a_stub(length: int, confidence: int, gap_px: int = 0) -> RoadGraph:
    """A road that is sure, and one of another confidence that leaves it, or ends before it."""
    field = drawn(200, 300, [([(-9, 60), (309, 60)], 8, ROAD), ([(150, 68 + gap_px), (150, 60 + length)], 8, ROAD)])
    values = np.full(field.shape, 240, np.uint8)
    values[66:] = confidence
    return trace_roads(raster(field, confidence_hw=values))


def test_short_dead_ends_that_the_model_is_unsure_of_are_none() -> None:
    weak, strong, long = with_a_stub(20, 150), with_a_stub(20, 240), with_a_stub(60, 150)
    assert sorted(weak.degree.tolist()) == [1, 1]
    assert sorted(strong.degree.tolist()) == sorted(long.degree.tolist()) == [1, 1, 1, 3]


def test_nothing_is_inferred_for_a_dead_end_that_is_none() -> None:
    assert with_a_stub(40, 240, gap_px=8).is_inferred.sum() == 1
    weak = with_a_stub(28, 150, gap_px=8)
    assert not weak.is_inferred.any()
    assert (weak.degree < 3).all()


def test_without_a_confidence_all_dead_ends_count() -> None:
    field = drawn(200, 300, [([(-9, 60), (309, 60)], 8, ROAD), ([(150, 60), (150, 80)], 8, ROAD)])
    known = raster(field)
    graph = trace_roads(replace(known, values=known.values._replace(confidence_hw=None)))
    assert sorted(graph.degree.tolist()) == [1, 1, 1, 3]
    assert np.isnan(graph.confidence).all()


def test_positions_are_in_the_scenes_crs_and_the_columns_fit() -> None:
    graph = trace_roads(raster(drawn(100, 200, [([(-9, 50), (209, 50)], 8, ROAD)]), gsd_m=0.5))
    x, y = shapely.get_coordinates(graph.lines()).T
    assert (x.min(), x.max()) == pytest.approx((500_000, 500_100), abs=0.5)
    assert y == pytest.approx(np.full(len(y), 4_500_000 - 25), abs=0.5)
    assert graph.length_m == pytest.approx(shapely.length(graph.lines()), rel=1e-3)
    assert {len(column) for column in graph.road_columns(CLASS_NAMES).values()} == {len(graph.lines())}
    assert {len(column) for column in graph.junction_columns().values()} == {len(graph.points())}


@pytest.mark.parametrize("classes_hw", [np.zeros((50, 60), np.uint8), np.ones((1, 1), np.uint8)])
def test_without_a_road_there_is_no_line(classes_hw: UInt8) -> None:
    graph = traced(classes_hw)
    assert len(graph) == len(graph.lines()) == len(graph.points()) == 0


def test_where_there_are_no_data_is_no_road() -> None:
    assert len(traced(np.ones((90, 90), np.uint8), np.zeros((90, 90), bool))) == 0


def test_lines_end_in_their_nodes_and_degrees_count_them() -> None:
    graph = traced(classify(city(500, 500, seed=4).target_hwc))
    first, last = graph.xy[graph.offsets[:-1]], graph.xy[graph.offsets[1:] - 1]
    assert (first == graph.node_xy[graph.ends[:, 0]]).all()
    assert (last == graph.node_xy[graph.ends[:, 1]]).all()
    assert (np.bincount(graph.ends.ravel(), minlength=len(graph.node_xy)) == graph.degree).all()
    assert (graph.degree > 0).all()


coordinates = st.tuples(st.integers(-10, 270), st.integers(-10, 230))
strokes = st.lists(
    st.tuples(st.lists(coordinates, min_size=2, max_size=4), st.integers(1, 45), st.sampled_from((ROAD, MAJOR, 0, 3))),
    min_size=1,
    max_size=14,
)


@settings(max_examples=60)
@given(strokes=strokes, holes=st.integers(0, 2**32 - 1), window_px=st.sampled_from((17, 61, 64, 100, 150)))
def test_windows_leave_no_trace(strokes: list[Stroke], holes: int, window_px: int) -> None:
    field = drawn(220, 260, strokes)
    rng = np.random.default_rng(holes)
    field[rng.random(field.shape) < 0.02] = 0
    valid = np.ones(field.shape, bool)
    valid[rng.integers(220) :, rng.integers(260) :] = rng.random() < 0.5
    how = RoadSettings(tracing=Tracing(core_px=8, hole_side_px=8))
    scene = raster(field, valid, confidence_hw=rng.integers(150, 255, field.shape, np.uint8))
    whole = trace_roads(scene, how, window_px=10_000)
    parts = trace_roads(scene, how, window_px=window_px, n_workers=3)
    assert contents(parts) == contents(whole)


@pytest.mark.parametrize("window_px", [256, 704, 1408])
def test_windows_leave_no_trace_in_a_city(window_px: int) -> None:
    scene = raster(classify(city(1450, 1450, seed=5).target_hwc))
    assert contents(trace_roads(scene, window_px=window_px)) == contents(trace_roads(scene, window_px=1450))


def test_how_many_lines_are_in_memory_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    field = classify(city(500, 500, seed=5).target_hwc)
    for gap_px in range(9):
        field[:, 45 * gap_px : 46 * gap_px] = 0
    whole = traced(field)
    monkeypatch.setattr(sat2map.vector.roads_network, "BATCH_POINTS", 300)
    monkeypatch.setattr(sat2map.vector.roads_network, "AT_ONCE", 50)
    parts = traced(field)
    assert whole.is_inferred.sum() > 3
    for name, values in vars(whole).items():
        if name != "grid":
            np.testing.assert_allclose(getattr(parts, name), values, rtol=0, atol=1e-6)


@settings(max_examples=30)
@given(seed=st.integers(0, 10**6), limit_px=st.integers(2, 12))
def test_squared_distance_is_the_euclidean_one_below_its_limit(seed: int, limit_px: int) -> None:
    from scipy.ndimage import distance_transform_edt

    mask = np.random.default_rng(seed).random((40, 30)) < 0.97
    mask[0, 0] = False
    true = np.rint(distance_transform_edt(mask) ** 2)
    found = squared_distance(mask, limit_px)
    near = true < limit_px**2
    assert (found[near] == true[near]).all()
    assert (found[~near] >= limit_px**2).all()


@pytest.mark.parametrize("seed", [1, 2, 6])
def test_a_citys_own_centre_lines_are_found(seed: int) -> None:
    size = 1200
    graph = trace_roads(raster(classify(city(size, size, seed=seed).target_hwc), gsd_m=None), RoadSettings(gsd_m=0.9))
    true = line_graph(centre_lines(seed, size * 0.9))
    found = line_graph([line * 0.9 for line in np.split(graph.xy, graph.offsets[1:-1])])
    precision, recall = junctions(true, found)
    assert apls(true, found, SPACENET, n_sources=150) > 0.95
    assert 2 * precision * recall / (precision + recall) > 0.9
    aside = shapely.distance(shapely.union_all(true.lines), shapely.points(graph.xy * 0.9)) / 0.9
    assert np.median(aside) < 0.5
