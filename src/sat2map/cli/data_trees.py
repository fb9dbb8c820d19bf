"""The command `sat2map data trees`, which draws trees over the streets of images with partial labels."""

from __future__ import annotations

from pathlib import Path

import click

from sat2map.cli import options
from sat2map.cli.progress import progress_option, share_progress
from sat2map.cli.written import say_written
from sat2map.errors import import_extra
from sat2map.files import replacing_folder


@click.command(short_help="Draw trees over the streets of images with partial labels.")
@options.labels_argument
@options.out_option
@options.images_gsd_option
@options.seed_option
@progress_option
@options.overwrite_option
@options.log_options
def trees(folder: Path, out: Path, gsd_m: float, seed: int, overwrite: bool, progress: str, quiet: bool) -> None:
    """Write the towns among LABELS (image/, label/ and legend.csv) to OUT, with trees that hide parts of the streets.

    For images of spring, in which trees are bare: a model that learns from both finds streets under trees. The labels
    stay as they are. An image is of a town where a twentieth of its pixels is known to be road.
    """
    import_extra("scipy", "eval")
    from sat2map.data.partial import LEGEND_FILE
    from sat2map.landscape.leaves import write_in_leaf

    with (
        replacing_folder(out, LEGEND_FILE, overwrite=overwrite, inputs=[folder]) as work,
        share_progress("images", progress, quiet=quiet) as tell,
    ):
        n = write_in_leaf(folder, work, gsd_m, seed, tell)
    say_written(f"{n} images with trees to {out}", "data", "inspect", out, quiet=quiet)
