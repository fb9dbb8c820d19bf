"""The charts of a report, as SVG."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

Table = Mapping[str, Mapping[str, float | None]]
"""Metrics by name, each with `value`, `low` and `high`, as `metrics.json` has them."""

COLOURS = ("#2458a6", "#d2691e", "#9a9a9a")
"""Colours of the model, of the baseline in a comparison, and of the constant baseline."""
INK, FAINT = "#333333", "#d8d8d8"
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    # The same metrics give the same file.
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
    """Chart of every metric on its own scale: value and 95 % interval of each model and of the constant baseline."""
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


def classes_chart(tables: Mapping[str, Table], classes: Mapping[str, Sequence[int]]) -> str:
    """Chart of the IoU of each class with its interval, one bar for each model; `classes` are names and colours."""
    with mpl.rc_context(STYLE):
        figure = Figure((4.4, max(3.4, 0.4 * len(classes))), layout="constrained")
        ax = figure.subplots()
        height = 0.8 / len(tables)
        for i, (table, colour) in enumerate(zip(tables.values(), _colours(tables), strict=True)):
            for row, name in enumerate(classes):
                y = row - 0.4 + (i + 0.5) * height
                ax.barh(y, table[name]["value"] or 0, height * 0.85, color=colour, alpha=0.45)
                _whisker(ax, table[name], y, colour, marker="")
        ax.set_yticks(range(len(classes)), classes)
        for row, colour_rgb in enumerate(classes.values()):
            ax.plot(-0.02, row, "s", color=[v / 255 for v in colour_rgb], mec=INK, mew=0.5, clip_on=False)
        ax.tick_params(axis="y", length=0, pad=14)
        ax.spines["left"].set_visible(False)
        ax.invert_yaxis()
        ax.set_xlim(0, 1)
        ax.set_xlabel("IoU")
        _legend(figure, tables)
        return _svg(figure)


def confusion_chart(counts: Sequence[Sequence[int]], names: Sequence[str]) -> str:
    """Chart of the confusion: predicted class of the pixels of each true class (rows), in per cent of the row."""
    table = np.asarray(counts, np.float64)
    share = 100 * table / np.maximum(table.sum(1, keepdims=True), 1)
    with mpl.rc_context(STYLE):
        side = max(1.0, len(names) / 8)
        figure = Figure((4.4 * side, 3.4 * side), layout="constrained")
        ax = figure.subplots()
        ax.imshow(share, cmap="Blues", vmin=0, vmax=100, aspect="auto")
        for row, col in np.ndindex(*share.shape):
            text = f"{share[row, col]:.0f}" if table[row].sum() else "-"
            ax.text(col, row, text, ha="center", va="center", color="white" if share[row, col] > 55 else INK)
        ticks = range(len(names))
        ax.set_xticks(ticks, names, rotation=30, ha="right", rotation_mode="anchor")
        ax.set_yticks(ticks, names)
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
        ax.set_xlabel("predicted class")
        ax.set_ylabel("true class")
        return _svg(figure)


def frontier_chart(points: Mapping[str, Table], baseline: Table) -> str:
    """Chart of the frontier of a palette head: road_f1 against rmse, and cldice against ssim."""
    with mpl.rc_context(STYLE):
        figure = Figure((9, 3.1), layout="constrained")
        for ax, (x, y) in zip(figure.subplots(1, 2), (("rmse", "road_f1"), ("ssim", "cldice")), strict=True):
            points_xy = [(table[x]["value"], table[y]["value"]) for table in points.values()]
            ax.plot(*np.array(points_xy, np.float64).T, "o-", color=COLOURS[0], lw=1, ms=5)
            for name, xy in zip(points, points_xy, strict=True):
                if None not in xy:
                    ax.annotate(name, xy, xytext=(6, 5), textcoords="offset points")
            if baseline[x]["value"] is not None:
                ax.axvline(baseline[x]["value"], color=COLOURS[2], lw=1, ls=":")
            ax.margins(0.2)
            ax.set_xlabel(f"{x} (dotted: constant baseline)")
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
    """Colour of each table: the last of `COLOURS` for the constant baseline, else the first ones in their order."""
    return [
        COLOURS[2] if name == "constant baseline" else colour for name, colour in zip(tables, COLOURS, strict=False)
    ]


def _legend(figure: Figure, tables: Mapping[str, Table]) -> None:
    dots: list[Any] = [mpl.lines.Line2D([], [], marker="o", ls="", color=colour) for colour in _colours(tables)]
    figure.legend(dots, list(tables), loc="outside upper left", ncols=len(tables), frameon=False, handletextpad=0.2)


def _svg(figure: Figure) -> str:
    text = io.StringIO()
    figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    return text.getvalue()
