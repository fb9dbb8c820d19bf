"""The command `sat2map model`, which shows, exports, quantizes, calibrates, halves and imports model files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from sat2map.cli.model_calibrate import calibrate
from sat2map.cli.model_files import refuse_onnx, refuse_output
from sat2map.cli.options import FiniteFloat, json_option, log_options, out_option, overwrite_option
from sat2map.cli.written import say, say_written
from sat2map.errors import import_extra

PAPER_GSD_M = (1.9, 2.1)
"""GSD of the paper's `maps`: 600 px of 0.9 m, resized to 286 px."""
CHECK_SHAPE_PX = (256, 384)
"""Least height and width of the images that check an export; the graph was traced with another shape."""
CHECK_STARTS_PX = ((0, 0), (60, 80))
"""First row and column of these images in the bundled aerial image."""


@click.group()
def model() -> None:
    """Show, export, quantize, calibrate, halve or import model files."""


model.add_command(calibrate)


@model.command()
@click.argument("model_name", metavar="[NAME|FILE|RUN]", required=False)
@json_option
@log_options
def info(model_name: str | None, as_json: bool, quiet: bool) -> None:
    """Print the card of a model, by default that of `open`."""
    from sat2map.model.bundled import read_card

    card = read_card(model_name)
    if as_json:
        click.echo(card.model_dump_json(indent=2))
        return
    lines = [(key, _formatted(value)) for key, value in card.model_dump(mode="json").items() if key != "recipe"]
    width = max(len(key) for key, _ in lines)
    for key, text in lines:
        say(f"{key:{width}}  {text}", to_stdout=True)


@model.command()
@click.argument("run_or_file", metavar="RUN|SAFETENSORS", type=click.Path(path_type=Path))
@out_option
@click.option("--licence", metavar="TEXT", help="Licence of the weights, for the card.  [default: as it is]")
@click.option(
    "--int8", "calibration_folders", type=click.Path(path_type=Path), metavar="DATA", multiple=True,
    help="Write 8-bit integers, as `quantize` does with these images; give it again for more folders.",
)  # fmt: skip
@click.option(
    "--plain", is_flag=True,
    help="For other tools, such as QGIS's Deepness or OpenCV: float32 NCHW of a fixed size, classes out.",
)  # fmt: skip
@click.option(
    "--tile", "tile_px", type=click.IntRange(min=16), default=1024, show_default=True, metavar="PX",
    help="Side of the images that a plain file takes.",
)  # fmt: skip
@overwrite_option
@log_options
def export(
    run_or_file: Path, out: Path, licence: str | None, calibration_folders: tuple[Path, ...], plain: bool, tile_px: int,
    overwrite: bool, quiet: bool,
) -> None:  # fmt: skip
    """Write a generator as an ONNX file, which runs without torch; it is compared with torch first.

    Of the folder of a run, the best generator is exported.

    A plain file takes RGB, 0..1, and gives the probability of each class, or of a U-Net RGB, 0..1.
    """
    refuse_output(out, ".onnx", overwrite)
    if plain and calibration_folders:
        raise click.UsageError("give either --plain or --int8")
    if calibration_folders:
        _quantize(run_or_file, out, calibration_folders, licence)
    else:
        _export(run_or_file, out, licence, tile_px if plain else None)
    size = f"{out.stat().st_size / 2**20:.1f} MiB"
    use = ("model", "info", run_or_file) if plain else _use_of(out)
    say_written(f"{out} ({size}, checked against torch on two images)", *use, quiet=quiet)


@model.command()
@click.argument("file", metavar="NAME|FILE", type=click.Path(path_type=Path))
@click.argument("data", type=click.Path(path_type=Path), nargs=-1, required=True)
@out_option
@overwrite_option
@log_options
def quantize(file: Path, data: tuple[Path, ...], out: Path, overwrite: bool, quiet: bool) -> None:
    """Write a generator as an ONNX file with 8-bit integers, which processors with VNNI compute twice as fast.

    The ranges of its activations are measured on up to 40 images from all over DATA: folders of pairs or of images, or
    of partial labels, from each alike. The file also computes in floats: --precision of other commands chooses.
    """
    refuse_output(out, ".onnx", overwrite)
    _quantize(file, out, data)
    say_written(f"{out} ({out.stat().st_size / 2**20:.1f} MiB)", *_use_of(out), quiet=quiet)


def _quantize(file: Path, out: Path, data: Sequence[Path], licence: str | None = None) -> None:
    from tempfile import TemporaryDirectory

    from sat2map.data.calibration import calibration_images
    from sat2map.model.bundled import read_card, resolve

    import_extra("onnx", "train")
    from sat2map.model.quantize import quantize as quantize_onnx

    path = resolve(file)
    images_hwc = calibration_images(data, read_card(path))
    with TemporaryDirectory() as folder:
        if path.suffix != ".onnx":
            exported = Path(folder) / "model.onnx"
            _export(path, exported, licence)
            path = exported
        quantize_onnx(path, out, images_hwc, ", ".join(folder.resolve().name for folder in data))


def _export(run_or_file: Path, out: Path, licence: str | None, tile_px: int | None = None) -> None:
    refuse_onnx(run_or_file)
    for module in ("torch", "onnx", "onnxscript"):
        import_extra(module, "train")
    from sat2map.engine.torch import load_generator
    from sat2map.model.bundled import resolve
    from sat2map.model.export import export as export_onnx

    file = resolve(run_or_file)
    refuse_onnx(file)
    generator, card = load_generator(file)
    if licence:
        card = card.model_copy(update={"licence": licence})
    if tile_px:
        _export_plain(generator, card, out, tile_px)
    else:
        export_onnx(generator, card, out, _check_images(card.stride))


def _export_plain(generator: Any, card: Any, out: Path, tile_px: int) -> None:
    from sat2map.model.export import export_plain

    if tile_px % card.stride:
        nearest = -(-tile_px // card.stride) * card.stride
        raise click.UsageError(f"--tile must be a multiple of the model's stride, {card.stride}: {nearest} is one")
    export_plain(generator, card, out, _check_images(card.stride, (tile_px, tile_px)))


@model.command()
@click.argument("file", metavar="NAME|SAFETENSORS")
@out_option
@overwrite_option
@log_options
def halve(file: str, out: Path, overwrite: bool, quiet: bool) -> None:
    """Write a model file (of G or D) in half precision, which takes half the room; every command reads it."""
    from sat2map.model import safetensors_file
    from sat2map.model.bundled import resolve

    refuse_output(out, ".safetensors", overwrite)
    path = resolve(file)
    refuse_onnx(path)
    tensors, card = safetensors_file.load(path)
    safetensors_file.save(out, safetensors_file.halved(tensors), card)
    say_written(f"{out} ({out.stat().st_size / 2**20:.1f} MiB)", *_use_of(out, card.role), quiet=quiet)


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
    type=(FiniteFloat(min=0, min_open=True), FiniteFloat(min=0, min_open=True)),
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

    refuse_output(out, ".safetensors", overwrite)
    card = import_weights(
        weights, out, normalization="frozen" if normalization == "frozen" else "instance", gsd_m=gsd_m
    )
    what = f"{out} ({card.role}, {card.architecture}, stride {card.stride})"
    say_written(what, *_use_of(out, card.role), quiet=quiet)


def _use_of(file: Path, role: str = "generator") -> tuple[object, ...]:
    """The command in which a model file is likely used."""
    if role == "generator":
        return "translate", "scene.tif", "-o", "map.tif", "--model", file
    return "train", "DATA", "--recipe", "paper", "--out", "runs/next", "--init", file


def _check_images(stride: int, shape_px: tuple[int, int] = CHECK_SHAPE_PX) -> Any:
    """Cut two images from the bundled aerial image: uint8, shape (2, H, W, 3), H and W multiples of the stride."""
    from importlib.resources import as_file, files

    import numpy as np
    from PIL import Image

    from sat2map.tiling import Window, padded_size, read_padded

    with as_file(files("sat2map.bundled") / "naip.tif") as file, Image.open(file) as photograph:
        ground_hwc = np.asarray(photograph.convert("RGB"))
    size = padded_size(*shape_px, stride)
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
