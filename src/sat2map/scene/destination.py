"""Where a map goes: what a destination must be, and the way of a finished map to it."""

from __future__ import annotations

import errno
import logging
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from sat2map.errors import OutputError, import_extra
from sat2map.files import check_output_folder, refuse_existing, replacing, short_name, through_link
from sat2map.scene.formats import COG, SUFFIXES, TILE_SUFFIXES, cog_block_px, finish
from sat2map.scene.gdal import METADATA, is_utf8
from sat2map.scene.georeference import Grid, ends_where_web_tiles_end
from sat2map.scene.image import IMAGE_SUFFIXES
from sat2map.scene.job_folder import open_job_folder
from sat2map.scene.pieces import CONFIDENCE, FAMILIARITY, MAP, Piece, PieceWriter, Product, one_line, open_piece
from sat2map.scene.source import RASTER_SUFFIXES
from sat2map.tiling import Window

__all__ = [
    "COG", "PieceWriter", "check_destination", "check_no_input", "cog_block_px", "open_writer", "output_path",
    "publish",
]  # fmt: skip

LONGEST_NAME = 255
"""Bytes of a name in a file system."""

log = logging.getLogger(__name__)


def output_path(destination: Path, product: Product) -> Path:
    """The file of a product: confidence and familiarity lie beside the map, as rasters."""
    if product not in (CONFIDENCE, FAMILIARITY):
        return destination
    suffix = destination.suffix if destination.suffix.lower() in (".tif", ".tiff", ".png") else ".tif"
    return destination.with_name(f"{destination.stem}_{product.name}{suffix}")


def check_destination(source: str | Path, destination: Path, *, overwrite: bool, may_make_folder: bool = False) -> None:
    """See, before any work, whether a map can be written.

    Args:
        source: of the map.
        destination: of the map.
        overwrite: whether it may replace another.
        may_make_folder: whether its folder may still be missing.

    Raises:
        OutputError: unknown ending, missing or unwritable folder, existing output (or files beside it, which would be
            read with it), or the source itself.
        MissingExtraError: PMTiles are asked for and their package is missing.
    """
    if destination.suffix.lower() not in SUFFIXES:
        raise OutputError("output's ending is none that can be written", destination, hint=f"use {', '.join(SUFFIXES)}")
    if destination.suffix.lower() == ".pmtiles":
        import_extra("pmtiles", "tiles")
    if destination.is_dir():
        raise OutputError("output is a folder", destination, hint="name a file in it")
    if not is_utf8(destination):
        raise OutputError("output's name is not UTF-8, which GDAL needs", destination, hint="choose another with `out`")
    check_no_input(destination, [Path(source)])
    refuse_existing(destination, *_beside(destination), overwrite=overwrite)
    folder = through_link(destination).parent
    if may_make_folder and not folder.exists():
        folder = folder.parent
    check_output_folder(folder)


def check_no_input(destination: Path, inputs: Iterable[Path], parameter: str = "out") -> None:
    """See that a map does not replace what it is made from, by whatever name (the members of a mosaic included).

    Args:
        destination: of the map.
        inputs: what it is made from.
        parameter: that names the destination.

    Raises:
        OutputError: it would.
    """
    if destination.exists() and any(path.exists() and destination.samefile(path) for path in inputs):
        raise OutputError("output is the input itself", destination, hint=f"choose another name with `{parameter}`")


def check_grid(destination: Path, grid: Grid) -> None:
    """See that a scene has what the format needs.

    Raises:
        OutputError: web tiles of a scene that lies nowhere, or where they end.
    """
    if destination.suffix.lower() in TILE_SUFFIXES and (grid.transform is None or grid.crs is None):
        raise OutputError(
            "scene has no georeference, so there are no web tiles of it", destination, hint="`out` map.tif"
        )
    if destination.suffix.lower() in TILE_SUFFIXES and (reason := ends_where_web_tiles_end(grid)):
        raise OutputError(f"{reason}, where web tiles end", destination, hint="`out` map.tif")


def publish(files: Sequence[Path], destinations: Iterable[Path]) -> None:
    """Move finished files to where they belong, flushed to the disk, the last one last.

    What lies beside a destination and says something of an older map goes.

    Args:
        files: that were written, each under a destination's `short_name` and what is added to it.
        destinations: of them, but for the files beside them.

    Raises:
        OutputError: a name is too long, or the disk is full.
    """
    stems = {Path(short_name(path.name)).stem: path for path in destinations}
    for file in files:
        stem = max((stem for stem in stems if file.name.startswith(f"{stem}.")), key=len)
        target = stems[stem].with_name(stems[stem].stem + file.name[len(stem) :])
        if file.name.endswith(METADATA) and len(os.fsencode(target.name)) > LONGEST_NAME:
            log.warning("no room in a name for %s, which would hold names of classes or the CRS", target.name)
            continue
        with file.open("rb+") as written:
            os.fsync(written.fileno())
        for left in _beside(target):
            if left.name not in {other.name for other in files}:
                left.unlink()
        with one_line(target):
            _move(file, through_link(target))


def _move(file: Path, target: Path) -> None:
    try:
        file.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise OutputError(
                f"map cannot be written ({error.strerror})", target, hint="choose another `out`"
            ) from error
        # The target of a link, on another disk.
        with replacing(target) as work:
            shutil.copyfile(file, work)


def _beside(path: Path) -> list[Path]:
    """The files beside a raster that GDAL reads with it, and with no other raster."""
    if not path.parent.is_dir():
        return []
    kind = path.suffix.lower()[1:]
    names = {f"{path.name}{ending}".lower() for ending in (METADATA, ".ovr", ".msk")}
    worlds = {f"{path.stem}.{ending}".lower() for ending in (f"{kind[0]}{kind[-1]}w", f"{kind}w", "wld")}
    neighbours = [other for other in path.parent.iterdir() if other.name.lower().startswith(f"{path.stem}.".lower())]
    is_alone = not any(o.suffix.lower() in IMAGE_SUFFIXES + RASTER_SUFFIXES and o.name != path.name for o in neighbours)
    return [other for other in neighbours if other.name.lower() in names | (worlds if is_alone else set())]


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
    check_output_folder(path.parent)
    with open_job_folder(path, {}) as folder:
        piece = Piece(folder / "piece.tif", Window(0, 0, grid.height, grid.width))
        piece.path.unlink(missing_ok=True)
        with open_piece(piece, MAP, with_mask=with_mask) as writer:
            yield writer
        work = folder / short_name(path.name)
        publish(finish([piece], grid, MAP, with_mask=with_mask, tags=tags, path=work), [path])
