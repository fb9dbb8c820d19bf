"""Layers of features, in batches: what areas and roads are written as."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from sat2map.arrays import Array


class FeatureBatch(NamedTuple):
    """Some features of a layer."""

    geometry: Array
    """Shapely geometries, shape (N,), in the layer's CRS."""
    columns: Mapping[str, Array]
    """For each field an array of shape (N,); of text an array of objects."""


@dataclass(frozen=True)
class FeatureLayer:
    """Features of one kind, which are made while they are written, once.

    Attributes:
        name: of the layer.
        geometry_type: `Polygon`, `LineString` or `Point`.
        fields: name of each field and its type, as pyarrow has it (`int64`, `double`, `string`, `bool`).
        crs: of the coordinates (rasterio's).
        batches: the features, in their order.
        colours: uint8 RGB of each value of the field `class`, by which the layer is shown.
    """

    name: str
    geometry_type: str
    fields: Mapping[str, str]
    crs: Any
    batches: Iterable[FeatureBatch]
    colours: Mapping[str, tuple[int, int, int]] = field(default_factory=dict)


def is_name_for_pyogrio(path: Path) -> bool:
    """Whether pyogrio takes a name as it is: it reads it as a URL, where `!` parts an archive from what is in it."""
    from pyogrio.util import vsi_path

    return "!" not in str(path) and str(path) in vsi_path(str(path))
