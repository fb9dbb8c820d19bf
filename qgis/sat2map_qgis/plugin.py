# SPDX-License-Identifier: GPL-2.0-or-later
"""What QGIS loads: the provider, and with a window the page of options."""

from qgis.core import QgsApplication

from .process import stop_servers
from .provider import Provider


class Plugin:
    """The plugin.

    Args:
        iface: QGIS's window; None in `qgis_process`.
    """

    def __init__(self, iface):
        self._iface = iface
        self._provider = None
        self._options = None

    def initProcessing(self):
        """Add the provider; `qgis_process` calls this alone."""
        self._provider = Provider()
        QgsApplication.processingRegistry().addProvider(self._provider)

    def initGui(self):
        """Add the provider and the page of options."""
        from .options_page import OptionsFactory

        self.initProcessing()
        self._options = OptionsFactory()
        self._iface.registerOptionsWidgetFactory(self._options)

    def unload(self):
        """Take away what was added, and end the live maps."""
        stop_servers()
        QgsApplication.processingRegistry().removeProvider(self._provider)
        if self._options:
            self._iface.unregisterOptionsWidgetFactory(self._options)
