"""Styles in a GeoPackage, by which QGIS shows the colours of the map at once: the table `layer_styles`."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from xml.sax.saxutils import quoteattr

from sat2map.vector.layer import FeatureLayer

TABLE = """
CREATE TABLE layer_styles (
  id INTEGER PRIMARY KEY AUTOINCREMENT, f_table_catalog TEXT, f_table_schema TEXT, f_table_name TEXT,
  f_geometry_column TEXT, styleName TEXT, styleQML TEXT, styleSLD TEXT, useAsDefault BOOLEAN, description TEXT,
  owner TEXT, ui TEXT, update_time DATETIME DEFAULT CURRENT_TIMESTAMP)
"""
"""As QGIS has it; without `update_time` it does not take a style from it. `geom` is GDAL's name of the column."""
CONTENTS = """
INSERT INTO gpkg_contents (table_name, data_type, identifier, last_change)
VALUES ('layer_styles', 'attributes', 'layer_styles', ?)
"""
STYLE = """
INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, f_geometry_column, styleName, styleQML,
  styleSLD, useAsDefault, description, owner, update_time)
VALUES ('', '', ?, 'geom', ?, ?, '', 1, 'colours of the map', '', ?)
"""
SYMBOLS = {
    "Polygon": ("fill", "SimpleFill", {"color": "{rgb},255", "outline_color": "{rgb},255", "outline_width": "0.1"}),
    "LineString": ("line", "SimpleLine", {"line_color": "{rgb},255", "line_width": "0.6", "capstyle": "round"}),
    "Point": ("marker", "SimpleMarker", {"color": "{rgb},255", "name": "circle", "size": "1.6"}),
}
"""Outlines of the same colour, since else hairs of the background show between areas.

Of each type of geometry: type and class of QGIS's symbol, and its properties."""
PLAIN_RGB = (90, 90, 90)
"""Of features without a class."""


def add_styles(path: Path, layers: Sequence[FeatureLayer], date: str) -> None:
    """Put the styles of layers into their GeoPackage.

    Args:
        path: of the file.
        layers: that it holds.
        date: of the last change, as GeoPackage has it.
    """
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(TABLE)
        database.execute(CONTENTS, (date,))
        for layer in layers:
            database.execute(STYLE, (layer.name, layer.name, qml(layer), date))


def qml(layer: FeatureLayer) -> str:
    """The style of a layer as QGIS has it: a colour for each class, or one for all."""
    if not layer.colours:
        symbol = _symbol("0", layer.geometry_type, PLAIN_RGB)
        return _document(f'<renderer-v2 type="singleSymbol"><symbols>{symbol}</symbols></renderer-v2>')
    names = list(layer.colours)
    categories = "".join(
        f'<category value={quoteattr(name)} label={quoteattr(name)} symbol="{i}" render="true"/>'
        for i, name in enumerate(names)
    )
    symbols = "".join(_symbol(str(i), layer.geometry_type, layer.colours[name]) for i, name in enumerate(names))
    return _document(
        '<renderer-v2 type="categorizedSymbol" attr="class">'
        f"<categories>{categories}</categories><symbols>{symbols}</symbols></renderer-v2>"
    )


def _document(renderer: str) -> str:
    return (
        "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>"
        f'<qgis version="3.22.0" styleCategories="Symbology">{renderer}</qgis>'
    )


def _symbol(name: str, geometry_type: str, rgb: tuple[int, int, int]) -> str:
    kind, drawn, properties = SYMBOLS[geometry_type]
    colour = ",".join(map(str, rgb))
    values = [(key, value.format(rgb=colour)) for key, value in properties.items()]
    # Properties in the old form, which every QGIS 3 reads.
    rows = "".join(f'<prop k="{key}" v="{value}"/>' for key, value in values)
    return (
        f'<symbol name="{name}" type="{kind}" alpha="1"><layer class="{drawn}" enabled="1" pass="0" locked="0">'
        f"{rows}</layer></symbol>"
    )
