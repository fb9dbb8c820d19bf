"""The reader of a layer for rio-tiler: reads what is drawn so far, and neither waits nor draws."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from morecantile import TileMatrixSet
from rio_tiler.constants import WEB_MERCATOR_TMS
from rio_tiler.io import Reader
from rio_tiler.models import ImageData

from sat2map.classes import ClassTable
from sat2map.errors import Sat2mapError
from sat2map.scene.georeference import Box
from sat2map.serve.layers import MapLayer

LIGHTEST, CONTRAST = 235, 0.35
"""Lightest grey and contrast of the satellite image where it is shown in place of a map that is not drawn yet."""


@dataclass(frozen=True)
class View:
    """A layer as one request reads it.

    Attributes:
        layer: layer of a scene.
        title: title of the layer, with the name of its scene.
        attribution: whose it is; empty where nothing is known.
        bounds: west, south, east, north, in degrees.
        zooms: coarsest and finest zoom that show the layer well.
        behind: layer that is shown faintly where `layer` is not drawn yet; None: all that the request needs is drawn.
    """

    layer: MapLayer
    title: str
    attribution: str
    bounds: Box
    zooms: tuple[int, int]
    behind: MapLayer | None = None

    def __str__(self) -> str:
        return self.layer.name


class LayerReader(Reader):
    """The reader of rio-tiler for a view of a layer."""

    def __init__(self, view: View, tms: TileMatrixSet = WEB_MERCATOR_TMS) -> None:
        self._view = view
        super().__init__(str(view.layer.path), tms=tms)

    def part(self, bbox: Any, *args: Any, **kwargs: Any) -> ImageData:
        """Read a part of the layer; rio-tiler reads tiles through this method too."""
        return self._over_what_is_behind("part", super().part(bbox, *args, **kwargs), bbox, *args, **kwargs)

    def read(self, *args: Any, **kwargs: Any) -> ImageData:
        """Read the whole layer, reduced in size."""
        return self._over_what_is_behind("read", super().read(*args, **kwargs), *args, **kwargs)

    def _over_what_is_behind(self, method: str, image: ImageData, *args: Any, **kwargs: Any) -> ImageData:
        if self._view.behind is None:
            return image
        # No drawn pixel is black: black pixels were never written.
        drawn = image.array.data.any(0) & ~image.array.mask.all(0)
        pixels, mask = image.array.data, np.broadcast_to(~drawn, image.array.shape)
        if self._view.behind.path != self._view.layer.path:
            with LayerReader(replace(self._view, layer=self._view.behind, behind=None), tms=self.tms) as reader:
                ground = getattr(reader, method)(*args, **kwargs).array
            pixels = np.where(drawn, pixels, _faint(ground.data))
            mask = np.where(drawn, False, ground.mask)
        image.array = np.ma.MaskedArray(pixels, mask)
        return image


def _faint(rgb_chw: Any) -> Any:
    grey = rgb_chw.mean(0, keepdims=True)
    return np.broadcast_to(LIGHTEST - (255 - grey) * CONTRAST, rgb_chw.shape).astype(np.uint8)


def hide_classes(names: list[str], table: ClassTable) -> Any:
    """Return a function that makes the pixels of some classes of a map transparent.

    Raises:
        Sat2mapError: a name is not that of a class.
    """
    unknown = [name for name in names if name not in table.names]
    if unknown:
        raise Sat2mapError("map has no such class", unknown[0], hint=f"one of: {table}")
    hidden = [table.names.index(name) for name in names]

    def hide(image: ImageData) -> ImageData:
        is_hidden = np.isin(table.classify(np.moveaxis(image.array.data, 0, -1)), hidden)
        image.array = np.ma.MaskedArray(image.array.data, image.array.mask | is_hidden)
        return image

    return hide
