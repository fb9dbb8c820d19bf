"""The click group: finds commands without importing them, and turns errors into two lines and an exit status.

No command handles errors by itself.
"""

from __future__ import annotations

import errno
import importlib
import logging
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any, NamedTuple

import click

from sat2map.cli.options import DEBUG_KEY, OneLine
from sat2map.cli.written import say
from sat2map.errors import Sat2mapError, did_you_mean, printable


class LazyCommand(NamedTuple):
    """The location of a command (`module:attribute`) and its line in `--help`, known without importing it."""

    target: str
    help: str


COMMANDS = {
    "translate": LazyCommand("sat2map.cli.translate:translate", "Make maps of images, rasters or folders of them."),
    "vectorize": LazyCommand("sat2map.cli.vectorize:vectorize", "Make areas and roads of a map or of classes."),
    "train": LazyCommand("sat2map.cli.train:train", "Train a model on pairs, or go on with a run."),
    "adapt": LazyCommand("sat2map.cli.adapt:adapt", "Make a model of your own ground: scenes and vectors in."),
    "evaluate": LazyCommand("sat2map.cli.evaluate:evaluate", "Score a model on pairs under the protocol."),
    "evaluate-vectors": LazyCommand(
        "sat2map.cli.evaluate_vectors:evaluate_vectors", "Score roads on true ones, and areas on their raster."
    ),
    "serve": LazyCommand("sat2map.cli.serve:serve", "Show scenes and their maps in the browser, and as tiles."),
    "model": LazyCommand("sat2map.cli.model:model", "Look into a model file, export one to ONNX, import weights."),
    "demo": LazyCommand("sat2map.cli.demo:demo", "Make a scene and its map, to see that all works."),
    "bench": LazyCommand("sat2map.cli.bench:bench", "Measure speed and seams."),
    "data": LazyCommand("sat2map.cli.data:data", "Look into, divide, download or draw data sets."),
}


class UserError(click.ClickException):
    """An error as the user sees it on stderr: what was found, then the next step."""

    exit_code = 2

    def __init__(self, message: str, hint: str | None = None) -> None:
        # Of several lines where each is about one of several things.
        super().__init__(message)
        self.hint = hint

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the lines `error:` and `hint:`."""
        for line in f"error: {self.message}".split("\n"):
            say(line)
        if self.hint:
            say(f"hint: {self.hint}")


@contextmanager
def user_errors(context: click.Context | None) -> Iterator[None]:
    """Turn errors inside the block into a `UserError` (exit status 2), and Ctrl-C into exit status 130."""
    try:
        yield
    except (UserError, click.exceptions.NoArgsIsHelpError):
        raise
    except click.ClickException as error:
        raise UserError(printable(_first_lower(error.format_message())), _usage_hint(error)) from error
    except BaseException as error:
        if _is_interrupt(error):
            say("interrupted")
            raise click.exceptions.Exit(130) from None
        translated = _as_user_error(error, _option_names(context))
        if translated is None:
            raise
        if context is not None and context.meta.get(DEBUG_KEY):
            traceback.print_exc(file=sys.stderr)
        raise translated from error


def _is_interrupt(error: BaseException | None) -> bool:
    """Whether an error is Ctrl-C, or what a library made of it: ONNX Runtime says that its import failed."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def _option_names(context: click.Context | None) -> dict[str, str]:
    """Return the option of each parameter of the command that was called, and of the commands below it."""
    names = {
        "set": "--set",
        "recipe": "--recipe",
        "destination": "-o",
        "out": "-o",
        "core_px": "--window",
        "by_hand": "--archive",
    }
    if context is None or context.invoked_subcommand is None or not isinstance(context.command, click.Group):
        return names
    command = context.command.get_command(context, context.invoked_subcommand)
    commands = list(command.commands.values()) if isinstance(command, click.Group) else [command]
    options = [p for c in commands if c for p in c.params if isinstance(p, click.Option)]
    long = {p.name: next((o for o in p.opts if o.startswith("--")), p.opts[0]) for p in reversed(options) if p.name}
    return long | names


def _with_options(text: str | None, names: Mapping[str, str]) -> str | None:
    return text and re.sub(r"`(\w+)`", lambda match: names.get(match[1], match[1]), text)


def _as_user_error(error: BaseException, names: Mapping[str, str]) -> UserError | None:
    """Return an error in words for the user; None for a bug of ours, or where click handles the error."""
    if isinstance(error, Sat2mapError):
        return UserError(_with_options(str(error), names) or "", _with_options(error.hint, names))
    # A reader that went away (`sat2map ... | head`) is no error: click ends quietly on it.
    if not isinstance(error, OSError) or error.errno in (None, errno.EPIPE):
        return None
    where = f": {error.filename!r}" if error.filename else ""
    return UserError(printable(_first_lower(error.strerror or "the system refused")) + where, _system_hint(error))


def _system_hint(error: OSError) -> str | None:
    from sat2map.files import NO_ROOM

    if error.errno in NO_ROOM:
        return "make room, or choose another disk"
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return "choose another place, or ask for the right to read and write there"
    return None


def _usage_hint(error: click.ClickException) -> str | None:
    context = getattr(error, "ctx", None)
    return f"{context.command_path} --help" if context is not None else None


def _first_lower(text: str) -> str:
    return (text[:1].lower() + text[1:]).rstrip(".")


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called, and whose errors are printed as two lines."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands in the order of `COMMANDS`, the order in which they are used."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command by its name; return None where there is no such command."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].target.partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that was named; one that there is not may be another, misspelt."""
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            ctx.fail(f"no such command '{args[0]}'{did_you_mean(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from the table, so that `--help` imports none of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.help) for name, command in COMMANDS.items()])

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the group's own options."""
        with user_errors(ctx):
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was named."""
        with user_errors(ctx):
            return super().invoke(ctx)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="sat2map", prog_name="sat2map")
def sat2map() -> None:
    """Satellite and aerial imagery to maps with conditional GANs."""
    # It prints the warnings of all who have no handler of their own.
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(OneLine())


def main(run: Callable[..., Any] = sat2map) -> None:
    """Run the command line; the console script `sat2map` calls this."""
    run(prog_name="sat2map")
