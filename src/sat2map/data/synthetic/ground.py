"""The ground of a city: blocks between streets, waters, parks and roads; raises nothing on it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sat2map.data.synthetic.canvas import (
    ASPHALT,
    BUILDING_LAND,
    MAP,
    PLANTED,
    STREET,
    Block,
    Box,
    Canvas,
    Colour,
    District,
    Points,
    Rng,
    blob,
    curve,
    jitter,
    normals,
    ribbon,
    shade,
)

PAVEMENT, PAVED, YARD, CAMPUS = (112, 109, 103), (84, 82, 77), (66, 68, 52), (74, 78, 58)
LAWN, FIELD, PATH, SAND, WATER = (60, 70, 42), (74, 92, 46), (112, 106, 92), (128, 104, 76), (22, 42, 48)
KINDS = ("rows", "houses", "lots", "works", "campus", "park")
SHARES = {"quiet": (0.45, 0.33, 0.1, 0.02, 0.05, 0.05), "dense": (0.22, 0.0, 0.45, 0.22, 0.06, 0.05)}
WIDE_M2 = 500_000
"""From this area on a city has everything: river, large park and lake. A smaller one has what its seed says."""


def two_districts(rng: Rng, origin: Points) -> tuple[District, District]:
    """A quiet and a dense one, which meet at a slant in a straight line through `origin`."""
    seam = rng.uniform(0, 2 * np.pi)
    inward = np.array([-np.sin(seam), np.cos(seam)])
    quiet = District(origin, seam + rng.uniform(0.25, 0.6), inward, "quiet")
    dense = District(origin, seam + rng.choice((0.0, np.pi / 2)), -inward, "dense")
    return quiet, dense


def lay_blocks(canvas: Canvas, rng: Rng, districts: tuple[District, ...]) -> list[Block]:
    """Blocks of all districts; what is left between them is street."""
    blocks = [block for district in districts for block in _blocks(canvas, rng, district)]
    for block in blocks:
        _lay_block(canvas, rng, block)
    return blocks


def _blocks(canvas: Canvas, rng: Rng, district: District) -> Iterator[Block]:
    reach_m = float(np.hypot(*canvas.extent_m))
    columns = list(_stretches(rng, reach_m, (130, 230)))
    for v0, v1 in _stretches(rng, reach_m, (52, 74)):
        for u0, u1 in columns:
            box = Box(u0, v0, u1, v1)
            land = district.clipped(district.corners(box))
            if len(land) > 2 and (land.max(0) > 0).all() and (land.min(0) < canvas.extent_m).all():
                yield Block(district, box, rng.choice(KINDS, p=SHARES[district.character]))


def _stretches(rng: Rng, reach_m: float, length_m: tuple[float, float]) -> Iterator[tuple[float, float]]:
    """Blocks along one axis, streets of 10 to 13 m between them, and now and then an avenue."""
    at = -reach_m - rng.uniform(0, 100)
    while at < reach_m:
        end = at + rng.uniform(*length_m)
        yield at, end
        at = end + (rng.uniform(10, 13) if rng.random() < 0.8 else rng.uniform(17, 21))


def _lay_block(canvas: Canvas, rng: Rng, block: Block) -> None:
    land, map_colour, use = jitter(rng, YARD), MAP["land"][0], BUILDING_LAND
    if block.kind == "park":
        land, map_colour, use = jitter(rng, LAWN), MAP["park"][0], PLANTED
    elif block.kind == "campus":
        land, map_colour = jitter(rng, CAMPUS), MAP["place"][rng.integers(2)]
    elif block.kind in ("lots", "works"):
        land, map_colour = jitter(rng, PAVED), MAP["land"][2 if block.kind == "works" else 0]
    kerb, inner = (block.district.clipped(block.district.corners(block.box.grown(-by))) for by in (0, 2))
    canvas.ground(kerb, PAVEMENT, map_colour)
    canvas.ground(inner, land, map_colour, use)


def lay_waters_and_roads(canvas: Canvas, rng: Rng, origin: Points, quiet: District) -> None:
    """What crosses the blocks: a park, a river with its banks, a winding road, and the major road between districts."""
    everything = float(np.prod(canvas.extent_m)) >= WIDE_M2
    seam = np.array([quiet.inward[1], -quiet.inward[0]])
    if everything or rng.random() < 0.4:
        _lay_park(canvas, rng, quiet)
    if everything or rng.random() < 0.35:
        bank = origin + quiet.inward * canvas.extent_m.min() * rng.choice((-0.45, 0.55))
        river = curve(bank, seam, canvas, rng.uniform(20, 45), rng)
        width = rng.uniform(45, 90)
        canvas.ground(ribbon(river, width + 36), ASPHALT, MAP["road"][0], STREET)
        canvas.ground(ribbon(river, width + 14), jitter(rng, LAWN), MAP["park"][1], PLANTED)
        canvas.ground(ribbon(river, width), jitter(rng, WATER), MAP["water"][0])
    parkway = curve(origin, np.array([seam[1], -seam[0]]) + 0.3 * seam, canvas, rng.uniform(30, 60), rng)
    _lay_road(canvas, parkway, 17, MAP["road"][0])
    _lay_road(canvas, curve(origin, seam, canvas, 0, rng), 23, MAP["major road"][rng.integers(3)])


def _lay_road(canvas: Canvas, line: Points, width_m: float, map_colour: Colour) -> None:
    """A road with kerbs, its middle and its lanes marked."""
    canvas.ground(ribbon(line, width_m + 5), PAVEMENT, MAP["land"][0])
    canvas.ground(ribbon(line, width_m), shade(ASPHALT, 1.1), map_colour)
    canvas.paint("albedo", ribbon(line, 1.6), (118, 116, 104))
    for start in range(0, len(line) - 2, 3):
        for lane in (-width_m / 4, width_m / 4):
            dash = line[start : start + 2] + lane * normals(line[start : start + 2])
            canvas.paint("albedo", ribbon(dash, 0.5), (140, 140, 140))


def _lay_park(canvas: Canvas, rng: Rng, district: District) -> None:
    """A large park with a lake, paths and a ball field."""
    # The grid of the quiet district is turned by less than a right angle from the seam: v leads into it.
    u, v = rng.uniform(-40, 40), rng.uniform(60, 110)
    box = Box(u - 120, v, u + 120, v + 190)
    canvas.ground(district.clipped(district.corners(box.grown(12))), ASPHALT, MAP["road"][0], STREET)
    canvas.ground(district.clipped(district.corners(box)), jitter(rng, LAWN), MAP["park"][0], PLANTED)
    _lay_paths(canvas, district.corners(box))
    field = district.corners(Box(box.u0 + 20, box.v0 + 20, box.u0 + 85, box.v0 + 80))
    canvas.ground(field, FIELD, MAP["park"][1], PLANTED)
    canvas.paint("albedo", blob(rng, field[0] * 0.75 + field.mean(0) * 0.25, 14, 0.05), SAND)
    shore = blob(rng, district.corners(box).mean(0) + rng.uniform(-25, 25, 2), 48, 0.3)
    canvas.ground(shore, jitter(rng, WATER), MAP["water"][0])


def _lay_paths(canvas: Canvas, corners: Points) -> None:
    for bend in (-50.0, 35.0, 70.0):
        ends = corners[[0, 2] if bend < 0 else [1, 3]]
        along = np.linspace(0, 1, 40)[:, None]
        path = ends[0] + (ends[1] - ends[0]) * along + bend * np.sin(np.pi * along) * normals(ends)[0]
        canvas.paint("albedo", ribbon(path, 3.5), PATH)
