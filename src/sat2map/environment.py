"""What this process's environment must say before the libraries below sat2map are imported.

It is set when `sat2map` is imported, so that workers and other processes get it too.
"""

from __future__ import annotations

import os
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

PROJ_VARIABLES = ("PROJ_DATA", "PROJ_LIB")
WHEELS = ("rasterio", "pyogrio")
"""Packages whose wheels bring a PROJ, each with a data base of its own."""

Version = tuple[int, int]


def prepare() -> None:
    """Switch the telemetry of ONNX Runtime off, unless the user says otherwise, and leave foreign PROJ data out.

    From 1.29 on, ONNX Runtime records events in the user's home folder and sends them.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    given = {name: os.environ[name] for name in PROJ_VARIABLES if name in os.environ}
    if not given:
        return
    needed = [version for version in map(_wheel_version, WHEELS) if version is not None]
    for name, folders in given.items():
        if not all(_fits(folders, version) for version in needed):
            # Never pointed at one of ours: two of them are in one process.
            del os.environ[name]


def _wheel_version(package: str) -> Version | None:
    """Layout of the PROJ data base in a package; None where it is built on the system's, whose data it finds."""
    spec = find_spec(package)
    return None if spec is None or spec.origin is None else _layout(Path(spec.origin).parent / "proj_data")


def _fits(folders: str, needed: Version) -> bool:
    """Whether PROJ takes the first data base in some folders, by the rule that it has itself."""
    found = next((version for folder in folders.split(os.pathsep) if (version := _layout(Path(folder)))), None)
    return found is not None and found[0] == needed[0] and found[1] >= needed[1]


def _layout(folder: Path) -> Version | None:
    """Version of the layout of a PROJ data base; None where there is none that can be read."""
    import sqlite3

    file = folder / "proj.db"
    if not file.is_file():
        return None
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro&immutable=1", uri=True)) as base:
            rows = dict(base.execute("SELECT key, value FROM metadata WHERE key LIKE 'DATABASE.LAYOUT.VERSION.%'"))
        return int(rows["DATABASE.LAYOUT.VERSION.MAJOR"]), int(rows["DATABASE.LAYOUT.VERSION.MINOR"])
    except (sqlite3.Error, KeyError, ValueError):
        # One from before there were versions, or none at all: PROJ takes neither.
        return 0, 0
