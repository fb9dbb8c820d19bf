"""What a machine may lack: tests skip there with a reason, and fail where SAT2MAP_REQUIRE names it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import ModuleType

import pytest

EXTRAS = (
    "torch", "torchmetrics", "onnx", "onnxscript", "tensorboard", "pooch", "matplotlib", "distributed", "pmtiles",
    "shapely", "pyogrio", "pyarrow", "geopandas", "osmium", "xarray", "rioxarray", "cv2",
)  # fmt: skip
"""Packages that an extra brings, or that are there for tests of what it brings: the base install has none of them."""

SHARED = Path(__file__).parents[2] / "shared"
"""Beside the checkout: real data, and other programs that score."""
SAMPLE = Path(os.environ.get("SAT2MAP_SAMPLE", SHARED / "data/maps/sample"))
"""Real pairs of `maps`."""


def need(what: str, there: object, remedy: str = "") -> None:
    """Skip a test, or a module of tests, unless its machine has `there`; fail it where SAT2MAP_REQUIRE names it."""
    if there:
        return
    message = f"this machine has no {what}" + (f" ({remedy})" if remedy else "")
    if what in os.environ.get("SAT2MAP_REQUIRE", "").split(","):
        pytest.fail(f"{message}, and SAT2MAP_REQUIRE asks for it")
    pytest.skip(message, allow_module_level=True)


DEBIANS_PYTHON = "/usr/bin/python3"
"""It has Debian's QGIS."""
QGIS_PROCESS = "qgis_process.bin"
"""Debian's wrapper of it, `qgis_process`, fails on an argument of its own."""


def need_qgis() -> None:
    """Skip a test where Debian's QGIS is not there, as a program and for Python."""
    command = [DEBIANS_PYTHON, "-c", "import qgis.core"]
    there = shutil.which(QGIS_PROCESS) and subprocess.run(command, env={}, capture_output=True).returncode == 0
    need("qgis", there, "apt-get install qgis python3-qgis qgis-providers")


class NeedExtras(MetaPathFinder):
    """The last finder of Python's import system: a package of an extra that no other found is one that a test needs.

    So a test imports what it is about like any program, and skips where an environment was made without it. What
    another thread imports for it, such as that of a server, the test must `need` itself: pytest's `Skipped` is no
    `Exception`, so raised there it skips nothing, and ends the event loop of the server, whose folder then stays.
    """

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        """Skip what imports a package of `EXTRAS` in pytest's own thread; leave any other to Python's own error."""
        if fullname in EXTRAS and threading.current_thread() is threading.main_thread():
            need(fullname, there=False, remedy="make test has it")


def skip_what_needs_an_absent_extra() -> None:
    """Put the finder behind all others, once."""
    if not any(isinstance(finder, NeedExtras) for finder in sys.meta_path):
        sys.meta_path.append(NeedExtras())
