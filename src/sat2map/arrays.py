"""Names for the types of arrays, once for the whole package; numpy only."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
"""An array of any type."""
UInt8 = npt.NDArray[np.uint8]
"""Images as bytes, 0..255."""
Bool = npt.NDArray[np.bool_]
"""Masks: true where there is data, or where something is the case."""
Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
