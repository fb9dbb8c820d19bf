"""What the live map's server does in a second, beside what the engine and the encoding alone would allow.

It drives a real server, a process of its own, over loopback, and no other address.
"""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from morecantile import Tile, tms
from rio_tiler.io import Reader

from sat2map.errors import Sat2mapError
from sat2map.model.card import WantedPrecision
from sat2map.scene.formats import png_bytes
from sat2map.scene.source import open_scene
from sat2map.translate import Settings, Translator

GRID = tms.get("WebMercatorQuad")
PATIENCE_S = 600
N_TIMED_WINDOWS = 4
N_TIMED_TILES = 40
RETRIES = 200


@dataclass
class Visit:
    """What clients saw.

    Attributes:
        statuses: how often each was answered.
        seconds: from the first try to the image, for each tile.
        wall_s: of all of it.
        n_failed: tiles that did not come within the retries.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    wall_s: float = 0
    n_failed: int = 0

    def report(self) -> dict[str, Any]:
        """Figures."""
        p50, p95 = (1000 * np.percentile(self.seconds, [50, 95])).round(1).tolist()
        return {
            "tiles_per_s": round(len(self.seconds) / self.wall_s, 1), "p50_ms": p50, "p95_ms": p95,
            "statuses": dict(self.statuses), "n_failed": self.n_failed,
        }  # fmt: skip


@dataclass
class Running:
    """A server that runs."""

    port: int
    process: subprocess.Popen[str]

    def visit(self, paths: Sequence[str], n_clients: int) -> Visit:
        """Fetch images by several clients at once, each again when it is told 503 and after what time."""
        visit, begun = Visit(), time.perf_counter()
        shares = [paths[i::n_clients] for i in range(n_clients)]
        with ThreadPoolExecutor(n_clients) as clients:
            list(clients.map(lambda share: self._client(share, visit), shares))
        visit.wall_s = time.perf_counter() - begun
        return visit

    def _client(self, paths: Sequence[str], visit: Visit) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        for path in paths:
            begun = time.perf_counter()
            for _ in range(RETRIES):
                connection.request("GET", path)
                response = connection.getresponse()
                response.read()
                visit.statuses[response.status] += 1
                if response.status != 503:
                    break
                time.sleep(float(response.headers["Retry-After"]))
            visit.seconds.append(time.perf_counter() - begun)
            visit.n_failed += response.status != 200
        connection.close()

    def rss_mib(self) -> float:
        """Memory of the process."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024

    def cpu_s(self) -> float:
        """Processor time of the process so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def server(scene: Path, cache: Path, *more: str) -> Iterator[Running]:
    """`sat2map serve` on a free port, until it is no longer needed.

    Raises:
        Sat2mapError: it does not start.
    """
    command = [sys.executable, "-c", "from sat2map.cli.main import main; main()", "serve", str(scene)]
    command += ["--port", "0", "--cache", str(cache), *more]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = process.stderr.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)/", said)
        if found is None:
            process.kill()
            raise Sat2mapError("server does not start", said.strip(), hint=f"sat2map serve {scene}")
        running = Running(int(found[1]), process)
        try:
            running.visit(["/health"], 1)
            yield running
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()


def scene_name(scene: Path) -> str:
    """As it is in URLs."""
    return re.sub(r"[^a-z0-9]+", "-", scene.stem.lower()).strip("-")


def tile_paths(scene: Path, layer: str, zooms: Sequence[int] | None = None, size_px: int = 256) -> list[str]:
    """Addresses of all tiles of a scene, at some zooms; by default at all that show it well."""
    with Reader(str(scene)) as reader:
        west, south, east, north = reader.get_geographic_bounds("EPSG:4326")
        wanted = range(reader.minzoom, reader.maxzoom + 1) if zooms is None else zooms
    start = f"/scenes/{scene_name(scene)}/{layer}/tiles/WebMercatorQuad"
    return [
        f"{start}/{t.z}/{t.x}/{t.y}.png?tilesize={size_px}" for t in GRID.tiles(west, south, east, north, list(wanted))
    ]


def bench_serve(
    scene: Path, model: str | None, *, n_random: int, n_clients: int, seed: int, precision: WantedPrecision = "auto"
) -> dict[str, Any]:
    """Measure a server of a scene.

    Args:
        scene: GeoTIFF.
        model: as `Translator.load` takes it.
        n_random: tiles that many clients fetch at random.
        n_clients: how many those are.
        seed: of the tiles.
        precision: with what numbers an 8-bit model computes.
    """
    options = ["--precision", precision, *(["--model", model] if model else [])]
    with Reader(str(scene)) as reader:
        finest = reader.maxzoom
    every = tile_paths(scene, "map")
    random = np.random.default_rng(seed).choice(every, n_random).tolist()
    with tempfile.TemporaryDirectory(prefix="sat2map-bench-") as folder:
        with server(scene, Path(folder), *options) as running:
            begun_s = running.cpu_s()
            cold = running.visit(tile_paths(scene, "map", [finest]), 4)
            cold_cpu_s = running.cpu_s() - begun_s
            warm = [running.visit(tile_paths(scene, "map", [finest]), 4) for _ in range(2)][-1]
            running.visit(random[: n_random // 5], n_clients)
            early_mib = running.rss_mib()
            load = running.visit(random[n_random // 5 :], n_clients)
            late_mib = running.rss_mib()
        encoding_s = _encoding_cost(next(Path(folder).glob("map-*/map.tif")), finest)
    # Last: beside an engine that has run in this process, though it rests, the server takes 8 % longer.
    engine = _engine_cost(scene, model, precision)
    n_tiles = len(cold.seconds)
    allowed_s = (engine["cpu_s"] + encoding_s * n_tiles) / (os.cpu_count() or 1)
    return {
        "scene": str(scene), "n_cores": os.cpu_count(), "engine": engine,
        "read_and_encode_cpu_ms": round(1000 * encoding_s, 1),
        "cold": cold.report() | {"cpu_s": round(cold_cpu_s, 1), "share_of_allowed": round(allowed_s / cold.wall_s, 3)},
        "warm": warm.report(),
        "load": load.report() | {
            "n_clients": n_clients, "rss_mib_early": round(early_mib), "rss_mib_late": round(late_mib)
        },
    }  # fmt: skip


def _engine_cost(scene: Path, model: str | None, precision: WantedPrecision) -> dict[str, Any]:
    """Processor time of the windows, some of them drawn alone; those at the border are smaller."""
    translator, settings = Translator.load(model), Settings(precision=precision)
    with open_scene(scene, translator.reading()) as source:
        drawing = translator.drawing(source, settings)
        windows = drawing.plan.windows
        timed = windows[:: -(-len(windows) // N_TIMED_WINDOWS)]
        drawing.draw(timed[0])
        begun, begun_cpu = time.perf_counter(), time.process_time()
        for window in timed:
            drawing.draw(window)
        wall, cpu = time.perf_counter() - begun, time.process_time() - begun_cpu
        n_px = sum(window.height * window.width for window in map(drawing.scene_window, timed))
    share = sum(w.read.height * w.read.width for w in timed) / drawing.plan.n_read_px
    return {
        "n_windows": len(windows), "cpu_s": round(cpu / share, 2), "cpu_s_per_window": round(cpu / len(timed), 2),
        "mpx_per_s": round(n_px / wall / 1e6, 2),
    }  # fmt: skip


def _encoding_cost(path: Path, zoom: int) -> float:
    """Processor seconds to read and encode a tile of a map that is drawn."""
    with Reader(str(path)) as reader:
        west, south, east, north = reader.get_geographic_bounds("EPSG:4326")
    tiles: list[Tile] = list(GRID.tiles(west, south, east, north, [zoom]))
    tiles = tiles[:: -(-len(tiles) // N_TIMED_TILES)]
    begun = time.process_time()
    for tile in tiles:
        with Reader(str(path)) as reader:
            image = reader.tile(tile.x, tile.y, tile.z, resampling_method="bilinear", reproject_method="bilinear")
        png_bytes(np.stack(image.data, -1))
    return (time.process_time() - begun) / len(tiles)
