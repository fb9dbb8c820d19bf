"""What tests do where a package is absent."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from importlib import import_module

import pytest

from . import need


@pytest.fixture
def absent(monkeypatch: pytest.MonkeyPatch) -> str:
    """A package of an extra that no machine has."""
    name = "sat2map_absent"
    monkeypatch.setattr(need, "EXTRAS", (name,))
    return name


def test_import_of_an_absent_extra_skips(absent: str) -> None:
    with pytest.raises(pytest.skip.Exception, match=absent):
        import_module(absent)


def test_thread_of_a_server_meets_pythons_own_error(absent: str) -> None:
    with ThreadPoolExecutor(1) as threads:
        error = threads.submit(import_module, absent).exception()
    assert isinstance(error, ModuleNotFoundError)  # raised again, `Skipped` would skip this test too
