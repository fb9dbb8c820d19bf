"""The command `sat2map demo`, which makes maps of real images and of a synthetic city to show that all works."""

from __future__ import annotations

import time
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from sat2map.cli.options import log_options, model_option, overwrite_option
from sat2map.cli.written import console, say, say_written
from sat2map.errors import MissingExtraError, OutputError
from sat2map.files import refuse_existing, replacing

if TYPE_CHECKING:
    from PIL import ImageDraw

    from sat2map.arrays import UInt8
    from sat2map.classes import ClassTable
    from sat2map.translate import Translator

FOLDER = Path("demo")
CITY_PX, CITY_SEED = 1024, 7
TOWN, CITY, NAIP = "town.png", "city.tif", "naip.tif"
"""What the model is best at comes first: a real town of ground that it has not learned from."""
TOWN_GSD_M = 0.6
LINE_PX, GAP_PX = 30, 8
NO_METRICS = {"road_f1": "-", "miou": "-", "acc5": "-"}


class DemoRow(NamedTuple):
    """One example: its image, whose map and sheet lie beside it, and what is known of it."""

    title: str
    image: Path
    truth: Path | None = None
    gsd_m: float | None = None
    """Of an image that does not say so itself."""

    @property
    def map(self) -> Path:
        """Where its map goes."""
        return self.image.with_name(f"{self.image.stem}_map{self.image.suffix}")

    @property
    def sheet(self) -> Path:
        """Where image, map and truth are shown side by side."""
        return self.image.with_name(f"{self.image.stem}_sheet.png")


@click.command()
@click.option("-o", "--out", "output", type=click.Path(path_type=Path), help="Folder for the results.  [default: demo]")
@model_option
@overwrite_option
@log_options
def demo(output: Path | None, model: str | None, overwrite: bool, quiet: bool) -> None:
    """Make maps of a real town and of a desert road (NAIP, 2020), and of a synthetic city whose true map is known.

    Without -o they are written to the folder `demo`, and replace those of an earlier run.
    """
    from sat2map.city import truth_path, write_scene
    from sat2map.classes import CLASSES
    from sat2map.translate import Translator

    folder = output or FOLDER
    rows = (
        DemoRow("Long Beach, California", folder / TOWN, gsd_m=TOWN_GSD_M),
        DemoRow("synthetic city", folder / CITY, truth_path(folder / CITY)),
        DemoRow("desert in California", folder / NAIP),
    )
    _prepare(folder, rows, overwrite=overwrite or output is None)
    translator = Translator.load(model)
    for name in (TOWN, NAIP):
        with replacing(folder / name) as work:
            work.write_bytes((files("sat2map.bundled") / name).read_bytes())
    write_scene(folder / CITY, CITY_PX, seed=CITY_SEED)
    # A model of other classes has another truth.
    known = rows if translator.card.classes == CLASSES else [row._replace(truth=None) for row in rows]
    told = [_show(translator, row) for row in known]
    if not quiet:
        _print_table(told, f"by model {translator.engine.card.name}")
    what = f"{folder}: images, maps and sheets with both; look at {rows[0].sheet} first"
    say_written(what, "translate", "YOUR_SCENE.tif", "-o", "map.tif", quiet=quiet)


def _prepare(folder: Path, rows: tuple[DemoRow, ...], *, overwrite: bool) -> None:
    """Make the folder, and check that no file in it would be replaced against the user's will.

    Raises:
        OutputError: the folder is a file, cannot be made, or holds a file that would be replaced.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError("folder cannot be made", folder, hint="choose another with -o") from error
    made = [file for row in rows for file in (row.image, row.truth, row.map, row.sheet) if file]
    refuse_existing(*made, overwrite=overwrite)


def _show(translator: Translator, row: DemoRow) -> tuple[str, ...]:
    """Translate an image, and write a sheet with image, map and truth side by side; return its row of the table."""
    from sat2map.translate import Settings

    begun = time.perf_counter()
    translator.translate_file(row.image, row.map, Settings(gsd_m=row.gsd_m), overwrite=True)
    seconds = time.perf_counter() - begun
    images = [_read(path) for path in (row.image, row.map, row.truth) if path]
    metrics = _metrics(images[1], images[2]) if row.truth else NO_METRICS
    columns = "image | map | truth" if row.truth else "image | map"
    words = "   ".join(f"{name} {value}" for name, value in metrics.items()) if row.truth else ""
    _write_sheet(row.sheet, images, f"{row.title}: {columns}   {words}", translator.card.classes)
    return row.title, row.sheet.name, *metrics.values(), f"{seconds:.1f}"


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
        say(f"no metrics: {error}; {error.hint}")
        return NO_METRICS
    return {"road_f1": f"{measured.road_f1:.3f}", "miou": f"{measured.miou:.3f}", "acc5": f"{measured.acc5:.1f} %"}


def _write_sheet(path: Path, images: list[UInt8], caption: str, classes: ClassTable) -> None:
    from PIL import Image, ImageDraw, ImageFont

    height, width = images[0].shape[:2]
    # A small image is shown larger, pixel by pixel, so that its caption has room.
    zoom = max(1, 512 // height)
    shown = [Image.fromarray(p).resize((width * zoom, height * zoom), Image.Resampling.NEAREST) for p in images]
    step = width * zoom + GAP_PX
    sheet = Image.new("RGB", (step * len(shown) - GAP_PX, height * zoom + 2 * LINE_PX), "white")
    for i, image in enumerate(shown):
        sheet.paste(image, (i * step, 0))
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(18)
    draw.text((GAP_PX, height * zoom + 4), caption, "black", font)
    _draw_legend(draw, font, classes, height * zoom + LINE_PX)
    with replacing(path) as work:
        sheet.save(work)


def _draw_legend(draw: ImageDraw.ImageDraw, font: Any, classes: ClassTable, top_px: int) -> None:
    """Draw each class as a box of its colours and its name, in one line."""
    left_px, side_px = GAP_PX, LINE_PX - 12
    for kind in classes:
        for rgb in kind.colours_rgb:
            draw.rectangle((left_px, top_px + 4, left_px + side_px, top_px + 4 + side_px), rgb, "grey")
            left_px += side_px
        left_px += 6
        draw.text((left_px, top_px + 2), kind.name, "black", font)
        left_px += round(draw.textlength(kind.name, font)) + 18


def _print_table(rows: list[tuple[str, ...]], title: str) -> None:
    from rich import box
    from rich.table import Table

    table = Table("example", "side by side", *NO_METRICS, "s", box=box.SIMPLE, title=title)
    for row in rows:
        table.add_row(*row)
    console().print(table)
