"""The class table in the metadata of a map, from which whoever reads the map learns what its colours stand for."""

from __future__ import annotations

import json
from dataclasses import asdict

from pydantic import TypeAdapter

from sat2map.classes import ClassTable

CLASS_TABLE_TAG = "SAT2MAP_CLASS_TABLE"


def as_tag(classes: ClassTable) -> str:
    """A class table as JSON."""
    return json.dumps([asdict(kind) for kind in classes], separators=(",", ":"))


def from_tag(tag: str) -> ClassTable:
    """The class table that a tag holds.

    Raises:
        ValueError: it holds none.
    """
    return TypeAdapter(ClassTable).validate_json(tag)
