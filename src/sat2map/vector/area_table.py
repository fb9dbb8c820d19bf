"""The areas of a raster: what each is, which were given to a neighbour, and which are cut because they are large."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sat2map.arrays import Array, Int64, UInt8
from sat2map.vector.dissolve import Dissolving
from sat2map.vector.labels import LabelledBand, LabelledRuns, components, ranked, summed
from sat2map.vector.runs import row_pairs

LARGEST_CORNERS = 100_000
"""Areas whose border has more corners are cut along the lattice of cells."""


@dataclass(frozen=True)
class AreaTable:
    """Areas, and the parts of those that are cut, in the order of their first pixels; number 0 is ground without data.

    Attributes:
        of_fragment: int64, shape (F,): area of each fragment.
        area_id: int64, shape (A,): common to the parts of an area; from 1 in the order of first pixels.
        value: uint8, shape (A,): class.
        n_px: int64, shape (A,): pixels of its class, without those that were dissolved into it.
        confidence: int64, shape (A,): sum over those pixels, each 0..255.
    """

    of_fragment: Int64
    area_id: Int64
    value: UInt8
    n_px: Int64
    confidence: Int64

    def __len__(self) -> int:
        """Areas and parts, ground without data among them."""
        return len(self.value)


def make_area_table(runs: LabelledRuns, least_px: int, largest_corners: int = LARGEST_CORNERS) -> AreaTable:
    """Make areas of fragments.

    Args:
        runs: the fragments; with their neighbours where `least_px` is more than 1.
        least_px: areas of fewer pixels are dissolved.
        largest_corners: areas whose border has more are cut.
    """
    fragments, contacts = runs.fragments, runs.fragments.contacts
    n, value = len(fragments.value), fragments.value
    same = value[contacts.one] == value[contacts.other]
    area = ranked(components(n, contacts.one[same], contacts.other[same]), fragments.first)
    if least_px > 1:
        value_of_area, n_px = np.zeros(area.max() + 1, np.uint8), summed(area, fragments.n_px, int(area.max()) + 1)
        value_of_area[area] = value
        borders = contacts.renamed(area)
        root, value_of_area = Dissolving(value_of_area, n_px, least_px).run(
            borders.one, borders.other, borders.length_px
        )
        area, value = ranked(root[area], fragments.first), value_of_area[area]
    is_large = _corners(runs, area) > largest_corners
    whole = (area[contacts.one] == area[contacts.other]) & (contacts.in_cell | ~is_large[area[contacts.one]])
    label = ranked(components(n, contacts.one[whole], contacts.other[whole]), fragments.first)
    area_id, kind = np.zeros(label.max() + 1, np.int64), np.zeros(label.max() + 1, np.uint8)
    area_id[label], kind[label] = area, value
    own = fragments.value == value
    return AreaTable(
        label, area_id, kind, summed(label[own], fragments.n_px[own], len(kind)),
        summed(label[own], fragments.confidence[own], len(kind)),
    )  # fmt: skip


def _corners(runs: LabelledRuns, area: Int64) -> Int64:
    """Corners of each area's border."""
    n_corners = np.zeros(int(area.max()) + 1, np.int64)
    for band in runs.bands(area):
        n_corners += 2 * _horizontal_sides(band, runs.table.stride, len(n_corners))
    return n_corners


def _horizontal_sides(band: LabelledBand, stride: int, n: int) -> Int64:
    """Horizontal sides of each area's border in a band: it has as many vertical ones, and a corner for each."""
    pairs = row_pairs(band.start, stride)
    above, below = band.label[pairs.above], band.label[pairs.below]
    is_border = above != below
    count = np.zeros(n, np.int64)
    for side in (above, below):
        label: Array = np.where(is_border, side, 0)
        begins = np.concatenate([[True], label[1:] != label[:-1]])
        count += np.bincount(label[begins], minlength=n)
    return count
