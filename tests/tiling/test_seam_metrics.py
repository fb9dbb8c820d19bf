from __future__ import annotations

import numpy as np
import pytest

from sat2map.tiling import border_ratio, difference


def test_difference_is_of_the_worst_channel_of_each_pixel() -> None:
    a = np.full((10, 10, 3), 100, np.uint8)
    b = a.copy()
    b[0, 0, 1], b[0, 1] = 130, 99
    found = difference(a, b)
    assert (found.largest, found.share, found.n_px) == (30, 0.01, 100)
    assert found.percentile_99 == pytest.approx(np.percentile([30, 1, *[0] * 98], 99))
    assert "up to 30 of 255, on 1.000%" in str(found)


def test_map_without_seams_has_a_ratio_of_one_and_one_with_them_more() -> None:
    image = np.random.default_rng(0).integers(100, 120, (512, 512, 3), np.uint8)
    assert border_ratio(image, 64) == pytest.approx(1, abs=0.05)
    tone = np.zeros((512, 512), int)
    tone[64:128, 64:128], tone[256:320] = 40, 20
    assert border_ratio((image + tone[..., None]).astype(np.uint8), 64) > 1.3
    assert border_ratio(image, 1024) == 1
    assert border_ratio(np.zeros_like(image), 64) == 1
