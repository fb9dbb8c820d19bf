"""What attributes of features say: OpenStreetMap's lengths, layers and its other tags, as text."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

NO = ("", "no", "false", "0")
"""Values that say that there is none."""
FOOT_M, INCH_M = 0.3048, 0.0254
UNITS_M = {
    "": 1.0, "m": 1.0, "metre": 1.0, "metres": 1.0, "meter": 1.0, "meters": 1.0, "km": 1000.0, "cm": 0.01,
    "ft": FOOT_M, "foot": FOOT_M, "feet": FOOT_M, "'": FOOT_M, "in": INCH_M, '"': INCH_M, "mi": 1609.344,
}  # fmt: skip
NUMBER = r"(\d{1,6}(?:[.,]\d{1,6})?)"
LENGTH = re.compile(rf"~?{NUMBER}\s*([a-z]*|'|\")")
FEET_INCHES = re.compile(rf"{NUMBER}\s*'\s*{NUMBER}\s*\"?")
OTHER_TAG = re.compile(r'"((?:[^"\\]|\\.)*)"=>"((?:[^"\\]|\\.)*)"', re.DOTALL)
ESCAPED = re.compile(r"\\(.)", re.DOTALL)
MOST_LEVELS = 1_000_000
MOST_LANES = 16


def parse_length_m(text: str | None) -> float | None:
    """Metres of a length as people write it; None where it is no length above zero.

    >>> [parse_length_m(text) for text in ("7 m", "3,5", "10'6\\"", "20 ft", "narrow", None)]
    [7.0, 3.5, 3.2004, 6.096, None, None]
    """
    words = (text or "").strip().lower()
    if both := FEET_INCHES.fullmatch(words):
        return _number(both[1]) * FOOT_M + _number(both[2]) * INCH_M or None
    found = LENGTH.fullmatch(words)
    unit = UNITS_M.get(found[2]) if found else None
    return _number(found[1]) * unit or None if found and unit else None


def _number(digits: str) -> float:
    return float(digits.replace(",", "."))


def parse_lanes(text: str | None) -> int | None:
    """How many lanes a tag says; None where it says none."""
    number = _whole(text)
    return number if number is not None and 0 < number <= MOST_LANES else None


def parse_level(layer: str | None, *, is_bridge: bool) -> int:
    """Which of two ways is above: a layer, or 1 for a bridge that names none.

    >>> parse_level("-1", is_bridge=False), parse_level(None, is_bridge=True), parse_level("roof", is_bridge=False)
    (-1, 1, 0)
    """
    number = _whole(layer)
    if number is None:
        return int(is_bridge)
    return max(-MOST_LEVELS, min(number, MOST_LEVELS))


def _whole(text: str | None) -> int | None:
    try:
        value = float(text or "nan")
    except ValueError:
        return None
    return int(value) if math.isfinite(value) else None


def says_yes(text: str | None) -> bool:
    """Whether a tag is there and does not say no."""
    return text is not None and text.strip().lower() not in NO


def parse_other_tags(text: str | None) -> Mapping[str, str]:
    """Tags in GDAL's column `other_tags`, which is PostgreSQL's hstore as text.

    >>> parse_other_tags('"layer"=>"1","name"=>"a \\\\"b\\\\""')
    {'layer': '1', 'name': 'a "b"'}
    """
    return {_plain(key): _plain(value) for key, value in OTHER_TAG.findall(text or "")}


def _plain(text: str) -> str:
    return ESCAPED.sub(r"\1", text) if "\\" in text else text
