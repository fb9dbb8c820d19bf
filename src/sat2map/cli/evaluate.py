"""The command `sat2map evaluate`, which scores a model, or one constant colour, on pairs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sat2map.cli import options
from sat2map.cli.evaluate_partial import FOR_LABELS, FOR_PAIRS, print_tables, read_gsd, refuse_options
from sat2map.cli.written import console, say, say_written
from sat2map.errors import printable

if TYPE_CHECKING:
    from rich.table import Table

    from sat2map.evaluate.evaluation import EvaluationRequest

SHOWN_CORRUPTED = ("road_f1", "cldice", "miou", "acc5", "rmse")
"""Metrics in the table of corruptions; metrics.json holds all metrics."""
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
@options.target_option
@options.size_option
@options.head_option
@options.groups_option
@click.option("--every", type=click.IntRange(min=1), default=1, show_default=True, metavar="N", help="Every Nth pair.")
@click.option("--constant", "constant_rgb", metavar="R,G,B", callback=_colour, help="Score one colour, not a model.")
@click.option(
    "--predictions",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Score the maps in this folder, which another program made, not a model.",
)
@click.option(
    "--gsd",
    "gsd_m",
    multiple=True,
    metavar="[SET=]M",
    callback=read_gsd,
    help="Partial labels: metres on the ground per pixel of the images (of that set).",
)
@options.only_option
@options.without_option
@click.option("--versus", metavar="NAME|FILE", help="Baseline: another model, compared on the same images (paired).")
@click.option(
    "--corruptions", is_flag=True, help="Also under twelve corruptions (light, sensor, scale); takes 16 times as long."
)
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Folder for metrics.json (and images).")
@click.option(
    "--report", type=click.Path(path_type=Path), metavar="FILE.html", help="Write all of it as one HTML file."
)
@click.option("--save-images", is_flag=True, help="Put predictions and truths in two folders of the output.")
@options.overwrite_option
@options.device_option
@options.precision_option
@options.seed_option
@options.json_option
@options.log_options
def evaluate(
    out: Path | None,
    report: Path | None,
    save_images: bool,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
    **request: Any,
) -> None:
    """Score a model, or another program's maps, on DATA, beside the constant baseline: one colour everywhere.

    DATA is a folder of side-by-side pairs, or of two folders A and B with equal names. Or it holds partial labels, or
    several sets of them: image/ with label/ and legend.csv, or with mask/.
    """
    from sat2map.evaluate.elsewhere import sets_in

    given = {**request, "report": report, "save_images": save_images}
    if sets_in(request["data"]):
        refuse_options(given, FOR_PAIRS, request["data"], "pairs")
        _evaluate_partial(request, out, overwrite=overwrite, as_json=as_json, quiet=quiet)
        return
    refuse_options(given, FOR_LABELS, request["data"], "partial labels")
    _evaluate_pairs(
        {key: value for key, value in request.items() if key not in FOR_LABELS}, out, report,
        save_images=save_images, overwrite=overwrite, as_json=as_json, quiet=quiet,
    )  # fmt: skip


def _evaluate_partial(
    request: dict[str, Any], out: Path | None, *, overwrite: bool, as_json: bool, quiet: bool
) -> None:
    from sat2map.evaluate import elsewhere, results

    ignored = (*FOR_PAIRS, "size_px")
    checked = elsewhere.PartialRequest(**{key: value for key, value in request.items() if key not in ignored})
    if out is not None:
        results.check_folder(out, save_images=False, overwrite=overwrite)
    found = elsewhere.evaluate_partial(checked, watch=_progress(quiet))
    text = elsewhere.to_json(found)
    with results.results_folder(out) as folder:
        if folder is not None:
            (folder / results.METRICS_FILE).write_text(text + "\n", encoding="utf-8")
    if as_json:
        click.echo(text)
    else:
        print_tables(found)
    if out is not None:
        model = ("--model", checked.model) if checked.model else ()
        say_written(str(out / results.METRICS_FILE), "translate", "scene.tif", "-o", "map.tif", *model, quiet=quiet)


def _evaluate_pairs(
    request: dict[str, Any],
    out: Path | None,
    report: Path | None,
    *,
    save_images: bool,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    from functools import partial

    from sat2map.evaluate import evaluation, results

    checked = evaluation.EvaluationRequest(**request, frontier=report is not None)
    if save_images and out is None:
        raise click.UsageError("--save-images needs a folder: give -o as well")
    if out is not None:
        inputs = [path for path in (checked.data, checked.target_folder, checked.predictions) if path is not None]
        results.check_folder(out, save_images=save_images, overwrite=overwrite, inputs=inputs)
    if report is not None:
        results.check_report(report, overwrite=overwrite)
    with results.results_folder(out) as folder:
        saving = {"on_image": partial(results.save_images, folder)} if folder and save_images else {}
        found = evaluation.evaluate(checked, watch=_progress(quiet), **saving)
        if folder is not None:
            (folder / results.METRICS_FILE).write_text(found.to_json() + "\n", encoding="utf-8")
        if report is not None:
            results.write_report(report, found)
    if as_json:
        click.echo(found.to_json())
    else:
        _print_tables(found.metrics)
    _say_written(checked, out and out / results.METRICS_FILE, report, quiet=quiet)


def _say_written(request: EvaluationRequest, metrics: Path | None, report: Path | None, *, quiet: bool) -> None:
    written = " and ".join(str(path) for path in (metrics, report) if path)
    model = ("--model", request.model) if request.model else ()
    if report is not None:
        say_written(written, "translate", "scene.tif", "-o", "map.tif", *model, quiet=quiet)
    elif written:
        say_written(written, "evaluate", request.data, *model, "--report", "report.html", quiet=quiet)


def _progress(quiet: bool) -> Callable[[Iterator[Any], int], Iterator[Any]]:
    from rich.progress import track

    stderr = console(on_stderr=True)
    hidden = quiet or not stderr.is_terminal
    return lambda images, n_images: iter(track(images, "scoring", n_images, console=stderr, disable=hidden))


def _print_tables(metrics: dict[str, Any]) -> None:

    protocol = metrics["protocol"]
    stdout = console()
    stdout.print(_metrics_table(metrics))
    if "corruptions" in metrics:
        stdout.print(_corruptions_table(metrics["corruptions"]))
    predictor = f"head {protocol['head']}" if protocol["head"] else f"colour {protocol['constant_rgb']}"
    say(
        f"{protocol['n_images']} images of {protocol['data']} in {protocol['n_groups']} groups, "
        f"{protocol['size_px']} px, {predictor}",
        to_stdout=True,
    )


def _metrics_table(metrics: dict[str, Any]) -> Table:
    from rich import box
    from rich.table import Table

    name = printable(metrics["protocol"]["model"] or "constant")
    baseline = metrics.get("versus")
    titles = (
        (f"A: {name}", f"B: {printable(baseline['model'])}", "A - B", "95 %", "constant")
        if baseline
        else (name, "95 %", "constant baseline", "95 %")
    )
    table = Table(box=box.SIMPLE)
    table.add_column("metric")
    for title in titles:
        table.add_column(title, justify="right")
    for part, prefix in (("metrics", ""), ("iou", "iou ")):
        for metric in metrics[part]:
            table.add_row(prefix + metric, *_row(metrics, part, metric))
        table.add_section()
    return table


def _row(metrics: dict[str, Any], part: str, metric: str) -> tuple[str, ...]:
    n = DECIMALS.get(metric, 3)
    own, constant = (_formatted(of[part][metric], n) for of in (metrics, metrics["constant_baseline"]))
    if "versus" not in metrics:
        return *own, *constant
    # Three values and one interval fit a terminal; the other intervals are in metrics.json.
    baseline = _formatted(metrics["versus"][part][metric], n)
    return own[0], baseline[0], *_formatted(metrics["difference"][part][metric], n, "+"), constant[0]


def _corruptions_table(corrupted: dict[str, Any]) -> Table:
    from rich import box
    from rich.table import Column, Table

    table = Table("corruption", *(Column(name, justify="right") for name in SHOWN_CORRUPTED), box=box.SIMPLE)
    for name, cells in corrupted.items():
        table.add_row(name, *(_formatted(cells[metric], DECIMALS.get(metric, 3))[0] for metric in SHOWN_CORRUPTED))
    return table


def _formatted(cell: dict[str, float | None], n_decimals: int, sign: str = "") -> tuple[str, str]:
    value, low, high = ("-" if cell[k] is None else f"{cell[k]:{sign}.{n_decimals}f}" for k in ("value", "low", "high"))
    return value, f"{low} to {high}"
