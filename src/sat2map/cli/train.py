"""The command `sat2map train`, which trains a recipe on pairs, or continues a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sat2map.cli.options import (
    FiniteFloat,
    device_option,
    groups_option,
    log_options,
    overwrite_option,
    resume_option,
    set_option,
    target_option,
)
from sat2map.cli.written import say_written
from sat2map.errors import import_extra

if TYPE_CHECKING:
    from sat2map.data.pairs import PairFolder


@click.command()
@click.argument("data", type=click.Path(path_type=Path), required=False)
@click.option("--recipe", "recipe_name", required=True, metavar="NAME|FILE", help="Named recipe or TOML file.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of the run.")
@click.option("--init", metavar="NAME|FILE|RUN", multiple=True, help="Begin with the weights of this model (G or D).")
@target_option
@click.option(
    "--gsd", "gsd_m", type=FiniteFloat(min=0, min_open=True), metavar="M",
    help="Metres on the ground per pixel of DATA, where its files do not say so.",
)  # fmt: skip
@groups_option
@click.option("--leave-out", metavar="SOURCE", multiple=True, help="Learn from all sources of the recipe but this one.")
@click.option("--threads", type=click.IntRange(min=1), help="Processor threads.  [default: torch's choice]")
@resume_option
@set_option
@overwrite_option
@device_option
@log_options
def train(
    data: Path | None,
    recipe_name: str,
    out: Path,
    init: tuple[str, ...],
    target_folder: Path | None,
    gsd_m: float | None,
    groups_file: Path | None,
    leave_out: tuple[str, ...],
    threads: int | None,
    resume: str | None,
    assignments: tuple[tuple[str, str], ...],
    overwrite: bool,
    device: str,
    quiet: bool,
) -> None:
    """Train on DATA, a folder of side-by-side pairs, or of two folders A and B with equal names.

    A recipe with sources of its own learns from them too, or without DATA from them alone.

    The folder of the run gets checkpoints, model files, metrics as CSV and for TensorBoard, and a grid of images after
    each validation. After any interruption the same command with --resume auto goes on, with the same result.

    For several processes use torchrun --nproc-per-node 2 --no-python sat2map train ...; each process takes batch_size
    images per step.
    """
    prepare_torch(threads)
    from sat2map.engine.torch import pick_device
    from sat2map.train.loop import train as train_recipe
    from sat2map.train.processes import joined, rank
    from sat2map.train.recipe import load_recipe
    from sat2map.train.run import RunOptions

    assignments += (("pairs_gsd_m", str(gsd_m)),) if gsd_m else ()
    recipe, pairs = load_recipe(recipe_name, assignments).without_sources(leave_out), _pairs(data, target_folder)
    with joined(out, pick_device(device)) as own_device:
        quiet = quiet or rank() > 0
        options = RunOptions(out, own_device, resume, init, groups_file, overwrite=overwrite, quiet=quiet)
        train_recipe(pairs, recipe, options)
    say_written(f"{out}: model files, checkpoint and curves", "model", "export", out, "-o", "model.onnx", quiet=quiet)


def prepare_torch(threads: int | None) -> None:
    """See that all is there that training needs, and set torch up."""
    from sat2map.train.memory import keep_freed_memory

    keep_freed_memory()
    torch = import_extra("torch", "train")
    # What only a validation needs is missed before the first epoch, and not after it.
    for module in ("tensorboard", "skimage", "scipy"):
        import_extra(module, "train")
    if threads:
        torch.set_num_threads(threads)


def _pairs(data: Path | None, target_folder: Path | None) -> PairFolder | None:
    from sat2map.data.pairs import TwoFolders

    if target_folder is None:
        return data
    if data is None:
        raise click.UsageError("--target goes with DATA, the folder of the images")
    return TwoFolders(data, target_folder)
