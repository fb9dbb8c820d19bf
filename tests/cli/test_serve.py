"""`sat2map serve` from outside: what it says, and how it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from click.testing import CliRunner

from sat2map.cli.main import sat2map

from ..scene.rasters import PLACE, random_bands, write_raster


def test_port_in_use_is_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = CliRunner().invoke(sat2map, ["serve", "--port", str(taken.getsockname()[1])])
    assert result.exit_code == 2
    assert result.stderr.startswith("error: cannot listen there (address already in use): '127.0.0.1:")
    assert "hint: --port 0" in result.stderr


@pytest.mark.parametrize(
    ("scene", "said"),
    [("missing.tif", "no such file"), (".", "raster cannot be opened"), ("notes.tif", "raster cannot be opened")],
)
def test_scene_that_cannot_be_served_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scene: str, said: str
) -> None:
    (tmp_path / "notes.tif").write_text("no raster")
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(sat2map, ["serve", scene, "--port", "0", "--cache", "cache"])
    assert result.exit_code == 2
    assert f"error: {said}" in result.stderr
    assert "Traceback" not in result.output


def test_cache_that_is_too_small_is_one_line(tmp_path: Path) -> None:
    scene = write_raster(tmp_path / "scene.tif", random_bands(3, 600, 600), photometric="RGB", **PLACE)
    command = ["serve", str(scene), "--port", "0", "--cache", str(tmp_path / "cache"), "--cache-gib", "0.0001"]
    result = CliRunner().invoke(sat2map, command)
    assert result.exit_code == 2
    assert "the cache may take" in result.stderr
    assert "--cache-gib" in result.stderr


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_server_says_where_it_is_and_stops_when_it_is_told(tmp_path: Path) -> None:
    scene = write_raster(tmp_path / "scene.tif", random_bands(3, 100, 100), photometric="RGB", **PLACE)
    command = ["serve", str(scene), "--port", "0", "--cache", str(tmp_path / "cache"), "--verbose"]
    with subprocess.Popen(
        [sys.executable, "-c", "from sat2map.cli.main import main; main()", *command],
        stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        found = None
        for line in process.stderr:
            if found := re.search(r"the live map is at (http://127\.0\.0\.1:\d+/)", line):
                break
        assert found
        with urllib.request.urlopen(f"{found[1]}health", timeout=60) as answer:
            assert json.load(answer)["status"] == "ok"
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
        assert process.wait(60) in (0, 130)
    assert '"path": "/health"' in rest
    assert "Traceback" not in rest
