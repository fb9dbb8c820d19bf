"""Errors: pickling, parameter names, and missing extras."""

from __future__ import annotations

import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from sat2map import errors
from sat2map.errors import MissingExtraError, OutputError, Sat2mapError, require

KINDS = [Sat2mapError, *(kind for kind in Sat2mapError.__subclasses__() if kind is not MissingExtraError)]
EXAMPLES = [kind("found {gsd_m}", 3, hint="set {bands}") for kind in KINDS] + [MissingExtraError("torch", "train")]


def _fail(error: Sat2mapError) -> None:
    raise error


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_error_survives_pickling(error: Sat2mapError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert (str(copy), copy.args, vars(copy)) == (str(error), error.args, vars(error))


def test_errors_come_out_of_a_process_pool() -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        for error in (EXAMPLES[0], EXAMPLES[-1]):
            with pytest.raises(type(error)) as caught:
                pool.submit(_fail, error).result()
            assert (str(caught.value), caught.value.hint) == (str(error), error.hint)


def test_parameters_are_named_bare_or_as_options() -> None:
    error = OutputError("no {gsd_m} given", "a{b}.tif", hint="set {gsd_m} or {bands}")
    assert (str(error), error.hint) == ("no gsd_m given: 'a{b}.tif'", "set gsd_m or bands")
    assert error.in_options({"gsd_m": "--gsd"}) == ("no --gsd given: 'a{b}.tif'", "set --gsd or bands")


def test_require_names_the_extra() -> None:
    assert require("json", "train").loads("1") == 1
    with pytest.raises(MissingExtraError, match="nowhere_at_all") as caught:
        require("nowhere_at_all.part", "train")
    assert caught.value.hint == "pip install 'sat2map[train]'"
    with pytest.raises(ModuleNotFoundError):
        require("sat2map.nowhere", "train")
    assert errors.name_parameters("{A} {}", {}) == "{A} {}"
