"""A command that is killed at a chosen moment: the same one on any machine, however busy it is."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

PROGRAM = """
import os, pathlib, signal, sys

files, n_left = pathlib.Path(sys.argv.pop(1)), int(sys.argv.pop(1))

def count(event, arguments):
    global n_left
    if event in ("open", "os.rename") and isinstance(arguments[0], (str, os.PathLike)):
        path = pathlib.Path(arguments[0])
        if path.parent == files.parent and path.match(files.name):
            n_left -= 1
            if n_left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(count)
from sat2map.cli.main import main
main()
"""


def run_and_kill(arguments: Sequence[str], files: Path, nth: int, environment: Mapping[str, str]) -> None:
    """Run `sat2map`, and kill it as Python is about to open or to rename a file for the nth time.

    Args:
        arguments: of the command.
        files: the ones that are counted; the name may be a pattern, such as `.checkpoint.*`. What `files.replacing`
            writes is opened three times (made, written, flushed to the disk) and then renamed.
        nth: counted from 1.
        environment: of the command.
    """
    command = [sys.executable, "-c", PROGRAM, str(files), str(nth), *arguments]
    done = subprocess.run(command, env=environment, check=False)
    assert done.returncode == -signal.SIGKILL, f"the run ended before it opened or renamed {files} {nth} times"
