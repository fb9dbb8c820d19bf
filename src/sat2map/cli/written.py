"""What commands tell people: a line at a time, and at the end what was written and the likely next command."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import click

from sat2map.errors import printable

if TYPE_CHECKING:
    from rich.console import Console


def say(line: str, *, to_stdout: bool = False) -> None:
    """Print one line for people, on stderr or on stdout; names in it can neither break it nor steer the terminal."""
    click.echo(printable(line), err=not to_stdout)


def console(*, on_stderr: bool = False, quiet: bool = False) -> Console:
    """Where tables and bars are drawn: names in them are no markup."""
    from rich.console import Console

    return Console(stderr=on_stderr, quiet=quiet, markup=False, emoji=False, highlight=False)


def say_written(what: str, *next_command: object, quiet: bool) -> None:
    """Say what was written, and which arguments of `sat2map` are likely next."""
    if not quiet:
        say(f"wrote {what}")
        say(f"next: {shlex.join(['sat2map', *map(str, next_command)])}")
