"""What `sat2map translate` does with each scene, and what it tells of it while it works."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sat2map.cli.progress import PercentLines
from sat2map.cli.written import console, say
from sat2map.errors import printable

if TYPE_CHECKING:
    from sat2map.scene.options import ReadOptions
    from sat2map.scene.stretch import SharedStretch
    from sat2map.translate import Settings, TilingPlan, Translator

TIMED_PX = 2**22
"""The time of larger scenes is estimated before they are drawn; the estimate itself takes half a second."""


class Task(NamedTuple):
    """A scene and the destination of its map."""

    source: str
    destination: Path


class TranslateRun(NamedTuple):
    """What all scenes of a command have in common."""

    translator: Translator
    settings: Settings
    reading: ReadOptions
    shared: SharedStretch
    overwrite: bool
    quiet: bool
    progress: str
    """`bar` or `lines`."""


@contextmanager
def told_progress(run: TranslateRun, task: Task) -> Iterator[Callable[[TilingPlan], Callable[[int], None]]]:
    """Print on stderr what will be done, then the progress."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    from sat2map.scene.job_folder import job_folder

    quiet, with_lines = run.quiet, run.progress == "lines"
    stderr = console(on_stderr=True, quiet=quiet)
    # A name is no format string and no markup.
    named, rate = TextColumn("{task.description}", markup=False), TextColumn("{task.fields[rate]}")
    hidden = quiet or with_lines or not stderr.is_terminal
    columns = (named, BarColumn(), TaskProgressColumn(), rate)
    bar = Progress(*columns, TimeRemainingColumn(), console=stderr, disable=hidden)

    def begin(plan: TilingPlan) -> Callable[[int], None]:
        n_px = plan.model_grid.scene_height * plan.model_grid.scene_width
        if not quiet:
            line = f"{task.source} -> {task.destination}: {_describe(run.translator, plan, run.settings)}"
            stderr.print(printable(line), soft_wrap=True)
        row = bar.add_task(printable(Path(task.source).name), total=n_px, rate="")
        lines = PercentLines(with_lines and not quiet)

        def advance(n_done_px: int) -> None:
            bar.advance(row, n_done_px)
            lines.tell(bar.tasks[0].completed / n_px)
            speed = bar.tasks[0].speed
            bar.update(row, rate=f"{speed / 1e6:.2f} Mpx/s" if speed else "")

        return advance

    try:
        with bar:
            yield begin
    except KeyboardInterrupt:
        if not quiet and (left := job_folder(task.destination)).is_dir():
            say(f"what is drawn already stays in {left}, and the same command goes on from there")
        raise


def _describe(translator: Translator, plan: TilingPlan, settings: Settings) -> str:
    """Describe in one line how a scene will be translated."""
    model_grid = plan.model_grid
    parts = [f"{model_grid.scene_width} x {model_grid.scene_height} px in {len(plan.windows)} windows"]
    if not model_grid.is_scene_grid:
        parts.append(f"seen as {model_grid.width} x {model_grid.height}")
    if not model_grid.is_too_coarse:  # else the log has said it
        parts.append(model_grid.reason)
    if plan.n_done_px:
        parts.append(
            f"{plan.n_done_px / (model_grid.scene_width * model_grid.scene_height):.0%} drawn by an earlier run"
        )
    if plan.n_read_px > TIMED_PX:
        left = 1 - plan.n_done_px / (model_grid.scene_width * model_grid.scene_height)
        seconds = translator.seconds_per_px(settings) * plan.n_read_px * left
        parts.append(f"at most about {_duration(seconds)} and {plan.n_bytes / 1e6:.0f} MB of disk")
    return "; ".join(parts)


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
