"""Synthetic cities seen from above, each with its exact map, for demos, tests and benchmarks; never real ground."""

from sat2map.city.draw import City, city
from sat2map.city.options import CityOptions
from sat2map.city.write import truth_path, write_drawn, write_pairs, write_scene

__all__ = ["City", "CityOptions", "city", "truth_path", "write_drawn", "write_pairs", "write_scene"]
