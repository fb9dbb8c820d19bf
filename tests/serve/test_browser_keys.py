"""The page by the keyboard alone, at the widths of a phone, a tablet and a desk, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .browsing import looking, running, unfold
from .served import app_of, write_scene

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

WIDTHS = ["phone", "tablet", "wide"]
MOST_STOPS = 80
FOCUSED = """() => {
  const element = document.activeElement;
  if (element === document.body) return null;
  // The ring of the divider is around its grip.
  const shown = element.querySelector('.grip') ?? element;
  const {outlineStyle, outlineWidth} = getComputedStyle(shown);
  const [{left, top, right, bottom}] = shown.getClientRects();
  // The popup lies over everything until Escape is pressed.
  const there = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
  // Elements of a list that is made anew meanwhile have the same key.
  (window.reached ??= new Set()).add(element.dataset.key ?? element);
  return {
    html: element.cloneNode().outerHTML, ring: outlineStyle === 'none' ? 0 : parseFloat(outlineWidth),
    isInView: left >= 0 && top >= 0 && right <= innerWidth && bottom <= innerHeight,
    isCovered: element.tagName !== 'CANVAS' && !element.contains(there) && !there?.closest('.maplibregl-popup'),
  };
}"""
NOT_REACHED = """() => [...document.querySelectorAll('a[href], button, input, summary, [tabindex="0"]')]
  .filter((element) => element.checkVisibility() && !element.disabled && element.tabIndex >= 0)
  .filter((element) => !window.reached.has(element.dataset.key ?? element))
  .map((element) => element.outerHTML)"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("keys")
    paths = [write_scene(folder / f"{name}.tif", 150, 190, seed=i) for i, name in enumerate(["north", "south"])]
    with running(app_of(folder, *paths, basemap="https://tiles.example/{z}/{x}/{y}.png")) as url:
        yield url


def on_map(page: Any) -> bool:
    return bool(page.evaluate("document.activeElement === document.querySelector('#above canvas')"))


def walk(page: Any) -> list[dict[str, Any]]:
    """Each element on which Tab stops, in its order."""
    stops: list[dict[str, Any]] = []
    page.evaluate("document.body.tabIndex = -1; document.body.focus()")  # from the beginning
    while len(stops) < MOST_STOPS:
        page.keyboard.press("Tab")
        stop = page.evaluate(FOCUSED)
        if stop is None:
            break
        stops.append(stop)
        if 'id="fold"' in stop["html"]:
            page.keyboard.press("Enter")  # on a phone the panel folds where the map has the focus
    return stops


@pytest.mark.parametrize("size", WIDTHS)
@pytest.mark.parametrize("mode", ["swipe", "fade", "side"])
def test_tab_reaches_every_control_and_shows_where_it_is(browser: Any, address: str, size: str, mode: str) -> None:
    with looking(browser, address, size, f"/#scene=north&{mode}=50") as page:
        unfold(page)
        page.wait_for_selector("#counted:has-text(' px'):not(:has-text('drawn'))")
        # The list is made anew with what is drawn.
        page.wait_for_selector("#scenes [aria-current=true] small:has-text('complete')")
        page.focus("#above canvas")
        page.keyboard.press("Enter")
        page.wait_for_selector(".found dl")
        stops = walk(page)
        assert page.evaluate(NOT_REACHED) == []
        assert 25 < len(stops) < MOST_STOPS
        for stop in stops:
            assert stop["ring"] >= 2, stop["html"]
            assert stop["isInView"], stop["html"]
            assert not stop["isCovered"], stop["html"]


@pytest.mark.parametrize("size", WIDTHS)
def test_escape_ends_what_was_begun_last_and_the_focus_stays(browser: Any, address: str, size: str) -> None:
    with looking(browser, address, size) as page:
        page.focus("#above canvas")
        page.keyboard.press("Enter")
        page.wait_for_selector(".found dl")
        page.keyboard.press("m")
        page.keyboard.press("Enter")
        page.keyboard.press("Escape")
        assert not page.locator("#measured").is_visible()
        assert page.locator(".found").is_visible()
        page.keyboard.press("Escape")
        assert not page.locator(".found").is_visible()
        assert on_map(page)
        # By their own buttons.
        page.keyboard.press("Enter")
        page.focus(".maplibregl-popup-close-button")
        page.keyboard.press("Enter")
        assert on_map(page)
        page.focus("[data-measure=area]")
        page.keyboard.press("Enter")
        assert on_map(page)
        page.keyboard.press("Enter")
        page.focus("#unmeasure")
        page.keyboard.press("Enter")
        assert on_map(page)
        assert not page.locator("#measured").is_visible()
        # A message that stays is put away from wherever one is; a class has the focus here.
        page.goto(f"{address}/#scene=atlantis")
        page.wait_for_selector("#note:has-text('atlantis')")
        unfold(page)
        page.focus("#legend input[name=water]")
        page.keyboard.press("Escape")
        if size == "phone":
            assert not page.locator("#legend").is_visible()
            assert page.evaluate("document.activeElement.id") == "fold"
            page.keyboard.press("Escape")
        assert not page.locator("#note").is_visible()


def test_keyboard_shortcuts_can_be_switched_off_for_good(browser: Any, address: str) -> None:
    with looking(browser, address, "wide") as page:
        theme = "document.documentElement.dataset.theme"
        first = page.evaluate(theme)
        page.keyboard.press("t")
        assert page.evaluate(theme) != first
        page.locator("#shortcuts").uncheck()
        for is_loaded_again in (False, True):
            if is_loaded_again:
                page.reload()
                page.wait_for_selector("html[data-ready]")
                assert not page.locator("#shortcuts").is_checked()
            before = page.evaluate(theme)
            page.keyboard.press("t")
            page.keyboard.press("m")
            assert page.evaluate(theme) == before
            assert page.locator("[data-measure=line][aria-pressed=false]").count() == 1
        page.locator("[data-measure=line]").click()
        page.keyboard.press("Escape")
        assert page.locator("[data-measure=line][aria-pressed=false]").count() == 1


@pytest.mark.parametrize("size", WIDTHS)
def test_arrows_move_the_maps_the_divider_and_the_fading(browser: Any, address: str, size: str) -> None:
    with looking(browser, address, size, "/#scene=north&swipe=40") as page:
        page.focus("#divider")
        for key, expected in {
            "ArrowRight": 42,
            "ArrowUp": 44,
            "ArrowDown": 42,
            "PageUp": 32,
            "End": 100,
            "Home": 0,
        }.items():
            page.keyboard.press(key)
            assert page.get_attribute("#divider", "aria-valuenow") == str(expected)
            assert page.get_attribute("#divider", "aria-valuetext") == f"{expected} % satellite"
        page.keyboard.press("f")
        page.focus("#fading input")
        page.keyboard.press("ArrowLeft")
        page.wait_for_url(lambda url: "fade=99" in url)
        page.focus("[data-mode=side]")
        page.keyboard.press("Enter")
        for name in ("above", "below"):
            page.focus(f"#{name} canvas")
            before = page.url
            page.keyboard.press("ArrowRight")
            page.wait_for_url(lambda url, old=before: url != old)
            page.keyboard.press("Enter")
            page.wait_for_selector(f"#{name} .found dl")
            page.keyboard.press("Escape")


def test_what_takes_the_place_of_the_empty_page_has_the_focus(browser: Any, tmp_path: Path) -> None:
    with running(app_of(tmp_path)) as url, looking(browser, url, "phone") as page:
        page.focus("#example")
        page.keyboard.press("Enter")
        page.wait_for_selector("#scenes [aria-current=true]", state="attached")
        assert on_map(page)
