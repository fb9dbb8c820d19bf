"""The options that more than one command takes; beside errors, this module imports no other part of the package."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any

import click

from sat2map.errors import printable

DEBUG_KEY = "sat2map.debug"
"""Key in `click.Context.meta` that says whether tracebacks are shown."""


class OneLine(logging.Formatter):
    """Writes each message on one line, whatever the names in it hold; a traceback keeps its lines."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  (the name is logging's)
        """Format the message itself."""
        return printable(super().formatMessage(record))


class FiniteFloat(click.FloatRange):
    """A number within a range, which NaN is for click, and which is not infinite either."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read the number."""
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is no finite number", param, ctx)
        return number


def _remember_debug(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        context.meta[DEBUG_KEY] = True
        _log_at(logging.DEBUG)


def _set_quiet(_context: click.Context, _parameter: click.Parameter, value: bool) -> bool:
    if value:
        _log_at(logging.ERROR)
    return value


def _set_verbose(_context: click.Context, _parameter: click.Parameter, value: bool) -> bool:
    if value:
        _log_at(logging.INFO)
    return value


def _log_at(level: int) -> None:
    """Send the log of sat2map to stderr (stdout is for data), from `level` upwards."""
    logger = logging.getLogger("sat2map")
    logger.setLevel(level)
    if not logger.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(OneLine("%(levelname)s %(name)s: %(message)s"))
        logger.addHandler(handler)


def _split_assignments(
    _context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]
) -> tuple[tuple[str, str], ...]:
    pairs = []
    for value in values:
        key, equals, text = value.partition("=")
        if not equals or not key.strip():
            raise click.BadParameter(f"'{value}' is not of the form key=value")
        pairs.append((key.strip(), text.strip()))
    return tuple(pairs)


def _numbers(count: int) -> Any:
    """Return a callback that reads `count` numbers separated by commas."""

    def read(_context: click.Context, _parameter: click.Parameter, value: str | None) -> tuple[float, ...] | None:
        if value is None:
            return None
        try:
            numbers = tuple(float(part) for part in value.split(","))
        except ValueError:
            numbers = ()
        if len(numbers) != count or not all(map(math.isfinite, numbers)):
            raise click.BadParameter(f"'{value}' is not {count} numbers parted by commas")
        return numbers

    return read


def _read_bands(_context: click.Context, _parameter: click.Parameter, value: str | None) -> tuple[int, ...] | None:
    if value is None:
        return None
    if not all(part.strip().isdigit() for part in value.split(",")):
        raise click.BadParameter(f"'{value}' is not numbers of bands parted by commas")
    return tuple(int(part) for part in value.split(","))


model_option = click.option(
    "--model",
    "model",
    metavar="NAME|FILE",
    help="Bundled model (open, newyork) or model file (.onnx, .safetensors).  [default: open]",
)
out_option = click.option(
    "-o", "--out", "--output", "out", type=click.Path(path_type=Path), required=True, help="Where the result goes."
)
head_option = click.option(
    "--head", metavar="crisp|smooth|rgb", help="Which head of the model draws.  [default: its first]"
)
only_option = click.option(
    "--only", multiple=True, metavar="PATTERN", help="Partial labels: only images of such names."
)
without_option = click.option(
    "--without", multiple=True, metavar="PATTERN", help="Partial labels: no image of such names."
)
overwrite_option = click.option("--overwrite", is_flag=True, help="Replace an output that exists.")
window_option = click.option(
    "--window", "window_px", type=click.IntRange(min=1), metavar="PX", help="Side of the windows that are written."
)
margin_option = click.option(
    "--margin",
    "margin_px",
    type=click.IntRange(min=0),
    metavar="PX",
    help="Pixels read around each window and thrown away.  [default: the model's]",
)
bands_option = click.option(
    "-b",
    "--bands",
    "--bidx",
    "bands",
    metavar="R,G,B",
    callback=_read_bands,
    help="Bands, from 1.  [default: as the file's colours say]",
)
nodata_option = click.option("--nodata", type=float, metavar="VALUE", help="What stands for no data.")
mask_option = click.option(
    "--mask", metavar="none|FILE|BAND", help="What says where data is: nothing, a raster, or a band."
)
gsd_option = click.option(
    "--gsd", "gsd_m", type=FiniteFloat(min=0, min_open=True), metavar="M",
    help="Metres on the ground per pixel, where the file does not say so.",
)  # fmt: skip
labels_argument = click.argument(
    "folder", metavar="LABELS", type=click.Path(exists=True, file_okay=False, path_type=Path)
)
images_gsd_option = click.option(
    "--gsd", "gsd_m", type=FiniteFloat(min=0, min_open=True), required=True, metavar="M",
    help="Metres on the ground per pixel of the images.",
)  # fmt: skip
bbox_option = click.option(
    "--bbox",
    "--bounds",
    "bbox",
    metavar="W,S,E,N",
    callback=_numbers(4),
    help="That part only, in the scene's CRS or --bbox-crs.",
)
crs_option = click.option(
    "--crs", metavar="CRS", help="CRS of the scene, where the file does not say it, or wrongly; as EPSG:25832."
)
bbox_crs_option = click.option("--bbox-crs", metavar="CRS", help="CRS of --bbox; EPSG:4326 for degrees.")
stretch_option = click.option(
    "--stretch",
    metavar="auto|none|LO,HI[;..]",
    help="Numbers that become dark and bright.  [default: auto; 8 bit only where the model learned so]",
)
vectors_option = click.option(
    "--vectors", "vectors", metavar="FILE", type=click.Path(path_type=Path), multiple=True, required=True,
    help="Vectors: whatever GDAL reads, .osm.pbf, or GeoParquet; may be given again.",
)  # fmt: skip
style_option = click.option(
    "--style", "style", metavar="NAME|FILE", default="osm", show_default=True,
    help="What is drawn as which class: osm, areas (what vectorize writes), or a TOML file.",
)  # fmt: skip
layers_option = click.option(
    "--layer", "layers", metavar="NAME", multiple=True, help="Only that layer; may be given again."
)
country_option = click.option(
    "--country", metavar="CODE", help="Whose widths of roads hold, such as US, where the style knows it."
)
block_option = click.option(
    "--block", "block_m", type=FiniteFloat(min=0, min_open=True), metavar="M",
    help="Pairs within one square of this side are one group.  [default: two pairs wide]",
)  # fmt: skip
licence_option = click.option(
    "--licence", "licence", metavar="TEXT", help="Of the maps, for the card.  [default: as the style says]"
)
class_table_option = click.option(
    "--class-table", "class_table", type=click.Path(path_type=Path), metavar="FILE",
    help="Names and colours of other classes: TOML with [[classes]], each a name and colours_rgb.",
)  # fmt: skip
workers_option = click.option(
    "--workers", "n_workers", type=click.IntRange(min=1), metavar="N", help="Processes that share the work."
)
scheduler_option = click.option(
    "--scheduler", metavar="ADDRESS", help="Dask scheduler whose workers share the work; they must see the same files."
)
target_option = click.option(
    "--target",
    "target_folder",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Folder of the maps, of the same names; DATA then holds the images alone.",
)
groups_option = click.option(
    "--groups",
    "groups_file",
    type=click.Path(path_type=Path),
    help="CSV with the columns file, group [, split].  [default: groups.csv in DATA or beside it]",
)
device_option = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda", "mps"]),
    default="auto",
    show_default=True,
    help="Where the network runs.",
)
precision_option = click.option(
    "--precision",
    type=click.Choice(["auto", "float32", "int8"]),
    default="auto",
    show_default=True,
    help="Numbers with which an 8-bit model computes; auto: the faster on this machine.",
)
seed_option = click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of everything random."
)
resume_option = click.option(
    "--resume", metavar="auto|CHECKPOINT", help="Go on from the newest checkpoint of the run (auto) or from this one."
)
set_option = click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="KEY=VALUE",
    callback=_split_assignments,
    help="Change one key of the recipe; may be given again.",
)
size_option = click.option(
    "--size",
    "size_px",
    type=click.IntRange(min=1),
    default=256,
    show_default=True,
    metavar="PX",
    help="Side in pixels to which pairs are brought.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print what a program would want to read.")
quiet_option = click.option("--quiet", is_flag=True, callback=_set_quiet, help="No progress; log errors only.")
verbose_option = click.option(
    "--verbose", is_flag=True, callback=_set_verbose, expose_value=False, help="Log what is being done."
)
debug_option = click.option(
    "--debug",
    is_flag=True,
    callback=_remember_debug,
    expose_value=False,
    help="Show the traceback of an error, and log everything.",
)


def log_options(command: Any) -> Any:
    """Add `--quiet`, which the command gets as `quiet`, and `--verbose` and `--debug`, which are handled here."""
    return quiet_option(verbose_option(debug_option(command)))
