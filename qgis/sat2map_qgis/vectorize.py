# SPDX-License-Identifier: GPL-2.0-or-later
"""Vectorize: areas, roads and junctions of a map."""

from osgeo import ogr
from qgis.core import (
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingOutputVectorLayer,
    QgsProcessingParameterFile,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterLayer,
)

from .algorithm import Algorithm, DefaultStyle, raster_source
from .process import run

LAYERS = {"areas": "Areas", "roads": "Roads", "junctions": "Junctions"}
KINDS = (QgsProcessing.TypeVectorPolygon, QgsProcessing.TypeVectorLine, QgsProcessing.TypeVectorPoint)
NUMBERS = (
    (
        "SIMPLIFY",
        "Simplify by, in metres",
        None,
        "How far lines may be from the pixels' border; nothing: .85 pixels.",
    ),
    ("MIN_AREA", "Smallest area, in square metres", 0, "Smaller ones go to their neighbours."),
    ("CLOSE_GAPS", "Close gaps in roads up to, in metres", 20, "Lines that close one are marked as inferred."),
)
"""Name, label, default and help of each parameter that is a number."""
OPTIONS = {"SIMPLIFY": "--simplify", "MIN_AREA": "--min-area", "CLOSE_GAPS": "--close-gaps"}


class Vectorize(Algorithm):
    """Runs `sat2map vectorize`."""

    NAME, LABEL, PAGE = "vectorize", "Vectorize a map", "vectors.html"
    HELP = (
        "Makes vectors of a map that Translate has made, or of one band of numbers of classes from 0: areas that share "
        "their borders, and roads as one network of lines and junctions, with class, area, width, length and "
        "confidence.\n\nThe result is one GeoPackage with three layers and their styles."
    )

    def initAlgorithm(self, _configuration=None):
        """Define the parameters."""
        self.add(QgsProcessingParameterRasterLayer("INPUT", "Map or classes"))
        for name, label, default, help_text in NUMBERS:
            number = QgsProcessingParameterNumber(
                name, label, QgsProcessingParameterNumber.Double, default, optional=default is None, minValue=0
            )
            self.add(number, help_text)
        confidence = QgsProcessingParameterRasterLayer("CONFIDENCE", "Confidence", optional=True)
        self.add(confidence, "Nothing: the one that Translate wrote beside the map, if any.", advanced=True)
        table = QgsProcessingParameterFile(
            "CLASS_TABLE", "Names of other classes", optional=True, fileFilter="TOML (*.toml)"
        )
        self.add(table, "", advanced=True)
        self.add(QgsProcessingParameterFileDestination("OUTPUT", "Vectors", "GeoPackage (*.gpkg)"))
        for (name, label), kind in zip(LAYERS.items(), KINDS):
            self.addOutput(QgsProcessingOutputVectorLayer(name.upper(), label, kind))

    def processAlgorithm(self, parameters, context, feedback):
        """Run sat2map, and load its layers with their styles."""
        source = raster_source(self.parameterAsRasterLayer(parameters, "INPUT", context))
        output = self.parameterAsFileOutput(parameters, "OUTPUT", context)
        arguments = ["vectorize", source, "-o", output, *self.optional_arguments(parameters, OPTIONS)]
        confidence = self.parameterAsRasterLayer(parameters, "CONFIDENCE", context)
        if confidence is not None:
            arguments += ["--confidence", raster_source(confidence)]
        table = self.parameterAsFile(parameters, "CLASS_TABLE", context)
        if table:
            arguments += ["--class-table", table]
        if not run([*arguments, "--overwrite", "--progress", "lines"], feedback):
            return {}
        results = {"OUTPUT": output}
        for name, path in layers_of(output).items():
            details = QgsProcessingContext.LayerDetails(LAYERS[name], context.project(), name.upper())
            context.addLayerToLoadOnCompletion(path, details)
            DefaultStyle.of(context, path)
            results[name.upper()] = path
        return results


def layers_of(path):
    """Return each layer of a GeoPackage as QGIS names it; of classes without roads there are only areas."""
    dataset = ogr.Open(path)
    there = {dataset.GetLayer(i).GetName() for i in range(dataset.GetLayerCount())}
    return {name: f"{path}|layername={name}" for name in LAYERS if name in there}
