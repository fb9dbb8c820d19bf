"""What commands that take scenes have in common: the scenes that were named, and what is asked of their reading."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sat2map.errors import SceneError

if TYPE_CHECKING:
    from sat2map.scene.options import ReadOptions


def read_options(given: Mapping[str, Any]) -> ReadOptions:
    """What is asked of the reading of scenes, from the options of a command; those that it has not are left out."""
    from sat2map.scene.options import ReadOptions, parse_mask
    from sat2map.scene.stretch import parse_stretch

    if given.get("bbox_crs") and given["bbox"] is None:
        raise click.UsageError("--bbox-crs says of --bbox what it is, and there is none")
    return ReadOptions(
        bands=given["bands"], nodata=given["nodata"], mask=parse_mask(given["mask"]), bbox=given.get("bbox"),
        bbox_crs=given.get("bbox_crs"), stretch=parse_stretch(given["stretch"]), crs=given["crs"],
    )  # fmt: skip


def scenes_of(source: str) -> list[str]:
    """A scene itself, or the rasters and images of a folder; what the system hides, and folders in it, are none.

    Raises:
        SceneError: the folder holds none.
    """
    from sat2map.scene.gdal import is_remote
    from sat2map.scene.source import IMAGE_SUFFIXES, RASTER_SUFFIXES

    if is_remote(source) or not Path(source).is_dir():
        return [source]
    endings = IMAGE_SUFFIXES + RASTER_SUFFIXES
    # A Mac writes `._a.tif` beside a.tif on other file systems.
    found = [p for p in sorted(Path(source).iterdir()) if p.suffix.lower() in endings and p.name[0] != "."]
    files = [str(path) for path in found if path.is_file()]
    if not files:
        raise SceneError("folder holds no image and no raster", source, hint=f"looked for {' '.join(endings)}")
    return files
