"""Puts maps of several runs beside the truth: `python docs/draw_ablation.py CITY_PAIRS OUT.jpg RUN...`.

Never for images of `maps`: what this writes is meant to be committed.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from sat2map.arrays import UInt8
from sat2map.data.pairs import list_pairs
from sat2map.engine import load_engine
from sat2map.evaluate.metrics import resize
from sat2map.evaluate.protocol import by_engine, decode_pairs

SIDE_PX, SHOWN_PX, GAP_PX, HEAD_PX = 128, 192, 8, 26
PAIRS = (0, 3, 6, 10)


def draw(data: Path, runs: list[Path]) -> Image.Image:
    """A row for each pair: image, the map of each run's last generator, true map."""
    predictions = [by_engine(load_engine(run / "generator_last.safetensors", "cpu")) for run in runs]
    titles = ["image", *(run.name for run in runs), "true map"]
    paths = list_pairs(data)
    page = Image.new(
        "RGB", (len(titles) * (SHOWN_PX + GAP_PX) - GAP_PX, HEAD_PX + len(PAIRS) * (SHOWN_PX + GAP_PX)), "white"
    )
    pen = ImageDraw.Draw(page)
    for column, title in enumerate(titles):
        middle = column * (SHOWN_PX + GAP_PX) + SHOWN_PX / 2
        pen.text((middle, HEAD_PX / 2), title, fill="#333333", anchor="mm", font=ImageFont.load_default(15))
    for row, (_, source, target) in enumerate(decode_pairs([paths[i] for i in PAIRS])):
        sat = resize(source, SIDE_PX)
        images: list[UInt8] = [sat, *(predict(sat) for predict in predictions), resize(target, SIDE_PX)]
        for column, image in enumerate(images):
            shown = Image.fromarray(np.ascontiguousarray(image)).resize((SHOWN_PX, SHOWN_PX), Image.Resampling.LANCZOS)
            page.paste(shown, (column * (SHOWN_PX + GAP_PX), HEAD_PX + row * (SHOWN_PX + GAP_PX)))
    return page


if __name__ == "__main__":
    data, out, *runs = map(Path, sys.argv[1:])
    draw(data, runs).save(out, quality=90, subsampling=0)
