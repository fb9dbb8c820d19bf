"""The errors that a user can meet, each one sentence that names the thing, and the remedy.

    Sat2mapError
    ├── ImageError        an image cannot be read
    ├── SceneError          a raster cannot be read or is not what the model takes
    ├── OutputError         the destination cannot be written
    ├── ModelFileError      a model file is missing, foreign, truncated or of the wrong kind
    ├── DataError           a data set is empty, broken or inconsistent
    ├── RecipeError         a recipe or one of its keys is wrong
    ├── CheckpointError     a run cannot be resumed
    ├── DivergenceError     losses, weights or maps of a run are no finite numbers any more
    └── MissingExtraError   an optional dependency is not installed

Never raised for our own mistakes: those are `assert`.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from importlib import import_module
from typing import Any


def printable(text: str) -> str:
    """A text on one line that steers no terminal: of a name in it, whatever cannot be seen is written as an escape.

    >>> print(printable("new" + chr(10) + "line.tif"))
    new\\nline.tif
    """
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


class Sat2mapError(Exception):
    """Something the user gave is wrong.

    Words in backquotes are names of parameters (`overwrite`); the command line turns them into its options. Errors
    survive pickling, so that they can cross to another process.

    >>> error = OutputError("output exists", "map.tif", hint="`overwrite` replaces it")
    >>> print(error, "|", error.hint)
    output exists: 'map.tif' | `overwrite` replaces it

    Args:
        found: what was found, in words, without a full stop.
        value: the thing itself (a path, a key, a number), shown after a colon.
        hint: the next command or flag to try.
        details: lines that follow, each about one of several things.
    """

    def __init__(
        self, found: str, value: object = None, *, hint: str | None = None, details: Iterable[str] = ()
    ) -> None:
        self.found = printable(found)
        self.value = value
        self.hint = hint and printable(hint)
        self.details = tuple(printable(line) for line in details)
        first = self.found if value is None else f"{self.found}: {str(value)!r}"
        super().__init__("\n  ".join([f"{first}:" if self.details else first, *self.details]))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle what the error says; a value that is no text is kept as text."""
        value = None if self.value is None else str(self.value)
        return _restore, (type(self), self.found, value, self.hint, self.details)


def _restore(
    kind: type[Sat2mapError], found: str, value: str | None, hint: str | None, details: tuple[str, ...]
) -> Sat2mapError:
    # Not by the class's own parameters, which may be others.
    error = kind.__new__(kind)
    Sat2mapError.__init__(error, found, value, hint=hint, details=details)
    return error


class ImageError(Sat2mapError):
    """An image cannot be read."""


class SceneError(Sat2mapError):
    """A raster cannot be read or is not what the model takes."""


class OutputError(Sat2mapError):
    """The destination cannot be written."""


class ModelFileError(Sat2mapError):
    """A model file is missing, foreign, truncated or of the wrong kind."""


class DataError(Sat2mapError):
    """A data set is empty, broken or inconsistent."""


class RecipeError(Sat2mapError):
    """A recipe or one of its keys is wrong."""


class CheckpointError(Sat2mapError):
    """A run cannot be resumed."""


class DivergenceError(Sat2mapError):
    """Losses, weights or maps of a run are no finite numbers any more."""


class MissingExtraError(Sat2mapError):
    """An optional dependency is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__("this needs a package that is not installed", package, hint=f"pip install 'sat2map[{extra}]'")


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """A question for a message about a name that there is not: the nearest one; empty where none is near.

    >>> did_you_mean("transalte", ["train", "translate"])
    ". Did you mean 'translate'?"
    """
    near = get_close_matches(name, list(names), 1)
    return f". Did you mean '{near[0]}'?" if near else ""


def import_extra(module: str, extra: str) -> Any:
    """Import a module that an extra of sat2map brings.

    Before modules of ours that import it at their top, it is the question whether it is there.

    Args:
        module: name of the module.
        extra: which brings it.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if (error.name or package).partition(".")[0] != package:
            raise
        raise MissingExtraError(package, extra) from error
