"""Errors that a user can meet, each one sentence that names the thing, and the remedy.

    Sat2mapError
    ├── ImageError        an image cannot be read
    ├── SceneError          a raster cannot be read or is not what the model takes
    ├── OutputError         the destination cannot be written
    ├── ModelFileError      a model file is missing, foreign, truncated or of the wrong kind
    ├── DataError           a data set is empty, broken or inconsistent
    ├── RecipeError         a recipe or one of its keys is wrong
    ├── CheckpointError     a run cannot be resumed
    └── MissingExtraError   an optional dependency is not installed

Never raised for our own mistakes: those are `assert`. All of them can be pickled, so that worker processes may raise
them.

Text below `cli` names a parameter in braces, `hint="set {gsd_m}"`. `cli` shows the option of the running command in
its place (`set --gsd`); everywhere else the bare name is shown (`set gsd_m`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import import_module
from typing import Any


def name_parameters(text: str, options: Mapping[str, str]) -> str:
    """Replace each `{parameter}` of a text by its option, or by its bare name where there is none.

    >>> name_parameters("set {gsd_m}", {"gsd_m": "--gsd"})
    'set --gsd'
    >>> name_parameters("set {gsd_m}", {})
    'set gsd_m'
    """
    return re.sub(r"\{([a-z_]\w*)\}", lambda match: options.get(match[1], match[1]), text)


def _restore(kind: type[Sat2mapError], args: tuple[Any, ...], state: dict[str, Any]) -> Sat2mapError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


class Sat2mapError(Exception):
    """Something the user gave is wrong.

    Args:
        found: what was found, in words, without a full stop.
        value: the thing itself (a path, a key, a number), shown after a colon.
        hint: the next step to try.

    Attributes:
        hint: the next step, parameters by their bare names.
    """

    def __init__(self, found: str, value: object = None, *, hint: str | None = None) -> None:
        self._found, self._hint = found, hint
        self.found = name_parameters(found, {})
        self.value = value
        self.hint = hint if hint is None else name_parameters(hint, {})
        super().__init__(self._message(self.found))

    def _message(self, found: str) -> str:
        return found if self.value is None else f"{found}: {str(self.value)!r}"

    def in_options(self, options: Mapping[str, str]) -> tuple[str, str | None]:
        """Message and hint, with each parameter named as the option that sets it.

        Args:
            options: option of each parameter, such as `{"gsd_m": "--gsd"}`.
        """
        hint = None if self._hint is None else name_parameters(self._hint, options)
        return self._message(name_parameters(self._found, options)), hint

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self.args, self.__dict__)


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


class MissingExtraError(Sat2mapError):
    """An optional dependency is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__("this needs a package that is not installed", package, hint=f"pip install 'sat2map[{extra}]'")


def require(module: str, extra: str) -> Any:
    """Import a module that an extra of sat2map brings.

    Args:
        module: dotted name.
        extra: which extra brings it, such as `train`.

    Raises:
        MissingExtraError: it, or something that it imports, is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        package = (error.name or module).partition(".")[0]
        if package == "sat2map":
            raise
        raise MissingExtraError(package, extra) from error
