"""Shapes in metres, and the canvas that paints picture, light, map and land use from one geometry; knows no city."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from sat2map.palette import CLASSES, UInt8

Colour = tuple[int, int, int]
Points = npt.NDArray[np.float64]
"""Corners of a polygon: metres, shape (n, 2), x to the right and y down from the upper left corner."""
Rng = np.random.Generator

MAP = {c.name: c.colours_rgb for c in CLASSES}
ASPHALT, SHADOW = (88, 88, 87), (70, 76, 90)
FINER = 2
"""The picture is drawn so much finer than it is kept, so that its edges are soft."""
BARE, PLANTED, BUILDING_LAND, STREET = range(4)


class Box(NamedTuple):
    """A rectangle along the streets of its district, in metres."""

    u0: float
    v0: float
    u1: float
    v1: float

    def grown(self, by_m: float) -> Box:
        """The box with `by_m` more on each side."""
        return Box(self.u0 - by_m, self.v0 - by_m, self.u1 + by_m, self.v1 + by_m)

    def point(self, rng: Rng) -> tuple[float, float]:
        """Some place in the box."""
        return rng.uniform(self.u0, self.u1), rng.uniform(self.v0, self.v1)


@dataclass(frozen=True)
class District:
    """A half-plane of the city, on the side that `inward` points to, with a street grid at an angle of its own."""

    origin: Points
    angle: float
    inward: Points
    character: str

    def corners(self, box: Box) -> Points:
        """Where the corners of a box lie."""
        local = np.array([(box.u0, box.v0), (box.u1, box.v0), (box.u1, box.v1), (box.u0, box.v1)])
        return self.origin + local @ _rotation(self.angle)

    def clipped(self, polygon: Points) -> Points:
        """The part of a convex polygon that lies in the district; perhaps no corner is left."""
        inside = (polygon - self.origin) @ self.inward
        kept = []
        for i in range(len(polygon)):
            a, b = inside[i - 1], inside[i]
            if (a < 0) != (b < 0):
                kept.append(polygon[i - 1] + (polygon[i] - polygon[i - 1]) * a / (a - b))
            if b >= 0:
                kept.append(polygon[i])
        return np.array(kept).reshape(-1, 2)


@dataclass(frozen=True)
class Block:
    """A box of land between streets."""

    district: District
    box: Box
    kind: str


class Solid(NamedTuple):
    """What stands on the ground and casts a shadow: `flat` and `pitched` roofs (four corners), and each `tree`."""

    height_m: float
    footprint: Points
    colour: Colour
    style: str
    base_m: float = 0.0
    """Height of what it stands on."""


class Canvas:
    """The ground's colour, the light on it, its map and its use, all painted from one geometry."""

    def __init__(self, height_px: int, width_px: int, gsd_m: float) -> None:
        self.gsd_m = gsd_m
        self.extent_m = np.array([width_px, height_px]) * gsd_m
        size, fine = (width_px, height_px), (width_px * FINER, height_px * FINER)
        self.images = {
            "albedo": Image.new("RGB", fine, ASPHALT),
            "light": Image.new("RGB", fine, (255, 255, 255)),
            "map": Image.new("RGB", size, MAP["road"][0]),
            "use": Image.new("L", size, STREET),
        }
        self._pens = {name: ImageDraw.Draw(image) for name, image in self.images.items()}

    def paint(self, image: str, polygon: Points, colour: Colour | int) -> None:
        """Fill a polygon in one of the images."""
        if len(polygon) > 2:
            scale = (FINER if image in ("albedo", "light") else 1) / self.gsd_m
            # Pillow counts from the middle of the first pixel.
            self._pens[image].polygon((polygon * scale - 0.5).ravel().tolist(), fill=colour)

    def ground(self, polygon: Points, colour: Colour, map_colour: Colour, use: int = BARE) -> None:
        """Cover all that is there with new ground, in the picture as on the map."""
        for image, fill in (("albedo", colour), ("map", map_colour), ("use", use)):
            self.paint(image, polygon, fill)

    def stand(self, solid: Solid, sun: Points) -> None:
        """Build a house or plant a tree: its shadow (`sun` metres for each metre of height), then what is lit."""
        tip = solid.footprint + sun * (solid.height_m - solid.base_m)
        if solid.style != "tree":
            self.paint("map", solid.footprint, MAP["land"][1])
            for i in range(len(tip)):
                side = np.stack((solid.footprint[i - 1], solid.footprint[i], tip[i], tip[i - 1]))
                self.paint("light", side, SHADOW)
        self.paint("light", tip, SHADOW)
        self.paint("light", solid.footprint, (255, 255, 255))
        self.paint("albedo", solid.footprint, shade(solid.colour, 0.72))
        self.paint("albedo", *_upper_face(solid, sun))

    @cached_property
    def use(self) -> UInt8:
        """What the ground is for, once it is laid: uint8, shape (H, W), one of the four."""
        return np.array(self.images["use"])

    def admits(self, points: Points, *uses: int) -> bool:
        """Whether some of the points are in the picture, and all those are on ground of one of these uses."""
        x, y = np.floor(points.T / self.gsd_m).astype(int)
        seen = (x >= 0) & (y >= 0) & (x < self.use.shape[1]) & (y < self.use.shape[0])
        return bool(seen.any()) and bool(np.isin(self.use[y[seen], x[seen]], uses).all())


def _upper_face(solid: Solid, sun: Points) -> tuple[Points, Colour]:
    """What of a solid is brightest: the roof within its parapet, the slope to the sun, the top of a crown."""
    middle, points = solid.footprint.mean(0), solid.footprint
    if solid.style == "tree":
        return middle + 0.62 * (points - middle) - 0.7 * sun, shade(solid.colour, 1.3)
    if solid.style == "flat":
        edge = float(np.abs(points - middle).max())
        return middle + max(0.6, 1 - 0.9 / edge) * (points - middle), solid.colour
    if np.hypot(*(points[1] - points[0])) < np.hypot(*(points[2] - points[1])):
        points = np.roll(points, 1, 0)  # the ridge runs along the longer side
    start, end = (points[0] + points[3]) / 2, (points[1] + points[2]) / 2
    slopes = np.stack((points[0], points[1], end, start)), np.stack((start, end, points[2], points[3]))
    return min(slopes, key=lambda slope: float((slope.mean(0) - middle) @ sun)), shade(solid.colour, 1.2)


def _rotation(angle: float) -> Points:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([(c, s), (-s, c)])


def shade(colour: Colour, gain: float) -> Colour:
    """The colour, darker or brighter."""
    r, g, b = (min(255, int(level * gain)) for level in colour)
    return r, g, b


def jitter(rng: Rng, colour: Colour) -> Colour:
    """The colour, a little darker or brighter."""
    return shade(colour, rng.uniform(0.85, 1.15))


def normals(line: Points) -> Points:
    """Unit normals at the points of a line, to its left."""
    along = np.gradient(line, axis=0)
    unit: Points = np.stack((along[:, 1], -along[:, 0]), -1) / np.hypot(*along.T)[:, None]
    return unit


def ribbon(line: Points, width_m: float) -> Points:
    """A strip of even width along a line."""
    aside = normals(line) * width_m / 2
    return np.vstack((line + aside, (line - aside)[::-1]))


def curve(through: Points, along: Points, canvas: Canvas, swing_m: float, rng: Rng) -> Points:
    """A line right across the city that swings to both sides of a straight one; points every 4 m."""
    reach_m = float(np.hypot(*canvas.extent_m)) + 8  # a ribbon needs two points
    way = np.arange(-reach_m, reach_m, 4.0)
    aside = swing_m * np.sin(2 * np.pi * (way / rng.uniform(500, 900) + rng.random()))
    direction = along / np.hypot(*along)
    line: Points = through + way[:, None] * direction + aside[:, None] * np.array([direction[1], -direction[0]])
    return line


def blob(rng: Rng, centre: Points, radius_m: float, roughness: float) -> Points:
    """A rounded patch: the radius varies in a few waves around it."""
    angle = np.linspace(0, 2 * np.pi, 12 if radius_m < 8 else 48, endpoint=False)
    radius = np.full_like(angle, radius_m)
    for k in (2, 3, 4):
        radius += radius_m * rng.normal(0, roughness / k) * np.sin(k * angle + rng.uniform(0, 2 * np.pi))
    shore: Points = centre + radius[:, None] * np.stack((np.cos(angle), np.sin(angle)), -1)
    return shore


def photograph(canvas: Canvas, rng: Rng) -> UInt8:
    """The ground in its light as a camera sees it: soft edges, uneven surfaces, noise."""
    lit = ImageChops.multiply(canvas.images["albedo"], canvas.images["light"]).reduce(FINER)
    picture = np.asarray(lit.filter(ImageFilter.GaussianBlur(0.5)), np.float32)
    height, width = picture.shape[:2]
    gain = np.full((height, width, 1), 0.92, np.float32)
    for share, cell_px in ((0.06, 60), (0.05, 9), (0.05, 2)):
        gain[..., 0] += share * _cloud(rng, height, width, cell_px)
    picture = picture * gain + 2.5 * rng.standard_normal(picture.shape, np.float32)
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def _cloud(rng: Rng, height: int, width: int, cell_px: int) -> npt.NDArray[np.float32]:
    coarse = rng.standard_normal((height // cell_px + 2, width // cell_px + 2)).astype(np.float32)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))
