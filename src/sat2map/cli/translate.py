"""The command `sat2map translate`, which makes maps of images, rasters and folders of them."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sat2map.cli import options
from sat2map.cli.progress import progress_option
from sat2map.cli.scenes import read_options, scenes_of
from sat2map.cli.translate_progress import Task, TranslateRun, told_progress
from sat2map.cli.translate_vectors import VECTOR_SUFFIXES, VectorOutputs, translate_to_vectors
from sat2map.cli.written import say
from sat2map.errors import OutputError, Sat2mapError

if TYPE_CHECKING:
    from sat2map.scene.options import ReadOptions
    from sat2map.scene.stretch import SharedStretch
    from sat2map.translate import DrawRows, Settings, TranslationResult, Translator

LEAST_SHARE_TOLD = 0.2
"""Unfamiliar share of a scene from which on it is told: of familiar ground, too, a tenth is taken for unfamiliar."""

log = logging.getLogger(__name__)


@click.command()
@click.argument("sources", metavar="SRC...", nargs=-1, required=True)
@options.out_option
@options.model_option
@options.head_option
@click.option("--classes", is_flag=True, help="Draw classes of ground (one band, colour table, names).")
@click.option("--confidence", is_flag=True, help="Write the probability of the class shown, too, beside the map.")
@click.option("--familiarity", is_flag=True, help="Write how like its training data the ground looks, too.")
@click.option(
    "--also",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Where the map goes, and its confidence, if OUT is vectors.",
)
@options.bands_option
@options.nodata_option
@options.mask_option
@options.stretch_option
@options.gsd_option
@options.crs_option
@options.bbox_option
@options.bbox_crs_option
@click.option(
    "--mode", type=click.Choice(["exact", "fast", "blend", "instance"]),
    help="exact: no seam. fast: a smaller margin. blend: tiles of 256 px, blended. "
    "instance: each window by its own statistics.",
)  # fmt: skip
@options.window_option
@options.margin_option
@options.workers_option
@options.scheduler_option
@options.overwrite_option
@options.device_option
@options.precision_option
@options.json_option
@progress_option
@options.log_options
@click.pass_context
def translate(
    context: click.Context,
    /,
    sources: tuple[str, ...],
    out: Path,
    also: Path | None,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
    **given: Any,
) -> None:
    """Make a map of each SRC: a raster, an image, a folder of them, or a URL.

    The map of a raster is a Cloud-Optimized GeoTIFF on the same grid with the same mask; that of an image is a PNG. For
    one SRC, OUT is the file of the map, and its suffix (.tif, .png, .mbtiles or .pmtiles) is the format. For several
    SRC, or a folder, OUT is a folder; the maps keep the names of the scenes, and maps that exist are not drawn again.
    If OUT is .gpkg, .fgb, .parquet or .geojsonl, vectors are made of the map, as `sat2map vectorize` does.
    """
    if also is not None or out.suffix.lower() in VECTOR_SUFFIXES:
        translate_to_vectors(context, VectorOutputs(out, also, overwrite, as_json), sources, quiet=quiet, **given)
        return
    tasks, n_there = _tasks(sources, out, overwrite)
    from sat2map.translate import Translator

    translator = Translator.load(given["model"], given["device"])
    settings, reading, progress = _settings(given, translator), read_options(given), given["progress"]
    run = TranslateRun(translator, settings, reading, _shared(tasks, translator, reading), overwrite, quiet, progress)
    is_batch = len(tasks) != 1 or n_there > 0 or Path(sources[0]).is_dir()
    if is_batch and tasks:
        out.mkdir(exist_ok=True)
    with ExitStack() as stack:
        results, failures = _translate_all(run, tasks, _draw_rows(stack, given), is_batch=is_batch)
    if as_json:
        click.echo(json.dumps(results, indent=2))
    if n_there and not quiet:
        say(f"{n_there} already there (--overwrite draws them again)")
    if failures:
        _say_failures(failures, len(tasks))
        context.exit(1)


def _say_failures(failures: Sequence[Sat2mapError], n_tasks: int) -> None:
    say(f"{len(failures)} of {n_tasks} failed:")
    for failure in failures:
        say(f"  {failure}" + (f" ({failure.hint})" if failure.hint else ""))


def _shared(tasks: Sequence[Task], translator: Translator, reading: ReadOptions) -> SharedStretch:
    """The stretch of several scenes, where it is for them to say."""
    from sat2map.scene.source import share_stretch
    from sat2map.scene.stretch import NOTHING_SHARED

    if len(tasks) <= 1 or reading.stretch not in (None, "auto"):
        return NOTHING_SHARED
    return share_stretch([task.source for task in tasks], reading, translator.stretch_rule)


def _translate_all(
    run: TranslateRun, tasks: Sequence[Task], draw_rows: DrawRows, *, is_batch: bool
) -> tuple[list[dict[str, Any]], list[Sat2mapError]]:
    """A record of each scene, and what went wrong; of a single scene that is raised."""
    records: list[dict[str, Any]] = []
    failures = []
    for task in tasks:
        try:
            records.append(_as_record(task, _translate_one(run, task, draw_rows)))
        except Sat2mapError as error:
            if not is_batch:
                raise
            failures.append(error)
            records.append({"source": task.source, "error": str(error), "hint": error.hint})
            say(f"error: {error}")
    return records, failures


def _settings(given: dict[str, Any], translator: Translator) -> Settings:
    """What is asked of the drawing; confidence None is asked for where the model has one."""
    from sat2map.model.onnx_file import CONFIDENCE
    from sat2map.translate import DEFAULT_CORE_PX, Settings

    confidence = CONFIDENCE in translator.engine.outputs if given["confidence"] is None else given["confidence"]
    return Settings(
        head=given["head"], core_px=given["window_px"] or DEFAULT_CORE_PX, margin_px=given["margin_px"],
        mode=given["mode"], gsd_m=given["gsd_m"], classes=given["classes"],
        confidence=confidence, familiarity=given["familiarity"], precision=given["precision"],
    )  # fmt: skip


def _draw_rows(stack: ExitStack, given: dict[str, Any]) -> DrawRows:
    from sat2map.translate import draw_missing_rows

    if given["n_workers"] is None and given["scheduler"] is None:
        return draw_missing_rows
    from sat2map.cluster import connect, distributed_rows

    client = stack.enter_context(connect(given["n_workers"], given["scheduler"]))
    return distributed_rows(client, given["model"], given["device"])


def _tasks(sources: Sequence[str], out: Path, overwrite: bool) -> tuple[list[Task], int]:
    """List the scenes to translate with their destinations, and count the maps that exist already; write nothing."""
    from sat2map.scene.destination import check_destination
    from sat2map.scene.formats import SUFFIXES
    from sat2map.scene.gdal import is_utf8, stem_of
    from sat2map.scene.source import IMAGE_SUFFIXES

    if len(sources) == 1 and not Path(sources[0]).is_dir():
        check_destination(sources[0], out, overwrite=overwrite)
        return [Task(sources[0], out)], 0
    files = [file for source in sources for file in scenes_of(source)]
    if not out.is_dir() and (out.exists() or out.suffix.lower() in SUFFIXES):
        raise OutputError("several maps need a folder, this is a file", out, hint="name a folder with -o")
    tasks = []
    for file in files:
        is_image = Path(file).suffix.lower() in IMAGE_SUFFIXES
        tasks.append(Task(file, out / f"{stem_of(file)}{'.png' if is_image else '.tif'}"))
    _check_names(tasks)
    todo = [task for task in tasks if overwrite or not task.destination.exists()]
    for task in todo:
        if not is_utf8(task.source):
            continue  # one failure among many, told when its turn comes
        check_destination(task.source, task.destination, overwrite=overwrite, may_make_folder=True)
    return todo, len(tasks) - len(todo)


def _check_names(tasks: Sequence[Task]) -> None:
    source_of: dict[Path, str] = {}
    for source, destination in tasks:
        if destination in source_of:
            raise OutputError(
                f"two maps would have one name, those of {source_of[destination]} and {source}", destination,
                hint="translate them apart",
            )  # fmt: skip
        source_of[destination] = source


def _translate_one(run: TranslateRun, task: Task, draw_rows: DrawRows) -> TranslationResult:
    with told_progress(run, task) as begin:
        result = run.translator.translate_file(
            task.source, task.destination, run.settings, reading=run.reading, shared=run.shared,
            overwrite=run.overwrite, begin=begin, draw_rows=draw_rows,
        )  # fmt: skip
    if result.mode_difference is not None and not run.quiet:
        mode = run.settings.mode_for(run.translator.card)
        against = "the exact margin" if mode == "fast" else "the same tiling half a window further"
        say(f"mode {mode}: against {against}, {result.mode_difference}, measured on this scene")
    share = result.unfamiliar_share or 0
    if share >= LEAST_SHARE_TOLD and not run.quiet:
        what = f"{share:.0%} of this scene looks" if share < 1 else "this scene looks"
        say(f"{task.source}: {what} unlike anything the model has seen: expect errors there")
    return result


def _as_record(task: Task, result: TranslationResult) -> dict[str, Any]:
    n_px = result.grid.height * result.grid.width
    return {
        "source": task.source, "outputs": [str(path) for path in result.outputs],
        "height": result.grid.height, "width": result.grid.width, "windows": len(result.plan.windows),
        "resolution": result.plan.model_grid.reason, "stretch": result.stretch, "seconds": round(result.seconds, 3),
        "px_per_s": round(n_px / result.seconds),
        "mode_difference": result.mode_difference and result.mode_difference._asdict(),
        "unfamiliar_share": None if result.unfamiliar_share is None else round(result.unfamiliar_share, 3),
    }  # fmt: skip
