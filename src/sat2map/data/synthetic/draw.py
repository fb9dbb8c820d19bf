"""A whole city, from its seed to its two pictures; writes no file."""

from __future__ import annotations

import numpy as np

from sat2map.data.pairs import Pair
from sat2map.data.synthetic.buildings import fill, park_cars, street_trees
from sat2map.data.synthetic.canvas import Canvas, photograph
from sat2map.data.synthetic.ground import lay_blocks, lay_waters_and_roads, two_districts


def city(height_px: int, width_px: int, *, seed: int | tuple[int, ...], gsd_m: float = 0.9) -> Pair:
    """Draw a city and its map.

    Args:
        height_px: rows of both pictures.
        width_px: columns.
        seed: the same seed gives the same pixels.
        gsd_m: metres on the ground per pixel.

    Returns:
        The aerial picture and the map in colours of `palette.CLASSES`, not antialiased: uint8, shape (H, W, 3), RGB.
    """
    rng = np.random.default_rng(seed)
    canvas = Canvas(height_px, width_px, gsd_m)
    origin = canvas.extent_m * rng.uniform(0.35, 0.65, 2)
    quiet, dense = two_districts(rng, origin)
    blocks = lay_blocks(canvas, rng, (quiet, dense))
    lay_waters_and_roads(canvas, rng, origin, quiet)
    park_cars(canvas, rng, blocks)
    solids = street_trees(canvas, rng, blocks)
    solids += [solid for block in blocks for solid in fill(canvas, rng, block)]
    sun = np.array([rng.uniform(-0.5, 0.3), -0.75])
    # The tall ones last: their shadows fall on the roofs of the low ones.
    for solid in sorted(solids, key=lambda s: s.height_m):
        canvas.stand(solid, sun)
    return Pair(photograph(canvas, rng), np.asarray(canvas.images["map"]))
