"""The page in a real browser: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from PIL import Image

from .browsing import looking, running, unfold, wait_until
from .served import app_of, ground, write_scene

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("browser")
    paths = [write_scene(folder / f"{name}.tif", 400, 500, seed=i) for i, name in enumerate(["north", "south"])]
    with running(app_of(folder, *paths)) as url:
        yield url


@pytest.fixture(params=["desk", "phone"])
def page(browser: Any, address: str, request: pytest.FixtureRequest) -> Iterator[Any]:
    with looking(browser, address, request.param) as opened:
        yield opened


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
    unfold(page)
    assert page.locator("[data-download=tif]").is_visible()
    assert not page.locator("[data-download=gpkg]").is_visible()  # vectors of nowhere


def test_downloads_are_the_whole_scene_and_a_sheet(page: Any, tmp_path: Path) -> None:
    unfold(page)
    page.click("#scenes button:has-text('north')")
    with page.expect_download() as download:
        page.click("[data-download=tif]")
    download.value.save_as(tmp_path / "view.tif")
    with rasterio.open(tmp_path / "view.tif") as view:
        assert (view.crs.to_epsg(), view.shape, view.res) == (32618, (400, 500), (0.9, 0.9))
        assert (view.bounds.left, view.bounds.top) == (580_000, 4_510_000)
    with page.expect_download() as download:
        page.click("[data-download=png]")
    download.value.save_as(tmp_path / "view.png")
    with Image.open(tmp_path / "view.png") as image:
        paper = np.asarray(image.convert("RGB"))
    assert (paper[:6] == 255).all()  # the margin of the sheet
    assert (paper == (251, 158, 38)).all(-1).any()  # the legend's orange


def test_error_of_a_bad_upload_is_said(browser: Any, address: str, tmp_path: Path) -> None:
    (tmp_path / "notes.png").write_text("no image")
    page = browser.new_page()
    page.goto(address)
    page.wait_for_selector("html[data-ready]")
    page.set_input_files("#file", tmp_path / "notes.png")
    page.wait_for_selector("#note.error:has-text('no image that can be read')")
    page.close()
