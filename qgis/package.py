# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes the file that QGIS installs (Plugins > Install from ZIP): python qgis/package.py OUT.zip."""

import sys
import zipfile
from pathlib import Path

HERE = Path(__file__).parent
PLUGIN = HERE / "sat2map_qgis"
SUFFIXES = (".py", ".txt", ".svg")
DATE = (1980, 1, 1, 0, 0, 0)


def package(path):
    """Write the plugin, with its licence, to a ZIP file that is the same for the same files."""
    files = sorted(file for file in PLUGIN.iterdir() if file.suffix in SUFFIXES)
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in (HERE / "LICENSE", HERE / "README.md", *files):
            archive.writestr(
                zipfile.ZipInfo(f"{PLUGIN.name}/{file.name}", DATE), file.read_bytes(), zipfile.ZIP_DEFLATED
            )


if __name__ == "__main__":
    package(Path(sys.argv[1]))
