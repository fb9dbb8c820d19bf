"""How a scene is read, from the options that several commands have for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from sat2map.scene.options import ReadOptions


def read_options(given: Mapping[str, Any]) -> ReadOptions:
    """What `--bands --nodata --mask --stretch --bbox --bbox-crs` say, from their values by name."""
    from sat2map.scene.options import ReadOptions, parse_mask
    from sat2map.scene.stretch import parse_stretch

    if given["bbox_crs"] and given["bbox"] is None:
        raise click.UsageError("--bbox-crs says of --bbox what it is, and there is none")
    return ReadOptions(
        bands=given["bands"], nodata=given["nodata"], mask=parse_mask(given["mask"]), bbox=given["bbox"],
        bbox_crs=given["bbox_crs"], stretch=parse_stretch(given["stretch"]), crs=given.get("crs"),
    )  # fmt: skip
