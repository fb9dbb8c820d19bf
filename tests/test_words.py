"""One name has one meaning: the words of the glossary, and public classes share no name."""

from __future__ import annotations

import ast
import csv
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from sat2map.cli.main import sat2map

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "sat2map"
MODULES = sorted(PACKAGE.rglob("*.py"))

OLD_WORDS = {
    "picture": "image",
    "home": "core window, scene window",
    "seen": "model grid",
    "holdout": "validation set",
    "measure": "metric",
    "figure": "metric",
    "floor": "constant baseline",
    "shifted": "corruptions",
    "contestant": "model",
    "rival": "baseline",
    "fooled": "adversarial",
    "judged": "score",
    "tally": "score",
    "sink": "writer",
    "how": "options, settings",
    "sure": "confidence",
}
"""Words that had several meanings or were ours alone, and what is written in their stead."""
OLD_WORDS_OF_ROOMS = {
    "place": "transform, bounds, georeference; position",
    "reach": "receptive radius",
}
"""Words that some rooms still use in another meaning; a class of the class table is called `place`."""
ROOMS_WITHOUT = ("scene", "translate", "data")
EXCEPTIONS: dict[str, set[str]] = {
    "evaluate/charts.py": {"figure"},  # matplotlib's own word
    "city/roads.py": {"seen"},  # a set of what a walk has met
    "city/open_land.py": {"home"},  # home plate of a ball field
}
"""Identifiers that keep such a word, and why."""


def words_of(identifier: str) -> set[str]:
    """The lower-case words of an identifier, without plural endings."""
    parts = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", identifier)
    return {part.lower().removesuffix("s") if len(part) > 4 else part.lower() for part in parts}


def identifiers(tree: ast.AST) -> Iterator[str]:
    """Every name that a module defines, binds or uses as a key."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Dict):
            keys = (key.value for key in node.keys if isinstance(key, ast.Constant) and isinstance(key.value, str))
            yield from (key for key in keys if key.isidentifier())


def options(command: click.Command) -> Iterator[str]:
    """Every option of a command and of those below it."""
    for parameter in command.params:
        yield from parameter.opts
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from options(below)


def recipe_keys(values: dict[str, object]) -> Iterator[str]:
    """Every key of a recipe, at any depth."""
    for key, value in values.items():
        yield key
        if isinstance(value, dict):
            yield from recipe_keys(value)


def old_words(names: Iterator[str], where: str) -> list[str]:
    """The names that hold an old word, each with the word for it."""
    words = OLD_WORDS | (OLD_WORDS_OF_ROOMS if where.partition("/")[0] in ROOMS_WITHOUT else {})
    found = []
    for name in sorted(set(names)):
        for word in sorted(words_of(name) & set(words)):
            if name not in EXCEPTIONS.get(where, set()) | EXCEPTIONS.get("", set()):
                found.append(f"{where}: {name} ({words[word]})")
    return found


def test_no_identifier_of_the_package_is_an_old_word() -> None:
    found = []
    for file in MODULES:
        where = file.relative_to(PACKAGE).as_posix()
        found += old_words(identifiers(ast.parse(file.read_text("utf-8"))), where)
    assert found == []


@pytest.mark.parametrize("room", ROOMS_WITHOUT)
def test_no_docstring_message_or_comment_of_a_room_says_an_old_word(room: str) -> None:
    old = re.compile(rf"\b({'|'.join(OLD_WORDS_OF_ROOMS)})(s|es)?\b", re.IGNORECASE)
    found = [
        f"{file.relative_to(PACKAGE).as_posix()}: {line.strip()}"
        for file in (PACKAGE / room).rglob("*.py")
        for line in file.read_text("utf-8").splitlines()
        if old.search(line)
    ]
    assert found == []


def test_no_option_recipe_key_or_column_is_an_old_word() -> None:
    found = old_words(options(sat2map), "options")
    for recipe in (PACKAGE / "recipes").glob("*.toml"):
        found += old_words(recipe_keys(tomllib.loads(recipe.read_text("utf-8"))), recipe.name)
    for table in (ROOT / "docs").rglob("*.csv"):
        with table.open(encoding="utf-8", newline="") as lines:
            found += old_words(iter(next(csv.reader(lines))), table.name)
    assert found == []


def test_the_check_sees_an_old_word() -> None:
    tree = ast.parse("class PictureHome:\n    def f(self, how):\n        self.rivals = {'holdout': 1}\n")
    assert len(old_words(identifiers(tree), "example")) == 5
    tree = ast.parse("def f(places, reach_px): ...")
    assert [len(old_words(identifiers(tree), where)) for where in ("city/a.py", "scene/a.py")] == [0, 2]


def test_no_two_public_classes_share_a_name() -> None:
    names = Counter(
        node.name
        for file in MODULES
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert [name for name, count in names.items() if count > 1] == []
