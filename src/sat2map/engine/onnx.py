"""The engine for ONNX files, which runs ONNX Runtime on the processor."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sat2map.arrays import UInt8
from sat2map.errors import ModelFileError
from sat2map.model.card import Precision, WantedPrecision
from sat2map.model.onnx_file import SWITCH, check_float32, open_session


class OnnxEngine:
    """Runs the model of an ONNX file; an `Engine`.

    Args:
        path: the ONNX file.
        n_threads: threads of one run; by default one for each core.
        precision: of an 8-bit model; other models have floats alone.

    Raises:
        ModelFileError: the file is missing, broken, or no model of sat2map.
    """

    def __init__(self, path: Path, n_threads: int | None = None, precision: Precision = "int8") -> None:
        self._arguments = path.absolute(), n_threads, precision
        self._session, self.card = open_session(path, n_threads, precision)
        self.precision: Precision = precision if self.card.precision == "int8" else "float32"
        self._n_threads, self._others = n_threads, {self.precision: self}
        self._shared: dict[int, OnnxEngine] = {}
        switches = {switch.name for switch in self._session.get_overridable_initializers()}
        names = [port.name for port in self._session.get_outputs()]
        self._switches = {name: SWITCH.format(name) for name in names if SWITCH.format(name) in switches}
        self._path, self.outputs = path, tuple(names)

    def __reduce__(self) -> tuple[type[OnnxEngine], tuple[Path, int | None, Precision]]:
        """Cross to another process, or be copied, as the file that is opened there: a session cannot be."""
        return OnnxEngine, self._arguments

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

    def with_precision(self, precision: WantedPrecision) -> OnnxEngine:
        """See `Engine.with_precision`."""
        if self.card.precision == "float32":
            check_float32(precision, self._path)
            return self
        if precision == "auto":
            from sat2map.engine.precision import fastest_precision

            precision = fastest_precision(self._path, self._n_threads)
        if precision not in self._others:
            other = OnnxEngine(self._path, self._n_threads, precision)
            other._others = self._others
            self._others[precision] = other
        return self._others[precision]

    def shared_by(self, n_runs: int) -> OnnxEngine | None:
        """See `Engine.shared_by`."""
        n_threads = (self._n_threads or os.cpu_count() or 1) // n_runs
        # In floats a window takes twice the memory.
        if not n_threads or self.precision != "int8":
            return None
        if n_runs not in self._shared:
            self._shared[n_runs] = OnnxEngine(self._path, n_threads, self.precision)
        return self._shared[n_runs]
