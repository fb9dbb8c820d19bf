"""Files: a lock is held by one process, and is free when that process is gone, however it went."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sat2map.errors import OutputError
from sat2map.files import cache_folder, check_folder_to_make, try_lock

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


@pytest.mark.parametrize("name", ["", "new", "new/inner"])
def test_folder_that_can_be_made_is_taken_and_not_made(tmp_path: Path, name: str) -> None:
    check_folder_to_make(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["", "new", "new/inner"])
def test_folder_that_cannot_be_made_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"output is not a folder: '.*/file'"):
        check_folder_to_make(tmp_path / "file" / name)
    # For root, who runs the tests in a container, each folder can be written to.
    monkeypatch.setattr("os.access", lambda path, _: Path(path) != tmp_path)
    with pytest.raises(OutputError, match=rf"folder cannot be written to: '{tmp_path}'"):
        check_folder_to_make(tmp_path / name)
