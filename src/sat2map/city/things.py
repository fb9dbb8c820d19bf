"""Things in bulk: roofs, trees, cars and patches of ground as arrays of shapes, heights and colours; paints nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import groupby
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from sat2map.city.geometry import Points, Rng, area, boxes, crowns, divided
from sat2map.city.options import Season
from sat2map.classes import CLASSES

Colours = npt.NDArray[np.float64]
"""Of sunlit ground, levels 0..255, shape (n, 3), RGB."""
MapColour = tuple[int, int, int]

RoofOrTree = Literal["flat", "gable", "tree"]
MAP: dict[str, tuple[MapColour, ...]] = {c.name: c.colours_rgb for c in CLASSES}
BUILDING = MAP["land"][1]
ASPHALT, PAVEMENT, CONCRETE = (76, 76, 75), (106, 103, 98), (124, 121, 114)
LAWN, DRY_LAWN, FIELD, SOIL, SAND = (58, 68, 45), (92, 88, 65), (62, 82, 49), (98, 86, 70), (138, 117, 92)
YARD, PAVED, WATER = (62, 62, 51), (90, 88, 83), (29, 44, 39)
ROOFS = np.array([(242, 242, 240), (204, 204, 202), (150, 149, 146), (112, 110, 107), (78, 76, 73), (52, 51, 50),
                  (104, 86, 74), (134, 120, 102)], float)  # fmt: skip
ROOF_SHARES = np.array([(0.06, 0.1, 0.17, 0.2, 0.18, 0.1, 0.12, 0.07), (0.42, 0.2, 0.13, 0.08, 0.08, 0.05, 0.02, 0.02)])
"""Where few roofs are bright, and where most are."""
SHINGLES = np.array([(92, 84, 76), (76, 70, 65), (104, 98, 92), (112, 96, 80), (66, 64, 63), (138, 134, 128)], float)
CARS = np.array([(180, 180, 180), (135, 135, 135), (205, 205, 205), (40, 40, 42), (62, 66, 78), (92, 56, 52),
                 (104, 104, 102), (52, 52, 54)], float)  # fmt: skip
LEAVES: dict[Season, Colours] = {
    "summer": np.array([(44, 54, 36), (38, 47, 33), (52, 60, 40), (46, 52, 36)], float),
    "autumn": np.array([(48, 56, 34), (70, 64, 38), (84, 62, 38), (58, 60, 36)], float),
    "winter": np.array([(66, 60, 52), (60, 56, 50), (40, 48, 34), (72, 66, 58)], float),
}


class Ground(NamedTuple):
    """A piece of ground: it covers all below it, and bends with the streets."""

    corners: Points
    colour: Colours
    map_colour: MapColour | None = None
    """None: the map shows what is below."""


class Flat(NamedTuple):
    """Things without height: shape (n, k, 2)."""

    shapes: Points
    colours: Colours


class Solid(NamedTuple):
    """Things that cast a shadow."""

    shapes: Points
    """Metres, shape (n, k, 2); k is 4 where the style is `gable`."""
    heights_m: Points
    colours: Colours
    style: RoofOrTree
    on_map: bool = True
    bases_m: Points | None = None
    """Height of what they stand on; None: the ground."""


@dataclass
class Contents:
    """All that is in a block."""

    grounds: list[Ground] = field(default_factory=list)
    flats: list[Flat] = field(default_factory=list)
    solids: list[Solid] = field(default_factory=list)

    def bent(self, bend: Callable[[Points], Points], carry: Callable[[Points], Points]) -> Contents:
        """The same, where it comes to lie: grounds bend, things do not."""
        corners = [divided(ground.corners, 14) for ground in self.grounds]
        laid = np.split(bend(np.concatenate(corners)), np.cumsum([len(c) for c in corners])[:-1])
        return Contents(
            [ground._replace(corners=c) for ground, c in zip(self.grounds, laid, strict=True)],
            [flat._replace(shapes=carry(flat.shapes)) for flat in joined_flats(self.flats)],
            [solid._replace(shapes=carry(solid.shapes)) for solid in joined_solids(self.solids)],
        )


def joined_flats(flats: list[Flat]) -> list[Flat]:
    """The same in fewer arrays, each after those it was after."""
    runs = groupby((flat for flat in flats if len(flat.shapes)), lambda flat: flat.shapes.shape[1])
    joined = [list(run) for _, run in runs]
    return [Flat(*(np.concatenate(part) for part in zip(*run, strict=True))) for run in joined]


def joined_solids(solids: list[Solid]) -> list[Solid]:
    """The same in fewer arrays, whose order does not matter."""

    def alike(solid: Solid) -> tuple[RoofOrTree, bool, int]:
        return solid.style, solid.on_map, solid.shapes.shape[1]

    found = []
    for (style, on_map, _), run in groupby(sorted((s for s in solids if len(s.shapes)), key=alike), alike):
        same = list(run)
        shapes, heights, colours = (np.concatenate(part) for part in list(zip(*same, strict=True))[:3])
        bases = np.concatenate([s.heights_m * 0 if s.bases_m is None else s.bases_m for s in same])
        found.append(Solid(shapes, heights, colours, style, on_map, bases))
    return found


def tone(rng: Rng, colour: tuple[int, int, int] | Colours, n: int | None = None, spread: float = 0.12) -> Colours:
    """The colour a little darker or brighter and warmer or colder; n of them where n is given."""
    shape = () if n is None else (n,)
    gain = 1 + spread * rng.uniform(-1, 1, (*shape, 1)) + 0.024 * rng.uniform(-1, 1, (*shape, 3))
    toned: Colours = np.asarray(colour, float) * gain
    return toned


def roofs(rng: Rng, n: int, bright: float) -> Colours:
    """Colours of n flat roofs."""
    shares = (1 - bright) * ROOF_SHARES[0] + bright * ROOF_SHARES[1]
    return tone(rng, ROOFS[rng.choice(len(ROOFS), n, p=shares)], n, 0.08)


def trees(rng: Rng, positions: Points, season: Season, radii: Points) -> Solid:
    """Trees at positions (n, 2), of these radii in metres (n,)."""
    n = len(positions)
    leaves = LEAVES[season]
    colours = tone(rng, leaves[np.minimum(rng.geometric(0.42, n) - 1, len(leaves) - 1)], n, 0.2)
    return Solid(crowns(rng, positions, radii), 1.7 * radii + 1, colours, "tree", on_map=False)


def cars(rng: Rng, positions: Points, along: Points) -> Flat:
    """Cars at positions (n, 2), along unit vectors (n, 2)."""
    n = len(positions)
    across = np.stack((-along[:, 1], along[:, 0]), -1)
    length, width = rng.uniform(4.0, 5.1, (n, 1)), rng.uniform(1.7, 2.1, (n, 1))
    corner = positions - along * length / 2 - across * width / 2 + rng.normal(0, 0.15, (n, 2))
    body = boxes(corner, along * length, across * width)
    shade = body + np.array([0.5, -0.6])
    glass = boxes(corner + along * length * 0.55 + across * width * 0.1, along * length * 0.16, across * width * 0.8)
    paint = tone(rng, CARS[rng.integers(len(CARS), size=n)], n)
    shapes, colours = np.concatenate((shade, body, glass)), np.concatenate((paint * 0 + 34, paint, paint * 0.35))
    return Flat(shapes, colours)


def equipment(rng: Rng, buildings: Solid) -> Solid:
    """Stairheads, tanks and coolers on flat roofs whose shapes are quadrilaterals."""
    corner, side, _, other = buildings.shapes.swapaxes(0, 1)
    along, across = side - corner, other - corner
    lengths, widths = np.hypot(*along.T), np.hypot(*across.T)
    counts = rng.poisson(lengths * widths * (1 / 110))
    of = np.repeat(np.arange(len(counts)), counts)
    size = rng.uniform(1.2, 3.8, (len(of), 2)) * rng.uniform(0.6, 1, (len(of), 1))
    share = np.minimum(size / np.stack((lengths[of], widths[of]), -1), 0.6)
    at = rng.uniform(0.08, 0.9, (len(of), 2)) * (1 - share)
    a, b, du, dv = (part[:, None] for part in (*at.T, *share.T))
    shapes = boxes(corner[of] + along[of] * a + across[of] * b, along[of] * du, across[of] * dv)
    colours = buildings.colours[of] * rng.choice((0.35, 0.55, 0.8, 1.15), (len(of), 1))
    heights = buildings.heights_m[of]
    return Solid(shapes, heights + rng.uniform(1, 3, len(of)), colours, "flat", False, heights)


def padded(corners: Points, k: int = 8) -> Points:
    """A polygon as one shape of k corners: (1, k, 2); None of its corners is lost where it has no more than k."""
    pick = np.minimum(np.arange(k), len(corners) - 1)
    return corners[pick][None]


def scattered(rng: Rng, corners: Points, per_m2: float) -> Points:
    """Positions in the rectangle about a polygon, so many per square metre of the rectangle."""
    low, high = corners.min(0), corners.max(0)
    return rng.uniform(low, high, (rng.poisson(np.prod(high - low) * per_m2), 2))


def size_m(corners: Points) -> float:
    """Side of a square as large as a polygon."""
    return float(np.sqrt(abs(area(corners))))
