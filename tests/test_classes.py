from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sat2map.classes import CLASS_NAMES, CLASS_OF_COLOUR, COLOURS_RGB, classify, nearest_colour


@given(st.lists(st.tuples(*[st.integers(0, 255)] * 3), min_size=1, max_size=50))
def test_nearest_colour_is_that_of_an_exhaustive_search(pixels: list[tuple[int, int, int]]) -> None:
    expected = []
    for pixel in pixels:
        distances = [sum((a - int(b)) ** 2 for a, b in zip(pixel, colour, strict=True)) for colour in COLOURS_RGB]
        expected.append(distances.index(min(distances)))
    assert nearest_colour(np.array(pixels, np.uint8)).tolist() == expected


def test_every_colour_of_the_table_is_of_its_own_class() -> None:
    assert classify(COLOURS_RGB).tolist() == CLASS_OF_COLOUR.tolist()
    assert [CLASS_NAMES[c] for c in CLASS_OF_COLOUR] == ["land"] * 3 + ["road"] + ["major road"] * 3 + ["water"] + [
        "park"
    ] * 2 + ["place"] * 2
