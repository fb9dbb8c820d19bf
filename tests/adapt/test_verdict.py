"""The sentence in which `adapt` says what it came to."""

from __future__ import annotations

from typing import Any

import pytest

from sat2map.adapt.verdict import verdict


def metrics(difference: tuple[float, float, float] | None, n_groups: int = 12, road_f1: float | None = 0.8) -> Any:
    def table(value: float | None) -> Any:
        return {"road_f1": {"value": value}, "miou": {"value": 0.5}}

    found = {
        "protocol": {"n_images": 30, "n_groups": n_groups}, "metrics": table(road_f1),
        "constant_baseline": {"metrics": table(0)},
    }  # fmt: skip
    if difference is None:
        return found
    cell = dict(zip(("value", "low", "high"), difference, strict=True))
    return found | {"versus": {"metrics": table(0.7)}, "difference": {"metrics": {"road_f1": cell, "miou": cell}}}


@pytest.mark.parametrize(
    ("difference", "begins"),
    [
        (
            (0.1, 0.05, 0.15),
            "It is worth using here: on 30 squares in 12 blocks that it was not trained on it draws",
        ),
        ((0.1, -0.05, 0.25), "It is not shown to be better than open: "),
        ((-0.1, -0.15, -0.05), "It is not worth using: "),
    ],
)
def test_verdict_follows_from_the_paired_interval(difference: tuple[float, float, float], begins: str) -> None:
    said = verdict(metrics(difference), "open")
    assert said.startswith(begins)
    assert f"a road_f1 of 0.800, and open of 0.700 ({difference[0]:+.3f}, 95 % {difference[1]:+.3f} to" in said
    assert "rough" not in said


def test_few_blocks_and_classes_without_roads_are_told() -> None:
    said = verdict(metrics((0.1, 0.05, 0.15), n_groups=2, road_f1=None), "open")
    assert "draws classes with a miou of 0.500" in said
    assert said.startswith("It is not shown to be better than open: ")
    assert said.endswith("So few blocks make the interval rough.")
    assert verdict(metrics((0.1, 0.05, 0.15), n_groups=3), "open").startswith("It is worth using here: ")


def test_of_other_classes_there_is_no_before() -> None:
    said = verdict(metrics(None), "open")
    assert said.startswith("open has other classes, so there is no before. After: miou 0.500 on 30 squares")
    assert said.endswith("one colour everywhere has 0.500.")
