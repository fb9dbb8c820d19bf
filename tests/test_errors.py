"""Errors cross to other processes, and say what to do in the words of whoever reads them."""

from __future__ import annotations

import pickle
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from sat2map import errors
from sat2map.errors import MissingExtraError, OutputError, Sat2mapError, import_extra

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Sat2mapError)]


def raise_output_error() -> None:
    raise OutputError("output exists", Path("map.tif"), hint="`overwrite` replaces it")


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_survives_pickling(kind: type[Sat2mapError]) -> None:
    error = (
        kind("torch", "train")
        if kind is MissingExtraError
        else kind("no such files", Path("a.tif"), hint="look", details=["b.tif", "c.tif"])
    )
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is kind
    assert (str(copy), copy.found, str(copy.value), copy.hint, copy.details) == (
        str(error), error.found, str(error.value), error.hint, error.details,
    )  # fmt: skip


def test_error_of_another_process_arrives_whole() -> None:
    with ProcessPoolExecutor(1) as pool, pytest.raises(OutputError, match=r"output exists: 'map.tif'") as caught:
        pool.submit(raise_output_error).result()
    assert caught.value.hint == "`overwrite` replaces it"


def test_missing_extra_is_named() -> None:
    assert import_extra("json", "any") is __import__("json")
    with pytest.raises(MissingExtraError, match="not_there") as caught:
        import_extra("not_there.at_all", "tiles")
    assert caught.value.hint == "pip install 'sat2map[tiles]'"


def test_names_in_an_error_neither_break_its_line_nor_steer_a_terminal() -> None:
    name = "a\n\x1b[31mb\u202e.tif"
    error = Sat2mapError(f"no {name}", name, hint=f"look for {name}", details=[f"{name}: gone", "c.tif: gone"])
    escaped = r"a\n\x1b[31mb\u202e.tif"
    assert str(error) == f"no {escaped}: '{escaped}':\n  {escaped}: gone\n  c.tif: gone"
    assert error.hint == f"look for {escaped}"
