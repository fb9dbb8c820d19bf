"""A scene with its roads as they were drawn and as they were moved, and the shift of each square."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from sat2map.arrays import Bool, UInt8
from sat2map.data.ground_cells import Cell
from sat2map.files import replacing
from sat2map.scene.source import Source
from sat2map.tiling import Window

LARGEST_PX = 2400
"""Of the longer side."""
LONGER = 6
"""By how much arrows are longer than shifts on the image."""
BEFORE_RGB, AFTER_RGB, ARROW_RGB, LEFT_OUT_RGB = (230, 40, 40), (40, 220, 90), (255, 225, 40), (150, 150, 150)
LINE_PX = 2


def write_align_image(
    path: Path,
    source: Source,
    cells: Sequence[Cell],
    roads: Callable[[Window, tuple[float, float]], Bool],
    gsd_m: float,
) -> None:
    """Write the image: roads in red where they were drawn, in green where they were moved to, arrows six times as long.

    Args:
        path: PNG.
        source: the scene.
        cells: squares that have a shift.
        roads: drawn roads of a window, shifted to the right and up.
        gsd_m: metres per pixel of the scene.
    """
    top, left = (min(getattr(cell.window, side) for cell in cells) for side in ("row", "col"))
    bottom = max(cell.window.row + cell.window.height for cell in cells)
    right = max(cell.window.col + cell.window.width for cell in cells)
    step = max(1, -(-max(bottom - top, right - left) // LARGEST_PX))
    image = Image.new("RGB", (-(-(right - left) // step), -(-(bottom - top) // step)), LEFT_OUT_RGB)
    corners = [((cell.window.col - left) // step, (cell.window.row - top) // step) for cell in cells]
    for cell, corner in zip(cells, corners, strict=True):
        image.paste(Image.fromarray(_overlaid(source, cell, roads, step)), corner)
    pen = ImageDraw.Draw(image)
    for cell, (x, y) in zip(cells, corners, strict=True):
        side = cell.window.width // step
        if cell.reason != "written":
            pen.rectangle((x, y, x + side - 1, y + side - 1), outline=LEFT_OUT_RGB, width=3 * LINE_PX)
        _draw_arrow(pen, (x + side / 2, y + side / 2), cell, LONGER / gsd_m / step)
    with replacing(path) as work:
        image.save(work)


def _overlaid(source: Source, cell: Cell, roads: Callable[[Window, tuple[float, float]], Bool], step: int) -> UInt8:
    """Every `step`th pixel of a square, with the borders of its roads before and after."""
    assert cell.shift is not None
    pixels = source.read(cell.window)[::step, ::step].copy()
    for shift_m, colour in (((0.0, 0.0), BEFORE_RGB), (cell.shift.smoothed_m, AFTER_RGB)):
        pixels[_borders(roads(cell.window, shift_m)[::step, ::step])] = colour
    return pixels


def _borders(mask: Bool) -> Bool:
    """Pixels of a mask that have a neighbour beyond it."""
    inner = mask.copy()
    for axis in (0, 1):
        for by in (-1, 1):
            inner &= np.roll(mask, by, axis)
    borders: Bool = mask & ~inner
    borders[[0, -1]] = borders[:, [0, -1]] = False
    return borders


def _draw_arrow(pen: ImageDraw.ImageDraw, start: tuple[float, float], cell: Cell, px_per_m: float) -> None:
    assert cell.shift is not None
    (x, y), (right_m, up_m) = start, cell.shift.smoothed_m
    pen.line((x, y, x + right_m * px_per_m, y - up_m * px_per_m), fill=ARROW_RGB, width=LINE_PX)
    pen.ellipse((x - 2 * LINE_PX, y - 2 * LINE_PX, x + 2 * LINE_PX, y + 2 * LINE_PX), fill=ARROW_RGB)
