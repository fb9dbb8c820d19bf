"""A real browser for tests of the page: Debian's Chromium, driven by Playwright; and the server that it looks at."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

import uvicorn

from ..need import need

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
SIZES = {
    "desk": (1200, 760), "wide": (1440, 900), "laptop": (1366, 650), "tablet": (768, 1024), "phone": (360, 780)
}  # fmt: skip
PATIENCE_MS = 180_000
OF_THE_RENDERER = ("GPU stall", "GroupMarkerNotSet")
"""Complaints of the software renderer of itself, which are no fault of the page."""


@contextmanager
def launched() -> Iterator[Any]:
    """Chromium; the test is skipped where there is none."""
    need("browser", CHROMIUM and find_spec("playwright"), "apt-get install chromium, pip install playwright")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM, args=FLAGS, ignore_default_args=["--hide-scrollbars"]
        )
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


@contextmanager
def looking(
    browser: Any,
    address: str,
    size: str,
    path: str = "/",
    *,
    others: tuple[str, ...] = (),
    scenes_go: bool = False,
    **options: Any,
) -> Iterator[Any]:
    """A page, ready; at its end it must have complained of nothing, and fetched from no host but `others`.

    Args:
        browser: of `launched`.
        address: of the server.
        size: one of `SIZES`.
        path: what follows the address.
        others: hosts that may be asked for more.
        scenes_go: whether scenes are removed: what is asked of one just then is answered 404, as the browser tells.
        options: of the context.
    """
    width, height = SIZES[size]
    complaints: list[str] = []
    asked: list[str] = []
    # Closed also after a failure: a page that goes on asking would keep the server from its end.
    with browser.new_context(
        viewport={"width": width, "height": height}, has_touch=size == "phone", accept_downloads=True,
        permissions=["clipboard-read", "clipboard-write"], **options,
    ) as context:  # fmt: skip
        context.set_default_timeout(PATIENCE_MS)
        opened = context.new_page()
        opened.on("console", lambda m: complaints.append(m.text) if m.type in ("error", "warning") else None)
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        context.on("request", lambda request: asked.append(request.url))
        opened.name = size
        opened.goto(address + path)
        opened.wait_for_selector("html[data-ready]")
        yield opened
    expected = (*OF_THE_RENDERER, "status of 404") if scenes_go else OF_THE_RENDERER
    complaints = [text for text in complaints if not any(own in text for own in expected)]
    assert not complaints, complaints
    known = (urlsplit(address).netloc, *others)
    foreign = [url for url in asked if url.startswith("http") and urlsplit(url).netloc not in known]
    assert not foreign, foreign


def unfold(page: Any) -> None:
    """Show all of the panel, which on a phone is folded at first."""
    if page.name == "phone" and "folded" in (page.get_attribute("#panel", "class") or ""):
        page.click("#fold")


def wait_until(check: Any, seconds: float = 180) -> None:
    """Until a check is true."""
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.3)
