from __future__ import annotations

import pytest

from sat2map.bench.peak import multiply_adds_per_px

from ..model.networks import tiny


def test_multiply_adds_of_the_papers_network_are_those_that_are_known() -> None:
    # 6.05 G for an image of 256 px.
    card = tiny("unet").card.model_copy(update={"configuration": {}, "stride": 256})
    assert multiply_adds_per_px(card) * 256**2 == pytest.approx(6.05e9, rel=2e-3)
