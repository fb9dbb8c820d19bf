"""Small areas given to their neighbours: in an order and to neighbours that no tiling changes."""

from __future__ import annotations

import heapq
from collections import defaultdict

import numpy as np

from sat2map.arrays import Int64, UInt8


class Dissolving:
    """Areas of which the small ones are given away, the smallest first, of equals the one with the first pixel.

    An area goes to the neighbour with the longest common border (of equals, to the first), and takes its class; so
    neighbours of that class that it kept apart become one area with it. An area without neighbours stays.

    Args:
        value: uint8, shape (A,): class of each area; areas are numbered by their first pixels, 0 being none.
        n_px: int64, shape (A,): its pixels.
        least_px: areas of fewer are given away.
    """

    def __init__(self, value: UInt8, n_px: Int64, least_px: int) -> None:
        self._value, self._n_px, self._least_px = value.tolist(), n_px.tolist(), least_px
        self._root = list(range(len(value)))
        self._borders: dict[int, list[tuple[int, int]]] = {}
        """Neighbours of each small area and the length of the border; numbers may be of areas that are given away."""

    def run(self, one: Int64, other: Int64, length_px: Int64) -> tuple[Int64, UInt8]:
        """Give the small areas away.

        Args:
            one: int64, shape (C,): one of two areas with a common border.
            other: int64, shape (C,).
            length_px: int64, shape (C,).

        Returns:
            For each area the one that it is part of now, and the class of each.
        """
        small = np.array(self._n_px) < self._least_px
        for mine, its in ((one, other), (other, one)):
            wanted = small[mine]
            for area, neighbour, length in zip(
                mine[wanted].tolist(), its[wanted].tolist(), length_px[wanted].tolist(), strict=True
            ):
                self._borders.setdefault(area, []).append((neighbour, length))
        waiting = [(self._n_px[area], area) for area in self._borders]
        heapq.heapify(waiting)
        while waiting:
            n_px, area = heapq.heappop(waiting)
            if self._root[area] == area and self._n_px[area] == n_px:
                grown = self._give_away(area)
                if grown is not None and self._n_px[grown] < self._least_px:
                    heapq.heappush(waiting, (self._n_px[grown], grown))
        root = np.array([self._find(area) for area in range(len(self._root))], np.int64)
        return root, np.array(self._value, np.uint8)[root]

    def _find(self, area: int) -> int:
        while self._root[area] != area:
            self._root[area] = area = self._root[self._root[area]]
        return area

    def _give_away(self, area: int) -> int | None:
        """Give an area to a neighbour, and tell which area the two are now."""
        lengths: defaultdict[int, int] = defaultdict(int)
        for neighbour, length in self._borders.pop(area):
            lengths[self._find(neighbour)] += length
        lengths.pop(area, None)
        if not lengths:
            return None
        chosen = min(lengths, key=lambda neighbour: (-lengths[neighbour], neighbour))
        value = self._value[chosen]
        together = [area, *(n for n in lengths if self._value[n] == value)]
        whole = min(together)
        borders = [(n, length) for n, length in lengths.items() if self._value[n] != value]
        for part in together:
            borders += self._borders.pop(part, [])
            self._root[part] = whole
        self._n_px[whole] = sum(self._n_px[part] for part in together)
        self._value[whole] = value
        if self._n_px[whole] < self._least_px:
            self._borders[whole] = borders
        return whole
