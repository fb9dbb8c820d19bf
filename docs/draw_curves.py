"""Draws how runs learned on their validation sets: `python docs/draw_curves.py OUT.svg RUN=CPU_SECONDS_A_STEP...`.

Over processor hours and not hours by the clock, which also tell what else the machine did.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from sat2map.evaluate.charts import COLOURS, STYLE

METRICS = ("road_f1", "cldice", "rmse")


def draw(runs: dict[Path, float]) -> Figure:
    """A panel for each measure, a line for each run."""
    figure = Figure((9, 3), layout="constrained")
    for axes, measure in zip(figure.subplots(1, len(METRICS)), METRICS, strict=True):
        for (run, seconds), colour in zip(runs.items(), COLOURS, strict=False):
            with (run / "epochs.csv").open(encoding="utf-8") as table:
                rows = list(csv.DictReader(table))
            hours = [int(row["step"]) * seconds / 3600 for row in rows]
            axes.plot(hours, [float(row[measure]) for row in rows], ".-", color=colour, label=run.name)
        axes.set_title(measure, loc="left", fontsize=9, fontweight="bold")
        axes.set_xlabel("processor hours")
        axes.set_xlim(left=0)
    figure.axes[0].legend(frameon=False, loc="lower right")
    return figure


if __name__ == "__main__":
    out, *given = sys.argv[1:]
    with mpl.rc_context(STYLE):
        draw({Path(run): float(seconds) for run, seconds in (one.rsplit("=", 1) for one in given)}).savefig(
            out, metadata={"Date": None}
        )
