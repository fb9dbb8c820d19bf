"""Files: a lock is held by one process, and is free when that process is gone, however it went."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sat2map.files import cache_folder, try_lock

HOLD = """\
import sys
from pathlib import Path
from sat2map.files import try_lock
lock = try_lock(Path(sys.argv[1]))
print("held", flush=True)
input()
"""


@pytest.mark.parametrize("killed", [False, True])
def test_lock_is_held_by_one_process_and_free_afterwards(tmp_path: Path, killed: bool) -> None:
    path = tmp_path / "lock"
    arguments = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        assert try_lock(path) is None
        if killed:
            other.kill()
        other.communicate(None if killed else "\n")
    lock = try_lock(path)
    assert lock is not None
    lock.release()


def test_cache_folder_is_the_users_or_the_one_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SAT2MAP_CACHE", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"
    monkeypatch.delenv("SAT2MAP_CACHE")
    assert cache_folder().name == "sat2map"
