"""Debian's QGIS reads the tiles and the WMTS capabilities, without a screen."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from sat2map.serve.app import create_app
from sat2map.serve.filling import Filler
from sat2map.serve.scenes import Scenes
from sat2map.serve.settings import ServeSettings
from sat2map.translate import Translator

from ..need import need
from .browsing import running
from .served import SMALL, QuickEngine, write_scene

pytestmark = pytest.mark.slow

PYTHON = "/usr/bin/python3"  # Debian's, which has QGIS
PROGRAM = """
import sys
from qgis.core import *
from qgis.PyQt.QtCore import QSize
QgsApplication.setPrefixPath("/usr", True)
app = QgsApplication([], False)
app.initQgis()
url, west, south, east, north = sys.argv[1], *map(float, sys.argv[2:6])
xyz = f"type=xyz&zmin=0&zmax=18&url={url}/scenes/scene/map/tiles/WebMercatorQuad/{{z}}/{{x}}/{{y}}.png"
wmts = (f"contextualWMSLegend=0&crs=EPSG:3857&format=image/png&layers=map_WebMercatorQuad_default&styles=default"
        f"&tileMatrixSet=WebMercatorQuad&url={url}/scenes/scene/map/WMTSCapabilities.xml")
for name, uri in (("xyz", xyz), ("wmts", wmts)):
    layer = QgsRasterLayer(uri, name, "wms")
    assert layer.isValid(), (name, layer.error().message())
    settings = QgsMapSettings()
    settings.setLayers([layer])
    settings.setDestinationCrs(QgsCoordinateReferenceSystem("EPSG:3857"))
    settings.setExtent(QgsRectangle(west, south, east, north))
    settings.setOutputSize(QSize(256, 256))
    job = QgsMapRendererSequentialJob(settings)
    job.start()
    job.waitForFinished()
    image = job.renderedImage()
    colours = {image.pixel(x, y) & 0xFFFFFF for x in range(20, 236, 4) for y in range(20, 236, 4)}
    assert len(colours) > 3, (name, colours)
    print(name, "reads")
"""


def test_qgis_reads_xyz_and_wmts(tmp_path: Path) -> None:
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "HOME": str(tmp_path), "PYTHONPATH": ""}
    found = subprocess.run([PYTHON, "-c", "import qgis.core"], env=environment, capture_output=True)
    need("qgis", found.returncode == 0, "apt-get install python3-qgis qgis-providers")
    scenes = Scenes(Translator(QuickEngine()), tmp_path / "cache", 2**30, "quick", SMALL)
    scene = scenes.add(write_scene(tmp_path / "scene.tif", 300, 300))
    west, south, east, north = scene.bounds
    from pyproj import Transformer

    to_metres = Transformer.from_crs(4326, 3857, always_xy=True).transform
    box = [*to_metres(west, south), *to_metres(east, north)]
    with running(create_app(scenes, Filler(32), ServeSettings(cache=tmp_path / "cache"))) as url:
        result = subprocess.run(
            [PYTHON, "-c", PROGRAM, url, *map(str, box)], env=environment, capture_output=True, text=True
        )
    assert result.returncode == 0, result.stderr[-2000:]
    assert result.stdout.split() == ["xyz", "reads", "wmts", "reads"]
