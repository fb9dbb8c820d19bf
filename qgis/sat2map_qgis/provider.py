# SPDX-License-Identifier: GPL-2.0-or-later
"""The Processing provider."""

from pathlib import Path

from qgis.core import QgsProcessingProvider
from qgis.PyQt.QtGui import QIcon

from .adapt import Adapt
from .serve import Serve
from .translate import Translate
from .vectorize import Vectorize

ICON = Path(__file__).with_name("icon.svg")


class Provider(QgsProcessingProvider):
    """The algorithms of sat2map."""

    def id(self):
        """Return the first part of the names of the algorithms, as in `sat2map:translate`."""
        return "sat2map"

    def name(self):
        """Return the name that is shown."""
        return "sat2map"

    def icon(self):
        """Return the icon of the provider."""
        return QIcon(str(ICON))

    def supportedOutputRasterLayerExtensions(self):
        """Maps are GeoTIFFs: the other formats have no georeference that QGIS reads back."""
        return ["tif"]

    def loadAlgorithms(self):
        """Add each algorithm."""
        for algorithm in (Translate, Vectorize, Serve, Adapt):
            self.addAlgorithm(algorithm())
