"""Models in ONNX Runtime, on the processor."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from sat2map.model.onnx_file import SWITCH, open_session

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
        known = {switch.name for switch in self._session.get_overridable_initializers()}
        self._switches = {name: SWITCH.format(name) for name in self.card.outputs if SWITCH.format(name) in known}

    def run(self, sat_bhwc: UInt8, output: str) -> UInt8:
        """See `Engine.run`."""
        # The other outputs would be computed too, and thrown away.
        wanted = {switch: np.array(name == output) for name, switch in self._switches.items()}
        maps: UInt8 = self._session.run([output], {"satellite": sat_bhwc, **wanted})[0]
        return maps
