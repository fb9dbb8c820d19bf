"""Files that appear whole or not at all, locks, and the cache folder."""

from __future__ import annotations

import errno
import glob
import hashlib
import os
import secrets
import shlex
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock
import platformdirs

from sat2map.errors import OutputError

LONGEST_NAME = 190
"""Bytes of a name to which others are still added on the way."""
UNFINISHED = ".*.part*"
"""Names of what is being written, or was when a kill came."""

NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A neighbour of `path` to write to; flushed to the disk and renamed to `path` at the end, removed on any error.

    Raises:
        OutputError: the folder is missing or cannot be written, or there is no room.
    """
    path = through_link(path)
    check_output_folder(path.parent)
    short = Path(short_name(path.name))
    work = path.with_name(f".{short.stem}.{secrets.token_hex(4)}.part{path.suffix}")
    try:
        work.touch()
        mode = work.stat().st_mode
    except OSError as error:
        raise OutputError("folder cannot be written to", path.parent, hint="choose another with `out`") from error
    try:
        with full_disk_named(path):
            yield work
        # safetensors puts a file of its own in the place of this one, which only its owner may read.
        work.chmod(mode)
        with work.open("rb+") as written:
            os.fsync(written.fileno())
        work.replace(path)
    finally:
        # What is written beside it on the way is named after it.
        for left in path.parent.glob(f"{glob.escape(work.name)}*"):
            left.unlink()


@contextmanager
def full_disk_named(path: Path) -> Iterator[None]:
    """Say in one line that there is no room for a file.

    Raises:
        OutputError: the disk, a quota or a limit on the size of files is used up.
    """
    try:
        yield
    except (OSError, RuntimeError) as error:
        # torch answers the system's error with one of its own.
        reason: BaseException | None = error
        while reason is not None and not (isinstance(reason, OSError) and reason.errno in NO_ROOM):
            reason = reason.__context__
        if not isinstance(reason, OSError):
            raise
        raise OutputError(
            f"no room to write ({(reason.strerror or '').lower()})", path,
            hint="make room, or choose another disk; what was written before is whole",
        ) from error  # fmt: skip


def through_link(path: Path) -> Path:
    """What a path stands for: a symbolic link is kept, and what it points to is written."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def short_name(name: str) -> str:
    """A file's name, made shorter where nothing could be added to it within the 255 bytes that a name may have.

    >>> short_name("map.tif"), len(short_name("m" * 250 + ".tif"))
    ('map.tif', 101)
    """
    if len(os.fsencode(name)) <= LONGEST_NAME:
        return name
    shortened = os.fsdecode(os.fsencode(Path(name).stem)[:80]).encode("utf-8", "ignore").decode()
    return f"{shortened}~{hashlib.sha256(os.fsencode(name)).hexdigest()[:16]}{Path(name).suffix}"


def check_output_folder(folder: Path) -> None:
    """Before any work: see that a folder is there and can be written to.

    Raises:
        OutputError: it is not, or cannot.
    """
    if not folder.is_dir():
        raise OutputError("no such folder to write to", folder, hint=f"mkdir -p {shlex.quote(str(folder))}")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError("folder cannot be written to", folder, hint="choose another with `out`")


def check_folder_to_make(folder: Path) -> None:
    """Before any work: see that a folder is there and can be written to, or that it can be made with those above it.

    Raises:
        OutputError: it is not, or cannot.
    """
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if not there.is_dir():
        raise OutputError("output is not a folder", there, hint="choose another with `out`")
    check_output_folder(there)


def refuse_existing(*outputs: Path, overwrite: bool) -> None:
    """Before any work: see that nothing is replaced unasked.

    Raises:
        OutputError: an output exists, and is not to be overwritten.
    """
    for path in outputs:
        if path.exists() and not overwrite:
            raise OutputError("output exists", path, hint="`overwrite` replaces it")


def refuse_input_within(folder: Path, inputs: Iterable[str | Path]) -> None:
    """Before any work: see that a folder that will be replaced holds nothing of what is read.

    Raises:
        OutputError: it is an input itself, or holds one.
    """
    whole = folder.resolve()
    if folder.is_dir() and any(whole in (path, *path.parents) for path in (Path(given).resolve() for given in inputs)):
        raise OutputError("output holds the input, so it is not replaced", folder, hint="choose another with `out`")


@contextmanager
def replacing_folder(folder: Path, mark: str, *, overwrite: bool, inputs: Iterable[str | Path] = ()) -> Iterator[Path]:
    """A neighbour of a folder of data to write to, which replaces it at the end.

    Args:
        folder: the final folder.
        mark: name of a file that every folder of this kind holds; one without it is not replaced.
        overwrite: whether one with it is.
        inputs: files and folders from which the data are made; a folder that holds one is not replaced.

    Yields:
        The folder to write to.

    Raises:
        OutputError: the folder exists and is not to be replaced, is no data set of this kind, holds an input, or cannot
            be made.
    """
    _check_replaceable(folder, mark, overwrite=overwrite)
    refuse_input_within(folder, inputs)
    check_output_folder(folder.parent)
    try:
        work = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".part", dir=folder.absolute().parent))
    except OSError as error:
        raise OutputError("folder cannot be written to", folder.parent, hint="choose another with `out`") from error
    try:
        with full_disk_named(folder):
            yield work
        work.chmod(0o755)
        if folder.exists():
            old = folder.rename(work.with_suffix(".old"))
            work.rename(folder)
            shutil.rmtree(old)
        else:
            work.rename(folder)
    except OutputError as error:
        # What could not be written is a file in a folder that the user has never heard of.
        raise OutputError(error.found, folder, hint=error.hint) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _check_replaceable(folder: Path, mark: str, *, overwrite: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise OutputError("output is not a folder", folder, hint="pairs go to a folder; choose another name")
    is_used = folder.is_dir() and any(folder.iterdir())
    if is_used and not overwrite:
        raise OutputError("output exists and is not empty", folder, hint="`overwrite`, or another folder")
    if is_used and not (folder / mark).is_file():
        raise OutputError(f"output holds no {mark}, so it is not replaced", folder, hint="choose another folder")


def cache_folder() -> Path:
    """The folder for what can be made again: `$SAT2MAP_CACHE`, or `sat2map` in the user's cache folder."""
    if chosen := os.environ.get("SAT2MAP_CACHE"):
        return Path(chosen)
    return platformdirs.user_cache_path("sat2map", appauthor=False)


def try_lock(path: Path) -> filelock.BaseFileLock | None:
    """Lock a file for this process; the system frees the lock when the process ends, however it ends.

    Returns:
        The lock, to be released; None where another process holds it.

    Raises:
        OSError: the file cannot be made.
    """
    lock = filelock.FileLock(path, timeout=0, thread_local=False)
    try:
        lock.acquire()
    except filelock.Timeout:
        return None
    return lock
