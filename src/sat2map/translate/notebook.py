"""What a notebook shows: a model's card, and an image beside its map.

Of a large scene it is the middle, with the scene's own pixels, so that nothing depends on its size.
"""

from __future__ import annotations

import base64
import warnings
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import rasterio
from rasterio.errors import NotGeoreferencedWarning

from sat2map.arrays import UInt8
from sat2map.classes import CLASSES, ClassTable
from sat2map.errors import ImageError, Sat2mapError, import_extra
from sat2map.model.card import Card
from sat2map.scene.class_tag import named_classes
from sat2map.scene.formats import png_bytes
from sat2map.scene.gdal import OPEN_ERRORS
from sat2map.scene.image import as_rgb_array
from sat2map.scene.options import DEFAULT_READ_OPTIONS, ReadOptions
from sat2map.scene.source import open_scene
from sat2map.scene.stretch import DEFAULT_RULE
from sat2map.tiling import Window
from sat2map.translate.data_array import open_data_array

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_PX = 1024
"""Side of the part that is shown."""
NODATA_RGB = (255, 255, 255)
WIDTH_PX = 420
SHEET_INCH, LEGEND_INCH = 9.0, 0.8
CARD_ROWS = {
    "licence": "licence", "training_data": "training data", "training_data_licence": "its licence", "heads": "heads",
    "precision": "numbers", "margin_px": "margin in pixels",
}  # fmt: skip
"""Fields of a card that are shown, and what they are called."""


class SideBySide(NamedTuple):
    """The part of an image that is shown, and of its map."""

    image_hwc: UInt8
    """uint8, shape (H, W, 3), RGB."""
    map_hwc: UInt8
    """uint8, shape (H, W, 3), RGB."""
    part: str
    """Which part it is, in words."""
    classes: ClassTable
    """Of the map: those that its file names, else the default ones."""


def middle(height: int, width: int) -> Window:
    """The window that is shown of a scene: its middle.

    >>> middle(2000, 500)
    Window(row=488, col=0, height=1024, width=500)
    """
    shown = min(height, MOST_PX), min(width, MOST_PX)
    return Window((height - shown[0]) // 2, (width - shown[1]) // 2, *shown)


def view_of(scene: Any, scene_map: Any, reading: ReadOptions = DEFAULT_READ_OPTIONS) -> SideBySide:
    """The middle of an image and of its map.

    Args:
        scene: a file or URL, a DataArray of dims band, y, x, or an image as `Translator.translate` takes.
        scene_map: a file, a DataArray or an array; of one band, the numbers of classes.
        reading: how a file is read.

    Raises:
        SceneError, ImageError: one of them cannot be read, or they are not of one size.
    """
    image_hwc, size = _scene_pixels(scene, reading)
    map_hwc, map_size, classes = _map_pixels(scene_map)
    if size != map_size:
        raise ImageError(
            "image and map are not of one size", f"{size[1]} x {size[0]} and {map_size[1]} x {map_size[0]} px",
            hint="give the map of that image; tiles (.mbtiles, .pmtiles) are on a grid of their own",
        )  # fmt: skip
    height, width = image_hwc.shape[:2]
    words = f"{size[1]} x {size[0]} px"
    part = words if (height, width) == size else f"the middle {width} x {height} of {words}"
    return SideBySide(image_hwc, map_hwc, part, classes)


def show(scene: Any, scene_map: Any = None) -> tuple[Axes, Axes]:
    """Show an image beside its map, with a legend, by matplotlib.

    Args:
        scene: the image: a file or URL, a DataArray, or an array as `Translator.translate` takes; or what
            `Translator.translate_file` returned, which knows its map.
        scene_map: the map: a file, a DataArray or an array; of one band, the numbers of classes.

    Returns:
        The axes of the image and of the map, to draw more on; `axes.figure.savefig` writes them.

    Raises:
        MissingExtraError: matplotlib is not installed.
        SceneError, ImageError: one of them cannot be read, or they are not of one size.
    """
    pyplot = import_extra("matplotlib.pyplot", "report")
    from matplotlib.legend_handler import HandlerTuple
    from matplotlib.patches import Patch

    # A result has the view itself.
    view = scene.view() if scene_map is None and hasattr(scene, "view") else view_of(scene, scene_map)
    height, width = view.image_hwc.shape[:2]
    shape = SHEET_INCH, SHEET_INCH / 2 * height / width + LEGEND_INCH
    sheet, axes = pyplot.subplots(1, 2, figsize=shape, layout="constrained")
    for axis, pixels, title in zip(axes, view[:2], ("image", "map"), strict=True):
        axis.imshow(pixels, interpolation="none")
        axis.set_title(f"{title}, {view.part}", fontsize="medium")
        axis.set_axis_off()
    legend = list(_legend(view.classes))
    handles = [tuple(Patch(facecolor=colour, edgecolor="grey") for colour in colours) for _, colours in legend]
    names = [name for name, _ in legend]
    sheet.legend(handles, names, loc="outside lower center", ncols=len(names), frameon=False,
                  handler_map={tuple: HandlerTuple(ndivide=None, pad=0)})  # fmt: skip
    return axes[0], axes[1]


def result_html(view: SideBySide, caption: str) -> str:
    """An image beside its map, with a legend."""
    images = "".join(
        f'<img src="{_data_url(pixels)}" alt="{name}" style="width:{WIDTH_PX}px;max-width:49%;margin-right:1%">'
        for name, pixels in (("image", view.image_hwc), ("map", view.map_hwc))
    )
    box = "display:inline-block;width:.9em;height:.9em;border:1px solid grey;background:"
    legend = "".join(
        "".join(f'<span style="{box}{colour}"></span>' for colour in colours) + f" {escape(name)} &emsp;"
        for name, colours in _legend(view.classes)
    )
    return f"<div>{images}<div>{legend}</div><div>{escape(f'{caption}; {view.part}')}</div></div>"


def card_html(card: Card) -> str:
    """A model's card: what it is, what it was trained on, and under which terms it may be used."""
    values = card.model_dump(mode="json")
    gsd = f"{card.gsd_m[0]:g} to {card.gsd_m[1]:g}"
    rows = [("metres per pixel", gsd), *((label, _in_words(values[name])) for name, label in CARD_ROWS.items())]
    cells = "".join(
        f'<tr><th style="text-align:left">{escape(label)}</th><td style="text-align:left">{escape(text)}</td></tr>'
        for label, text in rows
        if text
    )
    return f"<table><caption>sat2map model <b>{escape(card.name)}</b></caption>{cells}</table>"


def _in_words(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _legend(classes: ClassTable) -> Iterator[tuple[str, list[str]]]:
    """Each class, and its colours as #rrggbb."""
    for kind in classes:
        yield kind.name, ["#" + bytes(rgb).hex() for rgb in kind.colours_rgb]


def _data_url(pixels_hwc: UInt8) -> str:
    return "data:image/png;base64," + base64.b64encode(png_bytes(pixels_hwc)).decode()


def _scene_pixels(scene: Any, reading: ReadOptions) -> tuple[UInt8, tuple[int, int]]:
    """RGB of the middle of a scene, and height and width of all of it."""
    if not isinstance(scene, str | Path) and not hasattr(scene, "dims"):
        pixels = as_rgb_array(scene)
        return pixels[middle(*pixels.shape[:2]).slices], (pixels.shape[0], pixels.shape[1])
    opened = open_data_array(scene, None, DEFAULT_RULE) if hasattr(scene, "dims") else open_scene(scene, reading)
    with opened as source:
        size = source.grid.height, source.grid.width
        return source.read(middle(*size)), size


def _map_pixels(scene_map: Any) -> tuple[UInt8, tuple[int, int], ClassTable]:
    """RGB of the middle of a map, height and width of all of it, and its classes."""
    classes = CLASSES
    if isinstance(scene_map, str | Path):
        bands, size, classes = _map_file(Path(scene_map))
    else:
        is_data_array = hasattr(scene_map, "dims")
        array = np.asarray(scene_map.values if is_data_array else scene_map)
        bands = array if is_data_array or array.ndim == 2 else np.moveaxis(array, -1, 0)
        bands = bands.reshape(-1, *bands.shape[-2:])
        size = bands.shape[1], bands.shape[2]
        bands = bands[:, *middle(*size).slices]
    pixels = _coloured(bands[0], classes) if len(bands) == 1 else as_rgb_array(np.moveaxis(bands[:3], 0, -1))
    return pixels, size, classes


def _map_file(path: Path) -> tuple[Any, tuple[int, int], ClassTable]:
    try:
        with warnings.catch_warnings():
            # The map of a photo is a photo.
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            dataset = rasterio.open(path)
        with dataset:
            size = dataset.height, dataset.width
            part = middle(*size)
            classes = named_classes(dataset, path) or CLASSES
            bands = dataset.read(window=part.slices)
            return bands, size, classes
    except OPEN_ERRORS as error:
        raise ImageError(
            "map cannot be read", path, hint="give a map as a file that GDAL reads, such as .tif"
        ) from error


def _coloured(classes_hw: Any, classes: ClassTable) -> UInt8:
    """The colours of classes by number; what is no class is white."""
    colours = np.full((256, 3), NODATA_RGB, np.uint8)
    colours[: len(classes)] = [kind.colours_rgb[0] for kind in classes]
    shown: UInt8 = colours[classes_hw.astype(np.uint8)]
    return shown


def html_or_none(make: Any) -> str | None:
    """What a notebook shows; None, so that it shows the text alone, where files are no longer there or differ."""
    try:
        text: str = make()
    except (Sat2mapError, OSError):
        return None
    return text
