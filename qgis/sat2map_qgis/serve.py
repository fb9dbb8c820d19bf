# SPDX-License-Identifier: GPL-2.0-or-later
"""Serve: the live map, in the browser and as a layer."""

import json
from urllib.request import ProxyHandler, build_opener

from qgis.core import (
    QgsProcessing,
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingOutputString,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterMultipleLayers,
    QgsRasterLayer,
)
from qgis.PyQt.QtCore import QCoreApplication, QUrl
from qgis.PyQt.QtGui import QDesktopServices

from .algorithm import Algorithm, raster_source
from .process import serve, stop_servers

TILES = "{url}/scenes/{id}/map/tiles/WebMercatorQuad/{{z}}/{{x}}/{{y}}.png?tilesize=512"


class Serve(Algorithm):
    """Runs `sat2map serve` until QGIS ends, or until it is called again."""

    NAME, LABEL, PAGE = "serve", "Show the live map", "serve.html"
    HELP = (
        "Adds the map of each image as a layer of tiles, which are drawn while you look at them: large images need no "
        "waiting. With the browser, the same map is shown there, beside the image.\n\n"
        "The server listens on this computer alone. It ends with QGIS, or when Serve is run again."
    )

    def flags(self):
        """Return what it can do: a server would end with `qgis_process` itself."""
        return super().flags() | QgsProcessingAlgorithm.FlagNotAvailableInStandaloneTool

    def initAlgorithm(self, _configuration=None):
        """Define the parameters."""
        self.add(QgsProcessingParameterMultipleLayers("INPUT", "Images", QgsProcessing.TypeRaster))
        self.add_model()
        self.add(QgsProcessingParameterBoolean("BROWSER", "Open it in the browser, too", True))
        self.addOutput(QgsProcessingOutputString("URL", "Address of the live map"))

    def processAlgorithm(self, parameters, context, feedback):
        """Start the server, and add a layer for each scene."""
        layers = self.parameterAsLayerList(parameters, "INPUT", context)
        sources = [raster_source(layer) for layer in layers]
        stop_servers()
        arguments = ["serve", *sources, "--port", "0", *self.model_arguments(parameters, context)]
        url = serve(arguments, feedback)
        if url is None:
            return {}
        feedback.pushInfo(f"The live map is at {url}/")
        for scene in scenes_at(url):
            layer = QgsRasterLayer(tiles_source(url, scene), f"{scene['name']} (live map)", "wms")
            if not layer.isValid():
                feedback.pushWarning(f"{scene['name']}: {layer.error().summary()}")
                continue
            layer.moveToThread(QCoreApplication.instance().thread())
            context.temporaryLayerStore().addMapLayer(layer)
            details = QgsProcessingContext.LayerDetails(layer.name(), context.project(), scene["id"])
            context.addLayerToLoadOnCompletion(layer.id(), details)
        if self.parameterAsBool(parameters, "BROWSER", context):
            QDesktopServices.openUrl(QUrl(url))
        return {"URL": url}


def scenes_at(url):
    """Return what the server says of its scenes that have a place on Earth."""
    # No proxy: it is this computer.
    with build_opener(ProxyHandler({})).open(f"{url}/scenes", timeout=60) as answer:
        described = json.load(answer)
    scenes = described["scenes"] if isinstance(described, dict) else described
    return [scene for scene in scenes if scene["has_georeference"]]


def tiles_source(url, scene):
    """Return a scene's tiles as QGIS names them."""
    west, south, east, north = scene["bounds"]
    address = TILES.format(url=url, id=scene["id"]).replace("?", "%3F").replace("=", "%3D")
    return f"type=xyz&zmin=0&zmax=24&tilePixelRatio=2&url={address}&bounds={west},{south},{east},{north}"
