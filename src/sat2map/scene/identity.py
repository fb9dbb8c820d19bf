"""What proves that a scene is the same one as before: only then may what was drawn of it be used again."""

from __future__ import annotations

import re
import secrets
import urllib.request
from collections.abc import Iterable
from pathlib import Path

ARCHIVE = re.compile(r"(/vsi(zip|tar|gzip|7z|rar|subfile|sparse|cached)/+)+")
ON_THE_WEB = re.compile(r"(?:/vsicurl/)?(https?):/+")
TIMEOUT_S = 10


def identity(files: Iterable[Path]) -> list[str]:
    """A text for each file of a scene, the same as before only where the file is provably the same.

    Files here, and archives that hold files, tell their size and time of change; servers a tag. Where nothing tells it,
    the text is a new one each time.

    Args:
        files: as GDAL names them; a path of GDAL's own file systems is one with single slashes.
    """
    return [f"{file} {_state(str(file)) or secrets.token_hex(8)}" for file in files]


def states_here(files: Iterable[Path]) -> list[str | None]:
    """A text for each file of a scene that is on this machine, another one when it changes; of others None.

    Args:
        files: as GDAL names them.
    """
    return [_state_here(str(file)) for file in files]


def _state(name: str) -> str | None:
    on_the_web = ON_THE_WEB.match(name)
    if on_the_web:
        return _state_on_server(f"{on_the_web[1]}://{name[on_the_web.end() :]}")
    return _state_here(name)


def _state_here(name: str) -> str | None:
    inner, n_handlers = ARCHIVE.subn("", name, count=1)
    if name.startswith("/vsi") and not n_handlers:
        return None
    inner = inner.strip("{").replace("}", "")
    # A path that has gone through pathlib tells no more whether it began at the root.
    for start in (Path("/", inner), Path(inner)) if n_handlers else (Path(name),):
        for path in (start, *start.parents) if n_handlers else (start,):
            if path.is_file():
                stat = path.stat()
                return f"{path.resolve()} {stat.st_size} {stat.st_mtime_ns}"
    return None


def _state_on_server(url: str) -> str | None:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=TIMEOUT_S) as answer:
            told = answer.headers.get("ETag") or answer.headers.get("Last-Modified")
            return told and f"{told} {answer.headers.get('Content-Length')}"
    except (OSError, ValueError):
        return None
