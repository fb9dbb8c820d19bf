"""The lie of an endless city: what crosses it, its districts and their blocks, each found from its position alone."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from sat2map.city.bend import Bend
from sat2map.city.courses import FAMILIES, Course, courses
from sat2map.city.geometry import Plot, Points, Rng, axis, rectangle, rng_of, rotation
from sat2map.city.options import CityOptions

CELL_M = 1500.0
"""Side of the squares that the city is divided into, before it is bent."""
SMALLEST_M2 = 250.0
"""Less land between streets is no block: it is street."""
CHARACTERS = ("rows", "suburb", "mixed", "works", "towers", "centre", "park", "wood", "campus", "mall")
CHARACTER_SHARES = (0.28, 0.23, 0.18, 0.08, 0.05, 0.06, 0.05, 0.03, 0.03, 0.015)
UNDIVIDED = {"park": "meadow", "wood": "wood", "campus": "campus", "mall": "mall"}
"""Districts that are one block, and what it holds."""
KINDS = ("rows", "houses", "apartments", "lots", "works", "towers", "school", "car park", "fallow", "park")
SHARES = {
    "rows": (0.78, 0.0, 0.1, 0.06, 0.0, 0.0, 0.03, 0.01, 0.02, 0.0),
    "suburb": (0.06, 0.88, 0.02, 0.0, 0.0, 0.0, 0.03, 0.0, 0.01, 0.0),
    "mixed": (0.3, 0.0, 0.38, 0.21, 0.03, 0.02, 0.03, 0.02, 0.01, 0.0),
    "works": (0.05, 0.0, 0.0, 0.25, 0.58, 0.0, 0.0, 0.06, 0.06, 0.0),
    "towers": (0.05, 0.0, 0.2, 0.05, 0.0, 0.6, 0.07, 0.03, 0.0, 0.0),
    "centre": (0.08, 0.0, 0.3, 0.55, 0.0, 0.03, 0.02, 0.02, 0.0, 0.0),
}


class Style(NamedTuple):
    """What the blocks of a district have in common, each from 0 to 1."""

    lush: float
    """How many trees."""
    bright: float
    """How many roofs are white."""


class Block(NamedTuple):
    """Land between streets, as it lies before the city is bent."""

    plot: Plot
    """Up to the kerbs."""
    angle: float
    """Of its long side."""
    kind: str
    style: Style
    key: tuple[int, ...]
    """Where the random numbers of all that is in it come from."""


class Avenue(NamedTuple):
    """A road between districts: two points, before the city is bent."""

    line: Points
    half_m: float
    colour: int | None
    """Which of the colours of major roads it has on the map; None: it is white."""


class District(NamedTuple):
    """A convex piece of city with a street grid of its own."""

    plot: Plot
    character: str
    style: Style
    key: tuple[int, ...]


class Layout:
    """The city of a seed; rectangles are given as their low and high corner, shape (2, 2), metres."""

    def __init__(self, seed: tuple[int, ...], options: CityOptions) -> None:
        self.seed, self.options = seed, options
        rng = rng_of(seed, 0)
        self.bend = Bend(rng, options.curviness)
        self._families = [family(rng, options) for family in FAMILIES]
        self._cell = lru_cache(maxsize=32)(self._divide_cell)

    def courses(self, box: Points) -> list[Course]:
        """All that crosses the rectangle, the lowest first."""
        return [course for family in self._families for course in courses(family, box, self.seed)]

    def avenues(self, box: Points) -> Iterator[Avenue]:
        """Roads between districts near the rectangle."""
        for cell in self._cells(box):
            yield from self._cell(*cell)[1]

    def blocks(self, box: Points) -> Iterator[Block]:
        """Blocks that reach into the rectangle."""
        planned = self.bend.planned(box)
        for cell in self._cells(box):
            for district in self._cell(*cell)[0]:
                if _meets(district.plot.corners, planned):
                    for block in _blocks(district, self.options, rng_of(self.seed, *district.key)):
                        if _meets(block.plot.corners, planned) and _meets(self.bend(block.plot.corners), box, 25):
                            yield block

    def streets(self, box: Points) -> Iterator[Points]:
        """Centre lines of the streets within districts near the rectangle, straight as they were planned."""
        planned = self.bend.planned(box)
        for cell in self._cells(box):
            for district in self._cell(*cell)[0]:
                if _meets(district.plot.corners, planned):
                    yield from _streets(district, self.options, rng_of(self.seed, *district.key))

    def _cells(self, box: Points) -> list[tuple[int, int]]:
        low, high = np.floor(self.bend.planned(box) / CELL_M).astype(int).tolist()
        return [(i, j) for i in range(low[0], high[0] + 1) for j in range(low[1], high[1] + 1)]

    def _border(self, k: int, direction: int) -> tuple[float, int | None]:
        """Half width and colour on the map of the road along a whole line of cells."""
        return self._avenue(rng_of(self.seed, 1, k, direction), self.options.major_share)

    def _avenue(self, rng: Rng, share_major: float) -> tuple[float, int | None]:
        """Half width of a road between districts, and its colour on the map."""
        if rng.random() < share_major:
            return 0.6 * self.options.avenue_m, int(rng.choice((1, 2), p=(0.3, 0.7)))
        return self.options.avenue_m * rng.uniform(0.36, 0.52), None

    def _divide_cell(self, i: int, j: int) -> tuple[list[District], list[Avenue]]:
        """Districts of a cell, and the roads between them and along two of its borders."""
        rng = rng_of(self.seed, 2, i, j)
        borders = [self._border(*line) for line in ((j, 0), (i + 1, 1), (j + 1, 0), (i, 1))]
        corners = rectangle(i, j, i + 1, j + 1) * CELL_M
        plot = Plot(corners, tuple(half for half, _ in borders))
        avenues = [
            Avenue(corners[[0, 1]], *borders[0]),
            Avenue(corners[[0, 3]], *borders[3]),
        ]
        # Half of the districts of a cell are of the same kind.
        usual = rng.choice(len(CHARACTERS) - 4)
        shares = 0.5 * np.array(CHARACTER_SHARES)
        shares[usual] += 0.5
        parks = self.options.park_share / CityOptions.park_share
        shares[6:8] *= parks
        districts: list[District] = []
        self._split(plot, rng, districts, avenues)
        named = []
        for n, district in enumerate(districts):
            style = Style(rng.beta(2.2, 2), rng.beta(1.6, 1.4))
            character = CHARACTERS[rng.choice(len(CHARACTERS), p=shares / shares.sum())]
            named.append(district._replace(character=character, style=style, key=(3, i, j, n)))
        return named, avenues

    def _split(self, plot: Plot, rng: Rng, districts: list[District], avenues: list[Avenue]) -> None:
        """Cut land across its longer direction until its pieces are small enough."""
        along = plot.edges[int(plot.lengths.argmax())]
        along = along / np.hypot(*along)
        extent = np.ptp(plot.corners @ along), np.ptp(plot.corners @ np.array([-along[1], along[0]]))
        if max(extent) < self.options.district_m * rng.uniform(1.1, 2.0):
            districts.append(District(plot, "", Style(0, 0), ()))
            return
        if extent[1] > extent[0]:
            along = np.array([-along[1], along[0]])
        turn = rng.normal(0, self.options.irregularity * 0.7)
        normal = along @ rotation(turn)
        low, high = (plot.corners @ along).min(), (plot.corners @ along).max()
        at = plot.corners.mean(0)
        at = at + along * (low + rng.uniform(0.38, 0.62) * (high - low) - at @ along)
        half, colour = self._avenue(rng, self.options.major_share / 3)
        for side in (normal, -normal):
            piece = plot.cut(at, side, half)
            if side is normal:
                edge = int(
                    np.abs((piece.corners - at) @ normal + (np.roll(piece.corners, -1, 0) - at) @ normal).argmin()
                )
                line = piece.corners[[edge, (edge + 1) % len(piece.corners)]]
                avenues.append(Avenue(line, half, colour))
            self._split(piece, rng, districts, avenues)


def _meets(corners: Points, box: Points, margin_m: float = 0.0) -> bool:
    return bool((corners.max(0) > box[0] - margin_m).all() and (corners.min(0) < box[1] + margin_m).all())


class _Rows(NamedTuple):
    """How a district is divided: rows of blocks along `along`, each from v0 to v1, its blocks from u0 to u1 each."""

    angle: float
    along: Points
    rows: list[tuple[float, float, list[tuple[float, float, str]]]]
    """v0, v1, and u0, u1 and kind of each block."""


def _rows(land: Plot, district: District, options: CityOptions, rng: Rng) -> _Rows:
    """Divide the land of a district."""
    edge = land.edges[int(land.lengths.argmax())]
    angle = float(np.arctan2(edge[1], edge[0])) + (rng.normal(0, 0.15) if rng.random() < options.irregularity else 0.0)
    if district.character in UNDIVIDED:
        return _Rows(angle, axis(angle), [])
    if rng.random() < 0.5:
        angle += np.pi / 2
    along = axis(angle)
    u, v = land.corners @ along, land.corners @ np.array([-along[1], along[0]])
    length, depth = np.array(options.block_m) * rng.uniform(0.78, 1.3, 2)
    columns = _stretches(rng, u.min(), u.max(), length, options)
    shares = np.array(SHARES[district.character])
    shares = np.append(shares[:-1] * (1 - options.park_share / 2), options.park_share / 2)
    rows = []
    for v0, v1 in _stretches(rng, v.min(), v.max(), depth, options):
        row = _merged(rng, columns, options.irregularity)
        rows.append((v0, v1, [(*ends, KINDS[rng.choice(len(KINDS), p=shares / shares.sum())]) for ends in row]))
    return _Rows(angle, along, rows)


def _blocks(district: District, options: CityOptions, rng: Rng) -> Iterator[Block]:
    """The blocks of a district, in the same order whoever asks."""
    land = district.plot.inset()
    if land.area_m2 < 300:
        return
    angle, along, rows = _rows(land, district, options, rng)
    if district.character in UNDIVIDED:
        yield Block(land, angle, UNDIVIDED[district.character], district.style, (*district.key, 0))
    n = 0
    for v0, v1, row in rows:
        for u0, u1, kind in row:
            n += 1
            piece = _piece(land, along, (u0, u1), (v0, v1))
            if piece.area_m2 > SMALLEST_M2:
                small = piece.area_m2 < 1100
                yield Block(piece, angle, "green" if small else kind, district.style, (*district.key, n))


def _piece(land: Plot, along: Points, u: tuple[float, float], v: tuple[float, float]) -> Plot:
    """The part of land between two distances along it and two across."""
    across = np.array([-along[1], along[0]])
    for at, normal in (
        (u[0] * along, along),
        (u[1] * along, -along),
        (v[0] * across, across),
        (v[1] * across, -across),
    ):
        if len(land.corners):
            land = land.cut(at, normal)
    return land


def _streets(district: District, options: CityOptions, rng: Rng) -> Iterator[Points]:
    """Centre lines of the streets between the blocks of a district, up to the middle of the roads around it."""
    land = district.plot.inset()
    if land.area_m2 < 300:
        return
    _, along, rows = _rows(land, district, options, rng)
    across = np.array([-along[1], along[0]])
    middles = [(v1 + v0) / 2 for (_, v1, _), (v0, _, _) in pairwise(rows)]
    far = 2 * float(np.ptp(district.plot.corners, 0).sum())
    ends = [-far + float((land.corners @ across).min()), *middles, far + float((land.corners @ across).max())]
    lines = [np.stack((v * across - far * along, v * across + far * along)) for v in middles]
    lines = [line + along * float(land.corners.mean(0) @ along) for line in lines]
    for (v0, v1, row), low, high in zip(rows, ends, ends[1:], strict=False):
        is_block = [_piece(land, along, (u0, u1), (v0, v1)).area_m2 > SMALLEST_M2 for u0, u1, _ in row]
        for n, ((_, u1, _), (u0, _, _)) in enumerate(pairwise(row)):
            if is_block[n] and is_block[n + 1]:
                lines.append(np.stack((low * across, high * across)) + along * (u1 + u0) / 2)
    for line in lines:
        if len(_clipped(line, land)):
            yield from _clipped(line, district.plot)


def _clipped(line: Points, plot: Plot) -> Points:
    """The part of a straight line that lies in a plot: shape (1, 2, 2), or (0, 2, 2)."""
    start, end = plot.depths(line)
    with np.errstate(divide="ignore", invalid="ignore"):
        cut = start / (start - end)
    low = float(np.max(cut[(start < 0) & (end >= 0)], initial=0.0))
    high = float(np.min(cut[(start >= 0) & (end < 0)], initial=1.0))
    inside = low < high and not ((start < 0) & (end < 0)).any()
    points: Points = line[0] + (line[1] - line[0]) * np.array([[low], [high]])
    return points[None] if inside else np.empty((0, 2, 2))


def _stretches(rng: Rng, low: float, high: float, usual_m: float, options: CityOptions) -> list[tuple[float, float]]:
    """Blocks from `low` to `high`, with streets between them."""
    n = max(1, round((high - low) / usual_m))
    ends = np.cumsum(1 + options.irregularity * rng.uniform(-0.5, 0.5, n))
    ends = low + (high - low) * np.concatenate(((0.0,), ends / ends[-1]))
    halves = options.street_m / 2 * rng.uniform(0.85, 1.2, n + 1)
    halves[[0, -1]] = 0
    return [(ends[k] + halves[k], ends[k + 1] - halves[k + 1]) for k in range(n)]


def _merged(rng: Rng, columns: list[tuple[float, float]], irregularity: float) -> list[tuple[float, float]]:
    """The same blocks, some joined with the next."""
    row = columns[:1]
    for column in columns[1:]:
        if rng.random() < 0.35 * irregularity:
            row[-1] = (row[-1][0], column[1])
        else:
            row.append(column)
    return row
