"""Landscapes as files: pairs as a training set has them; draws nothing itself."""

from __future__ import annotations

from pathlib import Path

from sat2map.city.write import write_drawn
from sat2map.landscape.kinds import NAMES, drawn_name, landscape


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
