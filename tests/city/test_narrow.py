"""Streets of pairs are narrower than their paving, and stay connected."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from sat2map.city.draw import city
from sat2map.city.narrow import narrowed
from sat2map.classes import CLASSES

LAND, ROAD, PARK = (232, 229, 222), (255, 255, 255), (203, 223, 173)


def test_a_street_loses_two_pixels_on_each_side_to_what_lies_there() -> None:
    drawn = np.full((40, 40, 3), LAND, np.uint8)
    drawn[26:] = PARK
    drawn[14:26] = ROAD
    expected = np.full((40, 40, 3), LAND, np.uint8)
    expected[24:] = PARK
    expected[16:24] = ROAD
    np.testing.assert_array_equal(narrowed(drawn), expected)


def test_a_narrow_street_keeps_its_middle() -> None:
    drawn = np.full((30, 30, 3), LAND, np.uint8)
    drawn[:, 13:17] = ROAD
    road = (narrowed(drawn) == ROAD).all(-1)
    assert road[:, 14:16].all()
    assert not road[:, :13].any()
    assert not road[:, 17:].any()


def test_streets_of_a_city_are_narrower_and_no_less_connected() -> None:
    drawn = city(300, 300, seed=3).target_hwc
    before, after = (np.isin(CLASSES.classify(image), CLASSES.road_classes) for image in (drawn, narrowed(drawn)))
    assert (after <= before).all()
    assert 0.4 < after.sum() / before.sum() < 0.8
    # A shred of road at the border may lose what joined it.
    n_before, n_after = (ndimage.label(road, np.ones((3, 3)))[1] for road in (before, after))
    assert n_after <= n_before + 3


def test_a_map_without_roads_stays() -> None:
    drawn = np.full((20, 20, 3), PARK, np.uint8)
    assert narrowed(drawn) is drawn
