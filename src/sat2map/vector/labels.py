"""Which runs of a raster make one area: 4-connected ground of one class, numbered by first pixel in any tiling."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sat2map.arrays import Array, Bool, Int64, UInt8
from sat2map.errors import import_extra
from sat2map.vector.runs import CELL_PX, VOID, RunTable, row_pairs
from sat2map.vector.spool import Spool


class Contacts(NamedTuple):
    """Pairs of neighbours, each once for borders within cells of the lattice and once for those on its lines."""

    one: Int64
    other: Int64
    length_px: Int64
    in_cell: Bool

    def renamed(self, name: Array) -> Contacts:
        """The same with new numbers; those that became one are no pair."""
        one, other = name[self.one], name[self.other]
        apart = one != other
        return _summed(one[apart], other[apart], self.length_px[apart], self.in_cell[apart])


@dataclass(frozen=True)
class Fragments:
    """Parts of areas within cells of the lattice, in the order of first pixels; number 0 is ground without data.

    Attributes:
        value: uint8, shape (F,): class.
        n_px: int64, shape (F,).
        confidence: int64, shape (F,): sum over pixels, each 0..255.
        first: int64, shape (F,): start of the first run.
        contacts: of one class across cells; of different classes only if they were asked for.
    """

    value: UInt8
    n_px: Int64
    confidence: Int64
    first: Int64
    contacts: Contacts


class LabelledBand(NamedTuple):
    """Rows of runs, after the row before them, and to what each run belongs."""

    start: Int64
    label: Int64
    is_last: bool


class LabelledRuns:
    """The runs of a raster and the fragment of each.

    Args:
        table: the runs.
        folder: where there is space.
        with_neighbours: whether common borders of different classes are counted, too.
    """

    def __init__(self, table: RunTable, folder: Path, *, with_neighbours: bool) -> None:
        self.table = table
        self._spool = Spool(folder, np.int32)
        self.fragments, self._fragment = self._label(with_neighbours)

    def bands(self, label_of_fragment: Array | None = None) -> Iterator[LabelledBand]:
        """Rows in bands, each with the row before it; a row without data comes before the first and after the last.

        Args:
            label_of_fragment: what is told of each run; None: its fragment.
        """
        label = self._fragment if label_of_fragment is None else label_of_fragment[self._fragment]
        stride, n_bands = self.table.stride, len(self.table.bands)
        start, labels = np.array([-stride]), np.zeros(1, np.int64)
        for index, (_, part) in enumerate(self.table.bands):
            last = np.searchsorted(start, start[-1] // stride * stride)
            start = np.concatenate([start[last:], self.table.band(index).start])
            labels = np.concatenate([labels[last:], label[self._spool.read(part)]])
            is_last = index == n_bands - 1
            if is_last:
                start, labels = np.append(start, self.table.height * stride), np.append(labels, 0)
            yield LabelledBand(start, labels, is_last)

    def close(self) -> None:
        """Give the space back."""
        self._spool.close()

    def _label(self, with_neighbours: bool) -> tuple[Fragments, Int64]:
        """Number the fragments band by band, then unite those that bands have cut."""
        stride = self.table.stride
        last = (np.array([-stride]), np.full(1, VOID, np.uint8), np.zeros(1, np.int64))
        nothing = np.zeros(1, np.int64)
        tables = [(last[1], nothing, nothing, nothing - 1)]
        contacts = []
        n = 1
        for index in range(len(self.table.bands)):
            runs = self.table.band(index)
            n_last = len(last[0])
            start, value = np.concatenate([last[0], runs.start]), np.concatenate([last[1], runs.value])
            pairs = row_pairs(start, stride)
            same = (value[pairs.above] == value[pairs.below]) & (value[pairs.below] != VOID)
            in_cell = pairs.start // stride % CELL_PX != 0
            join = same & in_cell & (pairs.above >= n_last)
            component = components(len(start), pairs.above[join], pairs.below[join])[n_last:]
            is_data = runs.value != VOID
            fragment = np.zeros(len(runs.start), np.int64)
            fragment[is_data] = np.unique(component[is_data], return_inverse=True)[1] + n
            n_new = int(fragment.max(initial=n - 1)) + 1
            tables.append(_summary(runs.start, runs.value, fragment, runs.confidence, n, n_new))
            label = np.concatenate([last[2], fragment])
            # Beside each other only across columns of the lattice, if of one class; above each other anywhere.
            beside = np.arange(n_last, len(start))
            contacts.append(
                _contacts(
                    label, value,
                    np.concatenate([pairs.above, beside - 1]), np.concatenate([pairs.below, beside]),
                    np.concatenate([pairs.end - pairs.start, np.ones_like(beside)]),
                    np.concatenate([in_cell, start[beside] % stride % CELL_PX != 0]), with_neighbours,
                )
            )  # fmt: skip
            self._spool.append(fragment)
            row = np.searchsorted(start, start[-1] // stride * stride)
            last, n = (start[row:], value[row:], label[row:]), n_new
        return _united(tables, contacts)


def _summary(
    start: Int64, value: UInt8, fragment: Int64, confidence: Int64 | None, low: int, high: int
) -> tuple[UInt8, Int64, Int64, Int64]:
    """Class, pixels, sum of confidence and first run of the fragments `low` to `high`, of runs of whole rows."""
    # The last run of each row is the one beyond the raster, which is no fragment's.
    length = np.append(np.diff(start), 1)
    numbers, place = fragment - low, fragment >= low
    n_px, total = np.zeros(high - low, np.int64), np.zeros(high - low, np.int64)
    first, kind = np.full(high - low, np.iinfo(np.int64).max), np.zeros(high - low, np.uint8)
    np.add.at(n_px, numbers[place], length[place])
    np.minimum.at(first, numbers[place], start[place])
    kind[numbers[place]] = value[place]
    if confidence is not None:
        np.add.at(total, numbers[place], confidence[place])
    return kind, n_px, total, first


def _contacts(
    label: Int64, value: UInt8, one: Array, other: Array, length: Int64, in_cell: Bool, with_neighbours: bool
) -> Contacts:
    wanted = (label[one] != label[other]) & (value[one] != VOID) & (value[other] != VOID)
    if not with_neighbours:
        wanted &= value[one] == value[other]
    return _summed(label[one[wanted]], label[other[wanted]], length[wanted], in_cell[wanted])


def _summed(one: Int64, other: Int64, length: Int64, in_cell: Bool) -> Contacts:
    """Each pair once, the smaller number first."""
    low, high = np.minimum(one, other), np.maximum(one, other)
    order = np.lexsort((in_cell, high, low))
    low, high, in_cell = low[order], high[order], in_cell[order]
    begins = np.ones(len(order), np.bool_)
    begins[1:] = (low[1:] != low[:-1]) | (high[1:] != high[:-1]) | (in_cell[1:] != in_cell[:-1])
    first = np.flatnonzero(begins)
    total = np.add.reduceat(length[order], first) if len(first) else length[:0]
    return Contacts(low[first], high[first], total, in_cell[first])


def _united(tables: list[tuple[UInt8, Int64, Int64, Int64]], parts: list[Contacts]) -> tuple[Fragments, Int64]:
    value, n_px, confidence, first = (np.concatenate(column) for column in zip(*tables, strict=True))
    contacts = Contacts(*(np.concatenate(column) for column in zip(*parts, strict=True)))
    same = contacts.in_cell & (value[contacts.one] == value[contacts.other])
    number = ranked(components(len(value), contacts.one[same], contacts.other[same]), first)
    n = int(number.max()) + 1
    kind, least = np.zeros(n, np.uint8), np.full(n, np.iinfo(np.int64).max)
    kind[number] = value
    np.minimum.at(least, number, first)
    fragments = Fragments(kind, summed(number, n_px, n), summed(number, confidence, n), least, contacts.renamed(number))
    return fragments, number


def summed(number: Int64, values: Int64, n: int) -> Int64:
    """Sum of whole numbers for each of the numbers 0 to n - 1."""
    total = np.zeros(n, np.int64)
    np.add.at(total, number, values)
    return total


def components(n: int, one: Array, other: Array) -> Int64:
    """Number the connected components of a graph of n nodes."""
    sparse, csgraph = import_extra("scipy.sparse", "vector"), import_extra("scipy.sparse.csgraph", "vector")
    graph = sparse.coo_matrix((np.ones(len(one), np.bool_), (one, other)), shape=(n, n))
    label: Array = csgraph.connected_components(graph, directed=False)[1]
    return label.astype(np.int64)


def ranked(component: Int64, first: Int64) -> Int64:
    """Number components by the least `first` of their nodes."""
    least = np.full(int(component.max()) + 1, np.iinfo(np.int64).max)
    np.minimum.at(least, component, first)
    rank = np.empty_like(least)
    rank[np.argsort(least, kind="stable")] = np.arange(len(least))
    return rank[component]
