"""Synthetic landscapes seen from above, each with its exact map: all that is no city; never real ground."""

from sat2map.landscape.kinds import NAMES, drawn_name, landscape
from sat2map.landscape.write import write_pairs, write_scene

__all__ = ["NAMES", "drawn_name", "landscape", "write_pairs", "write_scene"]
