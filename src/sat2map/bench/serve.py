"""Benchmark of the server: tiles per second, compared with what the engine and the encoding alone allow.

It starts a real server in a process of its own, and connects to it over loopback only.
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
    """Answers that clients got while they fetched a list of images.

    Attributes:
        statuses: number of answers with each HTTP status.
        seconds: time from the first try to the image, for each image.
        wall_s: time for all images.
        n_failed: images that were not received within the retries.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    wall_s: float = 0
    n_failed: int = 0

    def report(self) -> dict[str, Any]:
        """Summarise the visit: tiles per second, percentiles of the time in ms, statuses and failures."""
        p50, p95 = (1000 * np.percentile(self.seconds, [50, 95])).round(1).tolist()
        return {
            "tiles_per_s": round(len(self.seconds) / self.wall_s, 1), "p50_ms": p50, "p95_ms": p95,
            "statuses": dict(self.statuses), "n_failed": self.n_failed,
        }  # fmt: skip


@dataclass
class Running:
    """A running server on this machine."""

    port: int
    process: subprocess.Popen[str]

    def visit(self, paths: Sequence[str], n_clients: int) -> Visit:
        """Fetch images with several clients at once; an answer 503 is tried again after the time that it names.

        Args:
            paths: paths of the images.
            n_clients: number of clients.
        """
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
        """Return the resident memory of the server's process in MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024

    def cpu_s(self) -> float:
        """Return the processor time that the server's process has used so far, in seconds."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def server(scene: Path, cache: Path, *more: str) -> Iterator[Running]:
    """Run `sat2map serve` on a free port; it is stopped at the end.

    Args:
        scene: scene that it serves.
        cache: folder for the maps.
        more: further options of the command.

    Raises:
        Sat2mapError: the server does not start.
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
    """Return the name that a scene has in URLs."""
    return re.sub(r"[^a-z0-9]+", "-", scene.stem.lower()).strip("-")


def tile_paths(scene: Path, layer: str, zooms: Sequence[int] | None = None, size_px: int = 256) -> list[str]:
    """List the paths of all tiles of a scene.

    Args:
        scene: GeoTIFF.
        layer: name of the layer.
        zooms: zooms of the tiles; by default all that show the scene well.
        size_px: side of a tile.
    """
    with Reader(str(scene)) as reader:
        tiles = _tiles_of(reader, range(reader.minzoom, reader.maxzoom + 1) if zooms is None else zooms)
    start = f"/scenes/{scene_name(scene)}/{layer}/tiles/WebMercatorQuad"
    return [f"{start}/{t.z}/{t.x}/{t.y}.png?tilesize={size_px}" for t in tiles]


def _tiles_of(reader: Reader, zooms: Sequence[int]) -> list[Tile]:
    """The tiles that show something of a raster; in the corners of its bounds in degrees there may be others."""
    tiles = GRID.tiles(*reader.get_geographic_bounds("EPSG:4326"), list(zooms))
    return [tile for tile in tiles if reader.tile_exists(tile.x, tile.y, tile.z)]


def bench_serve(
    scene: Path, model: str | None, *, n_random: int, n_clients: int, seed: int, precision: WantedPrecision = "auto"
) -> dict[str, Any]:
    """Measure a server of a scene: with nothing drawn, with all of it drawn, and under load.

    Args:
        scene: GeoTIFF.
        model: name or file of the model, as `Translator.load` takes it.
        n_random: number of tiles, drawn by `seed`, that are fetched under load.
        n_clients: number of clients that fetch them.
        seed: see `n_random`.
        precision: numbers with which an 8-bit model computes.

    Returns:
        The report that `sat2map bench serve --json` prints.

    Raises:
        Sat2mapError: the server does not start.
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
            load = _load(running, random, n_clients)
        encoding_s = _encoding_cost(next(Path(folder).glob("map-*/map.tif")), finest)
    # The engine is measured last: once it has run in this process, the server takes 8 % longer, though it rests.
    engine = _engine_cost(scene, model, precision)
    allowed_s = (engine["cpu_s"] + encoding_s * len(cold.seconds)) / (os.cpu_count() or 1)
    return {
        "scene": str(scene), "n_cores": os.cpu_count(), "engine": engine, "warm": warm.report(), "load": load,
        "read_and_encode_cpu_ms": round(1000 * encoding_s, 1),
        "cold": cold.report() | {"cpu_s": round(cold_cpu_s, 1), "share_of_allowed": round(allowed_s / cold.wall_s, 3)},
    }  # fmt: skip


def _load(running: Running, paths: Sequence[str], n_clients: int) -> dict[str, Any]:
    """Fetch tiles with many clients; the first fifth of them warms the server up."""
    running.visit(paths[: len(paths) // 5], n_clients)
    early_mib = running.rss_mib()
    report = running.visit(paths[len(paths) // 5 :], n_clients).report()
    return report | {
        "n_clients": n_clients, "rss_mib_early": round(early_mib), "rss_mib_late": round(running.rss_mib())
    }  # fmt: skip


def _engine_cost(scene: Path, model: str | None, precision: WantedPrecision) -> dict[str, Any]:
    """Measure the processor time of all windows from some of them; windows at the border are smaller."""
    translator, settings = Translator.load(model), Settings(precision=precision)
    with open_scene(scene, rule=translator.stretch_rule) as source:
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
    """Measure the processor seconds that it takes to read and encode a tile of a map that is drawn."""
    with Reader(str(path)) as reader:
        tiles = _tiles_of(reader, [zoom])
    tiles = tiles[:: -(-len(tiles) // N_TIMED_TILES)]
    begun = time.process_time()
    for tile in tiles:
        with Reader(str(path)) as reader:
            image = reader.tile(tile.x, tile.y, tile.z, resampling_method="bilinear", reproject_method="bilinear")
        png_bytes(np.stack(image.data, -1))
    return (time.process_time() - begun) / len(tiles)
