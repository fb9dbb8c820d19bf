"""Avenues, motorways, railways and rivers as they are painted: surface, markings, cars and banks; paints nothing."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sat2map.city.courses import STEP_M, Course
from sat2map.city.geometry import Points, Rng, boxes, normals, ribbon, rng_of
from sat2map.city.layout import Layout
from sat2map.city.options import Season
from sat2map.city.things import (
    ASPHALT,
    CARS,
    CONCRETE,
    LAWN,
    MAP,
    SOIL,
    WATER,
    Colours,
    Contents,
    Flat,
    Ground,
    tone,
    trees,
)

CHUNK_M = 350.0
LINE = (134, 134, 130)


def drawn_avenues(layout: Layout, box: Points, seed: tuple[int, ...], *, major: bool) -> Contents:
    """The roads between districts: those that the map colours, or the others."""
    out = Contents()
    for avenue in layout.avenues(box):
        if (avenue.colour is not None) != major:
            continue
        ahead = (avenue.line[1] - avenue.line[0]) / np.hypot(*(avenue.line[1] - avenue.line[0])) * avenue.half_m
        line = layout.bend.line(avenue.line + np.stack((-ahead, ahead)))
        near = ((line > box[0] - 60) & (line < box[1] + 60)).all(1)
        if not near.any():
            continue
        first, last = int(near.argmax()), len(near) - int(near[::-1].argmax())
        first, last = max(first - 2, 0), min(last + 2, len(line))
        seen = line[first:last]
        if len(seen) < 2:
            continue
        # All that is random is drawn for the whole avenue, so that it does not depend on the part that is seen.
        rng = rng_of(seed, 9, *np.rint(avenue.line.ravel()).astype(int).tolist())
        surface, paint = tone(rng, ASPHALT), tone(rng, (124, 118, 98), spread=0.2)
        if avenue.colour is not None:
            out.grounds.append(Ground(ribbon(seen, avenue.half_m), surface, MAP["major road"][avenue.colour]))
        out.flats.append(_stripe(seen, 0.45, 0.0, paint))
        for aside in (-0.5, 0.5):
            out.flats.append(_dashes(line, aside * avenue.half_m, first, last))
        out.flats.append(_traffic(rng, line, (-0.72, -0.28, 0.28, 0.72), avenue.half_m, 0.14))
    return out


def drawn_course(course: Course, box: Points, seed: tuple[int, ...], season: Season) -> Contents:
    """A river, a railway or a motorway, as far as it is in the rectangle."""
    rng = rng_of(seed, 10, *course.key)
    line, half = course.line(box)
    out = Contents()
    if course.kind == "river":
        _river(out, course, line, half, rng)
    elif course.kind == "railway":
        _railway(out, line, half, rng)
    else:
        _motorway(out, course, line, half, rng)
    for chunk, part, width in _chunks(course, box):
        _line(out, course, part, width, rng_of(seed, 11, *course.key, chunk), season)
    return out


def _river(out: Contents, course: Course, line: Points, half: Points, rng: Rng) -> None:
    natural = rng.random() < 0.5
    bank = course.shoulder_m
    ground, map_colour = (LAWN, MAP["park"][0]) if natural else ((94, 92, 86), MAP["land"][0])
    out.grounds.append(Ground(ribbon(line, half + bank * 0.92), tone(rng, ground), map_colour))
    if bank > 20:
        for side in (-1, 1):
            road = ribbon(line, 4.8, side * (half + bank - 7))
            out.grounds.append(Ground(road, tone(rng, ASPHALT), MAP["road"][0]))
    water = tone(rng, WATER, spread=0.2)
    out.grounds.append(Ground(ribbon(line, half + 1.8), tone(rng, SOIL if natural else CONCRETE)))
    out.grounds.append(Ground(ribbon(line, half), water * 0.9, MAP["water"][0]))
    out.grounds.append(Ground(ribbon(line, half * 0.93), water))


def _railway(out: Contents, line: Points, half: Points, rng: Rng) -> None:
    out.grounds.append(Ground(ribbon(line, half + 1.5), tone(rng, (62, 64, 50)), MAP["land"][0]))
    out.grounds.append(Ground(ribbon(line, half), tone(rng, (86, 76, 66))))
    for aside in np.arange(-half[0] + 2, half[0] - 1, 4.2):
        for rail in (-0.75, 0.75):
            out.flats.append(_stripe(line, 0.3, aside + rail, np.array([52, 46, 42.0])))


def _motorway(out: Contents, course: Course, line: Points, half: Points, rng: Rng) -> None:
    verge = course.shoulder_m
    out.grounds.append(
        Ground(ribbon(line, half + verge * 0.8), tone(rng, LAWN if rng.random() < 0.7 else SOIL), MAP["land"][0])
    )
    if verge > 17:
        for side in (-1, 1):
            out.grounds.append(Ground(ribbon(line, 4.6, side * (half + verge - 6)), tone(rng, ASPHALT), MAP["road"][0]))
    surface = tone(rng, ASPHALT if rng.random() < 0.5 else (104, 102, 98))
    out.grounds.append(Ground(ribbon(line, half + 0.8), surface * 1.25))
    out.grounds.append(Ground(ribbon(line, half), surface, MAP["major road"][0]))
    out.flats.append(_stripe(line, 0.7, 0.0, surface * 1.3))
    out.flats.append(_stripe(line, 0.4, 1.1, surface * 0.7))
    for side in (-1, 1):
        out.flats.append(_stripe(line, 0.2, side * (half - 1.6), np.array(LINE, float)))


def _chunks(course: Course, box: Points) -> Iterator[tuple[int, Points, Points]]:
    """The course in pieces that are the same whatever the rectangle."""
    n = round(CHUNK_M / STEP_M)
    first, last = course.steps(box)
    for chunk in range(first // n, last // n + 1):
        part, width = course.stretch(chunk * n, chunk * n + n + 1)
        yield chunk, part, width


def _line(out: Contents, course: Course, line: Points, half: Points, rng: Rng, season: Season) -> None:
    """Cars, trees, piers and boats of one piece."""
    along, aside = _frames(line)
    if course.kind == "motorway":
        lanes = tuple((np.arange(3) + 0.6) / 3.4) + tuple(-(np.arange(3) + 0.6) / 3.4)
        out.flats.append(_traffic(rng, line, lanes, float(half[0]), 0.2))
        for lane in lanes:
            if abs(lane) > 0.3:
                out.flats.append(_dashes(line, (lane - np.sign(lane) * 0.15) * float(half[0]), 0, len(line)))
    n = rng.poisson(CHUNK_M / 9 * rng.choice((0.1, 0.5, 1.5)))
    at = rng.integers(0, len(line) - 1, n)
    out_m = half[at] + rng.uniform(2.5, max(course.shoulder_m * 0.75, 3.0), n)
    positions = line[at] + aside[at] * (out_m * rng.choice((-1, 1), n))[:, None]
    if n:
        out.solids.append(trees(rng, positions + rng.uniform(-3, 3, (n, 2)), season, rng.uniform(1.5, 4.2, n)))
    if course.kind == "river" and half[0] > 60:
        _harbour(out, line, half, along, aside, rng)


def _harbour(out: Contents, line: Points, half: Points, along: Points, aside: Points, rng: Rng) -> None:
    for at in rng.integers(0, len(line), rng.poisson(1.5)):
        side = rng.choice((-1, 1))
        root = line[at] + side * aside[at] * (half[at] + 3)
        pier = boxes(root, -side * aside[at] * rng.uniform(25, 70), along[at] * rng.uniform(6, 22))
        out.grounds.append(Ground(pier, tone(rng, (CONCRETE, SOIL, ASPHALT)[rng.integers(3)]), MAP["land"][2]))
    for at in rng.integers(0, len(line), rng.poisson(0.8)):
        position = line[at] + aside[at] * rng.uniform(-0.8, 0.8) * half[at]
        wake = np.stack(
            (position, position + along[at] * 40 + aside[at] * 3, position + along[at] * 40 - aside[at] * 3)
        )
        out.flats.append(Flat(wake[None], np.array([[52, 64, 62.0]])))
        out.flats.append(
            Flat(
                boxes(position - along[at] * 8 - aside[at] * 1.5, along[at] * 12, aside[at] * 3)[None],
                np.array([[190, 190, 186.0]]),
            )
        )


def _frames(line: Points) -> tuple[Points, Points]:
    aside = normals(line)
    return np.stack((-aside[:, 1], aside[:, 0]), -1), aside


def _stripe(line: Points, half_m: float, aside_m: float | Points, colour: Colours) -> Flat:
    edge = ribbon(line, half_m, aside_m)
    n = len(line)
    left, right = edge[:n], edge[n:][::-1]
    shapes = np.stack((left[:-1], left[1:], right[1:], right[:-1]), 1)
    return Flat(shapes, np.broadcast_to(colour, (len(shapes), 3)))


def _dashes(line: Points, aside_m: float, first: int, last: int) -> Flat:
    """Every second piece of a line; which of them does not depend on where it is cut."""
    whole = _stripe(line, 0.22, aside_m, np.array(LINE, float))
    keep = slice(first + first % 2, max(last - 1, 0), 2)
    return Flat(whole.shapes[keep], whole.colours[keep])


def _traffic(rng: Rng, line: Points, lanes: tuple[float, ...], half_m: float, share: float) -> Flat:
    """Cars on their way, in lanes that are given as shares of the half width."""
    along, aside = _frames(line)
    n = len(line)
    shapes, colours = [], []
    for lane in lanes:
        at = np.flatnonzero(rng.random(n) < share)
        middle = line[at] + aside[at] * lane * half_m + along[at] * rng.uniform(-3, 3, (len(at), 1))
        long = np.where(rng.random((len(at), 1)) < 0.1, 11.0, 4.6)
        body = boxes(middle - along[at] * long / 2 - aside[at] * 1.0, along[at] * long, aside[at] * 2.0)
        paint = tone(rng, CARS[rng.integers(len(CARS), size=len(at))], len(at))
        shapes += [body + np.array([0.6, -0.6]), body]
        colours += [paint * 0 + 30, paint]
    return Flat(np.concatenate(shapes), np.concatenate(colours))
