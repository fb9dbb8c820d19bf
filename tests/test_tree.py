"""The tree keeps the sizes at which a file or a function can be read: a longer one holds more than one thing."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "sat2map"
MODULES = sorted(PACKAGE.rglob("*.py"))
MOST_LINES_OF_FILE = 300
MOST_LINES_OF_FUNCTION = 40
OPTION = re.compile(r"(?<![\w-])--?[a-z]")
OTHER_PROGRAM = re.compile("gdal_translate|ogr2ogr|rio (warp|edit-info)|torchrun|mkdir -p")


def too_long(source: str, name: str) -> dict[str, int]:
    """The lines of a module and of its functions (docstrings included) where they are too many."""
    found = {name: n} if (n := len(source.splitlines())) > MOST_LINES_OF_FILE else {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            n_lines = node.end_lineno - node.lineno + 1
            if n_lines > MOST_LINES_OF_FUNCTION:
                found[f"{name} {node.name}"] = n_lines
    return found


@pytest.mark.parametrize("file", MODULES, ids=lambda file: file.relative_to(PACKAGE).as_posix())
def test_no_file_and_no_function_is_too_long(file: Path) -> None:
    assert too_long(file.read_text("utf-8"), file.relative_to(PACKAGE).as_posix()) == {}


def test_the_check_sees_what_is_too_long() -> None:
    function = "def f():\n" + "    pass\n" * MOST_LINES_OF_FUNCTION
    assert too_long(function, "f.py") == {"f.py f": MOST_LINES_OF_FUNCTION + 1}
    assert too_long("a = 1\n" * (MOST_LINES_OF_FILE + 1), "f.py") == {"f.py": MOST_LINES_OF_FILE + 1}
    assert too_long(function.removesuffix("    pass\n"), "f.py") == {}


def test_below_the_command_line_a_hint_names_parameters_and_no_options() -> None:
    hints = [
        ast.unparse(keyword.value)
        for file in MODULES
        if file.relative_to(PACKAGE).parts[0] != "cli"
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg == "hint"
    ]
    assert len(hints) > 50
    assert [hint for hint in hints if OPTION.search(hint) and not OTHER_PROGRAM.search(hint)] == []


def test_no_hint_tells_anyone_to_delete_data() -> None:
    hints = [
        ast.unparse(keyword.value)
        for file in MODULES
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg == "hint"
    ]
    assert len(hints) > 80
    assert [hint for hint in hints if re.search(r"\b(remove|delete|erase|rm)\b", hint, re.IGNORECASE)] == []
