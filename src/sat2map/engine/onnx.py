"""The engine for ONNX files, which runs ONNX Runtime on the processor."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sat2map.arrays import UInt8
from sat2map.errors import ModelFileError
from sat2map.model.onnx_file import SWITCH, open_session


class OnnxEngine:
    """Runs the model of an ONNX file; an `Engine`.

    Args:
        path: the ONNX file.
        n_threads: threads of one run; by default one for each core.

    Raises:
        ModelFileError: the file is missing, broken, or no model of sat2map.
    """

    def __init__(self, path: Path, n_threads: int | None = None) -> None:
        self._session, self.card = open_session(path, n_threads)
        switches = {switch.name for switch in self._session.get_overridable_initializers()}
        names = [port.name for port in self._session.get_outputs()]
        self._switches = {name: SWITCH.format(name) for name in names if SWITCH.format(name) in switches}
        self._path, self.outputs = path, tuple(names)

    def run(self, sat_bhwc: UInt8, head: str) -> UInt8:
        """See `Engine.run`."""
        return self.run_outputs(sat_bhwc, [head])[head]

    def run_outputs(self, sat_bhwc: UInt8, outputs: Sequence[str]) -> dict[str, UInt8]:
        """See `Engine.run_outputs`."""
        # Without the switches the other outputs would be computed too, and discarded.
        wanted = {switch: np.array(name in outputs) for name, switch in self._switches.items()}
        answers: list[UInt8] = self._session.run(list(outputs), {"satellite": sat_bhwc, **wanted})
        return dict(zip(outputs, answers, strict=True))

    def with_instance_normalization(self) -> OnnxEngine:
        """See `Engine.with_instance_normalization`."""
        raise ModelFileError(
            "normalization of an exported model is fixed", self._path, hint="give the .safetensors file of the model"
        )
