"""How a command ends that wrote something: what it wrote, and the likely next command, on stderr."""

from __future__ import annotations

import shlex

import click


def say_written(what: str, *next_command: object, quiet: bool) -> None:
    """Say what was written, and which arguments of `sat2map` are likely next."""
    if not quiet:
        click.echo(f"wrote {what}", err=True)
        click.echo(f"next: {shlex.join(['sat2map', *map(str, next_command)])}", err=True)
