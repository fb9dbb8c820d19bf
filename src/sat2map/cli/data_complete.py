"""The command `sat2map data complete`, which narrows partial labels by what a model is sure of."""

from __future__ import annotations

from pathlib import Path

import click

from sat2map.cli import options
from sat2map.cli.progress import progress_option, share_progress
from sat2map.cli.written import say_written
from sat2map.errors import DataError, import_extra
from sat2map.files import replacing_folder


@click.command(short_help="Narrow partial labels by what a model is sure of.")
@options.labels_argument
@options.out_option
@options.model_option
@options.images_gsd_option
@click.option(
    "--roads-under",
    "hidden",
    type=click.IntRange(0, 255),
    multiple=True,
    metavar="VALUE",
    help="Roads may be hidden under this value of the labels, such as trees, whatever the legend says.",
)
@options.only_option
@options.without_option
@progress_option
@options.overwrite_option
@options.log_options
def complete(
    folder: Path, out: Path, model: str | None, gsd_m: float, hidden: tuple[int, ...], only: tuple[str, ...],
    without: tuple[str, ...], overwrite: bool, progress: str, quiet: bool,
) -> None:  # fmt: skip
    """Write LABELS (image/ with label/ and legend.csv, or with mask/) again to OUT, with fewer classes for each pixel.

    A model looks at each image in several scales and turns. Of the classes that a pixel may have, those go that it
    rules out. Images that --only and --without leave out are written as they are. A run that learns from the result
    sees changed colours, and so learns more than the model knew.
    """
    import_extra("torch", "torch")
    from sat2map.data.partial import LEGEND_FILE, label_kind, open_labels
    from sat2map.engine.torch import load_generator
    from sat2map.model.bundled import resolve_weights
    from sat2map.train.completion import Teacher, write_completed

    kind = label_kind(folder)
    if kind is None:
        raise DataError(
            "folder holds no partial labels", folder, hint="image/ with label/ and legend.csv, or with mask/"
        )
    with replacing_folder(out, LEGEND_FILE, overwrite=overwrite, inputs=[folder]) as work:
        teacher = Teacher(*load_generator(resolve_weights(model)))
        labels = open_labels(folder, kind, teacher.card.classes)
        chosen = labels.matching(only, without).names
        if not chosen:
            raise DataError("no image is left to complete", folder, hint="change `only` and `without`")
        with share_progress("images", progress, quiet=quiet) as tell:
            left = write_completed(labels, work, teacher, gsd_m, chosen=chosen, hidden=hidden, tell=tell)
    what = f"labels of {len(labels)} images, {len(chosen)} completed, to {out}: {left:.0%} of the classes are left"
    say_written(what, "data", "inspect", out, quiet=quiet)
