"""Debian's QGIS reads the tiles and the WMTS capabilities, without a screen."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import rasterio
from rasterio.warp import transform_bounds

from ..need import DEBIANS_PYTHON, need_qgis
from .browsing import running
from .served import app_of, write_scene

pytestmark = pytest.mark.slow

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
    need_qgis()
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "HOME": str(tmp_path), "PYTHONPATH": ""}
    scene = write_scene(tmp_path / "scene.tif", 300, 300)
    with rasterio.open(scene) as dataset:
        box = transform_bounds(dataset.crs, "EPSG:3857", *dataset.bounds)
    with running(app_of(tmp_path, scene)) as url:
        command = [DEBIANS_PYTHON, "-c", PROGRAM, url, *map(str, box)]
        result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-2000:]
    assert result.stdout.split() == ["xyz", "reads", "wmts", "reads"]
