"""Where on the ground georeferenced pairs lie, and which of them share some; knows no pixels."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from math import floor, sqrt
from pathlib import Path
from statistics import median
from typing import NamedTuple

from sat2map.data.pairs import RASTER_SUFFIXES, PairFile, TwoFiles

N_ASKED = 64
GSD_SPREAD = 0.1


class Footprint(NamedTuple):
    """Bounds in a coordinate reference system (WKT), in its units."""

    crs: str
    left: float
    bottom: float
    right: float
    top: float

    @property
    def area(self) -> float:
        """In squares of the reference system's unit."""
        return (self.right - self.left) * (self.top - self.bottom)


def footprint_of(file: PairFile) -> Footprint | None:
    """Bounds of a pair's first georeferenced raster; None where it has none.

    Raises:
        SceneError: the raster cannot be read, which `read_pair` says better.
    """
    files = (file.a, file.b) if isinstance(file, TwoFiles) else ()
    return next((bounds for path in files if (bounds := _bounds(path))), None)


def _bounds(path: Path) -> Footprint | None:
    if path.suffix.lower() not in RASTER_SUFFIXES:
        return None
    # Only now: rasterio is slow to load, and images do not need it.
    from rasterio.errors import NotGeoreferencedWarning
    from rasterio.transform import array_bounds

    from sat2map.scene.gdal import open_raster

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with open_raster(path) as dataset:
            if dataset.crs is None or dataset.transform.is_identity:
                return None
            west, south, east, north = array_bounds(dataset.height, dataset.width, dataset.transform)
            crs = dataset.crs.to_wkt()
    return Footprint(crs, min(west, east), min(south, north), max(west, east), max(south, north))


def gsd_of_pairs(files: Sequence[PairFile]) -> float | None:
    """Metres on the ground per pixel of georeferenced pairs, of their median; None where one has none.

    Only a few of many files are asked; a warning says so if they differ.
    """
    step = max(1, len(files) // N_ASKED)
    found = [gsd for file in files[::step] if (gsd := _gsd(file))]
    if len(found) < len(files[::step]):
        return None
    if max(found) > (1 + GSD_SPREAD) * min(found):
        logging.getLogger(__name__).warning(
            "GSD of the pairs differs, from %.3g to %.3g m; their median counts", min(found), max(found)
        )
    return median(found)


def _gsd(file: PairFile) -> float | None:
    """Of the first raster of a pair that has one."""
    paths = (file.a, file.b) if isinstance(file, TwoFiles) else ()
    for path in (path for path in paths if path.suffix.lower() in RASTER_SUFFIXES):
        # Only now: rasterio is slow to load, and images do not need it.
        from sat2map.scene.gsd import ground_gsd
        from sat2map.scene.source import open_scene

        with open_scene(path) as source:
            sides = ground_gsd(source.grid)
        if sides:
            return sqrt(sides[0] * sides[1])
    return None


def shared_ground(footprints: Sequence[Footprint]) -> Iterator[tuple[int, int, float]]:
    """Indices of any two footprints that overlap, and their common share of the smaller; edges that touch are none."""
    order = sorted(range(len(footprints)), key=lambda i: (footprints[i].crs, footprints[i].left))
    for rank, i in enumerate(order):
        one = footprints[i]
        for j in order[rank + 1 :]:
            other = footprints[j]
            if other.crs != one.crs or other.left >= one.right:
                break
            width = min(one.right, other.right) - other.left
            height = min(one.top, other.top) - max(one.bottom, other.bottom)
            share = width * height / min(one.area, other.area)
            # A millionth of an image is how two neighbours' coordinates were rounded.
            if height > 0 and share > 1e-6:
                yield min(i, j), max(i, j), share


def footprint_groups(footprints: Sequence[Footprint], block: float | None = None) -> list[int]:
    """A number for each footprint, the same for all that hang together by common ground.

    Args:
        footprints: of the images.
        block: also join what has its centre in one square of this side, in the reference system's units.
    """
    root = list(range(len(footprints)))

    def find(i: int) -> int:
        while root[i] != i:
            root[i] = root[root[i]]
            i = root[i]
        return i

    links = [(i, j) for i, j, _ in shared_ground(footprints)]
    if block:
        first: dict[tuple[str, int, int], int] = {}
        for i, (crs, left, bottom, right, top) in enumerate(footprints):
            square = crs, floor((left + right) / 2 / block), floor((bottom + top) / 2 / block)
            links.append((i, first.setdefault(square, i)))
    for i, j in links:
        root[find(i)] = find(j)
    numbers = {r: number for number, r in enumerate(dict.fromkeys(map(find, range(len(footprints)))))}
    return [numbers[find(i)] for i in range(len(footprints))]
