"""The command `sat2map model calibrate`, which fits what a model says about its own maps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from sat2map.cli.model_files import refuse_onnx, refuse_output
from sat2map.cli.options import groups_option, json_option, log_options, out_option, overwrite_option
from sat2map.cli.written import say_written
from sat2map.errors import import_extra


@click.command()
@click.argument("file", metavar="NAME|RUN|SAFETENSORS")
@click.argument("data", metavar="[DATA]", required=False, type=click.Path(path_type=Path))
@out_option
@groups_option
@overwrite_option
@json_option
@log_options
def calibrate(
    file: str, data: Path | None, out: Path, groups_file: Path | None, overwrite: bool, as_json: bool, quiet: bool
) -> None:
    """Fit a generator's confidence, and what it finds unfamiliar, on places that it was not trained on.

    These are the pairs that its run held out and the `validation` of its recipe. DATA is the folder of pairs that the
    run was given, if any. The weights stay as they are.
    """
    for module in ("torch", "scipy"):
        import_extra(module, "train")
    from sat2map.classes import CLASSES
    from sat2map.data.ground_file import data_table
    from sat2map.engine.torch import load_generator
    from sat2map.errors import ModelFileError
    from sat2map.evaluate.predictor import check_table
    from sat2map.model import safetensors_file
    from sat2map.model.bundled import resolve
    from sat2map.train.calibrate import calibrate as fit
    from sat2map.train.open_data import open_data
    from sat2map.train.recipe import parse_recipe

    refuse_output(out, ".safetensors", overwrite)
    path = resolve(file)
    refuse_onnx(path)
    generator, card = load_generator(path)
    if card.palette is None:
        raise ModelFileError("model gives no probabilities to calibrate", path, hint="give one of the compact network")
    if data:
        check_table(card, data_table(data) or CLASSES, "the pairs")
    recipe = parse_recipe(card.recipe)
    card, measured = fit(generator, card, recipe, open_data(data, recipe, groups=groups_file))
    safetensors_file.save(out, safetensors_file.load(path)[0], card)
    if as_json:
        click.echo(json.dumps(measured, indent=2))
    say_written(f"{out} ({_in_words(measured)})", "model", "export", out, "-o", out.with_suffix(".onnx"), quiet=quiet)


def _in_words(measured: dict[str, Any]) -> str:
    """What a calibration measured, in one line."""
    of = measured["familiarity"]
    errors = [f"{name} {before:.3f} to {after:.3f}" for name, (before, after) in measured["ece"].items()]
    if of is None:
        return f"error of the confidence: {', '.join(errors)}; right nowhere, so there is no familiarity"
    return (
        f"error of the confidence: {', '.join(errors)}; of {of['n_windows']} windows {of['n_bad']} are bad, of which "
        f"{of['flagged_bad'] or 0:.0%} look unfamiliar, and {of['flagged_good'] or 0:.0%} of the good"
    )
