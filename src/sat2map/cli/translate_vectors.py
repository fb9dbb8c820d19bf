"""`sat2map translate -o map.gpkg`: a map is drawn, and vectors are made of it."""

from __future__ import annotations

import glob
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click

from sat2map.errors import OutputError, SceneError
from sat2map.files import short_name

VECTOR_SUFFIXES = (".gpkg", ".fgb", ".parquet", ".geojsonl", ".geojsons")
"""Formats of vectors, known here without importing what writes them."""


class VectorOutputs(NamedTuple):
    """Where vectors and their map go."""

    out: Path
    also: Path | None
    """Of the map, with its confidence beside it; None: both are kept only until the vectors are made."""
    overwrite: bool
    as_json: bool
    """Whether the vectors are described for programs."""


def translate_to_vectors(context: click.Context, outputs: VectorOutputs, sources: Sequence[str], **given: Any) -> None:
    """Draw the map of a scene, and write its vectors.

    Args:
        context: of the command `translate`, which draws the map.
        outputs: where they go.
        sources: one scene.
        given: all other options of `translate`.
    """
    from sat2map.cli.vectorize import say_vectors
    from sat2map.scene.formats import TILE_SUFFIXES
    from sat2map.vector.vectorize import vectorize_file
    from sat2map.vector.write import check_vector_destination

    out, also, overwrite, as_json = outputs
    if out.suffix.lower() not in VECTOR_SUFFIXES:
        raise click.UsageError("--also goes with vectors: -o map.gpkg --also map.tif")
    if also is not None and also.suffix.lower() in TILE_SUFFIXES:
        raise click.UsageError("--also takes .tif or .png: the pixels of web tiles are others than the map's")
    if len(sources) != 1 or Path(sources[0]).is_dir():
        raise click.UsageError("vectors are made of one scene: translate a folder to maps, then use vectorize")
    check_vector_destination(out, overwrite=overwrite)
    _check_scene(sources[0], out, given)
    # Of a fixed name, by which an interrupted run goes on; x.gpkg and x.fgb may be made at once, of two scenes.
    raster = also or out.with_name(f".{short_name(out.name)}_map.tif")
    once = {"overwrite": overwrite or also is None, "as_json": False, "also": None}
    # Vectors have it as an attribute, and by it roads that the model is unsure of are dropped.
    given["confidence"] = given["confidence"] or None
    try:
        context.invoke(context.command, sources=tuple(sources), out=raster, **once, **given)
        say_vectors(sources[0], vectorize_file(raster, out, overwrite=overwrite), as_json, given["quiet"])
    except OutputError as error:
        if also is None and error.value == raster:
            # A file that the user has never heard of.
            raise OutputError(error.found, out, hint=error.hint) from error
        raise
    finally:
        if also is None:
            for drawn in out.parent.glob(f"{glob.escape(raster.stem)}*.tif*"):
                drawn.unlink()


def _check_scene(source: str, out: Path, given: Mapping[str, Any]) -> None:
    """See, before the map is drawn, that its vectors will lie somewhere, and not in place of the scene.

    Raises:
        SceneError: the scene has no CRS or no transform, or cannot be read.
        OutputError: the scene is what would be written (a GeoPackage may hold both).
    """
    from sat2map.cli.scenes import read_options
    from sat2map.scene.destination import check_no_input
    from sat2map.scene.source import UNSTRETCHED, open_scene

    with open_scene(source, read_options(given), shared=UNSTRETCHED) as scene:
        check_no_input(out, scene.files)
        if scene.grid.transform is None:
            raise SceneError(
                "scene has no georeference, so its vectors would have no place",
                source,
                hint="`out` map.png for an image",
            )
        if scene.grid.crs is None:
            raise SceneError(
                "scene has no CRS, so its vectors would have no place", source, hint="`crs` says which it is"
            )
