"""A large extract is streamed: what is kept is what lies near the scene."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ..peak import PRINT_PEAK_MIB

NODES_PER_WAY = 20
DRAW = """
import sys
from pathlib import Path
from rasterio import Affine
from rasterio.crs import CRS
from sat2map.scene.georeference import Grid
from sat2map.vector.draw import open_vector_map
from sat2map.vector.draw_style import load_style
grid = Grid(1000, 1000, CRS.from_epsg(32635), Affine(1, 0, 385000, 0, -1, 6671500))
print("drawn", open_vector_map([Path(sys.argv[1])], load_style("osm"), grid, "scene.tif").counts.n_drawn)
"""


def write_extract(path: Path, n_ways: int) -> None:
    """Streets strewn over four degrees of longitude, of which few are near the scene."""
    import osmium

    rng = np.random.default_rng(0)
    starts = np.stack((rng.uniform(23, 27, n_ways), rng.uniform(59, 61, n_ways)), -1)
    starts[:100] = rng.uniform(-0.004, 0.004, (100, 2)) + np.array([24.94, 60.16])
    steps = rng.normal(0, 2e-4, (n_ways, NODES_PER_WAY, 2)).cumsum(1)
    points = (starts[:, None] + steps).reshape(-1, 2)
    with osmium.SimpleWriter(str(path)) as writer:
        for i, (x, y) in enumerate(points.tolist(), start=1):
            writer.add_node(osmium.osm.mutable.Node(id=i, location=(x, y)))
        for i in range(n_ways):
            nodes = list(range(i * NODES_PER_WAY + 1, (i + 1) * NODES_PER_WAY + 1))
            writer.add_way(
                osmium.osm.mutable.Way(id=i + 1, nodes=nodes, tags={"highway": "residential", "name": f"{i}"})
            )


def peak_mib(path: Path) -> int:
    command = [sys.executable, "-c", DRAW + PRINT_PEAK_MIB, str(path)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert int(said[said.index("drawn") + 1]) >= 100
    return int(said[said.index("peak") + 1])


@pytest.mark.slow
def test_extract_ten_times_as_large_takes_hardly_more_memory(tmp_path: Path) -> None:
    sizes_mb, peaks_mib = [], []
    for n_ways in (200_000, 2_000_000):
        path = tmp_path / f"{n_ways}.osm.pbf"
        write_extract(path, n_ways)
        sizes_mb.append(path.stat().st_size / 1e6)
        peaks_mib.append(peak_mib(path))
    assert sizes_mb[0] > 15
    assert sizes_mb[1] > 9 * sizes_mb[0]
    # GDAL's index of nodes is in memory up to 100 MB, and beyond that in a file.
    assert peaks_mib[1] < peaks_mib[0] + 250
