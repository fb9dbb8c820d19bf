"""The command `sat2map demo`, which makes maps of a real image and of a synthetic city to show that all works."""

from __future__ import annotations

import time
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from sat2map.cli.options import log_options, model_option, overwrite_option
from sat2map.cli.written import say_written
from sat2map.errors import MissingExtraError, OutputError
from sat2map.files import refuse_existing

if TYPE_CHECKING:
    from sat2map.arrays import UInt8
    from sat2map.translate import Translator

FOLDER = Path("demo")
CITY_PX, CITY_SEED = 1024, 7
CITY, CITY_MAP, CITY_SHEET = "city.tif", "city_map.tif", "city.png"
NAIP_MAP, NAIP_SHEET = "naip_map.tif", "naip.png"
CAPTION_PX, GAP_PX = 34, 8
NO_METRICS = {"road_f1": "-", "miou": "-", "acc5": "-"}


class DemoRow(NamedTuple):
    """The files of one example: image, map, sheet and, where it is known, the true map."""

    name: str
    image: Path
    map: Path
    sheet: Path
    truth: Path | None = None


@click.command()
@click.option("-o", "--out", "output", type=click.Path(path_type=Path), help="Folder for the results.  [default: demo]")
@model_option
@overwrite_option
@log_options
def demo(output: Path | None, model: str | None, overwrite: bool, quiet: bool) -> None:
    """Make maps of a real photograph (NAIP, 2020) and of a synthetic city whose true map is known.

    Without -o they are written to the folder `demo`, and replace those of an earlier run.
    """
    from sat2map.city import truth_path, write_scene
    from sat2map.classes import CLASSES
    from sat2map.translate import Translator

    folder = output or FOLDER
    city = folder / CITY
    truth = truth_path(city)
    _prepare(folder, (city, truth), overwrite=overwrite or output is None)
    translator = Translator.load(model)
    with as_file(files("sat2map.bundled") / "naip.tif") as naip:
        naip_row = DemoRow("photograph", naip, folder / NAIP_MAP, folder / NAIP_SHEET)
        rows = [_show(translator, naip_row)]
    write_scene(city, CITY_PX, seed=CITY_SEED)
    # A model of other classes has another truth.
    known = truth if translator.card.classes == CLASSES else None
    rows.append(_show(translator, DemoRow("city", city, folder / CITY_MAP, folder / CITY_SHEET, known)))
    if not quiet:
        _print_table(rows, f"by model {translator.engine.card.name}")
    say_written(f"{folder}: maps and sheets to look at", "translate", "scene.tif", "-o", "map.tif", quiet=quiet)


def _prepare(folder: Path, drawn: tuple[Path, ...], *, overwrite: bool) -> None:
    """Make the folder, and check that no file in it would be replaced against the user's will.

    Raises:
        OutputError: the folder is a file, cannot be made, or holds a file that would be replaced.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError("folder cannot be made", folder, hint="choose another with -o") from error
    made = (*drawn, *(folder / name for name in (CITY_MAP, CITY_SHEET, NAIP_MAP, NAIP_SHEET)))
    refuse_existing(*made, overwrite=overwrite)


def _show(translator: Translator, row: DemoRow) -> tuple[str, ...]:
    """Translate an image, and write a sheet with image, map and truth side by side; return its row of the table."""
    begun = time.perf_counter()
    translator.translate_file(row.image, row.map, overwrite=True)
    seconds = time.perf_counter() - begun
    images = [_read(path) for path in (row.image, row.map, row.truth) if path]
    metrics = _metrics(images[1], images[2]) if row.truth else NO_METRICS
    title = "image | map | truth" if row.truth else "image | map"
    words = "   ".join(f"{name} {value}" for name, value in metrics.items()) if row.truth else "truth unknown"
    _write_sheet(row.sheet, images, f"{row.name}: {title}   {words}")
    return row.name, row.map.name, row.sheet.name, *metrics.values(), f"{seconds:.1f}"


def _read(path: Path) -> UInt8:
    from sat2map.scene.source import open_scene
    from sat2map.tiling import Window

    with open_scene(path) as scene:
        return scene.read(Window(0, 0, scene.grid.height, scene.grid.width))


def _metrics(prediction_hwc: UInt8, truth_hwc: UInt8) -> dict[str, str]:
    from sat2map.evaluate.metrics import score_image, total

    try:
        measured = total([score_image(prediction_hwc, truth_hwc, truth_hwc.shape[0])])
    except MissingExtraError as error:
        click.echo(f"no metrics: {error}; {error.hint}", err=True)
        return NO_METRICS
    return {"road_f1": f"{measured.road_f1:.3f}", "miou": f"{measured.miou:.3f}", "acc5": f"{measured.acc5:.1f} %"}


def _write_sheet(path: Path, images: list[UInt8], caption: str) -> None:
    from PIL import Image, ImageDraw, ImageFont

    from sat2map.files import replacing

    height, width = images[0].shape[:2]
    # A small image is shown larger, pixel by pixel, so that its caption has room.
    zoom = max(1, 512 // height)
    shown = [Image.fromarray(p).resize((width * zoom, height * zoom), Image.Resampling.NEAREST) for p in images]
    step = width * zoom + GAP_PX
    sheet = Image.new("RGB", (step * len(shown) - GAP_PX, height * zoom + CAPTION_PX), "white")
    for i, image in enumerate(shown):
        sheet.paste(image, (i * step, 0))
    ImageDraw.Draw(sheet).text((GAP_PX, height * zoom + 6), caption, "black", ImageFont.load_default(18))
    with replacing(path) as work:
        sheet.save(work)


def _print_table(rows: list[tuple[str, ...]], title: str) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table("example", "map", "side by side", *NO_METRICS, "s", box=box.SIMPLE, title=title)
    for row in rows:
        table.add_row(*row)
    Console().print(table)
