# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the program sat2map is, and how it is installed."""

import os
import shutil
import sys
from pathlib import Path

from qgis.core import QgsApplication, QgsSettings

PROGRAM_KEY = "sat2map/program"
PACKAGE = "sat2map[vector,serve]"
"""What pip is asked for, unless the user names something else."""


def program():
    """Return the path of the program: of the settings, else what was installed here, else of PATH; None: nowhere."""
    chosen = QgsSettings().value(PROGRAM_KEY, "", str)
    if chosen:
        return chosen
    installed = program_of(own_folder())
    return str(installed) if installed.exists() else shutil.which("sat2map")


def own_folder():
    """Return the virtual environment that the page of options makes."""
    return Path(QgsApplication.qgisSettingsDirPath()) / "sat2map" / "venv"


def python_of(folder):
    """Return the Python of a virtual environment."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def program_of(folder):
    """Return the program sat2map of a virtual environment."""
    return folder / ("Scripts/sat2map.exe" if os.name == "nt" else "bin/sat2map")


def python():
    """Return a Python that can make a virtual environment: QGIS's own, for nothing is installed into it."""
    if os.name == "nt":
        # Within QGIS, sys.executable is QGIS.
        return str(Path(sys.exec_prefix) / "python.exe")
    beside = Path(sys.exec_prefix) / "bin" / "python3"
    return str(beside) if beside.exists() else shutil.which("python3") or "python3"


def install_commands(python_path, package):
    """Return the commands, as lists of words, that install a package into the plugin's own environment."""
    folder = own_folder()
    return [
        [python_path, "-m", "venv", "--clear", str(folder)],
        [str(python_of(folder)), "-m", "pip", "install", package],
    ]
