"""The command `sat2map adapt`, which makes a model of one's own ground."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import click

from sat2map.cli import options
from sat2map.cli.model_files import refuse_output
from sat2map.cli.train import prepare_torch
from sat2map.cli.written import say, say_written
from sat2map.errors import import_extra

NEEDED = {"onnx": "train", "shapely": "vector", "pyogrio": "vector", "matplotlib": "report"}
"""Packages and the extras that bring them."""


@click.command(short_help="Make a model of your own ground: scenes and vectors in.")
@click.argument("scenes", metavar="SCENE...", nargs=-1, required=True)
@options.vectors_option
@options.out_option
@options.style_option
@options.layers_option
@options.country_option
@click.option(
    "--align/--no-align", default=True, help="Move vectors to where the model sees their roads.  [default: yes]"
)
@options.model_option
@click.option(
    "--size", "size_px", type=click.IntRange(min=64), metavar="PX", help="Side of a pair.  [default: by the scenes]"
)
@options.block_option
@options.licence_option
@click.option(
    "--work", type=click.Path(path_type=Path), metavar="FOLDER",
    help="Folder of pairs and run, which stays.  [default: beside OUT, ending in _adapt]",
)  # fmt: skip
@click.option("--threads", type=click.IntRange(min=1), help="Processor threads.  [default: torch's choice]")
@options.set_option
@options.bands_option
@options.nodata_option
@options.mask_option
@options.stretch_option
@options.bbox_option
@options.bbox_crs_option
@options.crs_option
@options.device_option
@options.overwrite_option
@options.json_option
@options.log_options
def adapt(
    scenes: tuple[str, ...], vectors: tuple[Path, ...], out: Path, style: str, country: str | None, model: str | None,
    threads: int | None, assignments: tuple[tuple[str, str], ...], device: str, overwrite: bool, as_json: bool,
    quiet: bool, **given: Any,
) -> None:  # fmt: skip
    """Make a model of your own ground from each SCENE and vectors of the same ground.

    Vectors are drawn and aligned, the model that ships is fine-tuned, and OUT is written in 8-bit integers. The report
    beside it (.html) compares both on blocks that were not trained on, and says whether OUT is worth using. After any
    interruption the same command goes on.
    """
    refuse_output(out, ".onnx", overwrite)
    prepare_torch(threads)
    for module, extra in NEEDED.items():
        import_extra(module, extra)
    from sat2map.adapt.make import adapt as make
    from sat2map.adapt.request import AdaptRequest
    from sat2map.cli.scenes import read_options
    from sat2map.data.ground import GroundOptions
    from sat2map.engine.torch import pick_device
    from sat2map.model.bundled import DEFAULT
    from sat2map.vector.draw_style import load_style

    drawn_as = load_style(style, country)
    asked = {name: given.pop(name) for name in ("align", "work", "size_px")}
    cut = {name: given.pop(name) for name in ("block_m", "layers", "licence")}
    ground = GroundOptions(**cut, read=read_options(given))
    request = AdaptRequest(
        scenes, vectors, out, drawn_as, ground, DEFAULT if model is None else model,
        changes=assignments, device=pick_device(device), **asked,
    )  # fmt: skip

    tell = partial(_tell, quiet)
    made = make(request, overwrite=overwrite, quiet=quiet, tell=tell)
    tell(made.verdict)
    if as_json:
        click.echo(json.dumps({"output": str(out), "verdict": made.verdict, **made.metrics}, indent=2))
    say_written(f"{made.out} and {made.report}", "translate", scenes[0], "-o", "map.tif", "--model", out, quiet=quiet)


def _tell(quiet: bool, line: str) -> None:
    if not quiet:
        say(line)
