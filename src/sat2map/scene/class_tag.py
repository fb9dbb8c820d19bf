"""The class table in the metadata of a map, from which whoever reads the map learns what its colours stand for."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from pydantic import TypeAdapter

from sat2map.classes import ClassTable
from sat2map.errors import SceneError

CLASS_TABLE_TAG = "SAT2MAP_CLASS_TABLE"


def as_tag(classes: ClassTable) -> str:
    """A class table as JSON."""
    return json.dumps([asdict(kind) for kind in classes], separators=(",", ":"))


def named_classes(dataset: Any, name: object) -> ClassTable | None:
    """The class table that a map names; None: it names none.

    Args:
        dataset: of rasterio.
        name: of the raster, for the error.

    Raises:
        SceneError: the tag is broken.
    """
    tag = dataset.tags().get(CLASS_TABLE_TAG)
    try:
        return None if tag is None else TypeAdapter(ClassTable).validate_json(tag)
    except ValueError as error:
        raise SceneError(f"raster's tag {CLASS_TABLE_TAG} is broken", name, hint="give `class_table`") from error
