"""`sat2map data`: makes data sets; the drawing itself is in `sat2map.data`."""

from __future__ import annotations

from pathlib import Path

import click

from sat2map.cli.options import log_options, overwrite_option, seed_option
from sat2map.errors import OutputError

SMALLEST_PX = 64


@click.group()
def data() -> None:
    """Make data sets."""


@data.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--pairs", "n_pairs", type=click.IntRange(min=1), metavar="N", help="Write N side-by-side pairs to OUT.")
@click.option(
    "--scene",
    "side_px",
    type=click.IntRange(min=SMALLEST_PX),
    metavar="SIDE_PX",
    help="Write one square GeoTIFF to OUT, and its true map beside it.",
)
@seed_option
@overwrite_option
@log_options
def synth(out: Path, n_pairs: int | None, side_px: int | None, seed: int, overwrite: bool, quiet: bool) -> None:
    """Draw synthetic cities with their true maps: pairs in the folder OUT, or a scene in the file OUT.

    A scene is drawn as a whole in memory.
    """
    if (n_pairs is None) == (side_px is None):
        raise click.UsageError("give either --pairs or --scene")
    if n_pairs is not None:
        written = _write_pairs(out, n_pairs, seed, overwrite)
    else:
        assert side_px is not None
        written = _write_scene(out, side_px, seed, overwrite)
    if not quiet:
        click.echo(f"wrote {written}", err=True)


def _write_pairs(folder: Path, n: int, seed: int, overwrite: bool) -> str:
    from sat2map.data.synthetic import write_pairs

    if folder.exists() and not folder.is_dir():
        raise OutputError("output is not a folder", folder, hint="pairs go to a folder; choose another name")
    if folder.is_dir() and any(folder.iterdir()) and not overwrite:
        raise OutputError("output exists and is not empty", folder, hint="--overwrite, or another folder")
    return f"{len(write_pairs(folder, n, seed=seed))} pairs to {folder}"


def _write_scene(path: Path, side_px: int, seed: int, overwrite: bool) -> str:
    from sat2map.data.synthetic import truth_path, write_scene

    if path.suffix.lower() not in (".tif", ".tiff"):
        raise OutputError("a scene is written as GeoTIFF", path, hint=f"use {path.with_suffix('.tif')}")
    for output in (path, truth_path(path)):
        if output.exists() and not overwrite:
            raise OutputError("output exists", output, hint="--overwrite to replace it")
    return f"{path} and its true map, {write_scene(path, side_px, seed=seed)}"
