from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sat2map.city.bend import Bend
from sat2map.city.geometry import Plot, Points, area, axis, divided, rectangle, rng_of, swept

metres = st.floats(-40, 40)


@st.composite
def plots(draw: st.DrawFn) -> Plot:
    """Convex land: some corners of an ellipse, in turn."""
    angles = np.sort(draw(st.lists(st.floats(0, 2 * np.pi), min_size=3, max_size=7, unique=True)))
    size = np.array([draw(st.floats(20, 200)), draw(st.floats(20, 200))])
    plot = Plot(axis(angles) * size + (draw(metres), draw(metres)), (0.0,) * len(angles))
    return plot if plot.area_m2 > 1 else Plot(rectangle(0, 0, *size), (0.0,) * 4)


def test_corners_of_a_plot_run_the_right_way_round() -> None:
    plot = Plot(rectangle(0, 0, 30, 20), (0.0,) * 4)
    assert plot.area_m2 == 600
    assert np.allclose(plot.depths(np.array([10.0, 5.0])), [5, 20, 15, 10])


@given(plots(), metres, metres, st.floats(0, 2 * np.pi))
def test_cut_leaves_two_parts_that_make_the_whole(plot: Plot, x: float, y: float, angle: float) -> None:
    at, normal = np.array([x, y]), axis(angle)
    parts = plot.cut(at, normal), plot.cut(at, -normal)
    assert sum(part.area_m2 for part in parts) == pytest.approx(plot.area_m2, rel=1e-6, abs=1e-6)
    assert all(part.area_m2 >= -1e-6 for part in parts)
    for part, side in zip(parts, (1, -1), strict=True):
        assert (side * ((part.corners - at) @ normal) > -1e-6).all()


@given(plots(), st.floats(0.5, 30))
def test_inset_keeps_its_distance_from_every_edge(plot: Plot, by_m: float) -> None:
    inner = plot.inset(by_m)
    if len(inner.corners):
        real = plot.lengths > 1e-6
        assert (plot.depths(inner.corners)[:, real] > by_m - 1e-5).all()


@pytest.mark.parametrize("half_m", [(1.0, 2.0, 3.0, 4.0)])
def test_inset_takes_each_edge_by_its_own_setback(half_m: tuple[float, ...]) -> None:
    inner = Plot(rectangle(0, 0, 30, 20), half_m).inset()
    assert inner.corners.min(0).tolist() == [4, 1]
    assert inner.corners.max(0).tolist() == [28, 17]


@given(plots(), metres, metres)
def test_swept_ground_is_where_a_shape_was_on_its_way(plot: Plot, x: float, y: float) -> None:
    """Its area is that of the shape and of the strip as wide as the shape is across the way."""
    shift = np.array([x, y])
    (corners,) = swept(plot.corners[None], shift[None])
    across = np.ptp(plot.corners @ np.array([-y, x]))  # metres times the length of the way
    assert abs(area(corners)) == pytest.approx(plot.area_m2 + across, rel=1e-6, abs=1e-4)


@given(plots(), st.floats(3, 50))
def test_divided_polygon_has_the_same_shape_and_short_edges(plot: Plot, step_m: float) -> None:
    finer = divided(plot.corners, step_m)
    assert area(finer) == pytest.approx(plot.area_m2, rel=1e-9)
    assert Plot(finer, (0.0,) * len(finer)).lengths.max() < 2 * step_m + 1e-9


@given(st.integers(0, 50), metres, metres)
def test_planned_rectangle_holds_all_that_comes_into_view(seed: int, x: float, y: float) -> None:
    bend = Bend(rng_of((seed,), 0), 1.0)
    planned = np.array([(100 * x, 100 * y)])
    place = bend(planned)[0]
    low, high = bend.planned(np.stack((place - 1, place + 1)))
    assert (low < planned[0]).all()
    assert (planned[0] < high).all()


def test_things_are_carried_without_being_bent() -> None:
    bend = Bend(rng_of((3,), 0), 1.0)
    shapes: Points = np.stack([rectangle(x, 0, x + 12, 7) for x in np.arange(0, 3000, 100.0)])
    carried = bend.carry(shapes)
    sides = [np.hypot(*(np.roll(s, -1, 1) - s).reshape(-1, 2).T) for s in (shapes, carried)]
    assert np.allclose(*sides)
    assert np.allclose(carried.mean(1), bend(shapes.mean(1)))


def test_random_numbers_depend_on_the_place() -> None:
    places = [(0, 1), (1, 0), (-1, 0), (0, -1), (0, 0), (1, 1)]
    drawn = [rng_of((7,), *place).random() for place in places]
    assert len(set(drawn)) == len(places)
    assert rng_of((7,), -5, 3).random() == rng_of((7,), -5, 3).random()
