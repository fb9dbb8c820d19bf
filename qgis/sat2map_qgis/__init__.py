# SPDX-License-Identifier: GPL-2.0-or-later
"""The plugin sat2map: Processing algorithms that run the program sat2map as a process of its own Python."""


def classFactory(iface):
    """Make the plugin; QGIS calls this."""
    from .plugin import Plugin

    return Plugin(iface)
