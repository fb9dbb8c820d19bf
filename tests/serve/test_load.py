"""Many clients at once, and a server that is killed while it draws; both on a real server with the bundled model."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import numpy as np
import pytest
import rasterio

from sat2map.bench.serve import server, tile_paths
from sat2map.translate import Translator

from .served import write_scene

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

N_CLIENTS, N_TILES, N_EARLY = 64, 5000, 1000


def test_every_tile_comes_and_memory_stays_under_64_clients(tmp_path: Path) -> None:
    scene = write_scene(tmp_path / "scene.tif", 2500, 2500)
    paths = np.random.default_rng(0).choice(tile_paths(scene, "map"), N_TILES).tolist()
    # The encoded tiles are bounded too: full before the first look.
    with server(scene, tmp_path / "cache") as running:
        early = running.visit(paths[:N_EARLY], N_CLIENTS)
        early_mib = running.rss_mib()
        late = running.visit(paths[N_EARLY:], N_CLIENTS)
        late_mib = running.rss_mib()
        assert early.n_failed == late.n_failed == 0
        assert set(early.statuses) | set(late.statuses) <= {200, 503}
        assert late_mib <= 1.1 * early_mib, (early_mib, late_mib)
        assert set(running.visit(["/health", "/scenes/scene"], 1).statuses) == {200}


def test_server_killed_while_it_draws_starts_again_on_right_pixels(tmp_path: Path) -> None:
    scene = write_scene(tmp_path / "scene.tif", 2500, 2500)
    paths = tile_paths(scene, "map", [17], 512)
    for n_seconds in (3, 6):
        with server(scene, tmp_path / "cache") as running:
            for path in paths[::4]:  # not waited for
                running.visit([f"{path}&wait=false"], 1)
            time.sleep(n_seconds)
            running.process.send_signal(signal.SIGKILL)
            running.process.wait()
    with server(scene, tmp_path / "cache") as running:
        assert running.visit(paths, 4).n_failed == 0
    Translator.load().translate_file(scene, tmp_path / "map.tif")
    with (
        rasterio.open(next((tmp_path / "cache").glob("map-*/map.tif"))) as drawn,
        rasterio.open(tmp_path / "map.tif") as wanted,
    ):
        np.testing.assert_array_equal(drawn.read(), wanted.read())
    for level in (0, 1):
        with (
            rasterio.open(next((tmp_path / "cache").glob("map-*/map.tif")), overview_level=level) as drawn,
            rasterio.open(tmp_path / "map.tif", overview_level=level) as wanted,
        ):
            np.testing.assert_array_equal(drawn.read(), wanted.read())
