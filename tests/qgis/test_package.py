"""The plugin as a file, without QGIS."""

from __future__ import annotations

import ast
import configparser
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = ROOT / "qgis" / "sat2map_qgis"
MODULES = sorted(PLUGIN.glob("*.py"))


def test_package_holds_the_plugin_in_one_folder_and_is_the_same_again(tmp_path: Path) -> None:
    for name in ("a.zip", "b.zip"):
        subprocess.run([sys.executable, ROOT / "qgis" / "package.py", tmp_path / name], check=True)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        names = set(archive.namelist())
        metadata = configparser.ConfigParser()
        metadata.read_string(archive.read("sat2map_qgis/metadata.txt").decode())
        licence = archive.read("sat2map_qgis/LICENSE").decode()
    others = {"LICENSE", "README.md", "icon.svg", "metadata.txt"}
    assert names == {f"sat2map_qgis/{name}" for name in others | {module.name for module in MODULES}}
    general = metadata["general"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert general["version"] == project["version"]
    assert {general[key] for key in ("homepage", "repository")} <= set(project["urls"].values())
    assert (general["qgisminimumversion"], general["hasprocessingprovider"]) == ("3.22", "yes")
    assert general["license"] == "GPL-2.0-or-later"
    assert "GNU GENERAL PUBLIC LICENSE\n                       Version 2, June 1991" in licence


def test_plugin_imports_nothing_of_sat2map_and_is_python_of_old_qgis() -> None:
    for module in MODULES:
        source = module.read_text("utf-8")
        assert source.startswith("# SPDX-License-Identifier: GPL-2.0-or-later\n"), module.name
        for node in ast.walk(ast.parse(source, feature_version=(3, 9))):
            imported = [name.name for name in node.names] if isinstance(node, ast.Import) else []
            imported += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            assert not any(name.partition(".")[0] == "sat2map" for name in imported), module.name
