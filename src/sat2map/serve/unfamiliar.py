"""How much of what is drawn of a scene looks unlike the model's training data: counts of each window, kept on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sat2map.arrays import Bool, UInt8
from sat2map.scene.model_grid import ModelGrid
from sat2map.serve.sparse_map import SparseMap
from sat2map.tiling import Window
from sat2map.translate.familiarity import UnfamiliarShare, block_px_of

FILE = "unfamiliar"


class UnfamiliarWindows:
    """The unfamiliar share of each window of a sparse map, and of all of them that are drawn.

    Args:
        sparse_map: of the map; the counts lie in its folder.
        grid: the pixels that the model sees of the scene.
    """

    def __init__(self, sparse_map: SparseMap, grid: ModelGrid) -> None:
        self._sparse_map, self._block_px = sparse_map, block_px_of(grid)
        self._path: Path = sparse_map.folder / FILE
        shape = len(sparse_map.windows), 2
        kept = np.fromfile(self._path, np.float32) if self._path.exists() else np.zeros(0, np.float32)
        self._counts = kept.reshape(shape) if kept.size == shape[0] * 2 else np.zeros(shape, np.float32)

    def add(self, index: int, familiarity_hw: UInt8, valid: Bool | None) -> None:
        """Keep the share of a window, before it is marked as drawn.

        Args:
            index: of the window.
            familiarity_hw: uint8, shape (h, w), 1..255.
            valid: bool, shape (h, w); None: all pixels are valid.
        """
        height, width = familiarity_hw.shape
        share = UnfamiliarShare(height, width, self._block_px)
        share.add(Window(0, 0, height, width), familiarity_hw if valid is None else familiarity_hw * valid)
        self._counts[index] = share.share, height * width if valid is None else valid.sum()
        work = self._path.with_suffix(".part")
        self._counts.tofile(work)
        work.replace(self._path)

    @property
    def share(self) -> float | None:
        """Share of the valid pixels that are drawn; None: there are none yet."""
        done = [i for i in range(len(self._counts)) if self._sparse_map.is_done(i)]
        shares, counts = self._counts[done].T
        return float(shares @ counts / counts.sum()) if counts.sum() else None
