from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sat2map
from sat2map.classes import CLASS_NAMES, CLASSES, COLOURS_RGB, ClassTable, MapClass, classify, nearest_colour


@given(st.lists(st.tuples(*[st.integers(0, 255)] * 3), min_size=1, max_size=50))
def test_nearest_colour_is_that_of_an_exhaustive_search(pixels: list[tuple[int, int, int]]) -> None:
    expected = []
    for pixel in pixels:
        distances = [sum((a - int(b)) ** 2 for a, b in zip(pixel, colour, strict=True)) for colour in COLOURS_RGB]
        expected.append(distances.index(min(distances)))
    assert nearest_colour(np.array(pixels, np.uint8)).tolist() == expected


def test_every_colour_of_the_table_is_of_its_own_class() -> None:
    assert classify(COLOURS_RGB).tolist() == CLASSES.class_of_colour.tolist()
    n_colours = {"land": 3, "road": 1, "major road": 3, "water": 1, "park": 2, "place": 2}
    assert [CLASS_NAMES[c] for c in CLASSES.class_of_colour] == [
        name for name, n in n_colours.items() for _ in range(n)
    ]


# They draw the default table, score what was drawn of it, or take it where nothing names another.
MAY_TAKE_THE_DEFAULT = {
    "city", "landscape", "bench", "classes.py", "cli/demo.py", "cli/model_calibrate.py", "data/check/labels.py",
    "evaluate/elsewhere.py", "evaluate/evaluation.py", "evaluate/metrics.py", "model/card.py", "scene/formats.py",
    "train/recipe.py", "train/resume.py", "translate/notebook.py", "vector/class_file.py",
    "vector/draw_style.py", "vector/roads_trace.py",
}  # fmt: skip
OF_THE_DEFAULT = {"CLASSES", "CLASS_NAMES", "ROAD_CLASSES", "COLOURS_RGB", "classify", "nearest_colour"}


def test_what_has_a_table_of_its_own_never_takes_the_default_one() -> None:
    package = Path(sat2map.__file__).parent
    takes = {
        file.relative_to(package).as_posix()
        for file in package.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module == "sat2map.classes"
        if OF_THE_DEFAULT & {alias.name for alias in node.names}
    }
    assert {name for name in takes if not {name, name.partition("/")[0]} & MAY_TAKE_THE_DEFAULT} == set()


@pytest.mark.parametrize(
    ("classes", "said"),
    [
        ([MapClass("a", ((0, 0, 0),))], "2 to 24"),
        ([MapClass(str(i), ((i, 0, 0),)) for i in range(25)], "2 to 24"),
        ([MapClass("a", ((0, 0, 0),)), MapClass("a", ((1, 0, 0),))], "each name once"),
        ([MapClass("a", ((0, 0, 0),)), MapClass("b", ((0, 0, 0),))], "each colour once"),
        ([MapClass("a", ((0, 0, 0),)), MapClass("b", ((0, 0, 256),))], "0 to 255"),
        ([MapClass("a", ((0, 0, 0),)), MapClass("b", ())], "a name and a colour"),
        ([MapClass("a", ((0, 0, 0),)), MapClass("", ((1, 0, 0),))], "a name and a colour"),
        ([MapClass("a", ((0, 0, 0),)), MapClass("b|c", ((1, 0, 0),))], "without comma"),
    ],
)
def test_tables_that_could_not_be_told_apart_are_refused(classes: list[MapClass], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ClassTable(classes)


def test_a_table_knows_its_roads_water_and_sets() -> None:
    table = ClassTable([
        MapClass("field", ((0, 90, 0),)), MapClass("water", ((0, 0, 200),)),
        MapClass("track", ((90, 90, 90), (99, 99, 99)), is_road=True),
    ])  # fmt: skip
    assert (table.road_classes, table.part_of_class) == ((2,), (0, 1, 2))
    assert (int(table.every_class), int(table.roads)) == (0b111, 0b100)
    assert table.classify(np.array([[98, 99, 97], [5, 80, 5]], np.uint8)).tolist() == [2, 0]
    assert (table.index_of("track"), table.index_of("park"), str(table)) == (2, None, "field, water, track")
