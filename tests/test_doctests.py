"""The examples of docstrings run, and give what they say; they read no files but the bundled ones."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "sat2map"
MODULES = sorted(
    ".".join(["sat2map", *file.relative_to(PACKAGE).with_suffix("").parts]).removesuffix(".__init__")
    for file in PACKAGE.rglob("*.py")
    if ">>>" in file.read_text("utf-8")
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_a_module_give_what_they_say(name: str) -> None:
    results = doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert results.attempted
    assert results.failed == 0


@pytest.mark.parametrize(
    "name",
    [
        "sat2map", "sat2map.scene.options", "sat2map.scene.source", "sat2map.scene.stretch",
        "sat2map.translate.scene_drawing", "sat2map.translate.settings", "sat2map.translate.translator",
    ],
)  # fmt: skip
def test_module_of_the_public_interface_has_examples(name: str) -> None:
    assert name in MODULES
