"""The demo, and one tile of its city from a server: what must work wherever Python does.

Needs the extras `eval` and `serve`.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.request import urlopen

from morecantile import tms

SAT2MAP = [sys.executable, "-m", "sat2map"]
LAYER = "/scenes/city/map"


def fetch(address: str) -> bytes:
    """What lies at an address of this machine."""
    with urlopen(address, timeout=120) as response:
        content: bytes = response.read()
        return content


def tile_of_the_middle(base: str) -> bytes:
    """The map's tile in which the middle of the scene lies."""
    described = json.loads(fetch(f"{base}{LAYER}/WebMercatorQuad/tilejson.json"))
    west, south, east, north = described["bounds"]
    tile = tms.get("WebMercatorQuad").tile((west + east) / 2, (south + north) / 2, described["maxzoom"])
    return fetch(f"{base}{LAYER}/tiles/WebMercatorQuad/{tile.z}/{tile.x}/{tile.y}.png")


def main() -> None:
    """Draw, serve, fetch, stop."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        subprocess.run([*SAT2MAP, "demo", "-o", str(folder)], check=True)
        command = [*SAT2MAP, "serve", str(folder / "city.tif"), "--port", "0", "--cache", str(folder / "cache")]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
            try:
                assert server.stderr is not None
                said = server.stderr.readline()
                found = re.search(r"http://[\d.]+:\d+", said)
                assert found is not None, said
                tile = tile_of_the_middle(found[0])
            finally:
                server.terminate()
    assert tile.startswith(b"\x89PNG"), tile[:80]
    print(f"a tile of {len(tile)} bytes")


if __name__ == "__main__":
    main()
