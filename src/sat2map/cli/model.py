"""The command `sat2map model`, which shows, exports, calibrates, halves and imports model files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from sat2map.cli.options import groups_option, json_option, log_options, out_option, overwrite_option
from sat2map.cli.written import say_written
from sat2map.errors import import_extra

RUN_MODEL_FILE = "generator_best.safetensors"
"""The model file in the folder of a run that is exported."""
PAPER_GSD_M = (1.9, 2.1)
"""GSD of the paper's `maps`: 600 px of 0.9 m, resized to 286 px."""
CHECK_SHAPE_PX = (256, 384)
"""Least height and width of the images that check an export; the graph was traced with another shape."""
CHECK_STARTS_PX = ((0, 0), (60, 80))
"""First row and column of these images in the bundled aerial image."""


@click.group()
def model() -> None:
    """Show, export, calibrate, halve or import model files."""


@model.command()
@click.argument("model_name", metavar="[NAME|FILE]", required=False)
@json_option
@log_options
def info(model_name: str | None, as_json: bool, quiet: bool) -> None:
    """Print the card of a model, by default the bundled one."""
    from sat2map.model.bundled import read_card

    card = read_card(model_name)
    if as_json:
        click.echo(card.model_dump_json(indent=2))
        return
    lines = [(key, _formatted(value)) for key, value in card.model_dump(mode="json").items() if key != "recipe"]
    width = max(len(key) for key, _ in lines)
    for key, text in lines:
        click.echo(f"{key:{width}}  {text}")


@model.command()
@click.argument("run_or_file", metavar="RUN|SAFETENSORS", type=click.Path(path_type=Path))
@out_option
@click.option("--licence", metavar="TEXT", help="Licence of the weights, for the card.  [default: as it is]")
@overwrite_option
@log_options
def export(run_or_file: Path, out: Path, licence: str | None, overwrite: bool, quiet: bool) -> None:
    """Write a generator as an ONNX file, which runs without torch; it is compared with torch first.

    Of the folder of a run, the best generator is exported.
    """
    _refuse_output(out, ".onnx", overwrite)
    file = run_or_file / RUN_MODEL_FILE if run_or_file.is_dir() else run_or_file
    _refuse_onnx(file)

    for module in ("torch", "onnx", "onnxscript"):
        import_extra(module, "train")
    from sat2map.engine.torch import load_generator
    from sat2map.model.bundled import resolve
    from sat2map.model.export import export as export_onnx

    generator, card = load_generator(resolve(file))
    if licence:
        card = card.model_copy(update={"licence": licence})
    export_onnx(generator, card, out, _check_images(card.stride))
    size = f"{out.stat().st_size / 2**20:.1f} MiB"
    say_written(f"{out} ({size}, checked against torch on two images)", *_use_of(out), quiet=quiet)


@model.command()
@click.argument("file", metavar="NAME|SAFETENSORS")
@out_option
@overwrite_option
@log_options
def halve(file: str, out: Path, overwrite: bool, quiet: bool) -> None:
    """Write a model file (of G or D) in half precision, which takes half the room; every command reads it."""
    from sat2map.model import safetensors_file
    from sat2map.model.bundled import resolve

    _refuse_output(out, ".safetensors", overwrite)
    path = resolve(file)
    _refuse_onnx(path)
    tensors, card = safetensors_file.load(path)
    safetensors_file.save(out, safetensors_file.halved(tensors), card)
    say_written(f"{out} ({out.stat().st_size / 2**20:.1f} MiB)", *_use_of(out, card.role), quiet=quiet)


@model.command()
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
    from sat2map.engine.torch import load_generator
    from sat2map.errors import ModelFileError
    from sat2map.model import safetensors_file
    from sat2map.model.bundled import resolve
    from sat2map.train.calibrate import calibrate as fit
    from sat2map.train.data import open_data
    from sat2map.train.recipe import parse_recipe

    _refuse_output(out, ".safetensors", overwrite)
    path = resolve(Path(file) / RUN_MODEL_FILE if Path(file).is_dir() else file)
    _refuse_onnx(path)
    generator, card = load_generator(path)
    if card.palette is None:
        raise ModelFileError("model gives no probabilities to calibrate", path, hint="give one of the compact network")
    recipe = parse_recipe(card.recipe)
    card, measured = fit(generator, card, recipe, open_data(data, recipe, groups=groups_file)[0])
    safetensors_file.save(out, safetensors_file.load(path)[0], card)
    if as_json:
        click.echo(json.dumps(measured, indent=2))
    say_written(f"{out} ({_in_words(measured)})", "model", "export", out, "-o", out.with_suffix(".onnx"), quiet=quiet)


@model.command("import")
@click.argument("weights", metavar="PTH", type=click.Path(path_type=Path))
@out_option
@click.option(
    "--normalization",
    type=click.Choice(["instance", "frozen"]),
    default="instance",
    show_default=True,
    help="instance: statistics of each image, as in its test.py; frozen: those of training, as in test.py --eval.",
)
@click.option(
    "--gsd",
    "gsd_m",
    type=(click.FloatRange(min=0, min_open=True), click.FloatRange(min=0, min_open=True)),
    default=PAPER_GSD_M,
    show_default=True,
    metavar="FINEST COARSEST",
    help="Metres per pixel that it was trained for.",
)
@overwrite_option
@log_options
def import_(
    weights: Path, out: Path, normalization: str, gsd_m: tuple[float, float], overwrite: bool, quiet: bool
) -> None:
    """Make a model file from a state dict of pytorch-CycleGAN-and-pix2pix: its U-Net, or its PatchGAN.

    No code in PTH is run. The model gives the images of their test.py without the noise of dropout.
    """
    import_extra("torch", "torch")
    from sat2map.model.import_pix2pix import import_weights

    _refuse_output(out, ".safetensors", overwrite)
    card = import_weights(
        weights, out, normalization="frozen" if normalization == "frozen" else "instance", gsd_m=gsd_m
    )
    what = f"{out} ({card.role}, {card.architecture}, stride {card.stride})"
    say_written(what, *_use_of(out, card.role), quiet=quiet)


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


def _use_of(file: Path, role: str = "generator") -> tuple[object, ...]:
    """The command in which a model file is likely used."""
    if role == "generator":
        return "translate", "scene.tif", "-o", "map.tif", "--model", file
    return "train", "DATA", "--recipe", "paper", "--out", "runs/next", "--init", file


def _refuse_output(out: Path, suffix: str, overwrite: bool) -> None:
    from sat2map.errors import OutputError
    from sat2map.files import refuse_existing

    if out.suffix != suffix:
        raise OutputError(f"what is written here ends in {suffix}", out, hint=f"-o {out.with_suffix(suffix)}")
    refuse_existing(out, overwrite=overwrite)


def _refuse_onnx(file: Path) -> None:
    from sat2map.errors import ModelFileError

    if file.suffix == ".onnx":
        raise ModelFileError("model is ONNX already", file, hint="give the .safetensors file that it was made from")


def _check_images(stride: int) -> Any:
    """Cut two images from the bundled aerial image: uint8, shape (2, H, W, 3), H and W multiples of the stride."""
    from importlib.resources import as_file, files

    import numpy as np
    from PIL import Image

    from sat2map.tiling import Window, padded_size, read_padded

    with as_file(files("sat2map.bundled") / "naip.tif") as file, Image.open(file) as photograph:
        ground_hwc = np.asarray(photograph.convert("RGB"))
    size = padded_size(*CHECK_SHAPE_PX, stride)
    windows = [Window(row, col, *size) for row, col in CHECK_STARTS_PX]
    return np.stack([read_padded(lambda w: ground_hwc[w.slices], window, *ground_hwc.shape[:2]) for window in windows])


def _formatted(value: Any) -> str:
    match value:
        case float():
            return f"{value:.4g}"
        case [[int(), int(), int()], *_]:
            return " ".join(f"#{bytes(colour).hex()}" for colour in value)
        case list():
            return ", ".join(_formatted(part) for part in value) or "-"
        case dict():
            return "; ".join(f"{key} {_formatted(part)}" for key, part in value.items()) or "-"
    return "-" if value in (None, "") else str(value)
