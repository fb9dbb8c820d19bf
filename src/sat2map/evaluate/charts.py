"""The charts of a report, as SVG; knows figures only, opens no window and keeps no state between two charts."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from sat2map.classes import CLASS_NAMES, CLASSES

Table = Mapping[str, Mapping[str, float | None]]
"""Figures by name, each with `value`, `low` and `high`, as `metrics.json` has them."""

COLOURS = ("#2458a6", "#d2691e", "#9a9a9a")
"""Of the model, of the one that it is compared with, and of the baseline."""
INK, FAINT = "#333333", "#d8d8d8"
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    # The same figures give the same file.
    "svg.hashsalt": "sat2map",
    "font.family": "sans-serif",
    "font.sans-serif": ["system-ui", "DejaVu Sans"],
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
}


def metrics_chart(tables: Mapping[str, Table]) -> str:
    """Every measure on a scale of its own: a dot and its 95 % interval for each model and for the baseline."""
    names = list(next(iter(tables.values())))
    with mpl.rc_context(STYLE):
        figure = Figure((9, 0.5 + 1.15 * -(-len(names) // 3)), layout=ConstrainedLayoutEngine(h_pad=0.1, w_pad=0.1))
        axes = figure.subplots(-(-len(names) // 3), 3, squeeze=False).ravel()
        for ax, name in zip(axes, names, strict=False):
            for row, (table, colour) in enumerate(zip(tables.values(), _colours(tables), strict=True)):
                _whisker(ax, table[name], row, colour)
            ax.set_title(name, loc="left", fontsize=9, fontweight="bold")
            ax.set_ylim(len(tables) - 0.4, -0.6)
            ax.set_yticks([])
            ax.spines["left"].set_visible(False)
            ax.margins(x=0.12)
            ax.locator_params(axis="x", nbins=5)
        for ax in axes[len(names) :]:
            ax.set_visible(False)
        _legend(figure, tables)
        return _svg(figure)


def classes_chart(tables: Mapping[str, Table]) -> str:
    """IoU of each class with its interval, one bar for each model, without the baseline's intervals to hide it."""
    with mpl.rc_context(STYLE):
        figure = Figure((4.4, 3.4), layout="constrained")
        ax = figure.subplots()
        height = 0.8 / len(tables)
        for i, (table, colour) in enumerate(zip(tables.values(), _colours(tables), strict=True)):
            for row, name in enumerate(CLASS_NAMES):
                y = row - 0.4 + (i + 0.5) * height
                ax.barh(y, table[name]["value"] or 0, height * 0.85, color=colour, alpha=0.45)
                _whisker(ax, table[name], y, colour, marker="")
        ax.set_yticks(range(len(CLASS_NAMES)), CLASS_NAMES)
        for row, kind in enumerate(CLASSES):
            ax.plot(-0.02, row, "s", color=[v / 255 for v in kind.colours_rgb[0]], mec=INK, mew=0.5, clip_on=False)
        ax.tick_params(axis="y", length=0, pad=14)
        ax.spines["left"].set_visible(False)
        ax.invert_yaxis()
        ax.set_xlim(0, 1)
        ax.set_xlabel("IoU")
        _legend(figure, tables)
        return _svg(figure)


def confusion_chart(counts: Sequence[Sequence[int]]) -> str:
    """Where the pixels of each true class (rows) went, in per cent of the row."""
    table = np.asarray(counts, np.float64)
    share = 100 * table / np.maximum(table.sum(1, keepdims=True), 1)
    with mpl.rc_context(STYLE):
        figure = Figure((4.4, 3.4), layout="constrained")
        ax = figure.subplots()
        ax.imshow(share, cmap="Blues", vmin=0, vmax=100, aspect="auto")
        for row, col in np.ndindex(*share.shape):
            words = f"{share[row, col]:.0f}" if table[row].sum() else "-"
            ax.text(col, row, words, ha="center", va="center", color="white" if share[row, col] > 55 else INK)
        ticks = range(len(CLASS_NAMES))
        ax.set_xticks(ticks, CLASS_NAMES, rotation=30, ha="right", rotation_mode="anchor")
        ax.set_yticks(ticks, CLASS_NAMES)
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
        ax.set_xlabel("drawn as")
        ax.set_ylabel("truly")
        return _svg(figure)


def frontier_chart(points: Mapping[str, Table], baseline: Table) -> str:
    """What the points of a palette head reach together: streets against the error of colours, and against SSIM."""
    with mpl.rc_context(STYLE):
        figure = Figure((9, 3.1), layout="constrained")
        for ax, (x, y) in zip(figure.subplots(1, 2), (("rmse", "road_f1"), ("ssim", "cldice")), strict=True):
            places = [(table[x]["value"], table[y]["value"]) for table in points.values()]
            ax.plot(*np.array(places, np.float64).T, "o-", color=COLOURS[0], lw=1, ms=5)
            for name, place in zip(points, places, strict=True):
                if None not in place:
                    ax.annotate(name, place, xytext=(6, 5), textcoords="offset points")
            if baseline[x]["value"] is not None:
                ax.axvline(baseline[x]["value"], color=COLOURS[2], lw=1, ls=":")
            ax.margins(0.2)
            ax.set_xlabel(f"{x} (dotted: the baseline's)")
            ax.set_ylabel(y)
            if x == "rmse":
                # Better is to the right, as upwards.
                ax.invert_xaxis()
        return _svg(figure)


def _whisker(ax: Axes, cell: Mapping[str, float | None], y: float, colour: str, marker: str = "o") -> None:
    value, low, high = (cell[key] for key in ("value", "low", "high"))
    if value is not None:
        ax.plot(value, y, marker, color=colour, ms=5)
    if low is not None and high is not None:
        ax.plot((low, high), (y, y), color=colour, lw=2, solid_capstyle="round")


def _colours(tables: Mapping[str, Table]) -> list[str]:
    """The baseline is always the last; two tables of which one is no baseline get the first two colours."""
    return [COLOURS[2] if name == "baseline" else colour for name, colour in zip(tables, COLOURS, strict=False)]


def _legend(figure: Figure, tables: Mapping[str, Table]) -> None:
    dots: list[Any] = [mpl.lines.Line2D([], [], marker="o", ls="", color=colour) for colour in _colours(tables)]
    figure.legend(dots, list(tables), loc="outside upper left", ncols=len(tables), frameon=False, handletextpad=0.2)


def _svg(figure: Figure) -> str:
    text = io.StringIO()
    figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    return text.getvalue()
