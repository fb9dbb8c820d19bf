"""The page in a real browser: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import uvicorn
from PIL import Image

from sat2map.serve.app import create_app
from sat2map.serve.filling import Filler
from sat2map.serve.scenes import Scenes
from sat2map.serve.settings import ServeSettings
from sat2map.translate import Translator

from ..need import need
from .served import SMALL, QuickEngine, ground, write_scene

pytestmark = pytest.mark.slow

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
SIZES = {"desk": (1200, 760), "phone": (390, 780)}
PATIENCE_MS = 60_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    need("browser", CHROMIUM and find_spec("playwright"), "apt-get install chromium, pip install playwright")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@contextmanager
def running(app: Any) -> Iterator[str]:
    """The application on a port of this machine."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("browser")
    scenes = Scenes(Translator(QuickEngine()), folder / "cache", 2**30, "quick", SMALL)
    for i, name in enumerate(["north", "south"]):
        scenes.add(write_scene(folder / f"{name}.tif", 400, 500, seed=i))
    with running(create_app(scenes, Filler(32), ServeSettings(cache=folder / "cache"))) as url:
        yield url


@pytest.fixture(params=SIZES)
def page(browser: Any, address: str, request: pytest.FixtureRequest) -> Iterator[Any]:
    width, height = SIZES[request.param]
    context = browser.new_context(
        viewport={"width": width, "height": height}, has_touch=request.param == "phone", accept_downloads=True
    )
    context.set_default_timeout(PATIENCE_MS)
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("console", lambda m: complaints.append(m.text) if m.type in ("error", "warning") else None)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.goto(address)
    opened.wait_for_selector("html[data-ready]")
    opened.name = request.param
    yield opened
    context.close()
    # What the software renderer says of itself is no fault of the page.
    assert [text for text in complaints if "GPU stall" not in text and "GroupMarkerNotSet" not in text] == []


def unfold(page: Any) -> None:
    if page.name == "phone" and "folded" in (page.get_attribute("#panel", "class") or ""):
        page.click("#fold")


def colours(page: Any, tmp_path: Path) -> np.ndarray:
    """What is on the screen beside the panel, shape (n, 3)."""
    path = tmp_path / "screen.png"
    page.screenshot(path=path)
    with Image.open(path) as image:
        screen = np.asarray(image.convert("RGB"))
    return screen[160:400, 20:330] if page.name == "phone" else screen[60:700, 330:1100]


def share_of_map(page: Any, tmp_path: Path) -> tuple[float, float]:
    """Share of pixels in the left and the right half that are bright as only the map is."""
    screen = colours(page, tmp_path)
    bright = screen.max(-1) > 228
    bright &= ~(screen == (238, 240, 242)).all(-1)  # the page's own paper
    half = screen.shape[1] // 2
    return float(bright[:, :half].mean()), float(bright[:, half:].mean())


def wait_until(check: Any, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.3)


def test_both_layers_appear_and_swipe_and_fade_move_them(page: Any, tmp_path: Path) -> None:
    page.focus("#divider")
    page.keyboard.press("Home")  # all map
    wait_until(lambda: min(share_of_map(page, tmp_path)) > 0.2)
    page.keyboard.press("End")  # all satellite
    wait_until(lambda: max(share_of_map(page, tmp_path)) < 0.15)
    box = page.locator("#divider").bounding_box()
    page.mouse.move(box["x"] + 6, 300)
    page.mouse.down()
    page.mouse.move(page.viewport_size["width"] / 2, 300, steps=4)
    page.mouse.up()
    assert 45 <= int(page.get_attribute("#divider", "aria-valuenow")) <= 55
    page.click("[data-mode=fade]")
    page.locator("#fading input").fill("100")
    wait_until(lambda: min(share_of_map(page, tmp_path)) > 0.2)
    page.locator("#fading input").fill("0")
    wait_until(lambda: max(share_of_map(page, tmp_path)) < 0.15)
    assert "fade=0" in page.url


def test_hidden_class_leaves_the_map(page: Any, tmp_path: Path) -> None:
    page.click("[data-mode=fade]")
    wait_until(lambda: min(share_of_map(page, tmp_path)) > 0.2)
    before = share_of_map(page, tmp_path)
    unfold(page)
    for name in ("land", "road", "major road", "park", "place", "water"):
        page.uncheck(f"#legend input[name='{name}']")
    assert "hide=land,road" in page.url
    if page.name == "phone":
        page.click("#fold")
    wait_until(lambda: sum(share_of_map(page, tmp_path)) < sum(before) / 3)


def test_link_shows_the_same_to_someone_else(page: Any, address: str) -> None:
    unfold(page)
    page.click("#scenes button:has-text('south')")
    page.keyboard.press("f")
    page.wait_for_url(lambda url: "scene=south" in url and "fade" in url)
    page.goto(f"{address}/#scene=south&at=16.20/40.734000/-74.049000&swipe=30&hide=park")
    page.reload()
    page.wait_for_selector("html[data-ready]")
    assert page.get_attribute("#scenes button:has-text('south')", "aria-current") == "true"
    assert not page.locator("#legend input[name=park]").is_checked()
    assert page.get_attribute("#divider", "aria-valuenow") == "30"
    assert "at=16.20/40.734000/-74.049000" in page.url


def test_dropped_image_comes_back_as_a_map(page: Any, tmp_path: Path) -> None:
    path = tmp_path / "holiday.png"
    Image.fromarray(np.moveaxis(ground(300, 420, 7), 0, -1)).save(path)
    page.set_input_files("#file", path)
    page.wait_for_selector("#scenes button[aria-current=true]:has-text('holiday')", state="attached")
    page.click("[data-mode=fade]")
    page.locator("#fading input").fill("100")
    wait_until(lambda: min(share_of_map(page, tmp_path)) > 0.15)
    # Not `wait_for_function`: the page's security policy forbids the evaluation that it polls with.
    page.wait_for_selector("#scenes [aria-current=true] small:has-text('complete')", state="attached")
    assert not page.locator("[data-download=tif]").is_visible()


def test_download_opens_in_rasterio_where_it_was_taken(page: Any, tmp_path: Path) -> None:
    unfold(page)
    page.click("#scenes button:has-text('north')")
    with page.expect_download() as download:
        page.click("[data-download=tif]")
    download.value.save_as(tmp_path / "view.tif")
    with rasterio.open(tmp_path / "view.tif") as view:
        assert view.crs.to_epsg() == 32618
        assert view.res == pytest.approx((0.9, 0.9), rel=0.05)
        # All of the scene is in view: 500 x 400 px of 0.9 m, a little more where it is turned against degrees.
        assert view.bounds.left == pytest.approx(580_000, abs=8)
        assert view.bounds.top == pytest.approx(4_510_000, abs=8)
        assert view.bounds.right == pytest.approx(580_450, abs=8)
        assert view.bounds.bottom == pytest.approx(4_509_640, abs=8)
    with page.expect_download() as download:
        page.click("[data-download=png]")
    download.value.save_as(tmp_path / "view.png")
    with Image.open(tmp_path / "view.png") as image:
        assert image.width > 100


def test_error_of_a_bad_upload_is_said(browser: Any, address: str, tmp_path: Path) -> None:
    (tmp_path / "notes.png").write_text("no image")
    page = browser.new_page()
    page.goto(address)
    page.wait_for_selector("html[data-ready]")
    page.set_input_files("#file", tmp_path / "notes.png")
    page.wait_for_selector("#note.error:has-text('no image that can be read')")
    page.close()
