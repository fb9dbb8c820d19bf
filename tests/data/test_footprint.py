from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st
from rasterio.transform import from_origin

from sat2map.data.footprint import Footprint, footprint_groups, footprint_of, shared_ground
from sat2map.data.pairs import TwoFiles

UTM = "EPSG:32618"


def square(left: float, bottom: float, side: float = 10, crs: str = UTM) -> Footprint:
    return Footprint(crs, left, bottom, left + side, bottom + side)


whole = st.integers(-30, 30)


@given(st.lists(st.tuples(whole, whole, st.integers(1, 20), st.sampled_from("ab")), max_size=12))
def test_shared_ground_is_that_of_every_two_places(boxes: list[tuple[int, int, int, str]]) -> None:
    places = [square(x, y, side, crs) for x, y, side, crs in boxes]
    found = {(i, j): share for i, j, share in shared_ground(places)}
    expected = {}
    for (i, one), (j, other) in combinations(enumerate(places), 2):
        width = min(one.right, other.right) - max(one.left, other.left)
        height = min(one.top, other.top) - max(one.bottom, other.bottom)
        if one.crs == other.crs and width > 0 and height > 0:
            expected[i, j] = width * height / min(one.area, other.area)
    assert found == pytest.approx(expected)


def test_groups_hang_together_by_common_ground_or_by_square() -> None:
    places = [square(0, 0), square(8, 0), square(16, 0), square(26, 0), square(0, 0, crs="EPSG:32619")]
    assert footprint_groups(places) == [0, 0, 0, 1, 2]
    assert footprint_groups(places, block=1000) == [0, 0, 0, 0, 1]
    assert footprint_groups([square(0, 0), square(100, 0), square(1000, 0)], block=500) == [0, 0, 1]
    assert footprint_groups([]) == []


def raster(path: Path, **place: object) -> Path:
    with rasterio.open(path, "w", driver="GTiff", height=4, width=6, count=3, dtype="uint8", **place) as dataset:
        dataset.write(np.zeros((3, 4, 6), np.uint8))
    return path


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_place_is_that_of_the_first_raster_that_has_one(tmp_path: Path) -> None:
    here = raster(tmp_path / "a.tif", crs=UTM, transform=from_origin(100, 50, 2, 2))
    nowhere = raster(tmp_path / "b.tif")
    image = tmp_path / "c.png"
    for pair in (TwoFiles(here, image), TwoFiles(image, here), TwoFiles(nowhere, here)):
        place = footprint_of(pair)
        assert place is not None
        assert place[1:] == (100, 42, 112, 50)
    assert footprint_of(TwoFiles(nowhere, image)) is None
    assert footprint_of(image) is None
