# SPDX-License-Identifier: GPL-2.0-or-later
"""Adapt: a model of the user's own ground."""

from qgis.core import (
    QgsProcessing,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterMultipleLayers,
    QgsProcessingUtils,
)

from .algorithm import Algorithm, raster_source
from .process import run

READ = ["gpkg", "shp", "fgb", "geojson", "parquet"]
"""Formats of which sat2map reads a file as it is; other layers are copied to a GeoPackage for it."""
OSM = (".pbf", ".osm")


class Adapt(Algorithm):
    """Runs `sat2map adapt`."""

    NAME, LABEL, PAGE = "adapt", "Adapt a model to your own ground", "your-ground.html"
    HELP = (
        "Makes a model of your own ground from images and vectors of it (OpenStreetMap, or your town's own), and says "
        "whether it is better there than the model that ships. The result is a model file, which Translate and Serve "
        "take as 'Model file'.\n\nIt trains, so it takes a while. What is cancelled goes on when it is run again. "
        "sat2map needs its extra 'train' for it."
    )

    def initAlgorithm(self, _configuration=None):
        """Define the parameters."""
        self.add(QgsProcessingParameterMultipleLayers("INPUT", "Images", QgsProcessing.TypeRaster))
        vectors = QgsProcessingParameterMultipleLayers("VECTORS", "Vectors", QgsProcessing.TypeVectorAnyGeometry)
        self.add(vectors, "Of an OpenStreetMap extract (.osm.pbf) all layers are used, whichever is chosen.")
        self.add(QgsProcessingParameterFileDestination("OUTPUT", "Model", "Model (*.onnx)"))

    def prepareAlgorithm(self, parameters, context, feedback):
        """Find the files of the layers, in the thread of the layers."""
        self._scenes = [raster_source(layer) for layer in self.parameterAsLayerList(parameters, "INPUT", context)]
        layers = self.parameterAsLayerList(parameters, "VECTORS", context)
        # Each file once, in their order.
        self._vectors = list(dict.fromkeys(vector_source(layer, context, feedback) for layer in layers))
        return True

    def processAlgorithm(self, parameters, context, feedback):
        """Run sat2map."""
        output = self.parameterAsFileOutput(parameters, "OUTPUT", context)
        vectors = [word for file in self._vectors for word in ("--vectors", file)]
        return {"OUTPUT": output} if run(["adapt", *self._scenes, *vectors, "-o", output], feedback) else {}


def vector_source(layer, context, feedback):
    """Return the file of a vector layer; what has a filter, or is no file of one layer, is copied to one first."""
    path = layer.source().partition("|")[0]
    if path.lower().endswith(OSM):
        return path
    return QgsProcessingUtils.convertToCompatibleFormat(layer, False, layer.name(), READ, "gpkg", context, feedback)
