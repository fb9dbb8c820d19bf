"""`sat2map translate`: pictures, rasters or folders of them to maps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sat2map.cli import options
from sat2map.errors import OutputError, Sat2mapError, SceneError

if TYPE_CHECKING:
    from sat2map.translate import Plan, Settings, Translator


@click.command()
@click.argument("sources", metavar="SRC...", nargs=-1, required=True, type=click.Path(path_type=Path))
@options.out_option
@options.model_option
@options.head_option
@options.window_option
@options.margin_option
@options.overwrite_option
@options.device_option
@options.log_options
@click.pass_context
def translate(
    context: click.Context,
    sources: tuple[Path, ...],
    out: Path,
    model: str | None,
    head: str | None,
    window_px: int | None,
    margin_px: int | None,
    overwrite: bool,
    device: str,
    quiet: bool,
) -> None:
    """Make a map of each SRC: a raster, a picture, or a folder of them.

    A raster becomes a Cloud-Optimized GeoTIFF on its own grid, with its mask; a picture a PNG. Of one SRC, OUT is the
    map's file (.tif or .png decides); of several, or of a folder, OUT is a folder, and the maps keep their names.
    """
    jobs = _jobs(sources, out)

    from sat2map.scene.sink import check_destination
    from sat2map.translate import DEFAULT_CORE_PX, Settings, Translator

    for source, destination in jobs:
        check_destination(source, destination, overwrite=overwrite)
    translator = Translator.load(model, device)
    settings = Settings(head, window_px or DEFAULT_CORE_PX, margin_px)
    if len(jobs) == 1:
        _translate_one(translator, *jobs[0], settings, overwrite, quiet)
        return
    failures = []
    for source, destination in jobs:
        try:
            _translate_one(translator, source, destination, settings, overwrite, quiet)
        except Sat2mapError as error:
            failures.append(error)
            click.echo(f"error: {error}", err=True)
    if failures:
        click.echo(f"{len(failures)} of {len(jobs)} failed:", err=True)
        for failure in failures:
            click.echo(f"  {failure}" + (f" ({failure.hint})" if failure.hint else ""), err=True)
        context.exit(1)


def _jobs(sources: Sequence[Path], out: Path) -> list[tuple[Path, Path]]:
    """What is translated, and to where."""
    from sat2map.scene.source import PICTURE_SUFFIXES, RASTER_SUFFIXES

    if len(sources) == 1 and not sources[0].is_dir():
        return [(sources[0], out)]
    files = []
    for source in sources:
        found = [source]
        if source.is_dir():
            found = sorted(p for p in source.iterdir() if p.suffix.lower() in PICTURE_SUFFIXES + RASTER_SUFFIXES)
        if not found:
            endings = " ".join(PICTURE_SUFFIXES + RASTER_SUFFIXES)
            raise SceneError("folder holds no picture and no raster", source, hint=f"looked for {endings}")
        files += found
    try:
        out.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError("folder for several maps cannot be made", out, hint="name a folder with -o") from error
    jobs = [(f, out / f"{f.stem}{'.png' if f.suffix.lower() in PICTURE_SUFFIXES else '.tif'}") for f in files]
    _check_names(jobs)
    return jobs


def _check_names(jobs: Sequence[tuple[Path, Path]]) -> None:
    source_of: dict[Path, Path] = {}
    for source, destination in jobs:
        if destination in source_of:
            raise OutputError(
                f"two maps would have one name, those of {source_of[destination]} and {source}", destination,
                hint="translate them apart",
            )  # fmt: skip
        source_of[destination] = source


def _translate_one(
    translator: Translator, source: Path, destination: Path, settings: Settings, overwrite: bool, quiet: bool
) -> None:
    with _progress(source, destination, quiet) as begin:
        translator.translate_file(source, destination, settings, overwrite=overwrite, begin=begin)


@contextmanager
def _progress(source: Path, destination: Path, quiet: bool) -> Iterator[Callable[[Plan], Callable[[int], None]]]:
    """Say on stderr what will be done, then how far it is."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    console = Console(stderr=True, quiet=quiet)
    columns = (TextColumn(source.name), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[rate]}"))
    bar = Progress(*columns, TimeRemainingColumn(), console=console, disable=quiet or not console.is_terminal)

    def begin(plan: Plan) -> Callable[[int], None]:
        n_windows, n_px = len(plan.windows), plan.height * plan.width
        console.print(
            f"{source} -> {destination}: {plan.width} x {plan.height} px in {n_windows} windows", highlight=False,
            soft_wrap=True, markup=False,
        )  # fmt: skip
        task = bar.add_task("translate", total=n_px, rate="")

        def advance(n_done_px: int) -> None:
            bar.advance(task, n_done_px)
            speed = bar.tasks[0].speed
            bar.update(task, rate=f"{speed / 1e6:.2f} Mpx/s" if speed else "")

        return advance

    with bar:
        yield begin
