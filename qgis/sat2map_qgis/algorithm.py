# SPDX-License-Identifier: GPL-2.0-or-later
"""What the algorithms have in common: parameters that several have, and layers as sat2map takes them."""

from osgeo import gdal
from qgis.core import (
    QgsProcessingAlgorithm,
    QgsProcessingException,
    QgsProcessingLayerPostProcessorInterface,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterEnum,
    QgsProcessingParameterFile,
)
from qgis.PyQt.QtGui import QIcon

PAGE = "https://sat2map.github.io/sat2map/"
MODELS = ("open", "newyork")
MODEL_LABELS = ["open (you may sell its maps)", "newyork (for experiments)"]


class Algorithm(QgsProcessingAlgorithm):
    """An algorithm of sat2map; a subclass has the texts and says what is run."""

    NAME, LABEL, HELP, PAGE = "", "", "", ""

    def createInstance(self):
        """Make another of its kind."""
        return type(self)()

    def name(self):
        """Return the second part of its name, as in `sat2map:translate`."""
        return self.NAME

    def displayName(self):
        """Return the name that is shown."""
        return self.LABEL

    def shortHelpString(self):
        """Return the text beside the parameters."""
        return self.HELP

    def helpUrl(self):
        """Return the address of the page about it."""
        return PAGE + self.PAGE

    def icon(self):
        """Return the icon of the provider."""
        return self.provider().icon() if self.provider() else QIcon()

    def add(self, parameter, help_text="", advanced=False):
        """Add a parameter, with the text that its widget shows."""
        parameter.setHelp(help_text)
        if advanced:
            parameter.setFlags(parameter.flags() | QgsProcessingParameterDefinition.FlagAdvanced)
        self.addParameter(parameter)

    def add_model(self):
        """Add the choice of the model."""
        self.add(QgsProcessingParameterEnum("MODEL", "Model", MODEL_LABELS, defaultValue=0))
        self.add(
            QgsProcessingParameterFile(
                "MODEL_FILE", "Model file in its stead", optional=True, fileFilter="Models (*.onnx *.safetensors)"
            ),
            "Such as Adapt writes.",
        )

    def model_arguments(self, parameters, context):
        """Return the option of the model."""
        file = self.parameterAsFile(parameters, "MODEL_FILE", context)
        return ["--model", file or MODELS[self.parameterAsEnum(parameters, "MODEL", context)]]

    def optional_arguments(self, parameters, options):
        """Return the options whose parameters have a value.

        Args:
            parameters: of the algorithm.
            options: option of each parameter.
        """
        given = [(option, parameters.get(name)) for name, option in options.items()]
        return [word for option, value in given if value not in (None, "") for word in (option, value)]


def raster_source(layer):
    """Return a raster layer as GDAL names it.

    Raises:
        QgsProcessingException: it comes from a server, or is no raster.
    """
    if layer is None:
        raise QgsProcessingException("The input is no raster that QGIS can open.")
    if layer.dataProvider().name() != "gdal":
        raise QgsProcessingException(
            f"{layer.name()} comes from a server, as images of a size that the view decides. "
            "Export it first: Layer > Save As."
        )
    return layer.source()


def crs_arguments(layer):
    """Return the option that tells a CRS which the user gave the layer in QGIS, and its file does not say."""
    crs = layer.crs()
    if not crs.isValid() or crs == layer.dataProvider().crs():
        return []
    dataset = gdal.Open(layer.source())
    # A photo without georeference may be shown in the project's CRS.
    if dataset is None or dataset.GetGeoTransform(can_return_null=True) is None:
        return []
    return ["--crs", crs.authid() or crs.toWkt()]


class DefaultStyle(QgsProcessingLayerPostProcessorInterface):
    """Shows a layer that was loaded as its file says: QGIS itself does not when an algorithm has made it."""

    kept = []  # noqa: RUF012 - typing.ClassVar would say more, and do nothing
    """QGIS holds no reference."""

    @classmethod
    def of(cls, context, source):
        """Have a layer that will be loaded shown so."""
        if context.willLoadLayerOnCompletion(source):
            cls.kept.append(cls())
            context.layerToLoadOnCompletionDetails(source).setPostProcessor(cls.kept[-1])

    def postProcessLayer(self, layer, _context, _feedback):
        """Take the style that lies in the file, or beside it."""
        layer.loadDefaultStyle()
        layer.triggerRepaint()
