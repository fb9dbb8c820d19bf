"""Crops of every season, how each looks, and land divided into plots; all of it is land."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from sat2map.city.geometry import Plot, Points, axis, rectangle
from sat2map.landscape.ground import MAP, Floats, Terrain, gain

LAND = MAP["land"][0]


class Crop(NamedTuple):
    """How a field looks."""

    colour: tuple[int, int, int]
    uneven: float
    """Deviation of its brightness over the field."""
    rows: float
    """How strongly rows show."""
    row_m: tuple[float, float]


CROPS = {
    "green": Crop((74, 102, 52), 0.07, 0.05, (3, 9)),
    "bright green": Crop((112, 140, 72), 0.06, 0.05, (3, 9)),
    "young": Crop((104, 112, 74), 0.10, 0.10, (2.5, 6)),
    "ripe": Crop((176, 156, 100), 0.06, 0.05, (3, 12)),
    "stubble": Crop((186, 172, 132), 0.08, 0.09, (4, 14)),
    "bare": Crop((136, 112, 84), 0.10, 0.05, (3, 8)),
    "red soil": Crop((150, 96, 68), 0.10, 0.05, (3, 8)),
    "grey soil": Crop((124, 120, 112), 0.09, 0.06, (3, 8)),
    "ploughed": Crop((66, 56, 46), 0.15, 0.09, (2.5, 6)),
    "black earth": Crop((38, 36, 34), 0.16, 0.08, (2.5, 7)),
    "wet": Crop((50, 50, 44), 0.30, 0.05, (3, 8)),
    "dark green": Crop((36, 58, 38), 0.08, 0.06, (3, 8)),
    "blue green": Crop((52, 88, 72), 0.06, 0.07, (2.5, 6)),
    "pasture": Crop((96, 108, 66), 0.14, 0.0, (3, 8)),
    "fallow": Crop((140, 128, 92), 0.16, 0.0, (3, 8)),
    "mown": Crop((124, 138, 84), 0.06, 0.12, (6, 14)),
    "rape": Crop((196, 186, 62), 0.05, 0.03, (6, 18)),
}
SEASONS = {
    "spring": ("green", "bright green", "young", "ploughed", "bare", "rape", "pasture", "black earth", "wet"),
    "summer": ("green", "dark green", "ripe", "blue green", "pasture", "mown", "bright green", "stubble", "young"),
    "autumn": ("stubble", "ploughed", "black earth", "bare", "pasture", "green", "fallow", "wet", "dark green"),
    "winter": ("ploughed", "black earth", "grey soil", "bare", "wet", "green", "fallow", "stubble", "blue green"),
    "dry": ("red soil", "bare", "stubble", "fallow", "grey soil", "ripe", "dark green", "pasture"),
}


def divided(ground: Terrain, limit_m: float, gap_m: float, slant: float) -> list[Plot]:
    """The whole ground cut into plots of about this size."""
    rng, width, height = ground.rng, *ground.size_m
    margin = 60.0
    whole = Plot(rectangle(-margin, -margin, width + margin, height + margin), (0.0,) * 4)
    turn = ground.turn
    waiting, done = [whole], []
    while waiting:
        plot = waiting.pop()
        ways = axis(np.array([turn, turn + np.pi / 2]))
        extents = np.ptp(plot.corners @ ways.T, axis=0)
        # Fields are longer than wide.
        k = int(extents.argmax()) if rng.random() < 0.75 else int(extents.argmin())
        if plot.area_m2 < (limit_m * rng.uniform(0.5, 1.3)) ** 2 or extents.min() < 14:
            done.append(plot)
            continue
        way = axis(turn + k * np.pi / 2 + rng.normal(0, slant) * 0.5)
        low = (plot.corners @ way).min()
        at = way * (low + rng.uniform(0.3, 0.7) * np.ptp(plot.corners @ way))
        at = at + np.array([-way[1], way[0]]) * (plot.corners.mean(0) @ np.array([-way[1], way[0]]))
        half = gap_m / 2 * (3 if rng.random() < 0.12 else 1)
        waiting += [piece for side in (way, -way) if (piece := plot.cut(at + side * half, side)).area_m2 > 60]
    return done


def sow(ground: Terrain, plot: Plot, crop: Crop) -> None:
    """Give a plot its crop."""
    window = _window(ground, plot.corners)
    if window is None:
        return
    rng = ground.rng
    share = _share(ground, plot.corners, window)
    edge = plot.edges[int(plot.lengths.argmax())]
    angle = float(np.arctan2(edge[1], edge[0])) + (rng.choice((0, np.pi / 2), p=(0.85, 0.15)))
    colour = np.array(crop.colour) * rng.uniform(0.82, 1.2) * (1 + rng.normal(0, 0.04, 3))
    ground.colour[window] += share[..., None] * (
        gain(colour, _crop_light(ground, window, crop, angle)) - ground.colour[window]
    )
    ground.map_index[window][share >= 0.5] = LAND


def _crop_light(ground: Terrain, window: tuple[slice, slice], crop: Crop, angle: float) -> Floats:
    """How the brightness of a field varies: its soil, its rows, and the tracks of machines."""
    rng = ground.rng
    part = _view(ground, window)
    light = 0.7 * crop.uneven * part.noise(rng.uniform(40, 160), 6, fall=0.75)
    light += rng.uniform(0.02, 0.09) * part.noise(1.6, 1)
    light += crop.uneven * 0.4 * part.noise(30, 3, stretch=5, angle=angle)
    across = part.along(angle + np.pi / 2) + 0.3 * part.noise(60, 1)
    row = max(rng.uniform(*crop.row_m) * rng.choice((0.5, 1)), 2.2 * ground.gsd_m)
    fade = np.clip(0.7 + 0.5 * part.noise(70, 2), 0, 1.4)
    light += rng.uniform(0.5, 3) * crop.rows * fade * np.sin(2 * np.pi * across / np.float32(row))
    if rng.random() < 0.5:
        lane = rng.uniform(14, 32)
        light -= rng.uniform(0.05, 0.22) * (np.abs((across / lane) % 1 - 0.5) < 0.7 / lane)
    return light


def sow_round(ground: Terrain, corners: Points, middle: Points, crop: Crop) -> None:
    """Give a part of a circle its crop, in rings."""
    window = _window(ground, corners)
    if window is None:
        return
    rng, part = ground.rng, _view(ground, window)
    share = _share(ground, corners, window)
    away = np.hypot(part.x - np.float32(middle[0]), part.y - np.float32(middle[1]))
    light = crop.uneven * part.noise(90, 4) + 0.03 * part.noise(2, 1)
    light += 0.05 * np.sin(2 * np.pi * away / np.float32(rng.uniform(8, 30))) - 0.12 * (np.abs(away % 48 - 24) < 0.8)
    colour = np.array(crop.colour) * rng.uniform(0.85, 1.15)
    ground.colour[window] += share[..., None] * (gain(colour, light) - ground.colour[window])


def _window(ground: Terrain, corners: Points) -> tuple[slice, slice] | None:
    """Rows and columns about a polygon; None where it lies outside."""
    low = np.maximum(np.floor(corners.min(0) / ground.gsd_m).astype(int) - 1, 0)
    high = np.minimum(np.ceil(corners.max(0) / ground.gsd_m).astype(int) + 1, ground.shape[::-1])
    if (high - low < 2).any():
        return None
    return slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0]))


def _share(ground: Terrain, corners: Points, window: tuple[slice, slice]) -> Floats:
    """How much of each pixel of a window a polygon covers."""
    rows, columns = window
    image = Image.new("L", (2 * (columns.stop - columns.start), 2 * (rows.stop - rows.start)))
    at = (corners / ground.gsd_m - (columns.start, rows.start)) * 2
    ImageDraw.Draw(image).polygon(at.ravel().tolist(), fill=255)
    return np.asarray(image.reduce(2), np.float32) / np.float32(255)


def _view(ground: Terrain, window: tuple[slice, slice]) -> Terrain:
    """The part of the ground in a window: it has noise of its own size and the same random numbers."""
    rows, columns = window
    part = Terrain(rows.stop - rows.start, columns.stop - columns.start, ground.gsd_m, (0,))
    part.rng, part.x, part.y = ground.rng, ground.x[window], ground.y[window]
    return part
