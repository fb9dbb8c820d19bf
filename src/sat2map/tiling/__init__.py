"""Tiling: core windows, read windows and margins, so that windows give the same map as the whole scene."""

from sat2map.tiling.blend import blended
from sat2map.tiling.seams import Difference, border_ratio, difference
from sat2map.tiling.windows import TiledWindow, Window, padded_size, plan, read_padded, translate_windows

__all__ = [
    "Difference", "TiledWindow", "Window", "blended", "border_ratio", "difference", "padded_size", "plan",
    "read_padded", "translate_windows",
]  # fmt: skip
