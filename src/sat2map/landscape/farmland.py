"""Fields of every season, orchards, paddies and pastures: divides the land and gives each piece its crop; all is land."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from sat2map.city.geometry import Plot, Points, axis, rectangle
from sat2map.landscape.ground import MAP, Floats, Ground, gain, mixed
from sat2map.landscape.trees import Grove, Leaves, grove, spread

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


def farmland(ground: Ground) -> list[Grove]:
    """Fields, side by side, with margins, tracks and hedges between them; returns their trees."""
    rng = ground.rng
    season = str(rng.choice(list(SEASONS)))
    verge = np.array(CROPS[str(rng.choice(("pasture", "fallow", "bare", "green")))].colour) * 0.95
    ground.colour = gain(verge, 0.12 * ground.noise(12, 4))
    small = rng.random() < 0.3
    limit, gap = (rng.uniform(30, 90), rng.uniform(0.5, 2.5)) if small else (rng.uniform(120, 420), rng.uniform(1, 6))
    fields = divided(ground, limit, gap, slant=rng.choice((0.0, 0.06, 0.25)))
    usual = rng.choice(SEASONS[season], 3)
    groves = []
    for plot in fields:
        if rng.random() < (0.07 if season != "dry" else 0.15):
            groves.append(_orchard(ground, plot))
        else:
            name = str(rng.choice(usual) if rng.random() < 0.55 else rng.choice(SEASONS[season]))
            sow(ground, plot, CROPS[name])
    if rng.random() < 0.6:
        groves.append(hedges(ground, fields, rng.uniform(0.1, 0.7)))
    return groves


def divided(ground: Ground, limit_m: float, gap_m: float, slant: float) -> list[Plot]:
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


def sow(ground: Ground, plot: Plot, crop: Crop) -> None:
    """Give a plot its crop."""
    window = _window(ground, plot.corners)
    if window is None:
        return
    rng = ground.rng
    share = _share(ground, plot.corners, window)
    edge = plot.edges[int(plot.lengths.argmax())]
    angle = float(np.arctan2(edge[1], edge[0])) + (rng.choice((0, np.pi / 2), p=(0.85, 0.15)))
    colour = np.array(crop.colour) * rng.uniform(0.82, 1.2) * (1 + rng.normal(0, 0.04, 3))
    ground.colour[window] += share[..., None] * (gain(colour, _crop_light(ground, window, crop, angle)) - ground.colour[window])
    ground.map_index[window][share >= 0.5] = LAND


def _crop_light(ground: Ground, window: tuple[slice, slice], crop: Crop, angle: float) -> Floats:
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


def circles(ground: Ground) -> list[Grove]:
    """Fields watered by a turning arm, in dry land."""
    rng = ground.rng
    dry = np.array([(176, 152, 118), (150, 128, 98), (134, 124, 90)][rng.integers(3)])
    ground.colour = gain(dry, 0.08 * ground.noise(60, 5))
    radius = rng.uniform(110, 240)
    step = 2 * radius + rng.uniform(6, 30)
    start = rng.uniform(-radius, radius, 2)
    turn = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    for cx in np.arange(start[0], ground.size_m[0] + radius, step):
        for cy in np.arange(start[1], ground.size_m[1] + radius, step):
            crop = CROPS[str(rng.choice(("green", "dark green", "bright green", "stubble", "bare", "ploughed", "blue green")))]
            first = rng.uniform(0, 2 * np.pi)
            for share in np.cumsum(rng.dirichlet((3, 1, 1)))[::-1]:
                arc = first + 2 * np.pi * share * turn / (2 * np.pi)
                corners = np.array([cx, cy]) + radius * axis(arc)
                if share < 0.999:
                    corners = np.vstack((corners, (cx, cy)))
                    crop = CROPS[str(rng.choice(list(CROPS)))]
                _sow_round(ground, corners, np.array([cx, cy]), crop)
    return []


def _sow_round(ground: Ground, corners: Points, middle: Points, crop: Crop) -> None:
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


def terraces(ground: Ground, *, paddies: bool) -> list[Grove]:
    """Fields that follow the lines of a slope, or lie in a plain: paddies stand wet, and are land all the same."""
    rng = ground.rng
    plain = rng.random() < 0.45 and paddies
    hill = ground.noise(rng.uniform(200, 420), 2, fall=0.35)
    other = ground.noise(rng.uniform(120, 240), 2, fall=0.4)
    if plain:
        turn = ground.turn
        hill = ground.along(turn) / 90 + 0.06 * hill
        other = ground.along(turn + np.pi / 2) / 90 + 0.05 * other
    steps, lengths = rng.uniform(2.2, 6) if plain else rng.uniform(5, 16), rng.uniform(1.2, 3.5)
    level = np.floor(hill * steps)
    along = np.floor(other * lengths + rng.random(400)[level.astype(int) % 400])
    cell = (level.astype(int) * 7919 + along.astype(int) * 104729) % 4096
    dikes = np.maximum(_edges(ground, hill * steps), _edges(ground, other * lengths) * 0.8)
    palette = _paddy_colours(ground) if paddies else _terrace_colours(ground)
    light = 0.05 * ground.noise(50, 4) + 0.03 * ground.noise(2, 1) + 0.06 * ground.noise(5, 2, stretch=4)
    ground.colour = (palette[cell] * (1 + light)[..., None]).astype(np.float32)
    bund = np.array([(96, 110, 62), (124, 112, 84), (70, 84, 48)][rng.integers(3)])
    ground.paint(dikes, gain(bund, 0.15 * ground.noise(5, 2)))
    if not plain:
        ground.relief = (hill * rng.uniform(8, 26)).astype(np.float32)
    return []


def _edges(ground: Ground, field: Floats) -> Floats:
    """1 on a line about 1.5 m wide where the whole part of a field changes."""
    down, across = np.gradient(field)
    away_px = np.abs(field - np.rint(field)) / (np.hypot(down, across) + 1e-6)
    half = max(ground.rng.uniform(0.5, 1.2) / ground.gsd_m, 0.5)
    line: Floats = np.clip(half + 0.5 - away_px, 0, 1)
    return line


def _paddy_colours(ground: Ground) -> npt.NDArray[np.float32]:
    """4096 colours of paddies: flooded, muddy, green, ripe."""
    rng = ground.rng
    kinds = np.array([(44, 50, 48), (66, 64, 54), (88, 92, 92), (58, 72, 62), (34, 40, 42), (104, 92, 74),
                      (84, 116, 60), (112, 140, 70), (178, 160, 92), (116, 104, 80)], float)  # fmt: skip
    shares = rng.dirichlet(np.full(len(kinds), 0.5))
    colours = kinds[rng.choice(len(kinds), 4096, p=shares)] * rng.uniform(0.8, 1.2, (4096, 1))
    return (colours * (1 + rng.normal(0, 0.03, (4096, 3)))).astype(np.float32)


def _terrace_colours(ground: Ground) -> npt.NDArray[np.float32]:
    rng = ground.rng
    season = SEASONS[str(rng.choice(list(SEASONS)))]
    kinds = np.array([CROPS[name].colour for name in season], float)
    return (kinds[rng.integers(len(kinds), size=4096)] * rng.uniform(0.85, 1.15, (4096, 1))).astype(np.float32)


ORCHARDS = (
    Leaves(((58, 78, 44), (52, 70, 42)), (1.4, 2.4), 1.6, 0.5, (124, 108, 82)),
    Leaves(((84, 96, 70), (94, 104, 78)), (1.6, 3.0), 1.5, 0.5, (158, 132, 98)),
    Leaves(((48, 72, 40), (54, 84, 46)), (2.0, 3.2), 1.8, 0.55, (88, 98, 60)),
    Leaves(((72, 92, 50), (64, 84, 46)), (0.7, 1.0), 1.8, 0.5, (138, 120, 92)),
    Leaves(((62, 92, 54), (76, 108, 60)), (2.6, 3.6), 2.4, 0.5, (92, 84, 60)),
)


def _orchard(ground: Ground, plot: Plot) -> Grove:
    """Trees or vines in rows on one plot."""
    rng = ground.rng
    share = ground.covered([plot.corners])
    leaves = ORCHARDS[rng.integers(len(ORCHARDS))]
    ground.paint(share, gain(np.array(leaves.floor) * rng.uniform(0.85, 1.1), 0.09 * ground.worn(40, 5)), LAND)
    edge = plot.edges[int(plot.lengths.argmax())]
    vine = leaves.radius_m[1] < 1.2
    row = rng.uniform(2.2, 3.2) if vine else rng.uniform(2.1, 3.0) * leaves.radius_m[1]
    step = 1.1 if vine else row * rng.uniform(0.7, 1.0)
    angle = float(np.arctan2(edge[1], edge[0]))
    inner = ground.covered([plot.inset(2.5).corners]) if len(plot.inset(2.5).corners) > 2 else share * 0
    places = spread(ground, inner, step, angle=-angle, jitter=0.12, row_m=row, kept=rng.uniform(0.85, 1))
    return grove(rng, places, leaves)


def orchards(ground: Ground) -> list[Grove]:
    """Orchards and vineyards, plot by plot."""
    ground.colour = gain((128, 116, 88), 0.1 * ground.noise(20, 4))
    plots = divided(ground, ground.rng.uniform(110, 260), ground.rng.uniform(3, 8), slant=0.05)
    groves = []
    for plot in plots:
        if ground.rng.random() < 0.8:
            groves.append(_orchard(ground, plot))
        else:
            sow(ground, plot, CROPS[str(ground.rng.choice(SEASONS["dry"]))])
    return groves


def hedges(ground: Ground, plots: list[Plot], share: float) -> Grove:
    """Trees along some edges of plots."""
    rng, lines = ground.rng, []
    for plot in plots:
        for corner, edge, length in zip(plot.corners, plot.edges, plot.lengths, strict=True):
            if length > 10 and rng.random() < share * 0.5:
                at = np.arange(0, length, rng.uniform(2.2, 7))[:, None] / length
                lines.append(corner + edge * at + rng.normal(0, 0.7, (len(at), 2)))
    leaves = Leaves(((58, 78, 44), (66, 84, 48), (46, 62, 40)), (1.0, 3.4), 2.0, 0.55, (0, 0, 0))
    places = np.concatenate(lines) if lines else np.zeros((0, 2))
    places = places[((places > 0) & (places < ground.size_m)).all(-1)]
    return grove(rng, places, leaves)


def _window(ground: Ground, corners: Points) -> tuple[slice, slice] | None:
    """Rows and columns about a polygon; None where it lies outside."""
    low = np.maximum(np.floor(corners.min(0) / ground.gsd_m).astype(int) - 1, 0)
    high = np.minimum(np.ceil(corners.max(0) / ground.gsd_m).astype(int) + 1, ground.shape[::-1])
    if (high - low < 2).any():
        return None
    return slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0]))


def _share(ground: Ground, corners: Points, window: tuple[slice, slice]) -> Floats:
    """How much of each pixel of a window a polygon covers."""
    rows, columns = window
    image = Image.new("L", (2 * (columns.stop - columns.start), 2 * (rows.stop - rows.start)))
    at = (corners / ground.gsd_m - (columns.start, rows.start)) * 2
    ImageDraw.Draw(image).polygon(at.ravel().tolist(), fill=255)
    return np.asarray(image.reduce(2), np.float32) / np.float32(255)


def _view(ground: Ground, window: tuple[slice, slice]) -> Ground:
    """The part of the ground in a window: it has noise of its own size and the same random numbers."""
    rows, columns = window
    part = Ground(rows.stop - rows.start, columns.stop - columns.start, ground.gsd_m, (0,))
    part.rng, part.x, part.y = ground.rng, ground.x[window], ground.y[window]
    return part
