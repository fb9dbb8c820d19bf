from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio import Affine
from rasterio.crs import CRS

import sat2map.vector.runs
from sat2map.errors import SceneError
from sat2map.vector.areas import AreaSettings
from tests.vector.fields import METRE, UTM, Field, areas_of, burnt, fields, in_pixels, labels

HERE = Path(__file__).parent
quick = settings(deadline=None, max_examples=60)


def field_of(rows: list[str]) -> Field:
    """A field as it is drawn; a dot is no data."""
    grid = np.array([list(row) for row in rows])
    return Field(np.where(grid == ".", "0", grid).astype(np.uint8), grid != ".")


@quick
@given(field=fields())
def test_unsimplified_areas_are_the_4_connected_pixels(field: Field) -> None:
    if not field.valid.any():
        return
    areas = areas_of(field, HERE, AreaSettings(simplify_m=0))
    np.testing.assert_array_equal(burnt(in_pixels(areas.geometry), field.classes.shape), labels(field))
    np.testing.assert_array_equal(shapely.area(areas.geometry), np.bincount(labels(field).ravel())[1:])
    assert shapely.is_valid(areas.geometry).all()
    assert shapely.coverage_is_valid(areas.geometry)
    np.testing.assert_array_equal(areas.area_id, np.arange(len(areas.geometry)) + 1)


@quick
@given(field=fields(), simplify_m=st.sampled_from([0.5, 1.0, 2.0, 5.0]))
def test_simplified_areas_share_their_borders(field: Field, simplify_m: float) -> None:
    if not field.valid.any():
        return
    areas = areas_of(field, HERE, AreaSettings(simplify_m=simplify_m))
    exact = areas_of(field, HERE, AreaSettings(simplify_m=0))
    assert shapely.is_valid(areas.geometry).all()
    assert shapely.coverage_is_valid(areas.geometry)
    assert list(shapely.get_num_interior_rings(areas.geometry)) == list(shapely.get_num_interior_rings(exact.geometry))
    # Each side of a border is that of one or two polygons, by hand.
    sides = Counter(
        frozenset(side)
        for polygon in areas.geometry
        for ring in [polygon.exterior, *polygon.interiors]
        for side in zip(ring.coords[:-1], ring.coords[1:], strict=True)
    )
    assert set(sides.values()) <= {1, 2}
    outside = shapely.union_all([shapely.LineString(list(side)) for side, n in sides.items() if n == 1])
    whole = shapely.union_all(areas.geometry)
    assert outside.length == pytest.approx(whole.boundary.length)
    far = shapely.hausdorff_distance(outside, shapely.union_all(exact.geometry).boundary)
    assert far <= simplify_m + 1.25


@quick
@given(
    field=fields(), simplify_m=st.sampled_from([0, None, 3.0]), min_area_m2=st.sampled_from([0, 3, 9]),
    windows_px=st.lists(st.integers(1, 21), min_size=2, max_size=3), n_threads=st.sampled_from([1, 3]),
)  # fmt: skip
def test_windows_and_workers_leave_no_trace(
    field: Field, simplify_m: float | None, min_area_m2: float, windows_px: list[int], n_threads: int
) -> None:
    if not field.valid.any():
        return
    confidence = (np.arange(field.valid.size) * 37 % 256).astype(np.uint8).reshape(field.valid.shape)
    with pytest.MonkeyPatch.context() as patch:
        for module in ("runs", "labels"):
            patch.setattr(f"sat2map.vector.{module}.CELL_PX", 6)
        found = [
            areas_of(
                field, HERE, AreaSettings(simplify_m, min_area_m2, window_px, n_threads, largest_corners=12), confidence
            )
            for window_px in windows_px
        ]
    for other in found[1:]:
        assert list(shapely.to_wkb(found[0].geometry)) == list(shapely.to_wkb(other.geometry))
        for mine, its in zip(found[0][1:], other[1:], strict=True):
            np.testing.assert_array_equal(mine, its)


@quick
@given(field=fields())
def test_large_areas_are_cut_on_the_lattice_and_fit_together(field: Field) -> None:
    if not field.valid.any():
        return
    with pytest.MonkeyPatch.context() as patch:
        for module in ("runs", "labels"):
            patch.setattr(f"sat2map.vector.{module}.CELL_PX", 6)
        areas = areas_of(field, HERE, AreaSettings(simplify_m=0, largest_corners=12))
        smooth = areas_of(field, HERE, AreaSettings(largest_corners=12))
    number = labels(field)
    found = burnt(in_pixels(areas.geometry), field.classes.shape)
    # `area_id` is the area's number, whatever its parts.
    np.testing.assert_array_equal(np.append(0, areas.area_id)[found], number)
    assert shapely.coverage_is_valid(areas.geometry)
    assert shapely.coverage_is_valid(smooth.geometry)
    assert shapely.is_valid(smooth.geometry).all()
    for area_id, n_parts in Counter(areas.area_id).items():
        parts = in_pixels(areas.geometry[areas.area_id == area_id])
        corners = shapely.get_num_coordinates(shapely.union_all(parts).simplify(0))
        if n_parts > 1:
            bounds = shapely.bounds(parts)
            assert (np.floor(bounds[:, 0] / 6) == np.ceil(bounds[:, 2] / 6) - 1).all()
            assert (np.floor(bounds[:, 1] / 6) == np.ceil(bounds[:, 3] / 6) - 1).all()
        else:
            x0, y0, x1, y1 = shapely.bounds(parts[0])
            assert corners <= 14 or (x0 // 6 == (x1 - 1) // 6 and y0 // 6 == (y1 - 1) // 6)


@quick
@given(field=fields(), least=st.integers(2, 12))
def test_small_areas_are_dissolved(field: Field, least: int) -> None:
    if not field.valid.any():
        return
    areas = areas_of(field, HERE, AreaSettings(simplify_m=0, min_area_m2=least))
    exact = np.round(shapely.area(areas.geometry))
    assert shapely.coverage_is_valid(areas.geometry)
    assert exact.sum() == field.valid.sum()
    number = burnt(in_pixels(areas.geometry), field.classes.shape)
    padded = np.pad(number, 1)
    for small in np.flatnonzero(exact < least) + 1:
        # Without a neighbour it has nowhere to go.
        grown = np.zeros(padded.shape, bool)
        for axis, step in ((0, 1), (0, -1), (1, 1), (1, -1)):
            grown |= np.roll(padded == small, step, axis)
        assert set(padded[grown]) <= {0, small}


def test_a_small_area_goes_to_the_longest_border_and_joins_what_it_kept_apart() -> None:
    field = field_of(["0000000", "0000000", "1112111", "1112111", "1112111", "1111111"])
    areas = areas_of(field, HERE, AreaSettings(simplify_m=0, min_area_m2=4))
    assert list(areas.name) == ["land", "road"]
    assert list(shapely.area(areas.geometry)) == [14, 28]
    halves = field_of(["112333", "112333"])
    areas = areas_of(halves, HERE, AreaSettings(simplify_m=0, min_area_m2=3))
    # Of two borders of one length, that with the area that comes first.
    assert list(shapely.area(areas.geometry)) == [6, 6]


def test_confidence_is_the_mean_of_an_areas_own_pixels() -> None:
    field = field_of(["0010", "0000"])
    confidence = np.array([[255, 255, 51, 255], [255, 255, 255, 0]], np.uint8)
    areas = areas_of(field, HERE, AreaSettings(simplify_m=0), confidence)
    assert list(areas.confidence) == [round(6 / 7, 4), 0.2]
    areas = areas_of(field, HERE, AreaSettings(simplify_m=0, min_area_m2=2), confidence)
    assert list(areas.confidence) == [round(6 / 7, 4)]
    assert np.isnan(areas_of(field, HERE, AreaSettings()).confidence).all()


def test_corners_of_blocks_stay_and_diagonals_become_lines() -> None:
    classes = np.zeros((60, 60), np.uint8)
    classes[10:30, 15:50] = 1
    areas = areas_of(Field(classes, np.ones_like(classes, bool)), HERE, AreaSettings())
    assert in_pixels(areas.geometry)[1].normalize().equals(shapely.box(15, 10, 50, 30).normalize())
    y, x = np.indices((120, 120))
    slope = Field((x * 3 > y * 7).astype(np.uint8), np.ones((120, 120), bool))
    areas = areas_of(slope, HERE, AreaSettings())
    assert shapely.get_num_coordinates(areas.geometry).max() <= 10


def test_a_circle_becomes_smooth() -> None:
    y, x = np.indices((200, 200)) + 0.5
    disc = Field((np.hypot(x - 100, y - 100) < 70).astype(np.uint8), np.ones((200, 200), bool))
    areas = areas_of(disc, HERE, AreaSettings())
    ring = in_pixels(areas.geometry)[1].exterior
    distance = np.hypot(*(np.array(ring.coords) - 100).T)
    assert np.abs(distance - 70).max() < 1.2
    assert areas.geometry[1].area == pytest.approx(math.pi * 70**2, rel=0.005)
    # A staircase is longer by a quarter, and turns by right angles.
    assert ring.length == pytest.approx(2 * math.pi * 70, rel=0.005)
    ways = np.diff(np.array(ring.coords), axis=0)
    turns = np.degrees(np.abs(np.angle(np.exp(1j * np.diff(np.arctan2(*ways.T))))))
    assert turns.max() < 30


@pytest.mark.parametrize(
    ("crs", "transform", "expected_m2"),
    [
        # A degree of latitude and longitude at 60 degrees north is 111,412 m by 55,800 m.
        (CRS.from_epsg(4326), Affine(1e-5, 0, 20, 0, -1e-5, 60), 1.11412 * 0.558 * 100),
        (UTM, METRE, 100 / 0.9996**2),
        # Web Mercator is too large by the square of 1 / cos(latitude).
        (CRS.from_epsg(3857), Affine(1, 0, 0, 0, -1, 8_399_737.9), 100 * 0.25 * 1.0011),
        # Feet.
        (CRS.from_epsg(2263), Affine(1, 0, 984_250, 0, -1, 200_000), 100 * 0.3048006**2),
        # The grid of a building site, which lies nowhere on Earth, turned.
        (CRS.from_wkt('LOCAL_CS["site",UNIT["metre",1]]'), Affine(1.6, 1.2, 0, 1.2, -1.6, 0), 400),
    ],
)
def test_area_is_that_on_the_ellipsoid(crs: CRS, transform: Affine, expected_m2: float) -> None:
    field = Field(np.zeros((10, 10), np.uint8), np.ones((10, 10), bool))
    areas = areas_of(field, HERE, AreaSettings(), crs=crs, transform=transform)
    assert areas.area_m2[0] == pytest.approx(expected_m2, rel=3e-3)


@pytest.mark.parametrize(
    "transform",
    [METRE, Affine(1, 0, 5e5, 0, 1, 5e6), Affine(-1, 0, 5e5, 0, -1, 5e6), Affine(0.8, 0.6, 5e5, 0.6, -0.8, 5e6)],
)
def test_shells_run_against_the_clock_on_any_grid(transform: Affine) -> None:
    areas = areas_of(field_of(["000", "010", "000"]), HERE, AreaSettings(simplify_m=0), transform=transform)
    assert all(polygon.exterior.is_ccw for polygon in areas.geometry)
    assert not any(ring.is_ccw for polygon in areas.geometry for ring in polygon.interiors)
    assert shapely.coverage_is_valid(areas.geometry)
    assert list(areas.area_m2) == pytest.approx([8, 1], rel=2e-3)


def test_what_has_no_place_or_no_data_is_told() -> None:
    field = field_of(["01"])
    with pytest.raises(SceneError, match="no CRS"):
        areas_of(field, HERE, AreaSettings(), crs=None)
    with pytest.raises(SceneError, match="no data"):
        areas_of(Field(field.classes, np.zeros((1, 2), bool)), HERE, AreaSettings())


def test_one_pixel_is_an_area() -> None:
    areas = areas_of(field_of(["3"]), HERE, AreaSettings(simplify_m=0))
    assert list(areas.name) == ["water"]
    assert in_pixels(areas.geometry)[0].equals(shapely.box(0, 0, 1, 1))


def test_nothing_is_left_in_the_folder(tmp_path: Path) -> None:
    areas_of(field_of(["01", "10"]), tmp_path, AreaSettings())
    assert list(tmp_path.iterdir()) == []


def test_the_lattice_is_that_of_the_documentation() -> None:
    assert sat2map.vector.runs.CELL_PX == 4096
