from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rasterio import Affine
from rasterio.crs import CRS
from rasterio.warp import transform, transform_bounds

from sat2map.arrays import UInt8
from sat2map.classes import CLASS_NAMES
from sat2map.errors import DataError, SceneError
from sat2map.scene.georeference import Grid
from sat2map.tiling import Window
from sat2map.vector.draw import VectorMap, open_vector_map
from sat2map.vector.draw_style import load_style, parse_style

from .ground import CRS_M, NORTH_M, WEST_M, line, metric_grid, square, write_geojson, write_layer

ROAD, MAJOR, WATER, PARK = (CLASS_NAMES.index(name) for name in ("road", "major road", "water", "park"))
OSM = load_style("osm")
Tagged = Sequence[tuple[Any, Mapping[str, Any]]]


def draw(tmp_path: Path, features: Tagged, grid: Grid | None = None) -> UInt8:
    """The classes of the whole grid."""
    return classes(open_vectors(tmp_path, features, grid))


def open_vectors(tmp_path: Path, features: Tagged, grid: Grid | None = None) -> VectorMap:
    path = write_geojson(tmp_path / "vectors.geojson", features)
    return open_vector_map([path], OSM, grid or metric_grid(), "scene.tif")


def classes(drawn: VectorMap) -> UInt8:
    grid = drawn.frame.grid
    found: UInt8 = drawn.style.classes.class_of_colour[drawn.draw(Window(0, 0, grid.height, grid.width))]
    return found


def width_px(column: UInt8, kind: int) -> int:
    return int((column == kind).sum())


ACROSS = line((-50, 100), (250, 100))
WIDTHS_M = {
    "class": ({"highway": "residential"}, ROAD, 7),
    "one way": ({"highway": "residential", "oneway": "yes"}, ROAD, 5.5),
    "width": ({"highway": "residential", "width": "12 m", "lanes": "2"}, ROAD, 12),
    "feet": ({"highway": "residential", "width": "40'"}, ROAD, 12.2),
    "width that is none": ({"highway": "residential", "width": "wide"}, ROAD, 7),
    "carriageway before width": ({"highway": "residential", "width": "9", "width:carriageway": "5"}, ROAD, 5),
    "lanes": ({"highway": "primary", "lanes": "4"}, MAJOR, 15),
    "far too wide": ({"highway": "residential", "width": "7000"}, ROAD, 80),
    "river": ({"waterway": "river"}, WATER, 12),
    "river's own width": ({"waterway": "river", "width": "30"}, WATER, 30),
}


@pytest.mark.parametrize("case", WIDTHS_M)
def test_width_of_a_line(case: str, tmp_path: Path) -> None:
    tags, kind, metres = WIDTHS_M[case]
    assert abs(width_px(draw(tmp_path, [(ACROSS, tags)])[:, 100], kind) - metres) <= 1


def test_country_has_wider_roads(tmp_path: Path) -> None:
    path = write_geojson(tmp_path / "v.geojson", [(ACROSS, {"highway": "residential"})])
    drawn = open_vector_map([path], OSM.in_country("us"), metric_grid(), "scene.tif")
    assert width_px(classes(drawn)[:, 100], ROAD) in (8, 9)


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:3857", "EPSG:2263"])
def test_width_is_in_metres_on_the_ground_in_any_crs(crs: str, tmp_path: Path) -> None:
    """Degrees, Web Mercator (which is a third too long here), and feet."""
    bounds = transform_bounds(CRS_M, crs, WEST_M, NORTH_M - 200, WEST_M + 200, NORTH_M)
    sides = np.array([bounds[2] - bounds[0], bounds[3] - bounds[1]]) / 200
    grid = Grid(200, 200, CRS.from_user_input(crs), Affine(sides[0], 0, bounds[0], 0, -sides[1], bounds[3]))
    roads = [
        (line((-50, 100), (250, 100)), {"highway": "residential", "width": "20"}),
        (line((100, -50), (100, 250)), {"highway": "residential", "width": "20"}),
    ]
    found = draw(tmp_path, roads, grid)
    assert width_px(found[:, 30], ROAD) == pytest.approx(20, abs=1.5)
    assert width_px(found[30], ROAD) == pytest.approx(20, abs=1.5)


def test_rotated_scene(tmp_path: Path) -> None:
    turned = Affine.translation(WEST_M, NORTH_M) @ Affine.rotation(30) @ Affine.scale(1, -1)
    end = turned @ (150, 100)
    begin = turned @ (50, 100)
    road = shapely.LineString([begin, end])
    found = draw(tmp_path, [(road, {"highway": "residential", "width": "10"})], Grid(200, 200, CRS_M, turned))
    assert width_px(found[:, 100], ROAD) == pytest.approx(10, abs=1)
    assert width_px(found[100], ROAD) == pytest.approx(110, abs=2)


def test_bridge_is_above_what_it_crosses_and_tunnel_is_not_drawn(tmp_path: Path) -> None:
    water = (square(0, 80, 200, 120), {"natural": "water"})
    motorway = (ACROSS, {"highway": "motorway"})
    bridge = (line((100, -10), (100, 210)), {"highway": "residential", "bridge": "yes"})
    tunnel = (line((30, -10), (30, 210)), {"highway": "residential", "tunnel": "yes"})
    found = draw(tmp_path, [bridge, water, motorway, tunnel])
    assert (found[100, 100], found[100, 150], found[85, 150], found[85, 30]) == (ROAD, MAJOR, WATER, WATER)
    flat = draw(tmp_path, [(bridge[0], {"highway": "residential"}), motorway])
    assert flat[100, 100] == MAJOR


def test_layer_decides_between_bridges(tmp_path: Path) -> None:
    low = (ACROSS, {"highway": "motorway", "bridge": "yes", "layer": "1"})
    high = (line((100, -10), (100, 210)), {"highway": "service", "bridge": "yes", "layer": "2"})
    assert draw(tmp_path, [high, low])[100, 100] == ROAD


def test_small_area_is_painted_over_a_large_one_and_water_over_both(tmp_path: Path) -> None:
    park = (square(50, 50, 150, 150), {"leisure": "park"})
    quarter = (square(0, 0, 200, 200), {"landuse": "residential"})
    lake = (square(60, 60, 90, 90), {"natural": "water"})
    found = draw(tmp_path, [lake, park, quarter])
    assert (found[10, 10], found[100, 100], found[75, 75]) == (0, PARK, WATER)


def test_hole_of_a_multipolygon_is_land(tmp_path: Path) -> None:
    ring = shapely.MultiPolygon([square(20, 20, 180, 180).difference(square(80, 80, 120, 120))])
    found = draw(tmp_path, [(ring, {"natural": "water"})])
    assert (found[100, 100], found[50, 50]) == (0, WATER)
    assert int((found == WATER).sum()) == 160**2 - 40**2


@pytest.mark.parametrize("flip", [False, True])
def test_sea_is_on_the_right_of_the_coast(flip: bool, tmp_path: Path) -> None:
    grid = metric_grid()
    if flip:
        grid = Grid(200, 200, CRS_M, Affine(1, 0, WEST_M, 0, 1, NORTH_M - 200))
    coast = (line((-300, 120), (100, 80), (500, 120)), {"natural": "coastline"})  # eastwards: the south is sea
    island = (
        shapely.LinearRing(shapely.geometry.polygon.orient(square(150, 150, 190, 190)).exterior),
        {"natural": "coastline"},
    )
    found = draw(tmp_path, [coast, island], grid)
    found = found[::-1] if flip else found
    assert (found[20, 100], found[180, 100], found[170, 170]) == (0, WATER, 0)
    assert width_px(found[:, 100], WATER) == pytest.approx(120, abs=1)


def test_coast_that_ends_within_the_scene_floods_nothing(tmp_path: Path) -> None:
    road = (line((0, 10), (200, 10)), {"highway": "residential"})
    coast = (line((50, 100), (150, 100)), {"natural": "coastline"})
    assert not (draw(tmp_path, [coast, road]) == WATER).any()


def test_invalid_and_empty_geometries_are_repaired_or_counted(tmp_path: Path) -> None:
    bow = shapely.Polygon(
        [(WEST_M, NORTH_M), (WEST_M + 100, NORTH_M - 100), (WEST_M + 100, NORTH_M), (WEST_M, NORTH_M - 100)]
    )
    path = _parquet(tmp_path / "v.parquet", [bow, None, shapely.Polygon(), ACROSS], ["park"] * 4)
    drawn = open_vector_map([path], OSM, metric_grid(), "scene.tif")
    assert int((classes(drawn) == PARK).sum()) == pytest.approx(5000, rel=0.03)
    counts = drawn.counts
    assert (counts.n_repaired, counts.n_broken, counts.n_other_geometry, counts.n_drawn) == (1, 2, 1, 1)


def test_values_that_no_rule_knows_are_counted(tmp_path: Path) -> None:
    ways = [(ACROSS, {"highway": kind}) for kind in ("residential", "hyperloop", "hyperloop", "footway", "no")]
    assert dict(open_vectors(tmp_path, ways).counts.unknown) == {"hyperloop": 2}


def test_windows_are_parts_of_the_whole_and_a_shift_moves_all(tmp_path: Path) -> None:
    drawn = open_vectors(
        tmp_path, [(line((3, 7), (190, 160)), {"highway": "primary"}), (square(20, 90, 70, 140), {"leisure": "park"})]
    )
    whole = drawn.draw(Window(0, 0, 200, 200))
    part = Window(31, 17, 90, 100)
    np.testing.assert_array_equal(drawn.draw(part), whole[part.slices])
    moved = drawn.draw(Window(0, 0, 200, 200), (5, -3))
    np.testing.assert_array_equal(moved[3:, 5:], whole[:-3, :-5])


@pytest.mark.parametrize("suffix", [".gpkg", ".fgb", ".shp", ".parquet"])
def test_formats_give_the_same_map(suffix: str, tmp_path: Path) -> None:
    shapes, kinds = [square(20, 90, 70, 140), square(100, 20, 190, 60)], ["park", "garden"]
    if suffix == ".parquet":
        path = _parquet(tmp_path / "v.parquet", shapes, kinds)
    else:
        path = write_layer(tmp_path / f"v{suffix}", shapes, {"leisure": kinds}, geometry_type="Polygon")
    found = classes(open_vector_map([path], OSM, metric_grid(), "scene.tif"))
    assert int((found == PARK).sum()) == 50 * 50 + 90 * 40


def _parquet(path: Path, shapes: list[Any], kinds: list[str]) -> Path:
    from sat2map.vector.geoparquet import write_geoparquet
    from sat2map.vector.layer import FeatureBatch, FeatureLayer

    batch = FeatureBatch(np.array(shapes, object), {"leisure": np.array(kinds, object)})
    write_geoparquet(path, FeatureLayer("v", "Polygon", {"leisure": "string"}, CRS_M, [batch]))
    return path


def test_only_what_is_near_is_drawn_and_read(tmp_path: Path) -> None:
    far = [(shapely.Point(WEST_M + 1e5, NORTH_M).buffer(50), {"leisure": "park"}) for _ in range(5)]
    drawn = open_vectors(tmp_path, [*far, (square(20, 90, 70, 140), {"leisure": "park"})])
    assert drawn.counts.n_read == 1


BEGIN = {
    "name": "mine",
    "classes": [{"name": "ground", "colours_rgb": [[9, 9, 9]]}, {"name": "house", "colours_rgb": [[200, 0, 0]]}],
}


def test_own_classes(tmp_path: Path) -> None:
    rule = {"class": "house", "geometry": "area", "where": {"building": True}, "layer": "v*"}
    style = parse_style({**BEGIN, "rules": [rule]}, "mine.toml")
    path = write_layer(tmp_path / "v.gpkg", [square(20, 20, 40, 40)] * 2, {"building": ["yes", "no"]})
    drawn = open_vector_map([path], style, metric_grid(), "scene.tif")
    assert int((classes(drawn) == 1).sum()) == 400
    assert drawn.style.classes.colours_rgb.tolist() == [[9, 9, 9], [200, 0, 0]]


WRONG_STYLES: dict[str, tuple[dict[str, Any], str]] = {
    "no rules": ({"name": "x"}, "rules"),
    "no such class": ({**BEGIN, "rules": [{"class": "moat", "geometry": "area"}]}, "moat"),
    "line without a width": ({**BEGIN, "rules": [{"class": "house", "geometry": "line"}]}, "width_m"),
    "no such key": ({**BEGIN, "rules": [{"class": "house", "geometry": "area", "wher": {}}]}, "wher"),
    "no such colour": ({**BEGIN, "rules": [{"class": "house", "geometry": "area", "colour": 3}]}, "no colour 3"),
    "one class": (
        {"name": "x", "classes": BEGIN["classes"][:1], "rules": [{"class": "ground", "geometry": "area"}]}, "2 to 24",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG_STYLES)
def test_wrong_style_is_named(case: str) -> None:
    values, word = WRONG_STYLES[case]
    with pytest.raises(DataError, match=word):
        parse_style(values, "mine.toml")


TAG_VALUES = st.one_of(
    st.none(), st.text(max_size=6), st.integers(-9, 99), st.booleans(), st.floats(allow_nan=False),
    st.sampled_from(["residential", "motorway", "yes", "no", "7 m", "water", "park", "coastline", "-1", "1"]),
)  # fmt: skip
KEYS = st.sampled_from(
    ["highway", "width", "lanes", "layer", "bridge", "tunnel", "natural", "leisure", "oneway", "area"]
)
NUMBERS = st.one_of(st.floats(-300, 500), st.sampled_from([0.0, 100.0, 1e7, -1e7]))
POINTS = st.lists(st.tuples(NUMBERS, NUMBERS), min_size=4, max_size=8)


@st.composite
def geometries(some: st.DrawFn) -> Any:
    points = [(WEST_M + x, NORTH_M - y) for x, y in some(POINTS)]
    kind = some(st.sampled_from(["none", "empty", "line", "polygon", "holes", "lines", "mixed", "point"]))
    polygon = shapely.Polygon(points)
    return {
        "none": None, "empty": shapely.Polygon(), "line": shapely.LineString(points), "polygon": polygon,
        "holes": shapely.Polygon(points, [points[::-1]]), "lines": shapely.MultiLineString([points, points[:2]]),
        "mixed": shapely.GeometryCollection([polygon, shapely.LineString(points), shapely.Point(points[0])]),
        "point": shapely.Point(points[0]),
    }[kind]  # fmt: skip


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    features=st.lists(st.tuples(geometries(), st.dictionaries(KEYS, TAG_VALUES, max_size=5)), min_size=1, max_size=6)
)
def test_any_tags_and_geometries_are_drawn_counted_or_refused_in_words(features: Any, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        try:
            drawn = open_vectors(tmp_path, [*features, (ACROSS, {"highway": "residential"})])
        except DataError:
            return
    assert classes(drawn).max() < len(CLASS_NAMES)
    assert drawn.counts.n_drawn >= 1


def test_scene_without_a_crs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SceneError, match="no georeference"):
        open_vectors(tmp_path, [(ACROSS, {"highway": "residential"})], Grid(10, 10))


@pytest.mark.parametrize("suffix", [".osm", ".osm.pbf"])
def test_extract_of_openstreetmap_gives_the_map_of_its_shapes(suffix: str, tmp_path: Path) -> None:
    # No edge of it leads through the middle of pixels: nodes of an extract lie on a grid of a centimetre.
    road = line((-50, 100.2), (250, 100.2)), {"highway": "primary", "lanes": "4"}
    ways = [road, (line((3, 3), (9, 190)), {"highway": "hyperloop"})]
    park = shapely.difference(square(20, 20, 90, 80), square(40, 40, 60, 60))
    drawn = open_vector_map([_extract(tmp_path / f"a{suffix}", ways, park)], OSM, metric_grid(), "scene.tif")
    expected = draw(tmp_path, [*ways, (park, {"leisure": "park"})])
    assert width_px(expected, PARK) == 70 * 60 - 20 * 20
    np.testing.assert_array_equal(classes(drawn), expected)
    assert dict(drawn.counts.unknown) == {"hyperloop": 1}


def _extract(path: Path, ways: Tagged, park: shapely.Polygon) -> Path:
    """Ways, and a park as a relation of the ways around it and around its hole."""
    import osmium
    from osmium.osm import mutable

    shapes = [*ways, *((ring, {}) for ring in (park.exterior, *park.interiors))]
    nodes = {point: i for i, point in enumerate(dict.fromkeys(p for shape, _ in shapes for p in shape.coords), 1)}
    outer, inner = len(shapes) - 1, len(shapes)
    with osmium.SimpleWriter(str(path)) as writer:
        for (x, y), i in nodes.items():
            (lon,), (lat,) = transform(CRS_M, "EPSG:4326", [x], [y])
            writer.add_node(mutable.Node(id=i, location=(lon, lat)))
        for i, (shape, tags) in enumerate(shapes, 1):
            writer.add_way(mutable.Way(id=i, nodes=[nodes[p] for p in shape.coords], tags=tags))
        members = [("w", outer, "outer"), ("w", inner, "inner")]
        writer.add_relation(mutable.Relation(id=1, members=members, tags={"type": "multipolygon", "leisure": "park"}))
    return path
