"""A city, from its seed to its two images, window by window; writes no file."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sat2map.city.blocks import contents
from sat2map.city.camera import photograph
from sat2map.city.canvas import Canvas
from sat2map.city.courses import Course
from sat2map.city.geometry import Points, rng_of
from sat2map.city.layout import Block, Layout
from sat2map.city.options import CityOptions, light
from sat2map.city.roads import drawn_avenues, drawn_course
from sat2map.city.things import ASPHALT, Contents, Solid, joined_flats, joined_solids, tone
from sat2map.data.pairs import Pair
from sat2map.tiling import Window

REACH_M = 55.0
"""How far from what stands there a shadow can fall."""


class City:
    """An endless city.

    Args:
        seed: the same seed gives the same pixels.
        gsd_m: metres on the ground per pixel.
        options: what kind of city.
    """

    def __init__(self, seed: int | tuple[int, ...], gsd_m: float = 0.9, options: CityOptions | None = None) -> None:
        self.seed = (seed,) if isinstance(seed, int) else seed
        self.gsd_m = gsd_m
        self._layout = Layout(self.seed, options or CityOptions())
        rng = rng_of(self.seed, 8)
        self._light = light(self._layout.options, rng)
        self._asphalt = tone(rng, ASPHALT)
        self._filled: dict[tuple[int, ...], Contents] = {}

    def draw(self, window: Window) -> Pair:
        """Image and map of a window, which may lie anywhere; what it costs does not depend on where.

        Returns:
            The aerial image and the map in colours of `palette.CLASSES`, not antialiased: uint8, shape (H, W, 3).
        """
        canvas = Canvas(window, self.gsd_m, self._asphalt)
        box = canvas.box(REACH_M)
        courses = self._layout.courses(box)
        blocks = list(self._layout.blocks(box))
        # Windows side by side share the blocks between them; no more are kept than one window holds.
        self._filled = {b.key: self._filled[b.key] if b.key in self._filled else self._fill(b) for b in blocks}
        land = list(self._filled.values())
        crossings = list(self._crossings(box, courses))
        for part in (_together(land), *crossings):
            canvas.lay(part.grounds)
            for flat in joined_flats(part.flats):
                canvas.spread(flat)
        standing = joined_solids([solid for part in (*land, *crossings) for solid in part.solids])
        canvas.raise_((_free(solid, courses) for solid in standing), self._light.shadow)
        return Pair(photograph(canvas, self._light, self.seed), canvas.map())

    def _crossings(self, box: Points, courses: list[Course]) -> Iterator[Contents]:
        """What is painted over the blocks, in order: major avenues bridge water and rails, motorways all."""
        yield drawn_avenues(self._layout, box, self.seed, major=False)
        for kind in ("river", "railway", "motorway"):
            if kind == "motorway":
                yield drawn_avenues(self._layout, box, self.seed, major=True)
            for course in courses:
                if course.kind == kind:
                    yield drawn_course(course, box, self.seed, self._light.season)

    def _fill(self, block: Block) -> Contents:
        bend = self._layout.bend
        content = contents(block, self.seed, self._light.season)
        return content.bent(bend, bend.carry)


def _together(parts: list[Contents]) -> Contents:
    """Their grounds and things without height: all of the ground comes first."""
    return Contents([g for part in parts for g in part.grounds], [f for part in parts for f in part.flats])


def _free(solid: Solid, courses: list[Course]) -> Solid:
    """Those of the things that stand in no river, on no railway and on no motorway."""
    kept = np.ones(len(solid.shapes), bool)
    for course in courses:
        tree = solid.style == "tree"
        points: Points = solid.shapes.mean(1, keepdims=True) if tree else solid.shapes
        kept &= (course.beyond(points) > (1.5 if tree else course.shoulder_m)).all(1)
    if kept.all():
        return solid
    bases = None if solid.bases_m is None else solid.bases_m[kept]
    return Solid(solid.shapes[kept], solid.heights_m[kept], solid.colours[kept], solid.style, solid.on_map, bases)


def city(
    height_px: int,
    width_px: int,
    *,
    seed: int | tuple[int, ...],
    gsd_m: float = 0.9,
    options: CityOptions | None = None,
) -> Pair:
    """Draw a city and its map.

    Args:
        height_px: rows of both images.
        width_px: columns.
        seed: the same seed gives the same pixels.
        gsd_m: metres on the ground per pixel.
        options: what kind of city; None is the usual kind.

    Returns:
        The aerial image and the map in colours of `palette.CLASSES`, not antialiased: uint8, shape (H, W, 3), RGB.
    """
    return City(seed, gsd_m, options).draw(Window(0, 0, height_px, width_px))
