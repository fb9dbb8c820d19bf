"""Puts maps of two models beside images: `python docs/draw_before_after.py ELSEWHERE OUT.jpg BEFORE AFTER`.

Images of the US public domain that no model was trained on; ELSEWHERE is `$SAT2MAP_DATA/elsewhere`.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from sat2map.arrays import UInt8
from sat2map.translate import Settings, Translator

SHOWN_PX, GAP_PX, HEAD_PX, SETS_PER_ROW = 256, 6, 26, 2
IMAGES = (
    # File, GSD, side in pixels of the middle part that is shown.
    ("ucmerced/image/forest_val0.png", 0.3, 1024),
    ("ucmerced/image/agricultural_val0.png", 0.3, 1024),
    ("ucmerced/image/chaparral_val0.png", 0.3, 1024),
    ("ucmerced/image/sparseresidential_val0.png", 0.3, 1024),
    ("naip/image/long_beach_2016_22.png", 0.6, 256),
    ("naip/image/long_beach_2018_63.png", 0.6, 256),
)


def maps_of(file: Path, gsd_m: float, models: list[str]) -> list[UInt8]:
    """The image and its map by each model, as `sat2map translate` draws it."""
    drawn = [np.asarray(Image.open(file).convert("RGB"))]
    with tempfile.TemporaryDirectory() as folder:
        for model in models:
            out = Path(folder) / "map.png"
            Translator.load(model).translate_file(file, out, Settings(gsd_m=gsd_m), overwrite=True)
            drawn.append(np.asarray(Image.open(out).convert("RGB")))
    return drawn


def draw(elsewhere: Path, models: list[str]) -> Image.Image:
    """Sets of image, map before and map after, two sets in a row."""
    titles = ["image", "before", "after"]
    step = SHOWN_PX + GAP_PX
    n_rows = -(-len(IMAGES) // SETS_PER_ROW)
    size = SETS_PER_ROW * (len(titles) * step + GAP_PX) - 2 * GAP_PX, HEAD_PX + n_rows * step - GAP_PX
    page = Image.new("RGB", size, "white")
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(15)
    for i, (name, gsd_m, side_px) in enumerate(IMAGES):
        left, top = (i % SETS_PER_ROW) * (len(titles) * step + GAP_PX), HEAD_PX + (i // SETS_PER_ROW) * step
        for column, image_hwc in enumerate(maps_of(elsewhere / name, gsd_m, models)):
            row, col = ((length - side_px) // 2 for length in image_hwc.shape[:2])
            part = Image.fromarray(image_hwc).crop((col, row, col + side_px, row + side_px))
            page.paste(part.resize((SHOWN_PX, SHOWN_PX), Image.Resampling.LANCZOS), (left + column * step, top))
            if top == HEAD_PX:
                middle = left + column * step + SHOWN_PX / 2
                pen.text((middle, HEAD_PX / 2), titles[column], "#333333", font, "mm")
    return page


if __name__ == "__main__":
    elsewhere, out, *models = sys.argv[1:]
    draw(Path(elsewhere), models).save(out, quality=82)
