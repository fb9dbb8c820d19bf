"""Paints ground, things and their shadows, and the map of the same ground, from one geometry; knows no city."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from sat2map.arrays import UInt8
from sat2map.city.geometry import Points, swept
from sat2map.city.things import BUILDING, MAP, Colours, Flat, Ground, Solid
from sat2map.classes import COLOURS_RGB
from sat2map.tiling import Window

FINER = 2
"""All is drawn so much finer than it is kept: the image's edges are soft, and the map's are where they belong."""
WATER = MAP["water"][0]
INDEX = {tuple(rgb): k for k, rgb in enumerate(COLOURS_RGB.tolist())}
SHADOW, RELIT, BODY, TOP = range(4)


class _Layer(NamedTuple):
    """Polygons of things of these heights: what of them is painted before what."""

    phase: int
    image: str
    shapes: Points
    heights_m: Points
    inks: list[int]


class Canvas:
    """One window of a city, while it is painted.

    Args:
        window: in pixels of the city, from the corner of its first; may start anywhere.
        gsd_m: metres per pixel.
        asphalt: colour of what nothing covers, which on the map is a road.
    """

    def __init__(self, window: Window, gsd_m: float, asphalt: Colours) -> None:
        self.window, self.gsd_m = window, gsd_m
        size = window.width * FINER, window.height * FINER
        self._images = {
            "albedo": Image.new("RGB", size, tuple(_levels(asphalt).tolist())),
            "light": Image.new("L", size, 255),
            "map": Image.new("L", size, INDEX[255, 255, 255]),
        }
        self._pens = {name: ImageDraw.Draw(image) for name, image in self._images.items()}

    def box(self, margin_m: float) -> Points:
        """Low and high corner of the window with a margin, metres, shape (2, 2)."""
        w = self.window
        corners = np.array([(w.col, w.row), (w.col + w.width, w.row + w.height)], float) * self.gsd_m
        box: Points = corners + np.array([[-margin_m], [margin_m]])
        return box

    def lay(self, grounds: Sequence[Ground]) -> None:
        """Cover all that is there with new ground, in the image as on the map, one after the other."""
        if not grounds:
            return
        ends = np.cumsum([2 * len(ground.corners) for ground in grounds]).tolist()
        (pixels,) = self._pixels(np.concatenate([ground.corners for ground in grounds])[None])
        inks = _inks(np.stack([ground.colour for ground in grounds]))
        for ground, start, end, ink in zip(grounds, [0, *ends], ends, inks, strict=False):
            corners = pixels[start:end]
            if ground.map_colour is not None:
                self._pens["map"].polygon(corners, fill=INDEX[ground.map_colour])
            self._pens["albedo"].polygon(corners, fill=ink)

    def spread(self, flat: Flat) -> None:
        """Lay things without height on the ground; the map does not show them."""
        pen = self._pens["albedo"]
        for corners, ink in zip(self._pixels(flat.shapes), _inks(flat.colours), strict=True):
            pen.polygon(corners, fill=ink)

    def raise_(self, solids: Iterable[Solid], shadow: Points) -> None:
        """Raise houses and trees, the lowest first, so that the shadows of high ones fall on the roofs of low ones."""
        layers = [layer for solid in solids for layer in _layers(solid, shadow)]
        if not layers:
            return
        heights = np.concatenate([layer.heights_m for layer in layers])
        phases = np.concatenate([np.full(len(layer.heights_m), layer.phase) for layer in layers])
        corners = [c for layer in layers for c in self._pixels(layer.shapes)]
        pens = [self._pens[layer.image] for layer in layers for _ in layer.inks]
        inks = [ink for layer in layers for ink in layer.inks]
        for k in np.lexsort((phases, heights)).tolist():
            pens[k].polygon(corners[k], fill=inks[k])

    def image(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Colour of the ground (H, W, 3), 0..255, and the light on it (H, W, 1), 0..1."""
        albedo, light = (np.asarray(self._images[name].reduce(FINER), np.float32) for name in ("albedo", "light"))
        return albedo, light[..., None] / np.float32(255)

    def shows_water(self) -> npt.NDArray[np.bool_]:
        """Where water is: bool, shape (H, W)."""
        water: npt.NDArray[np.bool_] = self._map_index() == INDEX[WATER]
        return water

    def map(self) -> UInt8:
        """The map of the window: uint8, shape (H, W, 3), colours of `palette.CLASSES`."""
        rgb: UInt8 = COLOURS_RGB[self._map_index()]
        return rgb

    def _map_index(self) -> UInt8:
        """Row of the palette for each pixel; the map is not antialiased."""
        return np.asarray(self._images["map"])[FINER // 2 :: FINER, FINER // 2 :: FINER]

    def _pixels(self, shapes: Points) -> list[list[int]]:
        """Whole pixels of the fine images: rounded in the city's own grid, which is the same for every window."""
        fine = np.floor(shapes * (FINER / self.gsd_m)).astype(np.int64)
        fine -= np.array([self.window.col, self.window.row]) * FINER
        pixels: list[list[int]] = fine.reshape(len(shapes), 2 * shapes.shape[1]).tolist()
        return pixels


def _levels(colours: Colours) -> npt.NDArray[np.int64]:
    return np.clip(np.rint(colours), 0, 255).astype(np.int64)


def _inks(colours: Colours) -> list[int]:
    """As Pillow takes a colour in one number."""
    red, green, blue = _levels(colours).T
    inks: list[int] = (red + (green << 8) + (blue << 16)).tolist()
    return inks


def _layers(solid: Solid, shadow: Points) -> Iterator[_Layer]:
    """What is painted of things: their shadow, that they are lit themselves, their sides and their top."""
    shapes, heights, colours = solid.shapes, solid.heights_m, solid.colours
    n = len(shapes)
    rise = (heights if solid.bases_m is None else heights - solid.bases_m)[:, None] * shadow
    middles = shapes.mean(1, keepdims=True)
    if solid.style == "tree":
        yield _Layer(SHADOW, "light", shapes + 0.8 * rise[:, None], heights, [0] * n)
    else:
        yield _Layer(SHADOW, "light", swept(shapes, rise), heights, [0] * n)
    yield _Layer(RELIT, "light", shapes, heights, [255] * n)
    if solid.on_map:
        yield _Layer(BODY, "map", shapes, heights, [INDEX[BUILDING]] * n)
    yield _Layer(BODY, "albedo", shapes, heights, _inks(colours * (0.66 if solid.style == "tree" else 0.74)))
    if solid.style == "gable":
        for slope, gain in zip(_slopes(shapes, shadow), (1.22, 0.78), strict=True):
            yield _Layer(TOP, "albedo", slope, heights, _inks(colours * gain))
    elif solid.style == "flat":
        edges = np.abs(shapes - middles).max((1, 2))[:, None, None]
        inner = middles + np.maximum(0.6, 1 - 0.8 / np.maximum(edges, 1e-6)) * (shapes - middles)
        yield _Layer(TOP, "albedo", inner, heights, _inks(colours))
    else:
        aside = shadow / np.hypot(*shadow) * np.abs(shapes - middles).max((1, 2))[:, None, None]
        for share, gain in ((0.7, 1.1), (0.36, 1.45)):
            yield _Layer(
                TOP,
                "albedo",
                middles + share * (shapes - middles) - (0.8 - share) * 0.45 * aside,
                heights,
                _inks(colours * gain),
            )


def _slopes(shapes: Points, shadow: Points) -> tuple[Points, Points]:
    """The two sides of pitched roofs, that towards the sun first; the ridge runs along the longer side."""
    short = np.hypot(*(shapes[:, 1] - shapes[:, 0]).T) < np.hypot(*(shapes[:, 2] - shapes[:, 1]).T)
    p = np.where(short[:, None, None], np.roll(shapes, 1, 1), shapes)
    start, end = (p[:, 0] + p[:, 3]) / 2, (p[:, 1] + p[:, 2]) / 2
    first, second = np.stack((p[:, 0], p[:, 1], end, start), 1), np.stack((start, end, p[:, 2], p[:, 3]), 1)
    sunny = ((first.mean(1) - p.mean(1)) @ shadow < 0)[:, None, None]
    return np.where(sunny, first, second), np.where(sunny, second, first)
