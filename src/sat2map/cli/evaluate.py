"""`sat2map evaluate`: scores a model, or one colour, on pairs; computes no measure itself."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sat2map import __version__
from sat2map.cli import options
from sat2map.errors import OutputError
from sat2map.files import refuse_existing

if TYPE_CHECKING:
    from rich.table import Table

    from sat2map.arrays import UInt8
    from sat2map.evaluate.contest import Contestant, Pairs, Tally
    from sat2map.evaluate.protocol import Judged

METRICS, PREDICTION, TRUTH = "metrics.json", "prediction", "truth"
SMALLEST_PX = 11
"""Side of the window of SSIM."""
SHOWN_CORRUPTED = ("road_f1", "cldice", "miou", "acc5", "rmse")
"""Metrics in the table of changes; metrics.json has them all."""
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
@click.option("--constant", "colour_rgb", metavar="R,G,B", callback=_colour, help="Score one colour, not a model.")
@click.option("--versus", metavar="NAME|FILE", help="Another model, compared on the same images (paired).")
@click.option(
    "--corruptions", is_flag=True, help="Also under twelve changes of light, sensor and scale; takes 16 times as long."
)
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Folder for metrics.json (and images).")
@click.option(
    "--report", type=click.Path(path_type=Path), metavar="FILE.html", help="Write all of it as one HTML file."
)
@click.option("--save-images", is_flag=True, help="Put predictions and truths in two folders of the output.")
@options.overwrite_option
@options.device_option
@options.seed_option
@options.json_option
@options.log_options
def evaluate(
    data: Path,
    model: str | None,
    target_folder: Path | None,
    size_px: int,
    head: str | None,
    groups_file: Path | None,
    every: int,
    colour_rgb: tuple[int, ...] | None,
    versus: str | None,
    corruptions: bool,
    out: Path | None,
    report: Path | None,
    save_images: bool,
    overwrite: bool,
    device: str,
    seed: int,
    as_json: bool,
    quiet: bool,
) -> None:
    """Score a model on DATA, beside the baseline: one constant colour.

    DATA is a folder of side-by-side pairs, or of two folders A and B with equal names.
    """
    from sat2map.data.pairs import TwoFolders, list_pairs
    from sat2map.data.split import read_groups
    from sat2map.evaluate.contest import Pairs, load, load_rival, one_colour, score_pairs
    from sat2map.evaluate.metrics import BASELINE_RGB
    from sat2map.evaluate.protocol import compare, summarise

    _refuse_contradictions(model, head, colour_rgb, size_px, save_images=save_images and out is None)
    if out is not None:
        _check_outputs(out, (METRICS, *((PREDICTION, TRUTH) if save_images else ())), overwrite)
    if report is not None:
        _prepare_report(report, overwrite)
    paths = list_pairs(TwoFolders(data, target_folder) if target_folder else data)[::every]
    pairs = Pairs(paths, read_groups(data, [path.name for path in paths], groups_file), size_px, seed)
    contestants = [one_colour(colour_rgb) if colour_rgb else load(model, head, device)]
    if versus:
        contestants.append(load_rival(versus, contestants[0], device))

    with _results_folder(out) as folder:
        watch = _Watch(len(paths), quiet, folder if save_images else None)
        tallies = [score_pairs(contestants[0], pairs, watch=watch, with_baseline=True)]
        metrics = {
            "protocol": _protocol(data, every, pairs, contestants[0]),
            **tallies[0].tables,
            "baseline": {"constant_rgb": BASELINE_RGB, **summarise(tallies[0].baseline, pairs.groups, seed=seed)},
        }
        watch = _Watch(len(paths), quiet)
        if versus:
            tallies.append(score_pairs(contestants[1], pairs, watch=watch))
            metrics["versus"] = {**contestants[1].described, **tallies[1].tables}
            metrics["difference"] = compare(tallies[0].scores, tallies[1].scores, pairs.groups, seed=seed)
        if corruptions:
            metrics["corruptions"] = _shifted(contestants[0], pairs)
        text = json.dumps(metrics, indent=2, allow_nan=False)
        if folder is not None:
            (folder / METRICS).write_text(text + "\n", encoding="utf-8")
        if report is not None:
            with_points = metrics | {"frontier": _frontier(contestants[0], model, device, pairs, watch)}
            _write_report(report, with_points, pairs, contestants, tallies)
    if as_json:
        click.echo(text)
    else:
        _print_table(metrics)


def _refuse_contradictions(
    model: str | None, head: str | None, colour_rgb: tuple[int, ...] | None, size_px: int, *, save_images: bool
) -> None:
    if colour_rgb is not None and (model or head):
        raise click.UsageError("--constant takes the place of a model: give no --model and no --head with it")
    if size_px < SMALLEST_PX:
        raise click.BadParameter(
            f"{size_px} px is smaller than the window of SSIM, {SMALLEST_PX} px", param_hint="--size"
        )
    if save_images:
        raise click.UsageError("--save-images needs a folder: give -o as well")


def _check_outputs(folder: Path, names: tuple[str, ...], overwrite: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise OutputError("output is not a folder", folder, hint="give a folder to -o")
    refuse_existing(*(folder / name for name in names), overwrite=overwrite)


def _prepare_report(report: Path, overwrite: bool) -> None:
    """Find out before any work that the report can be written at all."""
    import sat2map.evaluate.charts  # noqa: F401  (whether matplotlib is there)

    if report.suffix.lower() not in (".html", ".htm"):
        raise OutputError("a report is HTML", report, hint=f"--report {report.with_suffix('.html')}")
    if not report.parent.is_dir():
        raise OutputError("no such folder to write to", report.parent, hint=f"mkdir -p {report.parent}")
    refuse_existing(report, overwrite=overwrite)


def _protocol(data: Path, every: int, pairs: Pairs, contestant: Contestant) -> dict[str, Any]:
    from sat2map.evaluate.bootstrap import N_DRAWS

    return {
        "data": data.resolve().name,
        "size_px": pairs.size_px,
        "every": every,
        "n_images": len(pairs.paths),
        "n_groups": len(set(pairs.groups)),
        "n_draws": N_DRAWS,
        "seed": pairs.seed,
        **contestant.described,
        "sat2map_version": __version__,
    }


def _shifted(contestant: Contestant, pairs: Pairs) -> dict[str, dict[str, Any]]:
    """Metrics under each change of the images."""
    from sat2map.evaluate.corruptions import judge_corrupted
    from sat2map.evaluate.protocol import decode_pairs, summarise

    def decoded() -> Iterator[tuple[str, UInt8, UInt8]]:
        return decode_pairs(pairs.paths, contestant.described["direction"])

    return {
        name: summarise(scores, pairs.groups, seed=pairs.seed)["metrics"]
        for name, scores in judge_corrupted(contestant.predict, decoded, pairs.size_px)
    }


def _frontier(
    contestant: Contestant, model: str | None, device: str, pairs: Pairs, watch: _Watch
) -> dict[str, dict[str, Any]]:
    """Figures of each point of a palette head; none of any other model."""
    from sat2map.evaluate.contest import score_pairs
    from sat2map.evaluate.frontier import frontier

    if contestant.engine is None:
        return {}
    return {
        name: score_pairs(contestant._replace(predict=predict), pairs, watch=watch).tables
        for name, predict in frontier(contestant.engine, model, device)
    }


def _write_report(
    report: Path, metrics: dict[str, Any], pairs: Pairs, contestants: list[Contestant], tallies: list[Tally]
) -> None:
    from sat2map.evaluate.report import choose, draw_examples, labels, render
    from sat2map.files import replacing

    ranking = choose([tally.scores for tally in tallies], pairs.groups)
    predictions = {name: c.predict for name, c in zip(labels(metrics), contestants, strict=True)}
    direction = contestants[0].described["direction"]
    examples = draw_examples(ranking, pairs.paths, predictions, direction=direction, size_px=pairs.size_px)
    with replacing(report) as work:
        work.write_text(render(metrics, ranking.metric, examples), encoding="utf-8")


@dataclass(frozen=True)
class _Watch:
    """Shows how far the scoring is, and puts the images into the folder `images`, if any."""

    n_images: int
    quiet: bool
    images: Path | None = None

    def __call__(self, judged: Iterator[Judged]) -> Iterator[Judged]:
        """Let the images pass."""
        from rich.console import Console
        from rich.progress import track

        stderr = Console(stderr=True)
        hidden = self.quiet or not stderr.is_terminal
        for image in track(judged, "scoring", self.n_images, console=stderr, disable=hidden):
            if self.images is not None:
                _save_images(self.images, image)
            yield image


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
            # Folders first: where the figures are, the images are whole.
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

    for name, image_hwc in ((PREDICTION, judged.prediction_hwc), (TRUTH, judged.truth.bicubic_hwc)):
        (folder / name).mkdir(exist_ok=True)
        Image.fromarray(image_hwc).save(folder / name / f"{Path(judged.name).stem}.png")


def _print_table(metrics: dict[str, Any]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    protocol, baseline = metrics["protocol"], metrics["baseline"]
    name = protocol["model"] or "constant"
    rival, difference = metrics.get("versus"), metrics.get("difference")
    titles = (
        (f"A: {name}", f"B: {rival['model']}", "A - B", "95 %", "baseline")
        if rival
        else (name, "95 %", "baseline", "95 %")
    )
    table = Table(box=box.SIMPLE)
    table.add_column("metric")
    for title in titles:
        table.add_column(title, justify="right")
    for part, prefix in (("metrics", ""), ("iou", "iou ")):
        for name, cell in metrics[part].items():
            n = DECIMALS.get(name, 3)
            own, bottom = _in_words(cell, n), _in_words(baseline[part][name], n)
            values = [*own, *bottom]
            if rival and difference:
                # Three values and one interval fit a terminal; the other intervals are in metrics.json.
                of_rival = _in_words(rival[part][name], n)
                values = [own[0], of_rival[0], *_in_words(difference[part][name], n, "+"), bottom[0]]
            table.add_row(prefix + name, *values)
        table.add_section()
    stdout = Console()
    stdout.print(table)
    if "corruptions" in metrics:
        stdout.print(_shifted_table(metrics["corruptions"]))
    what = f"head {protocol['head']}" if protocol["head"] else f"colour {protocol['constant_rgb']}"
    stdout.print(
        f"{protocol['n_images']} images of {protocol['data']} in {protocol['n_groups']} groups, "
        f"{protocol['size_px']} px, {what}",
        highlight=False,
    )


def _shifted_table(corrupted: dict[str, Any]) -> Table:
    from rich import box
    from rich.table import Column, Table

    table = Table("change", *(Column(name, justify="right") for name in SHOWN_CORRUPTED), box=box.SIMPLE)
    for name, cells in corrupted.items():
        table.add_row(name, *(_in_words(cells[metric], DECIMALS.get(metric, 3))[0] for metric in SHOWN_CORRUPTED))
    return table


def _in_words(cell: dict[str, float | None], n_decimals: int, sign: str = "") -> tuple[str, str]:
    value, low, high = ("-" if cell[k] is None else f"{cell[k]:{sign}.{n_decimals}f}" for k in ("value", "low", "high"))
    return value, f"{low} to {high}"
