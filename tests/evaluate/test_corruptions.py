from __future__ import annotations

import numpy as np
import pytest

from sat2map.arrays import UInt8
from sat2map.classes import CLASSES
from sat2map.evaluate.corruptions import CORRUPTIONS, score_corrupted
from sat2map.evaluate.metrics import total
from tests.data.images import flat, noise


@pytest.mark.parametrize("name", sorted(set(CORRUPTIONS) - {"octave"}))
def test_each_corruption_changes_the_image_and_always_alike(name: str) -> None:
    image = noise(250, 250)
    changed = CORRUPTIONS[name].change(image)
    assert changed.shape == image.shape
    assert changed.dtype == np.uint8
    assert np.abs(changed.astype(int) - image).mean() > 2
    np.testing.assert_array_equal(changed, CORRUPTIONS[name].change(image))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("red cast", (130, 90, 90)),
        ("dark", (60, 60, 60)),
        ("bright", (160, 160, 160)),
        ("gamma 2", (39, 39, 39)),
        ("gamma 0.5", (160, 160, 160)),
        ("haze", (136, 136, 136)),
    ],
)
def test_light_changes_a_level_as_worked_by_hand(name: str, expected: tuple[int, int, int]) -> None:
    assert tuple(CORRUPTIONS[name].change(flat(4, 100))[0, 0]) == expected


def test_scores_are_of_the_changed_image_and_size() -> None:
    """A model that copies its input is exact on a map only where the change leaves it alone."""
    sizes = set()

    def copy(image_hwc: UInt8) -> UInt8:
        sizes.add(image_hwc.shape[0])
        return image_hwc

    target = noise(250, 250)
    scores = dict(score_corrupted(copy, lambda: [("a", target, target)], 125, CLASSES))
    assert list(scores) == list(CORRUPTIONS)
    assert sizes == {125, 250}
    rmse = {name: total(of).rmse for name, of in scores.items()}
    assert rmse.pop("octave") < 1
    assert min(rmse.values()) > 5
