"""`sat2map evaluate` on partial labels: its options, and its table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sat2map.cli.written import console
from sat2map.errors import printable

FOR_PAIRS = {
    "target_folder": "--target", "corruptions": "--corruptions", "report": "--report", "save_images": "--save-images",
    "predictions": "--predictions",
}  # fmt: skip
"""Options that are of pairs alone."""
FOR_LABELS = {"gsd_m": "--gsd", "only": "--only", "without": "--without"}


def read_gsd(_context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, float]:
    """Read `METRES` and `NAME=METRES` into GSD by name, the former under no name."""
    found = {}
    for value in values:
        name, _, metres = value.rpartition("=")
        try:
            found[name] = float(metres)
        except ValueError:
            found[name] = 0.0
        if not 0 < found[name] < float("inf"):
            raise click.BadParameter(f"'{value}' is not METRES or NAME=METRES, with more than 0 metres")
    return found


def refuse_options(given: dict[str, Any], of: dict[str, str], data: Path, what: str) -> None:
    """Refuse options that have no meaning for what the data are."""
    for name, option in of.items():
        if given.get(name):
            raise click.UsageError(f"{option} is for {what}, which {data} does not hold")


def print_tables(found: dict[str, Any]) -> None:
    """Print one table for each set."""
    from rich import box
    from rich.table import Table

    protocol, stdout = found["protocol"], console()
    versus = found.get("versus")
    own = printable(protocol["model"] or f"colour {protocol['constant_rgb']}")
    titles = (f"A: {own}", f"B: {printable(versus['model'])}", "A - B", "95 %") if versus else (own, "95 %")
    for name, of_set in found["sets"].items():
        counts = f"{of_set['n_images']} images in {of_set['n_groups']} groups"
        words = f"{printable(name)}: {counts}, {of_set['gsd_m']:g} m per pixel"
        table = Table(box=box.SIMPLE, title=words, title_justify="left")
        table.add_column("metric")
        for title in titles:
            table.add_column(title, justify="right")
        for metric, cell in of_set["metrics"].items():
            row = [_value(cell)]
            last = cell
            if versus:
                last = found["difference"][name]["metrics"][metric]
                row += [_value(versus["sets"][name]["metrics"][metric]), _value(last, "+")]
            table.add_row(metric, *row, f"{_value(last, key='low')} to {_value(last, key='high')}")
        stdout.print(table)


def _value(cell: dict[str, float | None], sign: str = "", key: str = "value") -> str:
    value = cell[key]
    return "-" if value is None else f"{value:{sign}.3f}"
