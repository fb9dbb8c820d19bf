"""What a machine may lack: tests skip there with a reason, and fail where SAT2MAP_REQUIRE names it."""

from __future__ import annotations

import os

import pytest


def need(what: str, there: object, remedy: str = "") -> None:
    """Skip a test unless its machine has `there`; fail it where SAT2MAP_REQUIRE says that it must have."""
    if there:
        return
    message = f"this machine has no {what}" + (f" ({remedy})" if remedy else "")
    if what in os.environ.get("SAT2MAP_REQUIRE", "").split(","):
        pytest.fail(f"{message}, and SAT2MAP_REQUIRE asks for it")
    pytest.skip(message)
