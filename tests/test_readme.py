"""The commands of the README run in their order: each takes what is there or what one before has made."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from sat2map.cli.main import sat2map

ROOT = Path(__file__).resolve().parents[1]
BLOCKS = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
LINES = [line.partition(" #")[0].strip() for block in BLOCKS for line in block.splitlines() if line.strip()]
OF_DEMO = {"demo", "demo/city.tif", "demo/city_map.tif", "demo/town.png", "demo/town_map.png", "demo/naip.tif"}
OUTPUTS = ("out", "report")
INPUTS = (
    "source",
    "sources",
    "inputs",
    "data",
    "folder",
    "run_or_file",
    "scenes",
    "file",
    "target_folder",
    "predictions",
)


def parsed(words: list[str]) -> dict[str, object]:
    command: click.Command = sat2map
    while isinstance(command, click.Group):
        found = command.get_command(click.Context(command), words.pop(0))
        assert found is not None
        command = found
    # No callback of the command runs; unknown options and missing ones are errors.
    return command.make_context(command.name, words).params


def named(value: object) -> list[str]:
    values = value if isinstance(value, (tuple, list)) else [value]
    return [str(v).rstrip("/") for v in values if v is not None]


def test_commands_of_the_readme_follow_one_another() -> None:
    made: set[str] = set()
    n_commands = 0
    for line in LINES:
        words = shlex.split(line)
        if words[:2] == ["make", "demo"]:
            made |= OF_DEMO
        if words[0] != "sat2map":
            assert words[0] in ("make", "pip", "."), line
            continue
        n_commands += 1
        parameters = parsed(words[1:])
        for name in INPUTS:
            for path in named(parameters.get(name)) if name in parameters else []:
                assert path in made, f"{line}: nothing has made {path}"
        for path in named(parameters.get("model_name")):
            assert path in made
        for path in [p for name in OUTPUTS for p in named(parameters.get(name))]:
            again = parameters.get("resume") or parameters.get("overwrite")
            assert again or path not in made, f"{line}: {path} exists by then"
            made.add(path)
        if parameters.get("save_images"):
            made.add(f"{parameters['out']}/prediction")
    assert n_commands > 15


@pytest.mark.parametrize("extra", re.findall(r"pip install '\.\[(\w+)\]'", "\n".join(LINES)))
def test_extra_that_the_readme_installs_is_there(extra: str) -> None:
    assert re.search(rf"^{extra} = \[", (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)
