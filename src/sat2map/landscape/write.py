"""Landscapes as files: pairs as a training set has them; draws nothing itself."""

from __future__ import annotations

from pathlib import Path

from sat2map.city.write import write_drawn, write_windows
from sat2map.data.pairs import Pair
from sat2map.errors import OutputError
from sat2map.landscape.kinds import NAMES, drawn_name, landscape

LARGEST_PX = 4096
"""Side of the largest scene: a landscape is drawn whole."""


def write_pairs(
    folder: Path, n: int, size_px: int = 600, seed: int = 0, names: tuple[str, ...] = NAMES, gsd_m: float | None = None
) -> list[Path]:
    """Write landscapes side by side, image left and map right, as `data.pairs` reads them.

    Args:
        folder: for `1.png` and on; made where it is missing, and existing pairs of these names are replaced.
        n: how many.
        size_px: side of each half.
        seed: pair i of a seed and of these names is the same whatever `n` is.
        names: of the landscapes; each comes as often as its weight among these says.
        gsd_m: metres on the ground per pixel; None: 0.6 to 1.0, and 0.9 in cities.

    Returns:
        The files, in order.

    Raises:
        OutputError: the folder cannot be written to.
    """
    return write_drawn(
        folder, n, lambda i: landscape(size_px, size_px, seed=(seed, i), name=drawn_name((seed, i), names), gsd_m=gsd_m)
    )


def write_scene(path: Path, side_px: int, seed: int = 0, name: str = "fields", gsd_m: float = 0.8) -> Path:
    """Write a square landscape as a georeferenced GeoTIFF, and its true map beside it, as the city's `write_scene`.

    Unlike a city's it is drawn whole: a smaller scene is no part of a larger one.

    Args:
        path: of the scene.
        side_px: of the square, at most `LARGEST_PX`.
        seed: the same seed gives the same pixels.
        name: of the landscape.
        gsd_m: metres on the ground per pixel.

    Returns:
        Path of the true map.

    Raises:
        OutputError: it is too large, or the folder is missing or cannot be written to.
    """
    if side_px > LARGEST_PX:
        raise OutputError(
            "scene is too large to draw whole", f"{side_px} px", hint=f"at most {LARGEST_PX} px, or a city"
        )
    pair = landscape(side_px, side_px, seed=seed, name=name, gsd_m=gsd_m)
    return write_windows(
        path, (side_px, side_px), gsd_m, lambda window: Pair(*(image[window.slices] for image in pair))
    )
