"""Many short arrays of different lengths in one long one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sat2map.arrays import Int64
from sat2map.vector.spool import Spool

BATCH = 200_000
"""Elements that are worked on at once; many arrays of that length are alive at a time."""


def ragged_index(begin: Int64, count: Int64) -> tuple[Int64, Int64]:
    """Indices of consecutive elements, `count` of them from each `begin`, and the offsets of the parts.

    >>> ragged_index(np.array([5, 0]), np.array([2, 3]))
    (array([5, 6, 0, 1, 2]), array([0, 2, 5]))
    """
    offset = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
    return np.arange(offset[-1]) + np.repeat(begin - offset[:-1], count), offset


def batches(sizes: Int64, limit: int = BATCH) -> Iterator[slice]:
    """Consecutive parts whose sizes add up to at most a limit, or that have one member."""
    total = np.concatenate([[0], np.cumsum(sizes)])
    start = 0
    while start < len(sizes):
        stop = max(int(np.searchsorted(total, total[start] + limit, "right")) - 1, start + 1)
        yield slice(start, stop)
        start = stop


class Ragged:
    """Arrays of whole numbers, on the disk.

    Args:
        spool: where they are kept.
    """

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._counts: list[Int64] = []
        self._count = np.zeros(0, np.int64)
        self._begin = np.zeros(0, np.int64)

    def append(self, values: Int64, offset: Int64) -> None:
        """Add arrays: those between the offsets."""
        self._spool.append(values)
        self._counts.append(np.diff(offset))

    @property
    def count(self) -> Int64:
        """int64, shape (N,): length of each array."""
        if self._counts:
            self._count = np.concatenate([self._count, *self._counts])
            self._counts = []
            self._begin = np.cumsum(self._count) - self._count
        return self._count

    def read(self, which: Int64) -> tuple[Int64, Int64]:
        """Some of the arrays, one after the other, and the offset of each."""
        count = self.count[which]
        index, offset = ragged_index(self._begin[which], count)
        return self._spool.read(index), offset

    def ends(self) -> tuple[Int64, Int64]:
        """The first and the last element of each array."""
        count = self.count
        return self._spool.read(self._begin), self._spool.read(self._begin + count - 1)

    def close(self) -> None:
        """Give the space back."""
        self._spool.close()
