"""Tiling: core windows, read windows and margins, by which a scene drawn in windows equals one drawn whole."""

from sat2map.tiling.blending import blended
from sat2map.tiling.seam_metrics import Difference, border_ratio, difference
from sat2map.tiling.seamless import TiledWindow, Window, padded_size, plan, plan_even, read_padded, translate_windows

__all__ = [
    "Difference", "TiledWindow", "Window", "blended", "border_ratio", "difference", "padded_size", "plan",
    "plan_even", "read_padded", "translate_windows",
]  # fmt: skip
