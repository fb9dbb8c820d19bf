"""The contact sheet: a data set at a glance, its faulty pairs first and framed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from sat2map.data.check.image_check import THUMBNAIL_PX, ImageCheck, PairLocation
from sat2map.data.check.inspect import Report

N_COLUMNS = 6
GAP_PX, LABEL_PX = 8, 14
PAPER, INK, FAULT = (255, 255, 255), (60, 60, 60), (200, 30, 30)


def contact_sheet(report: Report, n_pairs: int = 60) -> Image.Image:
    """Draw up to `n_pairs` pairs: those of problems of single pairs first, the rest evenly over all sets."""
    chosen = _choose(report, n_pairs)
    width, height = 2 * THUMBNAIL_PX + GAP_PX, THUMBNAIL_PX + LABEL_PX + GAP_PX
    n_rows = max(1, -(-len(chosen) // N_COLUMNS))
    sheet = Image.new("RGB", (N_COLUMNS * width + GAP_PX, n_rows * height + GAP_PX), PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(11)
    faults = _faults(report)
    for cell, check in enumerate(chosen):
        x, y = GAP_PX + cell % N_COLUMNS * width, GAP_PX + cell // N_COLUMNS * height
        kind = faults.get(check.location)
        sheet.paste(Image.fromarray(check.thumbnail_hwc), (x, y))
        if kind:
            draw.rectangle((x - 2, y - 2, x + 2 * THUMBNAIL_PX + 1, y + THUMBNAIL_PX + 1), outline=FAULT, width=2)
        label = f"{check.location.set_name}/{check.location.name}" + (f": {kind}" if kind else "")
        draw.text((x, y + THUMBNAIL_PX + 1), _fit(label, font), fill=FAULT if kind else INK, font=font)
    return sheet


def _faults(report: Report) -> dict[PairLocation, str]:
    """The first problem of each pair that has one; what is said of a whole set marks none of its pairs."""
    sizes = {name: sum(check.location.set_name == name for check in report.checks) for name in _sets(report.checks)}
    faults: dict[PairLocation, str] = {}
    for problem in report.problems:
        if len(problem.pairs) < sizes.get(problem.pairs[0].set_name, 0):
            for where in problem.pairs:
                faults.setdefault(where, problem.kind)
    return faults


def _sets(checks: Sequence[ImageCheck]) -> list[str]:
    return list(dict.fromkeys(check.location.set_name for check in checks))


def _choose(report: Report, n: int) -> list[ImageCheck]:
    faults = _faults(report)
    faulty = [check for check in report.checks if check.location in faults][: n // 2]
    sound = [check for check in report.checks if check.location not in faults]
    n_sound = min(n - len(faulty), len(sound))
    return faulty + [sound[i] for i in np.linspace(0, len(sound) - 1, n_sound).round().astype(int).tolist()]


def _fit(label: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """The label's end, which tells pairs apart, if all of it is too long."""
    while font.getlength(label) > 2 * THUMBNAIL_PX:
        label = "…" + label[2:]
    return label
