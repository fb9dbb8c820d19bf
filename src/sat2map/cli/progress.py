"""Progress on stderr: lines for a program that runs the command, and the bar that people see at a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from sat2map.cli.written import console, say
from sat2map.errors import printable

progress_option = click.option(
    "--progress", type=click.Choice(["bar", "lines"]), default="bar", show_default=True,
    help="bar: at a terminal. lines: `progress: 12 %` on stderr, for programs.",
)  # fmt: skip


class PercentLines:
    """Writes a line for each whole per cent that is new.

    Args:
        is_on: whether it writes anything.
    """

    def __init__(self, is_on: bool) -> None:
        self._told = -1 if is_on else 100

    def tell(self, share: float) -> None:
        """Say how much is done, 0 to 1; what is less than before says nothing."""
        percent = int(min(share, 1) * 100)
        if percent > self._told:
            self._told = percent
            say(f"progress: {percent} %")


@contextmanager
def share_progress(name: str, progress: str, *, quiet: bool) -> Iterator[Callable[[float], None]]:
    """Show how much of one task is done, as a bar or as lines.

    Args:
        name: of the task.
        progress: `bar` or `lines`.
        quiet: whether nothing is shown.

    Yields:
        Takes the share that is done, 0 to 1, from any thread.
    """
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    stderr, lines = console(on_stderr=True), PercentLines(progress == "lines" and not quiet)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn())
    hidden = quiet or progress == "lines" or not stderr.is_terminal
    with Progress(*columns, console=stderr, disable=hidden) as bar:
        row = bar.add_task(printable(name), total=1.0)

        def tell(share: float) -> None:
            bar.update(row, completed=max(share, bar.tasks[0].completed))
            lines.tell(share)

        yield tell
