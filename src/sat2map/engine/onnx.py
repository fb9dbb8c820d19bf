"""Models in ONNX Runtime, on the processor."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime

from sat2map.model.onnx_file import open_session

UInt8 = npt.NDArray[np.uint8]


class OnnxEngine:
    """An `Engine` on an ONNX file.

    Args:
        path: of the file.
        n_threads: threads of one run; by default one for each core.

    Raises:
        ModelFileError: the file is missing, broken or foreign.
    """

    def __init__(self, path: Path, n_threads: int | None = None) -> None:
        self._session, self.card = open_session(path, n_threads)
        self._options = onnxruntime.RunOptions()
        # Without this the graph's other outputs are computed too, and thrown away.
        self._options.only_execute_path_to_fetches = True
        # What a large window took is given back; otherwise the largest ever seen stays.
        self._options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")

    def run(self, sat_bhwc: UInt8, output: str) -> UInt8:
        """See `Engine.run`."""
        maps: UInt8 = self._session.run([output], {"satellite": sat_bhwc}, self._options)[0]
        return maps
