"""`sat2map evaluate`: scores a model, or one colour, on pairs; computes no measure itself."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sat2map import __version__
from sat2map.cli import options
from sat2map.errors import OutputError

if TYPE_CHECKING:
    from sat2map.evaluate.measures import PictureScore
    from sat2map.evaluate.protocol import Judged, Predict

METRICS, PREDICTION, TRUTH = "metrics.json", "prediction", "truth"
SMALLEST_PX = 11
"""Side of the window of SSIM."""
DECIMALS = {"rmse": 2, "acc5": 1, "acc10": 1, "psnr": 2}


def _colour(_context: click.Context, _parameter: click.Parameter, value: str | None) -> tuple[int, ...] | None:
    if value is None:
        return None
    levels = value.split(",")
    if len(levels) != 3 or not all(level.strip().isdecimal() and int(level) < 256 for level in levels):
        raise click.BadParameter(f"'{value}' is not a colour R,G,B with levels of 0 to 255")
    return tuple(int(level) for level in levels)


@click.command()
@click.argument("data", type=click.Path(path_type=Path))
@options.model_option
@options.size_option
@options.head_option
@options.groups_option
@click.option("--every", type=click.IntRange(min=1), default=1, show_default=True, metavar="N", help="Every Nth pair.")
@click.option("--constant", "colour_rgb", metavar="R,G,B", callback=_colour, help="Score one colour, not a model.")
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Folder for metrics.json (and pictures).")
@click.option("--save-images", is_flag=True, help="Put predictions and truths in two folders of the output.")
@options.overwrite_option
@options.device_option
@options.seed_option
@options.json_option
@options.log_options
def evaluate(
    data: Path,
    model: str | None,
    size_px: int,
    head: str | None,
    groups_file: Path | None,
    every: int,
    colour_rgb: tuple[int, ...] | None,
    out: Path | None,
    save_images: bool,
    overwrite: bool,
    device: str,
    seed: int,
    as_json: bool,
    quiet: bool,
) -> None:
    """Score a model on DATA, a folder of side-by-side pairs, beside the floor: one constant colour."""
    from sat2map.data.pairs import list_pairs
    from sat2map.data.split import read_groups
    from sat2map.evaluate.bootstrap import N_DRAWS
    from sat2map.evaluate.measures import FLOOR_RGB
    from sat2map.evaluate.protocol import decode_pairs, judge, summarise

    _refuse_contradictions(model, head, colour_rgb, size_px, save_images=save_images and out is None)
    if out is not None:
        _refuse_existing(out, (METRICS, *((PREDICTION, TRUTH) if save_images else ())), overwrite)
    paths = list_pairs(data)[::every]
    groups = read_groups(data, [path.name for path in paths], groups_file)
    predict, scored = _what_to_score(model, head, colour_rgb, device)

    with _results_folder(out) as folder:
        judged = _with_progress(judge(predict, decode_pairs(paths, scored["direction"]), size_px), len(paths), quiet)
        scores, floor = _collect(judged, folder if save_images else None)
        protocol = {"data": data.resolve().name, "size_px": size_px, "every": every, "n_pictures": len(scores)}
        draws = {"n_groups": len(set(groups)), "n_draws": N_DRAWS, "seed": seed}
        metrics = {
            "protocol": {**protocol, **draws, **scored, "sat2map_version": __version__},
            **summarise(scores, groups, seed=seed),
            "floor": {"constant_rgb": FLOOR_RGB, **summarise(floor, groups, seed=seed)},
        }
        text = json.dumps(metrics, indent=2, allow_nan=False)
        if folder is not None:
            (folder / METRICS).write_text(text + "\n", encoding="utf-8")
    if as_json:
        click.echo(text)
    else:
        _print_table(metrics)


def _refuse_contradictions(
    model: str | None, head: str | None, colour_rgb: tuple[int, ...] | None, size_px: int, *, save_images: bool
) -> None:
    if colour_rgb is not None and (model or head):
        raise click.UsageError("--constant takes the place of a model: give no --model and no --output with it")
    if size_px < SMALLEST_PX:
        raise click.BadParameter(
            f"{size_px} px is smaller than the window of SSIM, {SMALLEST_PX} px", param_hint="--size"
        )
    if save_images:
        raise click.UsageError("--save-images needs a folder: give -o as well")


def _refuse_existing(folder: Path, names: tuple[str, ...], overwrite: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise OutputError("output is not a folder", folder, hint="give a folder to -o")
    for name in names:
        if (folder / name).exists() and not overwrite:
            raise OutputError("output exists", folder / name, hint="--overwrite, or another folder")


def _what_to_score(
    model: str | None, head: str | None, colour_rgb: tuple[int, ...] | None, device: str
) -> tuple[Predict, dict[str, Any]]:
    """The prediction, and what the protocol says of it."""
    from sat2map.evaluate.protocol import by_engine, constant

    if colour_rgb is not None:
        return constant(colour_rgb), {"model": None, "output": None, "constant_rgb": colour_rgb, "direction": "AtoB"}
    from sat2map.engine import load_engine

    engine = load_engine(model, device)
    card = engine.card
    scored = {"model": card.name, "output": head or card.outputs[0], "direction": card.recipe.get("direction", "AtoB")}
    return by_engine(engine, head), scored


def _collect(judged: Iterable[Judged], images: Path | None) -> tuple[list[PictureScore], list[PictureScore]]:
    """Scores of the predictions and of the floor; the pictures themselves go to the folder `images`, if any."""
    scores, floor = [], []
    for picture in judged:
        scores.append(picture.score)
        floor.append(picture.floor())
        if images is not None:
            _save_images(images, picture)
    return scores, floor


def _with_progress(judged: Iterator[Judged], n_pictures: int, quiet: bool) -> Iterator[Judged]:
    from rich.console import Console
    from rich.progress import track

    stderr = Console(stderr=True)
    yield from track(judged, "scoring", n_pictures, console=stderr, disable=quiet or not stderr.is_terminal)


@contextmanager
def _results_folder(out: Path | None) -> Iterator[Path | None]:
    """A temporary folder inside `out`, whose contents move into `out` if all goes well."""
    if out is None:
        yield None
        return
    is_new = not out.exists()
    out.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(dir=out, prefix=".evaluate-") as work:
            yield Path(work)
            # Folders first: where the figures are, the pictures are whole.
            for made in sorted(Path(work).iterdir(), key=lambda path: path.is_file()):
                _replace(made, out / made.name)
    except BaseException:
        if is_new:
            with suppress(OSError):
                out.rmdir()
        raise


def _replace(made: Path, destination: Path) -> None:
    if destination.is_dir():
        shutil.rmtree(destination)
    made.replace(destination)


def _save_images(folder: Path, judged: Judged) -> None:
    from PIL import Image

    for name, picture_hwc in ((PREDICTION, judged.prediction_hwc), (TRUTH, judged.truth.bicubic_hwc)):
        (folder / name).mkdir(exist_ok=True)
        Image.fromarray(picture_hwc).save(folder / name / f"{Path(judged.name).stem}.png")


def _print_table(metrics: dict[str, Any]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    protocol, floor = metrics["protocol"], metrics["floor"]
    table = Table(box=box.SIMPLE)
    table.add_column("measure")
    for title in (protocol["model"] or "constant", "95 %", "floor", "95 %"):
        table.add_column(title, justify="right")
    for part, prefix in (("measures", ""), ("iou", "iou ")):
        for name, cell in metrics[part].items():
            n_decimals = DECIMALS.get(name, 3)
            table.add_row(prefix + name, *_in_words(cell, n_decimals), *_in_words(floor[part][name], n_decimals))
        table.add_section()
    stdout = Console()
    stdout.print(table)
    what = f"output {protocol['output']}" if protocol["output"] else f"colour {protocol['constant_rgb']}"
    stdout.print(
        f"{protocol['n_pictures']} pictures of {protocol['data']} in {protocol['n_groups']} groups, "
        f"{protocol['size_px']} px, {what}",
        highlight=False,
    )


def _in_words(cell: dict[str, float | None], n_decimals: int) -> tuple[str, str]:
    value, low, high = ("-" if cell[k] is None else f"{cell[k]:.{n_decimals}f}" for k in ("value", "low", "high"))
    return value, f"{low} to {high}"
