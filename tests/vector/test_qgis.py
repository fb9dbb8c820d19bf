"""Debian's GDAL and QGIS read what is written, without a screen."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from sat2map.vector.write import write_layers

from ..need import DEBIANS_PYTHON, need, need_qgis
from .test_write import COLOURS, squares

pytestmark = pytest.mark.slow

PROGRAM = """
import json, sys
from qgis.core import *
from qgis.PyQt.QtCore import QSize
QgsApplication.setPrefixPath("/usr", True)
app = QgsApplication([], False)
app.initQgis()
layer = QgsVectorLayer(sys.argv[1] + "|layername=areas", "areas", "ogr")
settings = QgsMapSettings()
settings.setLayers([layer])
settings.setDestinationCrs(layer.crs())
settings.setExtent(layer.extent())
settings.setOutputSize(QSize(100, 20))
job = QgsMapRendererParallelJob(settings)
job.start()
job.waitForFinished()
image = job.renderedImage()
print(json.dumps([[image.pixelColor(x, 10).getRgb()[:3] for x in (10, 30, 50)]]))
"""


def test_a_geopackage_opens_in_the_colours_of_its_classes(tmp_path: Path) -> None:
    need_qgis()
    path = tmp_path / "a.gpkg"
    write_layers(path, [squares()])
    environment = os.environ | {"QT_QPA_PLATFORM": "offscreen", "XDG_RUNTIME_DIR": str(tmp_path)}
    done = subprocess.run(
        [DEBIANS_PYTHON, "-c", PROGRAM, str(path)], check=True, capture_output=True, text=True, env=environment
    )
    assert "Warning" not in done.stderr
    shown = json.loads(done.stdout.splitlines()[-1])
    road, water = (list(COLOURS[name]) for name in ("road", "water & ice"))
    assert shown == [[road, water, road]]


@pytest.mark.parametrize("suffix", [".gpkg", ".fgb", ".geojsonl"])
def test_debians_gdal_reads_it_without_a_warning(tmp_path: Path, suffix: str) -> None:
    program = shutil.which("ogrinfo")
    need("ogrinfo", program, "apt install gdal-bin")
    assert program
    path = tmp_path / f"a{suffix}"
    write_layers(path, [squares()])
    done = subprocess.run([program, "-ro", "-so", "-al", str(path)], check=True, capture_output=True, text=True)
    assert "Feature Count: 5" in done.stdout
    assert done.stderr == ""
