"""Styles: which features become which class of a map, in which order they are painted, and how wide lines are."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from sat2map.classes import CLASSES, ClassTable
from sat2map.errors import DataError

STYLE_HINT = "the commented styles lie in sat2map/styles; `style` names one of them, or a file"

Wanted = bool | tuple[str, ...]
"""Of a tag: any of these values (patterns such as `*_link`); true: that it is there; false: that it is not."""


def _as_values(wanted: object) -> object:
    if isinstance(wanted, (str, int, float)) and not isinstance(wanted, bool):
        return (str(wanted),)
    return tuple(str(value) for value in wanted) if isinstance(wanted, list) else wanted


Filter = Mapping[str, Annotated[Wanted, BeforeValidator(_as_values)]]
"""Tags that a feature has, all of them."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Rule(_Part):
    """Features that are drawn as a class."""

    class_name: str = Field(alias="class")
    """Empty: it is known, and not drawn."""
    geometry: Literal["area", "line", "coastline"]
    """What is drawn: polygons; lines with a width; or lines with water on their right."""
    where: Filter = {}
    unless: Filter = {}
    """Left out is what has any of these tags."""
    layer: str = "*"
    """Pattern of the layers that it is of."""
    colour: int = Field(0, ge=0)
    """Which of the colours of the class."""
    order: int = 0
    """Higher ones are painted later. Of one order: by level, then by area, the largest first, then as in the file."""
    width_m: float = Field(0, gt=0)
    """Of lines, where no tag says it."""
    oneway_width_m: float | None = Field(None, gt=0)
    by_level: bool = False
    """Whether what has a higher `layer`, or is a bridge, is painted later."""
    by_lanes: bool = False
    """Whether the number of lanes decides the width where no tag says it."""

    @model_validator(mode="after")
    def _has_width(self) -> Rule:
        if self.class_name and self.geometry == "line" and "width_m" not in self.model_fields_set:
            raise ValueError("a rule of lines needs width_m")
        return self


class Widths(_Part):
    """How wide lines are."""

    tags: tuple[str, ...] = ("width", "est_width")
    """Lengths, the first that is there."""
    least_m: float = Field(1, gt=0)
    most_m: float = Field(80, gt=0)
    """What tags say is brought between them."""
    lanes: str = "lanes"
    lane_m: float = Field(3.25, gt=0)
    shoulder_m: float = Field(0.5, ge=0)
    """On each side, beside the lanes."""
    scale: float = Field(1, gt=0)
    """By which the widths of rules are multiplied."""
    oneway: str = "oneway"


class Country(_Part):
    """What differs in a country."""

    lane_m: float | None = Field(None, gt=0)
    scale: float = Field(1, gt=0)


class Levels(_Part):
    """Which tags say what is above."""

    layer: str = "layer"
    bridge: str = "bridge"


class DrawStyle(_Part):
    """How vectors are drawn."""

    name: str
    title: str = ""
    licence: str = ""
    """Of vectors of this kind, for the data's own file and the model card."""
    source: str = ""
    background: str = ""
    """Class of ground that nothing is drawn on; by default the first."""
    classes: ClassTable = CLASSES
    counted: str = ""
    """Tag of which values that no rule knows are counted and told."""
    widths: Widths = Widths()
    levels: Levels = Levels()
    countries: Mapping[str, Country] = {}
    rules: tuple[Rule, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _consistent(self) -> DrawStyle:
        names = self.classes.names
        if self.background not in ("", *names):
            raise ValueError(f"background is none of the classes: {self.background}")
        for rule in self.rules:
            if not rule.class_name:
                continue
            if rule.class_name not in names:
                raise ValueError(f"class of a rule is none of the classes: {rule.class_name}")
            if rule.colour >= len(self.classes[names.index(rule.class_name)].colours_rgb):
                raise ValueError(f"class {rule.class_name} has no colour {rule.colour}")
        return self

    @cached_property
    def first_colours(self) -> Mapping[str, int]:
        """Row of each class's first colour, of all colours class by class."""
        n, rows = 0, {}
        for kind in self.classes:
            rows[kind.name] = n
            n += len(kind.colours_rgb)
        return rows

    @property
    def background_colour(self) -> int:
        """Row of the colour of ground that nothing is drawn on."""
        return self.first_colours[self.background or self.classes[0].name]

    def colour_of(self, rule: Rule) -> int:
        """Row of a rule's colour."""
        return self.first_colours[rule.class_name] + rule.colour

    def keys(self) -> Iterator[str]:
        """Tags that decide anything, each once."""
        widths = self.widths
        found = [*widths.tags, widths.lanes, widths.oneway, self.levels.layer, self.levels.bridge, self.counted]
        for rule in self.rules:
            found += [*rule.where, *rule.unless]
        yield from (key for key in dict.fromkeys(found) if key)

    def in_country(self, code: str) -> DrawStyle:
        """The style with the widths of a country.

        Raises:
            DataError: the style does not know it.
        """
        country = self.countries.get(code.upper())
        if country is None:
            known = ", ".join(sorted(self.countries)) or "none"
            raise DataError("style does not know the country", code, hint=f"it knows {known}")
        lane_m = country.lane_m or self.widths.lane_m
        widths = self.widths.model_copy(update={"lane_m": lane_m, "scale": self.widths.scale * country.scale})
        return self.model_copy(update={"widths": widths})


def style_names() -> list[str]:
    """Names of the styles that come with the package."""
    return sorted(p.name.removesuffix(".toml") for p in files("sat2map.styles").iterdir() if p.name.endswith(".toml"))


def load_style(name_or_path: str | Path, country: str | None = None) -> DrawStyle:
    """Read a style by name or from a TOML file, with the widths of a country if one is given.

    >>> load_style("osm").classes[3].name
    'water'

    Raises:
        DataError: there is no such style, it is no TOML, a key or value is wrong, or it does not know the country.
    """
    path = Path(name_or_path)
    try:
        if str(name_or_path) in style_names():
            text = (files("sat2map.styles") / f"{name_or_path}.toml").read_text("utf-8")
        else:
            text = path.read_text("utf-8")
        style = parse_style(tomllib.loads(text), path)
    except UnicodeDecodeError as error:
        raise DataError("style is not UTF-8", path, hint="save it as UTF-8") from error
    except OSError as error:
        raise DataError("no such style", path, hint=f"a TOML file, or one of {', '.join(style_names())}") from error
    except tomllib.TOMLDecodeError as error:
        raise DataError(f"style is not valid TOML ({error})", path, hint="mend that line") from error
    return style.in_country(country) if country else style


def parse_style(values: Mapping[str, Any], name: object) -> DrawStyle:
    """Validate a style; raises what `load_style` raises."""
    try:
        return DrawStyle.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "rules"
        words = first["msg"].removeprefix("Value error, ")
        raise DataError(f"style is wrong at {key} ({words})", name, hint=STYLE_HINT) from error
