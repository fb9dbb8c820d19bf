"""Areas of the classes of a map: its pixels are counted window by window, as far as it is drawn."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sat2map.scene.gsd import ground_gsd
from sat2map.serve.sparse_map import SparseMap
from sat2map.tiling import Window
from sat2map.vector.class_file import ColourTable

STRIP_ROWS = 256
"""Rows that are classified at once."""

Counts = npt.NDArray[np.float64]


class CountedAreas(NamedTuple):
    """What a part of a scene consists of, as far as its map is drawn.

    Attributes:
        n_px: pixels of each class, shape (number of classes,).
        area_m2: square metres on the ground of each class, of the same shape; None: the size of a pixel is unknown.
        n_masked_px: pixels that hold no data.
        n_windows: windows of the plan that the part meets.
        n_windows_done: those of them that are drawn.
    """

    n_px: Counts
    area_m2: Counts | None
    n_masked_px: int
    n_windows: int
    n_windows_done: int


class AreaCounter:
    """Counts the pixels of each class of a map; whole windows are counted once and remembered.

    Args:
        sparse_map: the map.
        colours: classes of the colours of the map.
        n_classes: of the map.
        gsd_m: metres on the ground per pixel, as the user says; None: as the georeference says.
        has_georeference: whether the scene itself has a georeference: that of `sparse_map` may be made up.
    """

    def __init__(
        self, sparse_map: SparseMap, colours: ColourTable, n_classes: int, gsd_m: float | None, *,
        has_georeference: bool,
    ) -> None:  # fmt: skip
        self._sparse_map, self._gsd_m, self._has_georeference = sparse_map, gsd_m, has_georeference
        self._colours, self._n_classes = colours, n_classes
        self._known: dict[int, tuple[Counts, Counts, int]] = {}

    def areas(self, window: Window) -> CountedAreas:
        """Count what is drawn of a window of the scene.

        Raises:
            SceneError: the scene is not shown any more.
        """
        n_px, area_m2 = np.zeros(self._n_classes), np.zeros(self._n_classes)
        n_masked, n_done, touched = 0, 0, list(self._sparse_map.touched(window))
        for index in touched:
            if not self._sparse_map.is_done(index):
                continue
            part = self._sparse_map.windows[index].intersection(window)
            counts, counted_m2, masked = self._counted(index, part)
            n_px += counts
            area_m2 += counted_m2
            n_masked, n_done = n_masked + masked, n_done + 1
        is_known = self._gsd_m is not None or self._has_georeference
        return CountedAreas(n_px, area_m2 if is_known else None, n_masked, len(touched), n_done)

    def _counted(self, index: int, part: Window) -> tuple[Counts, Counts, int]:
        if part != self._sparse_map.windows[index]:
            return self._count(part)
        if index not in self._known:
            self._known[index] = self._count(part)
        return self._known[index]

    def _count(self, window: Window) -> tuple[Counts, Counts, int]:
        """Pixels and square metres of each class, and pixels without data."""
        counts, n_masked = np.zeros(self._n_classes), 0
        for strip in window.strips(STRIP_ROWS):
            rgb_hwc, valid = self._sparse_map.read(strip)
            classes = self._colours.classify(np.moveaxis(rgb_hwc, -1, 0))
            if valid is not None:
                classes, n_masked = classes[valid], n_masked + int((~valid).sum())
            counts += np.bincount(classes.ravel(), minlength=self._n_classes)
        return counts, counts * self._pixel_m2(window), n_masked

    def _pixel_m2(self, window: Window) -> float:
        """Square metres of a pixel, which in degrees and on Web Mercator differ from place to place."""
        if self._gsd_m is not None:
            return self._gsd_m**2
        sides_m = ground_gsd(self._sparse_map.grid.part(window))
        return 0.0 if sides_m is None else sides_m[0] * sides_m[1]
