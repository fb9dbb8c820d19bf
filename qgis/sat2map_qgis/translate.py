# SPDX-License-Identifier: GPL-2.0-or-later
"""Translate: the map of a raster."""

from pathlib import Path

from qgis.core import (
    QgsPalettedRasterRenderer,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingOutputRasterLayer,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterEnum,
    QgsProcessingParameterExtent,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
    QgsRasterLayer,
)

from .algorithm import Algorithm, DefaultStyle, crs_arguments, raster_source
from .process import run

DRAWN = (["--classes"], [], ["--head", "smooth"])
DRAWN_LABELS = ["Classes, with their names", "Colours", "Colours, smooth"]
READING = {"GSD": "--gsd", "BANDS": "--bands", "STRETCH": "--stretch"}
BESIDE = {"CONFIDENCE": "confidence", "FAMILIARITY": "familiarity"}


class Translate(Algorithm):
    """Runs `sat2map translate`."""

    NAME, LABEL, PAGE = "translate", "Translate an image to a map", "qgis.html"
    HELP = (
        "Draws the map of a satellite or aerial image, on the image's own grid.\n\n"
        "Classes are one band of numbers with names and colours, to count with and to vectorize. The image is "
        "resampled to a ground resolution that the model knows.\n\n"
        "What is interrupted goes on where it was when it is run again with the same parameters and output."
    )

    def initAlgorithm(self, _configuration=None):
        """Define the parameters."""
        self.add(QgsProcessingParameterRasterLayer("INPUT", "Image"))
        self.add(QgsProcessingParameterEnum("DRAW", "Draw", DRAWN_LABELS, defaultValue=0))
        self.add_model()
        self.add(QgsProcessingParameterExtent("EXTENT", "Part of the image", optional=True), "Nothing: all of it.")
        self.add(
            QgsProcessingParameterBoolean("CONFIDENCE", "Write the confidence, too", False),
            "The probability of the class shown, as a raster beside the map.",
        )
        self.add(
            QgsProcessingParameterBoolean("FAMILIARITY", "Write how like its training data the ground looks", False),
            "A raster beside the map; the lower, the less it is to be trusted.",
        )
        number = QgsProcessingParameterNumber("GSD", "Metres per pixel", QgsProcessingParameterNumber.Double,
                                              optional=True, minValue=0)  # fmt: skip
        self.add(number, "Where the file does not say so.", advanced=True)
        bands = QgsProcessingParameterString("BANDS", "Bands of red, green and blue", optional=True)
        self.add(bands, "From 1, as 4,3,2. Nothing: as the file says.", advanced=True)
        stretch = QgsProcessingParameterString("STRETCH", "Numbers that become dark and bright", optional=True)
        self.add(stretch, "auto, none, or LOW,HIGH.", advanced=True)
        self.add(QgsProcessingParameterRasterDestination("OUTPUT", "Map"))
        self.addOutput(QgsProcessingOutputRasterLayer("CONFIDENCE_LAYER", "Confidence"))
        self.addOutput(QgsProcessingOutputRasterLayer("FAMILIARITY_LAYER", "Familiarity"))

    def processAlgorithm(self, parameters, context, feedback):
        """Run sat2map, and name the classes of its map."""
        layer = self.parameterAsRasterLayer(parameters, "INPUT", context)
        source, output = raster_source(layer), self.parameterAsOutputLayer(parameters, "OUTPUT", context)
        kind = DRAWN[self.parameterAsEnum(parameters, "DRAW", context)]
        beside = [name for name in BESIDE if self.parameterAsBool(parameters, name, context)]
        arguments = ["translate", source, "-o", output, *kind, *(f"--{BESIDE[name]}" for name in beside)]
        arguments += self.model_arguments(parameters, context) + crs_arguments(layer)
        arguments += self._extent_arguments(parameters, context, layer)
        arguments += self.optional_arguments(parameters, READING)
        if not run([*arguments, "--overwrite", "--progress", "lines"], feedback):
            return {}
        results = {"OUTPUT": output}
        for name in beside:
            path = str(Path(output).with_name(f"{Path(output).stem}_{BESIDE[name]}.tif"))
            results[f"{name}_LAYER"] = path
            title = f"{Path(output).stem} {BESIDE[name]}"
            details = QgsProcessingContext.LayerDetails(title, context.project(), f"{name}_LAYER")
            if context.willLoadLayerOnCompletion(output):
                context.addLayerToLoadOnCompletion(path, details)
        if kind == ["--classes"]:
            save_style_of_classes(output)
            DefaultStyle.of(context, output)
        return results

    def _extent_arguments(self, parameters, context, layer):
        if not parameters.get("EXTENT"):
            return []
        box = self.parameterAsExtent(parameters, "EXTENT", context, layer.crs()).intersect(layer.extent())
        if box.isEmpty():
            raise QgsProcessingException("The part does not meet the image.")
        # Numbers without exponent, all digits of them.
        sides = (box.xMinimum(), box.yMinimum(), box.xMaximum(), box.yMaximum())
        return ["--bbox=" + ",".join(f"{side:.17g}" for side in sides)]


def save_style_of_classes(path):
    """Write a style beside a raster of classes: the colours that have a name, and no other of the 256 of a palette.

    Raises:
        QgsProcessingException: the style cannot be written.
    """
    layer = QgsRasterLayer(path, "classes")
    named = [item for item in layer.renderer().classes() if item.label and not item.label.isdigit()]
    if not named:
        return
    layer.setRenderer(QgsPalettedRasterRenderer(layer.dataProvider(), 1, named))
    message, is_written = layer.saveDefaultStyle()
    if not is_written:
        raise QgsProcessingException(message)
