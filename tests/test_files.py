"""Files: locks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sat2map.errors import OutputError
from sat2map.files import lock

HOLD = """\
import sys
from pathlib import Path
from sat2map.files import lock
with lock(Path(sys.argv[1])):
    print("held", flush=True)
    input()
"""


def test_lock_is_held_by_one_process_and_free_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    arguments = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(OutputError, match="another process is at work here"), lock(path):
            pass
        other.communicate("\n")
    with lock(path):
        pass
