"""The page as a tool, in a real browser: what is where, areas, measuring, searching, layers, drops and links."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from pyproj import Geod

from sat2map.classes import CLASS_NAMES, classify
from sat2map.translate import Settings, Translator

from ..need import need
from .browsing import looking, running, unfold, wait_until
from .served import SMALL, QuickEngine, app_of, write_scene

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

NAMES = [f"scene-{i}" for i in range(7)]
BOXES = """(selector) => [...document.querySelectorAll(selector)].map((element) => {
  const {right, bottom} = element.getBoundingClientRect();
  return [right, bottom];
})"""
BASEMAP = "https://tiles.example/{z}/{x}/{y}.png"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A server of eight scenes, one of them without georeference, and their folder."""
    folder = tmp_path_factory.mktemp("tools")
    paths = [write_scene(folder / f"{name}.tif", 150, 190, seed=i, masked=i == 0) for i, name in enumerate(NAMES)]
    paths.append(write_scene(folder / "plain.tif", 90, 120, crs=None, transform=None))
    with running(app_of(folder, *paths)) as url:
        yield url, folder


def told(page: Any, selector: str) -> str:
    return str(page.locator(selector).inner_text())


def point_of(page: Any, address: str, fraction: tuple[float, float] = (0.5, 0.5)) -> dict[str, float]:
    """Where the page shows a point of the first scene, which is told in parts of its width and height."""
    west, south, east, north = page.request.get(f"{address}/scenes").json()["scenes"][0]["bounds"]
    return {"lng": west + fraction[0] * (east - west), "lat": north - fraction[1] * (north - south)}


def test_legend_and_downloads_are_in_sight_beside_eight_scenes(browser: Any, place: tuple[str, Path]) -> None:
    with looking(browser, place[0], "laptop") as page:
        assert page.locator("#scenes li").count() == 8
        page.wait_for_selector("#counted:has-text(' px'):not(:has-text('drawn'))")
        # The list is made anew with what is drawn.
        page.wait_for_selector("#scenes [aria-current=true] small:has-text('complete')")
        boxes = page.evaluate(BOXES, "#legend label, [data-download], [data-mode], #link, #scenes li:first-child")
        assert len(boxes) == 6 + 4 + 3 + 2
        assert max(bottom for _, bottom in boxes) <= 650
        assert max(right for right, _ in boxes) <= 320
        page.locator("#scenes li >> nth=7").scroll_into_view_if_needed()
        assert page.evaluate(BOXES, "#scenes li:last-child")[0][1] <= 650
        # What is below shows that it is there: the bar of the list takes room.
        widths = page.evaluate(
            "(({offsetWidth, clientWidth}) => [offsetWidth, clientWidth])(document.getElementById('scenes'))"
        )
        assert widths[0] > widths[1]


def test_areas_on_the_page_are_the_counts_of_the_class_raster(
    browser: Any, place: tuple[str, Path], tmp_path: Path
) -> None:
    address, folder = place
    settings = Settings(core_px=SMALL.core_px, classes=True)
    Translator(QuickEngine()).translate_file(folder / "scene-0.tif", tmp_path / "classes.tif", settings)
    with rasterio.open(tmp_path / "classes.tif") as dataset:
        classes, valid = dataset.read(1), dataset.dataset_mask() > 0
    counts = np.bincount(classes[valid], minlength=len(CLASS_NAMES))
    with looking(browser, address, "desk") as page:
        page.wait_for_selector(f"#counted:has-text('{counts.sum():,} px'):not(:has-text('drawn'))")
        shown = [text.split()[0] for text in page.locator("#legend .share").all_inner_texts()]
        assert shown == [f"{100 * n / counts.sum():.1f}" for n in counts]
        page.click("#csv")
        page.wait_for_selector("#note:has-text('copied')")
        rows = list(csv.DictReader(page.evaluate("navigator.clipboard.readText()").splitlines()))
        assert [(row["class"], int(row["pixels"])) for row in rows] == list(zip(CLASS_NAMES, counts, strict=True))
        assert float(rows[0]["hectares"]) == pytest.approx(counts[0] * 0.81e-4, rel=2e-3)
        # Of a part: the downloaded classes are those that were counted.
        middle = point_of(page, address)
        page.goto(f"{address}/#scene=scene-0&at=19/{middle['lat']}/{middle['lng']}")
        page.click("[data-part=view]")
        page.wait_for_selector(f"#counted:has-text(' px'):not(:has-text('{counts.sum():,} px'))")
        page.click("#csv")
        page.wait_for_selector("#note:has-text('copied')")
        rows = list(csv.DictReader(page.evaluate("navigator.clipboard.readText()").splitlines()))
        with page.expect_download() as download:
            page.click("[data-download=classes]")
        download.value.save_as(tmp_path / "view.tif")
    with rasterio.open(tmp_path / "view.tif") as view:
        part = view.read(1)[view.dataset_mask() > 0]
        assert 0 < view.width < 190
    assert [int(row["pixels"]) for row in rows] == np.bincount(part, minlength=len(CLASS_NAMES)).tolist()


@pytest.mark.parametrize("size", ["desk", "phone"])
def test_tap_and_enter_tell_class_confidence_and_place(
    browser: Any, place: tuple[str, Path], tmp_path: Path, size: str
) -> None:
    settings = Settings(core_px=SMALL.core_px, confidence=True)
    Translator(QuickEngine()).translate_file(place[1] / "scene-1.tif", tmp_path / "map.tif", settings)
    with rasterio.open(tmp_path / "map.tif") as rgb, rasterio.open(tmp_path / "map_confidence.tif") as sure:
        classes, confidence = classify(np.moveaxis(rgb.read(), 0, -1)), sure.read(1)
    with looking(browser, place[0], size, "/#scene=scene-1&fade=100") as page:
        box = page.locator("#above").bounding_box()
        page.focus("#above canvas")
        page.keyboard.press("Enter")
        page.wait_for_selector(".found dl")
        by_key = told(page, ".found")
        page.click(".maplibregl-popup-close-button")
        page.mouse.click(box["width"] / 2, box["height"] / 2)
        page.wait_for_selector(".found dl")
        assert told(page, ".found") == by_key
        row, column = map(int, re.findall(r"row (\d+), column (\d+)", by_key)[0])
        assert by_key.lower().startswith(CLASS_NAMES[classes[row, column]])
        assert int(re.findall(r"(\d+) % sure", by_key)[0]) == pytest.approx(confidence[row, column] / 2.55, abs=0.6)
        if size == "desk":
            page.mouse.move(box["width"] / 2 + 3, box["height"] / 2 - 60)
            page.wait_for_selector("#where:has-text('·')")
            assert re.match(rf"({'|'.join(CLASS_NAMES)}) · \d+ % sure · 4", told(page, "#where"), re.IGNORECASE)


def test_lengths_and_areas_are_those_of_the_ellipsoid(browser: Any, place: tuple[str, Path]) -> None:
    corners = [(-74.05, 40.73), (-74.04, 40.732), (-74.043, 40.74)]
    lons, lats = zip(*corners, strict=True)
    geod = Geod(ellps="WGS84")
    with looking(browser, place[0], "desk") as page:
        length, area = page.evaluate(
            "async (points) => { const m = await import('/viewer/geodesy.js');"
            " return [m.lengthM(points), m.areaM2(points)]; }",
            corners,
        )
        assert length == pytest.approx(geod.line_length(lons, lats), rel=1e-6)
        assert area == pytest.approx(abs(geod.polygon_area_perimeter(lons, lats)[0]), rel=1e-4)
        page.keyboard.press("m")
        for x, y in [(620, 300), (820, 300)]:
            page.mouse.click(x, y)
        scale = (
            float(told(page, ".maplibregl-ctrl-scale").split()[0])
            / (page.locator(".maplibregl-ctrl-scale").bounding_box()["width"])
        )
        assert float(told(page, "#measure-text").split()[0]) == pytest.approx(200 * scale, rel=0.05)
        page.click("[data-measure=area]")
        for x, y in [(620, 300), (820, 300), (820, 400), (620, 400)]:
            page.mouse.click(x, y)
        shown, unit = told(page, "#measure-text").split(",")[0].split()
        assert float(shown) * {"ha": 1e4, "m²": 1}[unit] == pytest.approx(200 * 100 * scale**2, rel=0.08)
        page.keyboard.press("Backspace")
        assert float(told(page, "#measure-text").split(",")[0].split()[0]) < float(shown)
        page.keyboard.press("Escape")
        assert not page.locator("#measured").is_visible()
        page.focus("#above canvas")
        page.keyboard.press("m")
        page.keyboard.press("Enter")
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(900)
        page.keyboard.press("Enter")
        assert re.match(r"[\d.]+ m", told(page, "#measure-text"))


POSITIONS = {
    "40.7392, -74.0492": (40.7392, -74.0492), "40.7392 -74.0492": (40.7392, -74.0492),
    "40,7392; -74,0492": (40.7392, -74.0492), "40°44'21\"N 74°2'57\"W": (40.7391667, -74.0491667),
    "N 40 44.35 W 74 2.95": (40.7391667, -74.0491667), "74.0492 W, 40.7392 N": (40.7392, -74.0492),
    "geo:40.7392,-74.0492": (40.7392, -74.0492), "−40.5, 10": (-40.5, 10), "Hoboken": None, "95, 10": None,
    "40 61 N 74 W": None, "1, 2, 3": None, "": None, "40.7,": None,
}  # fmt: skip


def test_search_goes_to_coordinates_as_people_write_them(browser: Any, place: tuple[str, Path]) -> None:
    with looking(browser, place[0], "laptop") as page:
        read = "async (text) => (await import('/viewer/coordinates.js')).readPosition(text)"
        for text, expected in POSITIONS.items():
            found = page.evaluate(read, text)
            assert (found and (found["lat"], found["lng"])) == (expected and pytest.approx(expected, abs=1e-6)), text
        middle = point_of(page, place[0])
        page.fill("#place", f"{middle['lat']:.6f}, {middle['lng']:.6f}")
        page.keyboard.press("Enter")
        page.wait_for_url(lambda url: f"/{middle['lat']:.4f}" in url)
        assert page.locator(".maplibregl-marker").count() == 1
        page.fill("#place", "0, 0")
        page.keyboard.press("Enter")
        page.wait_for_selector("#note.error:has-text('outside this scene')")
        page.fill("#place", "somewhere")
        page.keyboard.press("Enter")
        page.wait_for_selector("#note.error:has-text('This is no position')")


@pytest.mark.parametrize("size", ["laptop", "phone"])
def test_side_by_side_moves_together(browser: Any, place: tuple[str, Path], size: str) -> None:
    with looking(browser, place[0], size, "/#scene=scene-2&side=50") as page:
        boxes = [page.locator(f"#{name}").bounding_box() for name in ("below", "above")]
        assert boxes[0]["width"] == pytest.approx(boxes[1]["width"], abs=2)
        assert boxes[0]["height"] == pytest.approx(boxes[1]["height"], abs=2)
        apart = ("x", "width") if size == "laptop" else ("y", "height")
        assert boxes[0][apart[0]] + boxes[0][apart[1]] <= boxes[1][apart[0]]
        before = page.url
        for box in boxes:  # each of them can be dragged
            x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
            page.mouse.move(x, y)
            page.mouse.down()
            page.mouse.move(x + 40, y + 30, steps=4)
            page.mouse.up()
            page.wait_for_url(lambda url, old=before: url != old)
            before = page.url
        page.mouse.move(boxes[1]["x"] + 50, boxes[1]["y"] + 60)
        twin = page.locator("#twin").bounding_box()
        assert twin["x"] + 9 == pytest.approx(boxes[0]["x"] + 50, abs=2)
        assert twin["y"] + 9 == pytest.approx(boxes[0]["y"] + 60, abs=2)


def test_hidden_classes_belong_to_their_scene_and_the_focus_stays(browser: Any, place: tuple[str, Path]) -> None:
    with looking(browser, place[0], "desk") as page:
        page.focus("#legend input[name=park]")
        page.keyboard.press("Space")
        page.wait_for_url(lambda url: "hide=park" in url)
        assert page.evaluate("document.activeElement.name") == "park"
        page.focus("#scenes button:has-text('scene-1')")
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.dataset.key") == "scene-1"
        assert page.locator("#legend input[name=park]").is_checked()
        page.wait_for_selector("#scenes .scene:has-text('scene-1') small:has-text('complete')")
        assert page.evaluate("document.activeElement.dataset.key") == "scene-1"
        page.click("#scenes button:has-text('scene-0')")
        assert not page.locator("#legend input[name=park]").is_checked()


def test_link_to_a_scene_that_is_not_there_says_so(browser: Any, place: tuple[str, Path]) -> None:
    with looking(browser, place[0], "desk", "/#scene=atlantis&at=15/1/1&hide=park") as page:
        page.wait_for_selector("#note:has-text('“atlantis”, is not shown here')")
        assert page.get_attribute("#scenes .scene >> nth=0", "aria-current") == "true"
        assert page.locator("#legend input[name=park]").is_checked()


@pytest.mark.parametrize("size", ["laptop", "phone"])
def test_empty_page_takes_an_example_says_its_scale_and_lets_it_go(browser: Any, tmp_path: Path, size: str) -> None:
    with running(app_of(tmp_path)) as address, looking(browser, address, size, scenes_go=True) as page:
        assert page.locator("#empty").bounding_box()["height"] > 300
        assert not page.locator("#legend").is_visible()
        page.click("#example")
        page.wait_for_selector("#scenes [aria-current=true]:has-text('California')", state="attached")
        assert not page.locator("#empty").is_visible()
        unfold(page)
        page.wait_for_selector("#notices li:has-text('alpha')")
        page.click("#scenes .remove")
        page.wait_for_selector("#empty:visible")
        assert page.evaluate("document.activeElement.textContent") == "Choose an image"
        assert page.request.get(f"{address}/scenes").json()["scenes"] == []
        # An image of unknown scale: what is said of it counts.
        page.set_input_files("#file", {"name": "a.png", "mimeType": "image/png", "buffer": png()})
        page.wait_for_selector("#read[open]", state="attached")
        unfold(page)
        page.wait_for_selector("#counted:has-text('size on the ground unknown')")
        page.fill("#reading [name=gsd_m]", "2")
        page.click("#reading button")
        page.wait_for_selector("#counted:has-text('ha'), #counted:has-text('m²')")
        assert page.locator("#scenes li").count() == 1
        assert page.request.get(f"{address}/scenes").json()["scenes"][0]["gsd_m"] == 2


def png() -> bytes:
    """The bundled photograph as a PNG without georeference."""
    from io import BytesIO

    from PIL import Image

    with rasterio.open(str(files("sat2map.bundled") / "naip.tif")) as dataset:
        image = Image.fromarray(np.moveaxis(dataset.read([1, 2, 3]), 0, -1))
    buffer = BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def test_base_map_is_fetched_when_it_is_switched_on_and_not_before(browser: Any, tmp_path: Path) -> None:
    app = app_of(tmp_path, write_scene(tmp_path / "a.tif", 150, 190), basemap=BASEMAP, basemap_attribution="© Someone")
    asked: list[str] = []

    def answer(route: Any) -> None:
        asked.append(route.request.url)
        route.fulfill(body=png(), content_type="image/png", headers={"access-control-allow-origin": "*"})

    with running(app) as address, looking(browser, address, "desk", others=("tiles.example",)) as page:
        page.context.route("https://tiles.example/**", answer)
        page.wait_for_selector("#scenes small:has-text('complete')")
        assert (asked, told(page, "#credit")) == ([], "")
        page.check("#basemap")
        wait_until(lambda: page.wait_for_timeout(200) or asked)
        assert told(page, "#credit") == "© Someone"
        assert all(re.fullmatch(r"https://tiles\.example/\d+/\d+/\d+\.png", url) for url in asked)
        page.uncheck("#basemap")
        n_asked = len(asked)
        page.click(".maplibregl-ctrl-zoom-out")
        page.wait_for_timeout(1500)
        assert (len(asked), told(page, "#credit")) == (n_asked, "")


def test_vectors_are_shown_and_told(browser: Any, tmp_path: Path) -> None:
    need("shapely", find_spec("shapely") and find_spec("pyogrio"), "pip install sat2map[vector]")
    path = write_scene(tmp_path / "a.tif", 70, 90)
    with running(app_of(tmp_path, path)) as address, looking(browser, address, "desk") as page:
        page.keyboard.press("f")  # no divider is in the way
        with page.expect_response(re.compile(r"vectors/tiles/.*\.mvt")) as response:
            page.check("#vectors")
        assert response.value.status in (200, 204)
        assert "vectors=yes" in page.url
        page.wait_for_selector("#note", state="hidden")

        def area_told() -> bool:
            box = page.locator("#above").bounding_box()
            page.mouse.click(box["width"] * 0.62, box["height"] / 2)
            page.wait_for_selector(".found dl")
            return "Area (" in told(page, ".found")

        wait_until(area_told)


def test_print_holds_the_maps_and_the_legend(browser: Any, place: tuple[str, Path]) -> None:
    with looking(browser, place[0], "desk", "/#scene=scene-3&side=50") as page:
        page.wait_for_selector("#counted:has-text(' px'):not(:has-text('drawn'))")
        page.wait_for_timeout(1500)
        page.emulate_media(media="print")
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert told(page, "#print-title") == "scene-3"
        assert page.locator("#print canvas").count() == 2
        n_colours = page.evaluate(
            "[...document.querySelectorAll('#print canvas')].map((c) => new Set(new Uint32Array("
            "c.getContext('2d').getImageData(0, 0, c.width, c.height).data.buffer)).size)"
        )
        assert min(n_colours) > 3
        assert page.locator("#legend").is_visible()
        assert not page.locator("[data-download=tif]").is_visible()
        assert page.pdf()[:4] == b"%PDF"


@pytest.mark.parametrize("size", ["desk", "laptop", "phone"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(browser: Any, place: tuple[str, Path], tmp_path: Path, size: str, theme: str) -> None:
    need("axe", find_spec("axe_playwright_python"), "make env has it")
    from axe_playwright_python.sync_playwright import Axe

    def clean(page: Any) -> None:
        results = Axe().run(page)
        assert results.violations_count == 0, results.generate_report()

    with looking(browser, place[0], size, color_scheme=theme) as page:
        unfold(page)
        page.wait_for_selector("#counted:has-text(' px')")
        clean(page)
        # The page shows both for moments, and hides them when it likes.
        shown = page.add_style_tag(content="#progress, #dropzone { display: grid !important }")
        assert page.locator("#progress").is_visible()
        assert page.locator("#dropzone").is_visible()
        clean(page)
        shown.evaluate("(style) => style.remove()")
        page.click("[data-part=view]")
        page.keyboard.press("f")
        page.locator("#layers button").last.click()
        page.focus("#above canvas")
        page.keyboard.press("Enter")
        page.wait_for_selector(".found dl")
        page.keyboard.press("m")
        clean(page)
        page.goto(f"{place[0]}/docs")
        page.wait_for_selector("html[data-ready]")
        clean(page)
    with running(app_of(tmp_path)) as address, looking(browser, address, size, color_scheme=theme) as page:
        clean(page)
