"""What a notebook shows of a model, of a result, and of an image beside its map."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from PIL import Image

import sat2map
from sat2map.arrays import UInt8
from sat2map.classes import CLASSES, COLOURS_RGB
from sat2map.translate.notebook import MOST_PX, middle, view_of

from ..scene.rasters import PLACE, random_bands, write_raster

NAIP = str(files("sat2map.bundled") / "naip.tif")


@pytest.fixture(scope="module")
def translator() -> sat2map.Translator:
    return sat2map.Translator.load()


def images_of(html: str | None) -> list[UInt8]:
    assert html is not None
    HTMLParser().feed(html)
    found = re.findall(r"data:image/png;base64,([^\"]+)", html)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(text)))) for text in found]


def test_translator_shows_its_card(translator: sat2map.Translator) -> None:
    html = translator._repr_html_()
    for text in ("<b>open</b>", "0.8 to 2.4", "Apache-2.0", "crisp, smooth"):
        assert text in html
    assert "<script" not in html


def test_result_shows_the_image_beside_its_map(translator: sat2map.Translator, tmp_path: Path) -> None:
    source = tmp_path / "a & <b>.tif"
    source.write_bytes(Path(NAIP).read_bytes())
    result = translator.translate_file(source, tmp_path / "m <i>.tif")
    html = result._repr_html_()
    image, drawn = images_of(html)
    with rasterio.open(source) as scene, rasterio.open(tmp_path / "m <i>.tif") as map_file:
        assert np.array_equal(image, np.moveaxis(scene.read([1, 2, 3]), 0, -1))
        assert np.array_equal(drawn, np.moveaxis(map_file.read(), 0, -1))
    assert html is not None
    assert "<i>" not in html
    assert all(kind.name in html for kind in CLASSES)
    (tmp_path / "m <i>.tif").unlink()
    assert result._repr_html_() is None


def test_classes_are_shown_in_their_colours(translator: sat2map.Translator, tmp_path: Path) -> None:
    result = translator.translate_file(NAIP, tmp_path / "classes.tif", sat2map.Settings(classes=True))
    with rasterio.open(tmp_path / "classes.tif") as dataset:
        numbers = dataset.read(1)
    first = np.array([kind.colours_rgb[0] for kind in CLASSES], np.uint8)
    assert np.array_equal(images_of(result._repr_html_())[1], first[numbers])


def test_of_a_large_scene_the_middle_is_shown(tmp_path: Path) -> None:
    bands = random_bands(3, 1300, 1100)
    scene = write_raster(tmp_path / "scene.tif", bands, photometric="RGB", **PLACE)
    write_raster(tmp_path / "map.tif", bands[::-1], photometric="RGB", **PLACE)
    view = view_of(scene, tmp_path / "map.tif")
    part = np.moveaxis(bands[:, 138 : 138 + MOST_PX, 38 : 38 + MOST_PX], 0, -1)
    assert np.array_equal(view.image_hwc, part)
    assert np.array_equal(view.map_hwc, part[..., ::-1])
    assert view.part == "the middle 1024 x 1024 of 1100 x 1300 px"
    assert middle(10, 20).slices == (slice(0, 10), slice(0, 20))


def test_arrays_and_data_arrays_are_shown_too() -> None:
    import rioxarray

    grey, colours = np.full((4, 6), 7, np.uint8), np.broadcast_to(COLOURS_RGB[3], (4, 6, 3))
    view = view_of(grey, colours)
    assert (view.image_hwc.shape, view.map_hwc.tolist()) == ((4, 6, 3), colours.tolist())
    scene: Any = rioxarray.open_rasterio(NAIP)
    image = view_of(scene, scene[:3]).image_hwc
    assert np.array_equal(image, np.moveaxis(scene.values[:3], 0, -1))
    assert view_of(grey, grey * 0 + 3).map_hwc[0, 0].tolist() == list(CLASSES[3].colours_rgb[0])


def test_image_and_map_of_different_size_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(sat2map.ImageError, match=r"not of one size: '6 x 4 and 5 x 4 px'"):
        sat2map.show(np.zeros((4, 6, 3), np.uint8), np.zeros((4, 5, 3), np.uint8))
    (tmp_path / "map.pmtiles").write_bytes(b"no raster")
    with pytest.raises(sat2map.ImageError, match="map cannot be read"):
        view_of(NAIP, tmp_path / "map.pmtiles")


def test_show_draws_both_and_a_legend(monkeypatch: pytest.MonkeyPatch) -> None:
    import matplotlib.pyplot as plt

    plt.switch_backend("agg")
    image = np.moveaxis(random_bands(3, 20, 30), 0, -1)
    left, right = sat2map.show(image, image[::-1])
    assert [axis.images[0].get_array().tolist() for axis in (left, right)] == [image.tolist(), image[::-1].tolist()]
    (legend,) = left.figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [kind.name for kind in CLASSES]
    left.figure.canvas.draw()
    plt.close("all")
