"""Commands that write end with what they wrote and with a next command that exists."""

from __future__ import annotations

import shlex
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from sat2map.cli.main import sat2map
from sat2map.cli.written import say_written


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    folder = tmp_path / "my pairs"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(4):
        Image.fromarray(rng.integers(0, 256, (64, 128, 3), np.uint8)).save(folder / f"{i}.png")
    return folder


@pytest.mark.parametrize(
    "arguments",
    [
        ["data", "synth", "{out}", "--pairs", "1"],
        ["data", "synth", "{out}.tif", "--scene", "64"],
        ["data", "split", "{pairs}", "-o", "{out}", "--by", "image", "--val", "0.5"],
        ["data", "split", "{pairs}", "-o", "{out}", "--by", "image", "--val", "0.5", "--lists"],
        ["data", "inspect", "{pairs}", "-o", "{out}.png"],
        ["evaluate", "{pairs}", "--constant", "0,0,0", "--size", "32", "-o", "{out}"],
    ],
)
def test_command_says_what_it_wrote_and_a_next_command(arguments: list[str], pairs: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    given = [argument.format(out=out, pairs=pairs) for argument in arguments]
    done = CliRunner().invoke(sat2map, given)
    assert done.exit_code in (0, 1), done.output
    wrote, following = done.stderr.splitlines()[-2:]
    assert wrote.startswith("wrote ")
    assert str(out) in wrote
    _check_is_a_command(following)
    quiet = CliRunner().invoke(sat2map, [*given, "--overwrite", "--quiet"])
    assert (quiet.exit_code, quiet.stderr) == (done.exit_code, ""), quiet.output


def _check_is_a_command(line: str) -> None:
    """Check that every option of the command exists; its files need not."""
    program, *words = shlex.split(line.removeprefix("next: "))
    assert program == "sat2map"
    command: click.Command = sat2map
    while isinstance(command, click.Group):
        found = command.get_command(click.Context(command), words.pop(0))
        assert found is not None
        command = found
    command.make_context("next", words)


def test_names_with_spaces_are_quoted(capsys: pytest.CaptureFixture[str]) -> None:
    say_written("a b.onnx", "translate", "scene.tif", "--model", Path("a b.onnx"), quiet=False)
    assert capsys.readouterr().err == ("wrote a b.onnx\nnext: sat2map translate scene.tif --model 'a b.onnx'\n")


def test_no_command_that_is_named_as_next_is_wrong() -> None:
    with pytest.raises(click.UsageError):
        _check_is_a_command("next: sat2map train DATA --recipee paper")
