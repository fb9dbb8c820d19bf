"""The hidden folder beside a destination in which its map grows, so that what an interruption leaves can go on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sat2map.errors import OutputError
from sat2map.files import short_name, try_lock

JOB, LOCK = "job.json", "lock"


def job_folder(destination: Path) -> Path:
    """Where the map of a destination grows."""
    return destination.with_name(f".{short_name(destination.name)}.sat2map")


@contextmanager
def open_job_folder(destination: Path, job: Mapping[str, Any]) -> Iterator[Path]:
    """The job folder of a destination, held by this process alone; gone when its map is finished or has failed.

    What an interrupted run left there stays if it was the same job, and goes if it was another. An interruption
    (Ctrl-C, a kill) leaves the folder for the next run.

    Args:
        destination: of the map.
        job: all that the pixels depend on, as JSON has it; empty where no run can go on from what another has left.

    Raises:
        OutputError: the folder cannot be made, or another run is at work in it.
    """
    folder = job_folder(destination)
    text = json.dumps(job, sort_keys=True, indent=1, default=str)
    try:
        folder.mkdir(exist_ok=True)
        lock = try_lock(folder / LOCK)
    except OSError as error:
        raise OutputError(
            "folder cannot be written to", destination.parent, hint="choose another with `out`"
        ) from error
    if lock is None:
        raise OutputError("another run is writing this map", destination, hint="wait for it, or choose another `out`")
    with lock:
        try:
            _begin(folder, text)
            yield folder
        except BaseException as error:
            if job and isinstance(error, (KeyboardInterrupt, SystemExit)):
                raise
            shutil.rmtree(folder, ignore_errors=True)
            if isinstance(error, OutputError):
                # What could not be written is a piece that the user has never heard of.
                raise OutputError(error.found, destination, hint=error.hint) from error
            raise
        shutil.rmtree(folder)


def _begin(folder: Path, text: str) -> None:
    job = folder / JOB
    if job.exists() and job.read_text(encoding="utf-8") == text:
        return
    for left in folder.iterdir():
        if left.is_dir():
            shutil.rmtree(left)
        elif left.name != LOCK:
            left.unlink()
    try:
        job.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError("map cannot be written", folder, hint="is the disk full?") from error
