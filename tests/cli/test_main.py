"""The frame of the command line: what is listed, what is imported, and how errors look."""

from __future__ import annotations

import errno
import importlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from sat2map.cli import main as frame
from sat2map.cli import options
from sat2map.cli.main import COMMANDS, LazyCommand, sat2map
from sat2map.errors import MissingExtraError, OutputError


def _fails_with(error: Callable[[], BaseException]) -> click.Command:
    @click.command()
    @options.debug_option
    def fail() -> None:
        raise error()

    return fail


@pytest.fixture
def offer(monkeypatch: pytest.MonkeyPatch) -> Callable[[click.Command], None]:
    """Put a command of the test's own in the group's place of `demo`."""

    def put(command: click.Command) -> None:
        monkeypatch.setattr(options, "test_command", command, raising=False)
        monkeypatch.setitem(frame.COMMANDS, "demo", LazyCommand("sat2map.cli.options:test_command", "Test."))

    return put


def run(*arguments: str) -> Result:
    return CliRunner().invoke(sat2map, arguments, prog_name="sat2map")


def test_help_lists_every_command_with_its_line_and_imports_none() -> None:
    code = f"""
import sys
from click.testing import CliRunner
from sat2map.cli.main import COMMANDS, sat2map
shown = CliRunner().invoke(sat2map, ["--help"])
assert shown.exit_code == 0
for name, command in COMMANDS.items():
    assert f"{{name}} " in shown.output and command.help in shown.output, name
assert not {{"torch", "rasterio", "numpy", "onnxruntime", "pydantic"}} & sys.modules.keys(), sys.modules.keys()
assert not [name for name in sys.modules if name in {[c.target.partition(":")[0] for c in COMMANDS.values()]!r}]
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_help_does_not_need_the_commands_to_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(frame.COMMANDS, "gone", LazyCommand("sat2map.cli.gone:gone", "Is not there."))
    shown = run("--help")
    assert shown.exit_code == 0
    assert "Is not there." in shown.output


@pytest.mark.parametrize("name", list(COMMANDS))
def test_command_is_where_the_table_says(name: str) -> None:
    module, _, attribute = COMMANDS[name].target.partition(":")
    assert isinstance(getattr(importlib.import_module(module), attribute), click.Command)
    shown = run(name, "--help")
    assert shown.exit_code == 0, shown.output


@pytest.mark.parametrize(
    ("arguments", "stderr"),
    [
        (["translat"], "error: no such command 'translat'. Did you mean 'translate'?\nhint: sat2map --help\n"),
        (["--verbos"], "error: no such option '--verbos'. Did you mean '--version'?\nhint: sat2map --help\n"),
        (["model", "inf"], "error: no such command 'inf'. Did you mean 'info'?\nhint: sat2map model --help\n"),
        (["model", "info", "--jso"], "error: no such option '--jso'"),
        (["model", "export", "x"], "error: missing option '-o'"),
    ],
)
def test_wrong_usage_is_two_lines_and_exit_2(arguments: list[str], stderr: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith(stderr)
    assert result.stderr.count("\n") == 2
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("error", "stderr"),
    [
        (lambda: OutputError("output exists", "a.tif", hint="-f"), "error: output exists: 'a.tif'\nhint: -f\n"),
        (lambda: OutputError("output exists"), "error: output exists\n"),
        (lambda: click.UsageError("Give one of the two."), "error: give one of the two\nhint: sat2map demo --help\n"),
        (
            lambda: PermissionError(13, "Permission denied", "a.tif"),
            "error: permission denied: 'a.tif'\n"
            "hint: choose another place, or ask for the right to read and write there\n",
        ),
        (
            lambda: MissingExtraError("torch", "torch"),
            "error: this needs a package that is not installed: 'torch'\nhint: pip install 'sat2map[torch]'\n",
        ),
    ],
)
def test_error_is_shown_in_words_without_traceback(
    error: Callable[[], BaseException], stderr: str, offer: Callable[[click.Command], None]
) -> None:
    offer(_fails_with(error))
    result = run("demo")
    assert (result.exit_code, result.stderr, result.stdout) == (2, stderr, "")


def test_debug_shows_the_traceback_too(offer: Callable[[click.Command], None]) -> None:
    offer(_fails_with(lambda: OutputError("output exists", hint="--overwrite")))
    result = run("demo", "--debug")
    assert result.exit_code == 2
    assert "Traceback" in result.stderr
    assert "raise error()" in result.stderr
    assert result.stderr.endswith("error: output exists\nhint: --overwrite\n")


@pytest.mark.parametrize("error", [AssertionError("ours"), ModuleNotFoundError("our own", name="sat2map.nowhere")])
def test_mistake_of_ours_is_not_blamed_on_the_user(error: Exception, offer: Callable[[click.Command], None]) -> None:
    offer(_fails_with(lambda: error))
    assert run("demo").exception is error


def test_interrupt_exits_130(offer: Callable[[click.Command], None]) -> None:
    offer(_fails_with(KeyboardInterrupt))
    result = run("demo")
    assert (result.exit_code, result.stderr) == (130, "interrupted\n")


def test_interrupt_that_a_library_made_an_error_of_its_own_exits_130(
    offer: Callable[[click.Command], None],
) -> None:
    def initialise() -> BaseException:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as error:
            raise ImportError("initialization failed") from error

    offer(_fails_with(initialise))
    result = run("demo")
    assert (result.exit_code, result.stderr) == (130, "interrupted\n")


def _options(command: click.Command) -> Iterator[click.Parameter]:
    yield from command.params
    for inner in command.commands.values() if isinstance(command, click.Group) else ():
        yield from _options(inner)


@pytest.mark.parametrize("text", ["nan", "inf"])
def test_numbers_of_options_are_finite(text: str) -> None:
    context = click.Context(sat2map)
    commands = [sat2map.get_command(context, name) for name in COMMANDS]
    found = [option for command in commands if command for option in _options(command)]
    numbers = {o.name: o for o in found if o.type.name in ("float", "float range") and o.name != "nodata"}
    assert {"gsd_m", "block_m", "cache_gib", "simplify_m", "val_share"} <= {*numbers}
    for option in numbers.values():
        with pytest.raises(click.BadParameter):
            option.type_cast_value(context, (text,) if option.multiple else text)
    bbox = next(option for option in found if option.name == "bbox")
    with pytest.raises(click.BadParameter, match="4 numbers"):
        bbox.process_value(context, f"0,0,{text},1")


@pytest.mark.parametrize(
    ("number", "hint"), [(errno.ENOSPC, "make room"), (errno.EROFS, "another place"), (errno.EACCES, "the right to")]
)
def test_error_of_the_system_has_a_remedy(number: int, hint: str, offer: Callable[[click.Command], None]) -> None:
    offer(_fails_with(lambda: OSError(number, "The system refused.", "/maps")))
    error, told = run("demo").stderr.splitlines()
    assert error == "error: the system refused: '/maps'"
    assert told.startswith("hint: ")
    assert hint in told


NAME, ESCAPED = "a\n\x1b[31m.tif", r"a\n\x1b[31m.tif"


@pytest.mark.parametrize(
    ("error", "stderr"),
    [
        (
            lambda: OutputError(f"two maps of {NAME}", NAME, hint=f"look at {NAME}"),
            f"error: two maps of {ESCAPED}: '{ESCAPED}'\nhint: look at {ESCAPED}\n",
        ),
        (lambda: click.UsageError(f"no such thing as {NAME}"), f"error: no such thing as {ESCAPED}\n"),
        (lambda: FileNotFoundError(2, f"no {NAME}", NAME), f"error: no {ESCAPED}: '{ESCAPED}'\n"),
    ],
)
def test_names_break_no_line_of_an_error_and_steer_no_terminal(
    error: Callable[[], BaseException], stderr: str, offer: Callable[[click.Command], None]
) -> None:
    offer(_fails_with(error))
    assert run("demo").stderr.startswith(stderr)


@pytest.mark.parametrize("arguments", [[], ["--verbose"]])
def test_names_break_no_line_of_a_warning_and_steer_no_terminal(arguments: list[str]) -> None:
    code = f"""
import logging
import click
from sat2map.cli import main as frame, options
@click.command()
@options.verbose_option
def warn():
    logging.getLogger("sat2map.test").warning("odd: %s", {NAME!r})
options.test_command = warn
frame.COMMANDS["demo"] = frame.LazyCommand("sat2map.cli.options:test_command", "")
frame.main()
"""
    shown = subprocess.run([sys.executable, "-c", code, "demo", *arguments], capture_output=True, text=True, check=True)
    assert shown.stderr == f"{'WARNING sat2map.test: ' if arguments else ''}odd: {ESCAPED}\n"


def test_reader_that_goes_away_is_no_error() -> None:
    code = """
import click
from sat2map.cli import main as frame, options
@click.command()
def talk():
    for i in range(100_000):
        click.echo("line")
options.test_command = talk
frame.COMMANDS["demo"] = frame.LazyCommand("sat2map.cli.options:test_command", "")
frame.main()
"""
    with subprocess.Popen(
        [sys.executable, "-c", code, "demo"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""


def test_version_is_printed() -> None:
    assert run("--version").output.startswith("sat2map, version 0.")


def test_same_commands_are_those_of_rio() -> None:
    code = "from rasterio.rio.main import main_group; main_group()"
    shown = subprocess.run(
        [sys.executable, "-c", code, "sat2map", "model", "info", "nope.onnx"], capture_output=True, text=True
    )
    assert shown.returncode == 2
    assert shown.stderr.startswith("error: no such model: 'nope.onnx'\nhint: ")


def test_assignments_are_split_at_the_first_equals_sign() -> None:
    @click.command()
    @options.set_option
    def show(assignments: tuple[tuple[str, str], ...]) -> None:
        click.echo(repr(assignments))

    runner = CliRunner()
    assert runner.invoke(show, ["--set", "a.b=1", "--set", "c = x=y"]).output == "(('a.b', '1'), ('c', 'x=y'))\n"
    for wrong in ("a", "=1"):
        assert "not of the form key=value" in runner.invoke(show, ["--set", wrong]).output


@pytest.mark.parametrize(
    ("flags", "shown"),
    [
        ([], {"warning"}),
        (["--verbose"], {"warning", "info"}),
        (["--debug"], {"warning", "info", "debug"}),
        (["--quiet"], set()),
    ],
)
def test_log_goes_to_stderr_at_the_level_asked_for(flags: list[str], shown: set[str]) -> None:
    code = f"""
import logging
from sat2map.cli.options import log_options
import click
@click.command()
@log_options
def talk(quiet):
    for level in ("debug", "info", "warning"):
        getattr(logging.getLogger("sat2map.talk"), level)("a " + level)
    click.echo(f"quiet {{quiet}}")
talk({flags!r})
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == f"quiet {'--quiet' in flags}\n"
    assert {level for level in ("debug", "info", "warning") if f"a {level}" in result.stderr} == shown


def test_package_says_what_it_has_and_has_not() -> None:
    package = importlib.import_module("sat2map")
    assert set(package.__all__) <= set(dir(package))
    with pytest.raises(AttributeError, match="has no attribute 'Translater'"):
        getattr(package, "Translater")  # noqa: B009


def test_package_is_marked_as_typed() -> None:
    package = Path(frame.__file__).parents[1]
    assert (package / "py.typed").is_file()


@pytest.mark.parametrize(
    ("package", "extra", "arguments"),
    [
        ("torch", "train", ["train", "pairs", "--recipe", "paper", "--out", "run"]),
        ("tensorboard", "train", ["train", "pairs", "--recipe", "paper", "--out", "run"]),
        ("torch", "train", ["bench", "train"]),
        ("onnxscript", "train", ["model", "export", "g.safetensors", "-o", "g.onnx"]),
        ("torch", "torch", ["model", "import", "g.pth", "-o", "g.safetensors"]),
        ("uvicorn", "serve", ["serve", "scene.tif"]),
        ("titiler.core", "serve", ["bench", "serve", str(Path(__file__))]),
        ("pooch", "download", ["data", "download", "maps"]),
        ("scipy", "eval", ["data", "inspect", "pairs"]),
        ("matplotlib", "report", ["evaluate", "pairs", "--report", "report.html"]),
    ],
)
def test_command_names_the_extra_that_it_lacks(
    package: str, extra: str, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: this needs a package that is not installed")
    assert result.stderr.endswith(f"hint: pip install 'sat2map[{extra}]'\n")
