from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sat2map.vector.tags import parse_lanes, parse_length_m, parse_level, parse_other_tags, says_yes

LENGTHS_M = {
    "7": 7.0, "7 m": 7.0, "2m": 2.0, " 3.5 ": 3.5, "3,5 m": 3.5, "~4": 4.0, "12'": 3.6576, "12 ft": 3.6576,
    "20 feet": 6.096, "6'6\"": 1.9812, "6' 6\"": 1.9812, "30\"": 0.762, "0.005 km": 5.0, "7 M": 7.0,
    "": None, "0": None, "-3": None, "narrow": None, "7;8": None, "2-3": None, "7 parsec": None, "1e9": None,
    None: None,
}  # fmt: skip


@pytest.mark.parametrize(("text", "metres"), LENGTHS_M.items())
def test_lengths_as_people_write_them(text: str | None, metres: float | None) -> None:
    assert parse_length_m(text) == (None if metres is None else pytest.approx(metres))


@given(st.text(max_size=20))
def test_any_text_is_a_length_above_zero_or_none(text: str) -> None:
    found = parse_length_m(text)
    assert found is None or found > 0
    assert parse_lanes(text) is None or 0 < (parse_lanes(text) or 0) <= 16
    assert abs(parse_level(text, is_bridge=True)) <= 1_000_000
    says_yes(text)
    parse_other_tags(text)


@pytest.mark.parametrize(
    ("layer", "is_bridge", "level"),
    [("1", False, 1), ("-2", True, -2), (None, True, 1), (None, False, 0), ("9e99", False, 1_000_000), ("0", True, 0)],
)
def test_level(layer: str | None, is_bridge: bool, level: int) -> None:
    assert parse_level(layer, is_bridge=is_bridge) == level


@given(st.dictionaries(st.text(min_size=1, max_size=8), st.text(max_size=8), max_size=5))
def test_other_tags_come_back(tags: dict[str, str]) -> None:
    def quoted(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    assert parse_other_tags(",".join(f"{quoted(k)}=>{quoted(v)}" for k, v in tags.items())) == tags
