"""Where a map goes: what a destination must be, and the way of a finished map to it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sat2map.errors import OutputError, import_extra
from sat2map.files import refuse_existing
from sat2map.scene.formats import COG, SUFFIXES, TILE_SUFFIXES, cog_block_px, finish
from sat2map.scene.georeference import Grid
from sat2map.scene.job_folder import open_job_folder
from sat2map.scene.pieces import MAP, Piece, PieceWriter, open_piece
from sat2map.tiling import Window

__all__ = ["COG", "PieceWriter", "check_destination", "check_no_input", "cog_block_px", "open_writer", "publish"]


def check_destination(source: str | Path, destination: Path, *, overwrite: bool, may_make_folder: bool = False) -> None:
    """See, before any work, whether a map can be written.

    Args:
        source: of the map.
        destination: of the map.
        overwrite: whether it may replace another.
        may_make_folder: whether its folder may still be missing.

    Raises:
        OutputError: unknown ending, missing or unwritable folder, existing output, or the source itself.
        MissingExtraError: PMTiles are asked for and their package is missing.
    """
    if destination.suffix.lower() not in SUFFIXES:
        raise OutputError("output's ending is none that can be written", destination, hint=f"use {', '.join(SUFFIXES)}")
    if destination.suffix.lower() == ".pmtiles":
        import_extra("pmtiles", "tiles")
    if destination.is_dir():
        raise OutputError("output is a folder", destination, hint="name a file in it")
    check_no_input(destination, [Path(source)])
    refuse_existing(destination, overwrite=overwrite)
    folder = destination.parent
    if may_make_folder and not folder.exists():
        folder = folder.parent
    if not folder.is_dir():
        raise OutputError("no such folder to write to", folder, hint=f"mkdir -p {folder}")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError("folder cannot be written to", folder, hint="choose another with `out`")


def check_no_input(destination: Path, inputs: Iterable[Path]) -> None:
    """See that a map does not replace what it is made from, by whatever name (the members of a mosaic included).

    Raises:
        OutputError: it would.
    """
    if destination.exists() and any(path.exists() and destination.samefile(path) for path in inputs):
        raise OutputError("output is the input itself", destination, hint="choose another name with `out`")


def check_grid(destination: Path, grid: Grid) -> None:
    """See that a scene has what the format needs.

    Raises:
        OutputError: web tiles of a scene that lies nowhere.
    """
    if destination.suffix.lower() in TILE_SUFFIXES and (grid.transform is None or grid.crs is None):
        raise OutputError(
            "scene has no georeference, so there are no web tiles of it", destination, hint="`out` map.tif"
        )


def publish(files: Iterable[Path], folder: Path) -> None:
    """Move finished files to where they belong, flushed to the disk, the last one last."""
    for file in files:
        with file.open("rb+") as written:
            os.fsync(written.fileno())
        file.replace(folder / file.name)


@contextmanager
def open_writer(path: Path, grid: Grid, *, with_mask: bool, tags: Mapping[str, str]) -> Iterator[PieceWriter]:
    """Write an image that is drawn at once, in the format that the ending of `path` names.

    Args:
        path: of the image; appears at the end, and only then.
        grid: size and georeference.
        with_mask: whether a mask will be written; in a PNG it becomes alpha.
        tags: of a GeoTIFF.

    Raises:
        OutputError: the disk is full, or the folder cannot be written.
    """
    if not path.parent.is_dir():
        raise OutputError("no such folder to write to", path.parent, hint=f"mkdir -p {path.parent}")
    with open_job_folder(path, {}) as folder:
        piece = Piece(folder / "piece.tif", Window(0, 0, grid.height, grid.width))
        piece.path.unlink(missing_ok=True)
        with open_piece(piece, MAP, with_mask=with_mask) as writer:
            yield writer
        publish(finish([piece], grid, MAP, with_mask=with_mask, tags=tags, path=folder / path.name), path.parent)
