"""Which rule of a style a feature follows, and what its tags say of its width and level; knows no geometry."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase, translate
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from sat2map.arrays import Bool, Float64, Int64
from sat2map.vector.draw_style import DrawStyle, Rule, Wanted
from sat2map.vector.read import Features, Objects
from sat2map.vector.tags import parse_lanes, parse_length_m, parse_level, says_yes

ONEWAY = ("yes", "1", "-1", "true", "reverse")


class Matched(NamedTuple):
    """Features of a rule."""

    rank: int
    """Of the rule in its style."""
    rule: Rule
    rows: Int64
    """Of the features, shape (n,)."""
    widths_m: Float64
    levels: Int64


def match(style: DrawStyle, features: Features) -> Iterator[Matched]:
    """Find the features of each rule that draws some; a feature may follow several rules."""
    for rank, rule in enumerate(style.rules):
        if not rule.class_name or not fnmatchcase(features.layer.name, rule.layer):
            continue
        chosen = _has_all(rule, features)
        for key, wanted in rule.unless.items():
            chosen &= ~_has(features, key, wanted)
        rows = np.flatnonzero(chosen)
        if len(rows):
            tags = {key: column[rows] for key, column in features.tags.items()}
            yield Matched(
                rank, rule, rows, _widths_m(style, rule, tags, len(rows)), _levels(style, rule, tags, len(rows))
            )


def count_unknown(style: DrawStyle, features: Features) -> Counter[str]:
    """Values of the style's counted tag on features that no rule knows."""
    column = features.tags.get(style.counted)
    if column is None:
        return Counter()
    unknown = np.array([says_yes(value) for value in column], bool)
    for rule in style.rules:
        if fnmatchcase(features.layer.name, rule.layer) and style.counted in rule.where:
            unknown &= ~_has(features, style.counted, rule.where[style.counted])
    return Counter(column[unknown].tolist())


def _has_all(rule: Rule, features: Features) -> Bool:
    chosen = np.ones(len(features.geometry), bool)
    for key, wanted in rule.where.items():
        chosen &= _has(features, key, wanted)
    return chosen


def _has(features: Features, key: str, wanted: Wanted) -> Bool:
    column = features.tags.get(key)
    if column is None:
        return np.full(len(features.geometry), wanted is False)
    if isinstance(wanted, bool):
        return np.array([says_yes(value) == wanted for value in column], bool)
    pattern = _pattern(wanted)
    return np.array([value is not None and pattern.fullmatch(value) is not None for value in column], bool)


@lru_cache(maxsize=512)
def _pattern(wanted: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(translate(value) for value in wanted))


def _widths_m(style: DrawStyle, rule: Rule, tags: Mapping[str, Objects], n: int) -> Float64:
    """What a tag says, else what the lanes need, else the rule's, wider or narrower as the country has it."""
    widths = style.widths
    usual = np.full(n, rule.width_m * widths.scale)
    if rule.geometry != "line":
        return usual
    empty = np.full(n, None, object)
    if rule.oneway_width_m and widths.oneway in tags:
        oneway = np.array([value in ONEWAY for value in tags[widths.oneway]], bool)
        usual[oneway] = rule.oneway_width_m * widths.scale
    if rule.by_lanes:
        for row, text in enumerate(tags.get(widths.lanes, empty)):
            if lanes := parse_lanes(text):
                usual[row] = lanes * widths.lane_m + 2 * widths.shoulder_m
    for key in reversed(widths.tags):
        for row, text in enumerate(tags.get(key, empty)):
            if said := parse_length_m(text):
                usual[row] = min(max(said, widths.least_m), widths.most_m)
    return usual


def _levels(style: DrawStyle, rule: Rule, tags: Mapping[str, Objects], n: int) -> Int64:
    if not rule.by_level:
        return np.zeros(n, np.int64)
    empty = np.full(n, None, object)
    layers, bridges = (tags.get(key, empty) for key in (style.levels.layer, style.levels.bridge))
    return np.array(
        [parse_level(layer, is_bridge=says_yes(bridge)) for layer, bridge in zip(layers, bridges, strict=True)],
        np.int64,
    )
