"""The live map in a notebook."""

from __future__ import annotations

import asyncio
import gc
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

import sat2map
from sat2map.serve.settings import ServeSettings
from sat2map.translate import Translator

from .served import QuickEngine, write_scene


@pytest.fixture
def live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[sat2map.LiveMap]:
    monkeypatch.setattr(Translator, "load", classmethod(lambda cls, *_: cls(QuickEngine())))
    scenes = [write_scene(tmp_path / f"{name}.tif", 100, 100) for name in ("north", "south")]
    settings = ServeSettings(port=0, cache=tmp_path / "cache")
    with sat2map.LiveMap(*scenes, settings=settings, pages=["https://lab.example.org"], height_px=300) as made:
        yield made


def answer(url: str) -> tuple[int, str, bytes]:
    with urllib.request.urlopen(url, timeout=60) as response:
        return response.status, response.headers["content-security-policy"], response.read()


def test_live_map_is_there_and_may_be_framed_by_the_notebook(live: sat2map.LiveMap) -> None:
    status, policy, page = answer(live.url)
    assert (status, b"<title>" in page) == (200, True)
    assert policy.endswith("frame-ancestors https://lab.example.org")
    html = live._repr_html_()
    assert html is not None
    assert html.startswith(f'<iframe src="{live.url}"')
    assert "height:300px" in html


def test_tiles_of_each_scene_have_an_address(live: sat2map.LiveMap) -> None:
    assert list(live.tiles) == ["north", "south"]
    url = live.tiles["south"].format(z=0, x=0, y=0)
    assert answer(url)[2].startswith(b"\x89PNG")


def test_closed_live_map_is_gone(live: sat2map.LiveMap) -> None:
    live.close()
    live.close()
    assert live._repr_html_() is None
    assert repr(live) == f"LiveMap({live.url}, closed)"
    with pytest.raises(urllib.error.URLError):
        answer(live.url)


def test_live_map_that_is_closed_while_it_starts_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start = uvicorn.Server.startup

    async def start_late(server: uvicorn.Server, **how: Any) -> None:
        while not server.should_exit:
            await asyncio.sleep(0.01)
        await start(server, **how)

    monkeypatch.setattr(uvicorn.Server, "startup", start_late)
    monkeypatch.setattr(Translator, "load", classmethod(lambda cls, *_: cls(QuickEngine())))
    made = sat2map.LiveMap(settings=ServeSettings(port=0, cache=tmp_path / "cache"))
    made.close()
    with pytest.raises(urllib.error.URLError):
        answer(made.url)


def test_live_map_that_nothing_refers_to_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Translator, "load", classmethod(lambda cls, *_: cls(QuickEngine())))
    made = sat2map.LiveMap(settings=ServeSettings(port=0, cache=tmp_path / "cache"))
    url = made.url
    assert answer(url)[0] == 200
    del made
    gc.collect()
    with pytest.raises(urllib.error.URLError):
        answer(url)
