"""Ground that is being painted: its colour, its heights and its map as arrays of one grid; knows no landscape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from sat2map.arrays import UInt8
from sat2map.city.geometry import Points, Rng, normals, rng_of
from sat2map.classes import CLASSES, COLOURS_RGB

Floats = npt.NDArray[np.floating]
Colour = tuple[float, float, float] | npt.NDArray[np.floating]
"""Of sunlit ground, levels 0..255, RGB: of all, or of each pixel (H, W, 3)."""
FINER = 2
"""Polygons are drawn so much finer than they are kept."""
INDEX = {tuple(rgb): k for k, rgb in enumerate(COLOURS_RGB.tolist())}
MAP = {c.name: tuple(INDEX[rgb] for rgb in c.colours_rgb) for c in CLASSES}
"""Rows of `COLOURS_RGB` that stand for a class, the usual one first."""
BUILDING = MAP["land"][1]


class Terrain:
    """A rectangle of ground while it is painted.

    Args:
        height_px: rows.
        width_px: columns.
        gsd_m: metres per pixel.
        seed: all that is random comes from it.
    """

    def __init__(self, height_px: int, width_px: int, gsd_m: float, seed: tuple[int, ...]) -> None:
        self.shape = height_px, width_px
        self.gsd_m = gsd_m
        self.rng: Rng = rng_of(seed)
        self.turn = self.rng.uniform(0, np.pi)
        """Angle of most fields and roads."""
        self.size_m = np.array([width_px, height_px]) * gsd_m
        y, x = np.mgrid[:height_px, :width_px].astype(np.float32)
        self.x: Floats = (x + np.float32(0.5)) * np.float32(gsd_m)
        self.y: Floats = (y + np.float32(0.5)) * np.float32(gsd_m)
        self.colour: Floats = np.zeros((*self.shape, 3), np.float32)
        self.height: Floats = np.zeros(self.shape, np.float32)
        """Of what stands on the ground, metres."""
        self.relief: Floats = np.zeros(self.shape, np.float32)
        """Height of the ground itself, metres: it is shaded and throws no shadow."""
        self.map_index: UInt8 = np.full(self.shape, MAP["land"][0], np.uint8)
        self.water: Floats = np.zeros(self.shape, np.float32)
        """How much of each pixel is water."""
        self.level: Floats = np.zeros(self.shape, np.float32)
        """How much of each pixel is level, whatever the relief about it."""
        self._worn: dict[tuple[float, int], Floats] = {}

    def noise(
        self, grain_m: float, octaves: int = 1, *, fall: float = 0.6, stretch: float = 1.0, angle: float | None = None
    ) -> Floats:
        """Smooth noise of deviation about 1.

        Args:
            grain_m: size of the largest grains.
            octaves: each has grains half as large as the one before.
            fall: deviation of each as a share of the one before.
            stretch: how many times longer than wide grains are.
            angle: along which they are long; None: as drawn.
        """
        turn = self.rng.uniform(0, np.pi) if angle is None else angle
        total, power = np.zeros(self.shape, np.float32), 0.0
        for k in range(octaves):
            cell_px = grain_m / 2**k / self.gsd_m
            # Only the largest grains show which way their grid runs, and turning them costs five times as much.
            level = self._grid(cell_px) if k and stretch == 1 else self._grains(cell_px, stretch, turn)
            total += np.float32(fall**k) * level
            power += fall ** (2 * k)
        return total / np.float32(np.sqrt(power))

    def _grains(self, cell_px: float, stretch: float, angle: float) -> Floats:
        height, width = self.shape
        if cell_px < 1:
            return self.rng.standard_normal(self.shape, np.float32)
        along, across = cell_px * stretch, cell_px
        c, s = np.cos(angle), np.sin(angle)
        corners = np.array([(x, y) for x in (0, width) for y in (0, height)], float)
        u, v = corners @ (c, s) / along, corners @ (-s, c) / across
        u0, v0 = u.min() - 2 - self.rng.random(), v.min() - 2 - self.rng.random()
        size = int(v.max() - v0) + 4, int(u.max() - u0) + 4
        coarse = Image.fromarray(self.rng.standard_normal(size, np.float32))
        matrix = (c / along, s / along, -u0, -s / across, c / across, -v0)
        fine = coarse.transform((width, height), Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC)
        return np.asarray(fine) / np.float32(0.72)

    def worn(self, grain_m: float = 14, octaves: int = 3) -> Floats:
        """Noise for small things: drawn once and mirrored, as it is wanted often."""
        key = grain_m, octaves
        if key not in self._worn:
            self._worn[key] = self.noise(grain_m, octaves)
        down, across = self.rng.choice((-1, 1), 2)
        return self._worn[key][::down, ::across]

    def _grid(self, cell_px: float) -> Floats:
        height, width = self.shape
        if cell_px < 1:
            return self.rng.standard_normal(self.shape, np.float32)
        x, y = self.rng.uniform(1, 2, 2)
        size = int(height / cell_px + y) + 4, int(width / cell_px + x) + 4
        coarse = Image.fromarray(self.rng.standard_normal(size, np.float32))
        box = (x, y, x + width / cell_px, y + height / cell_px)
        return np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC, box)) / np.float32(0.72)

    def along(self, angle: float) -> Floats:
        """Metres in this direction."""
        return self.x * np.float32(np.cos(angle)) + self.y * np.float32(np.sin(angle))

    def below(self, field: Floats, level: float) -> Floats:
        """Where a field lies below a level: 0..1, soft over the width of one pixel."""
        down, across = np.gradient(field)
        inside: Floats = np.clip(0.5 + (level - field) / (np.hypot(down, across) + 1e-6), 0, 1)
        return inside

    def covered(self, polygons: Sequence[Points]) -> Floats:
        """How much of each pixel polygons cover: 0..1."""
        image, pen = self._sheet("L")
        for polygon in polygons:
            pen.polygon(self._fine(polygon), fill=255)
        return np.asarray(image.reduce(FINER), np.float32) / np.float32(255)

    def stroke(self, line: Points, half_m: float | Points) -> Floats:
        """How much of each pixel a line of this half width covers, however it winds: 0..1."""
        image, pen = self._sheet("L")
        half = np.broadcast_to(half_m, len(line))[:, None]
        aside = normals(line) * half
        quads = np.stack(
            (line[:-1] + aside[:-1], line[1:] + aside[1:], line[1:] - aside[1:], line[:-1] - aside[:-1]), 1
        )
        for quad in quads:
            pen.polygon(self._fine(quad), fill=255)
        if half.max() > self.gsd_m:
            for low, high in zip((line - half) * self._scale, (line + half) * self._scale, strict=True):
                pen.ellipse((*low, *high), fill=255)
        return np.asarray(image.reduce(FINER), np.float32) / np.float32(255)

    def paint(self, share: Floats, colour: Colour, map_index: int | None = None, *, level: bool = False) -> None:
        """Paint a share of each pixel; the map changes where it is half or more, unless `map_index` is None.

        Ground that is made level has no slopes, and nothing stands on it.
        """
        self.colour += share[..., None] * (np.asarray(colour, np.float32) - self.colour)
        if map_index is not None:
            inside = share >= 0.5
            self.map_index[inside] = map_index
            wet = map_index == MAP["water"][0]
            self.water = np.maximum(self.water, share) if wet else self.water * (1 - share)
        if level:
            self.height *= share < 0.5
            self.level = np.maximum(self.level, share)

    def label(self, share: Floats, map_index: int) -> None:
        """Change the map alone."""
        self.map_index[share >= 0.5] = map_index

    def build(
        self,
        polygons: Sequence[Points],
        colours: npt.NDArray[np.floating],
        heights_m: npt.NDArray[np.floating],
        map_index: int | None = None,
        within: Floats | None = None,
    ) -> None:
        """Raise things with flat tops, in this order, where `within` is 1; heights of 0 lie on the ground."""
        if not len(polygons):
            return
        image, pen = self._sheet("RGB")
        share, share_pen = self._sheet("L")
        heights = Image.fromarray(self.height)
        high_pen = ImageDraw.Draw(heights)
        for polygon, colour, height_m in zip(polygons, np.clip(colours, 0, 255), heights_m, strict=True):
            corners = self._fine(polygon)
            pen.polygon(corners, fill=tuple(int(level) for level in colour))
            share_pen.polygon(corners, fill=255)
            if height_m > 0:
                high_pen.polygon([v / FINER for v in corners], fill=float(height_m))
        covered: Floats = np.asarray(share.reduce(FINER), np.float32)[..., None] / np.float32(255)
        laid: Floats = np.asarray(image.reduce(FINER), np.float32)
        high = np.array(heights, np.float32)
        if within is not None:
            covered, laid = covered * within[..., None], laid * within[..., None]
            high[within < 0.5] = self.height[within < 0.5]
        self.colour = laid + (1 - covered) * self.colour
        self.height = high
        if map_index is not None:
            self.label(covered[..., 0], map_index)

    def at(self, field: npt.NDArray[Any], points: Points) -> npt.NDArray[Any]:
        """A field at points (..., 2); those beyond the edge have the value at the edge."""
        px = np.floor(points / self.gsd_m).astype(np.int64)
        height, width = self.shape
        return field[np.clip(px[..., 1], 0, height - 1), np.clip(px[..., 0], 0, width - 1)]

    @property
    def _scale(self) -> float:
        return FINER / self.gsd_m

    def _sheet(self, mode: str) -> tuple[Image.Image, ImageDraw.ImageDraw]:
        image = Image.new(mode, (self.shape[1] * FINER, self.shape[0] * FINER))
        return image, ImageDraw.Draw(image)

    def _fine(self, polygon: Points) -> list[float]:
        pixels: list[float] = np.floor(polygon * self._scale).ravel().tolist()
        return pixels


def outline(rng: Rng, middle: Points, radius_m: float) -> Points:
    """The outline of something small that is round, long or, sometimes, dug with corners: shape (40, 2)."""
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    reach = 1 + sum(rng.normal(0, 0.22 / k) * np.sin(k * angle + rng.uniform(0, 6.3)) for k in (2, 3, 4))
    if rng.random() < 0.3:
        reach = 1 / np.maximum(np.abs(np.cos(angle)), np.abs(np.sin(angle))) * rng.uniform(0.75, 0.9)
    turn, flat = rng.uniform(0, np.pi), rng.uniform(0.5, 1)
    u, v = radius_m * reach * np.cos(angle), radius_m * flat * reach * np.sin(angle)
    points: Points = middle + np.stack((u * np.cos(turn) - v * np.sin(turn), u * np.sin(turn) + v * np.cos(turn)), -1)
    return points


def blurred(field: Floats, radius_px: float) -> Floats:
    """The same, smoothed over a radius; values are clipped to 0..1."""
    from PIL import ImageFilter

    image = Image.fromarray(np.clip(field * 255, 0, 255).astype(np.uint8))
    return (
        np.asarray(image.filter(ImageFilter.BoxBlur(radius_px)).filter(ImageFilter.BoxBlur(radius_px)), np.float32)
        / 255
    )


def gain(colour: Colour, share: Floats) -> Floats:
    """A colour, brighter by a share in each pixel: (H, W, 3)."""
    return np.asarray(colour, np.float32) * np.maximum(1 + share, 0.1)[..., None]


def mixed(first: Colour, second: Colour, share: Floats) -> Floats:
    """Between two colours; at 1 the second."""
    part = np.clip(share, 0, 1)[..., None]
    a, b = np.asarray(first, np.float32), np.asarray(second, np.float32)
    out: Floats = a + part * (b - a)
    return out
