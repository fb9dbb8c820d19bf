"""What 8-bit integers cost a model: `maps` and places held out of `open`, against the floats that it was made from.

`SAT2MAP_DATA=FOLDER python benchmarks/quantized.py MODEL FLOATS [MODEL FLOATS ...] [--every N]`

MODEL is an 8-bit model, FLOATS what it was made from, each a name or a file: `open open-generator` in a checkout. It
ends with 1 where a limit is exceeded. `maps/valdev` is for reporting alone: nothing is chosen by it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
from elsewhere import scores_of

from sat2map.engine import load_engine
from sat2map.evaluate.evaluation import EvaluationRequest, evaluate
from sat2map.evaluate.partial import PartialScore
from sat2map.train.recipe import load_recipe

LARGEST_LOSS = {"road_f1": 0.003, "cldice": 0.003, "miou": 0.005}
"""What the lower end of the paired 95 % interval of integers less floats may not fall below, on `maps`."""
LARGEST_LOSS_ALLOWED = 0.005
"""Of the share of pixels that their label allows, in each place."""


class Row(NamedTuple):
    """One line of the table."""

    where: str
    metric: str
    integers: float
    floats: float
    ends: str
    is_within: bool

    def __str__(self) -> str:
        """As Markdown."""
        difference = f"{self.integers - self.floats:+.4f}{self.ends}"
        verdict = "yes" if self.is_within else "**no**"
        return f"| {self.where} | {self.metric} | {self.floats:.4f} | {self.integers:.4f} | {difference} | {verdict} |"


def rows_of_pairs(model: str, floats: str, folder: Path, every: int) -> Iterator[Row]:
    """Yield the rows of a folder of pairs."""
    request = EvaluationRequest(folder, model=model, versus=floats, precision="int8", every=every)
    found = evaluate(request).metrics
    where = f"{folder.name}, {found['protocol']['n_images']} images"
    for metric, limit in LARGEST_LOSS.items():
        difference = found["difference"]["metrics"][metric]
        integers, of_floats = (of["metrics"][metric]["value"] for of in (found, found["versus"]))
        ends = f" ({difference['low']:+.4f} to {difference['high']:+.4f})"
        yield Row(where, metric, integers, of_floats, ends, difference["low"] > -limit)


def rows_elsewhere(model: str, floats: str, every: int) -> Iterator[Row]:
    """Yield a row for each place that was held out of the training of `open`."""
    engines = load_engine(model).with_precision("int8"), load_engine(floats)
    for place in load_recipe("open").validation:
        sums = [sum((score for _, score in scores_of(e, place, every)), PartialScore()) for e in engines]
        integers, of_floats = (score.metrics()["allowed"] for score in sums)
        if not np.isnan(of_floats):
            is_within = integers - of_floats >= -LARGEST_LOSS_ALLOWED
            yield Row(place.name, "allowed", integers, of_floats, "", is_within)


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="MODEL FLOATS [MODEL FLOATS ...]")
@click.option("--every", default=1, show_default=True, help="Of the images, each n-th.")
def main(names: tuple[str, ...], every: int) -> None:
    """Print a table of the quality of 8-bit models and their floats, and see whether it is within the limits."""
    if len(names) % 2:
        raise click.UsageError("give pairs of names: an 8-bit model, and what it was made from")
    folder, is_within = Path(os.environ["SAT2MAP_DATA"]) / "maps" / "valdev", True
    for model, floats in zip(names[::2], names[1::2], strict=True):
        card = load_engine(model).card
        click.echo(f"{card.name}, calibrated on {card.n_calibration_images} images of {card.calibration_data}:\n")
        click.echo("| where | metric | floats | integers | integers - floats (95 %) | within the limit |")
        click.echo("|---|---|---|---|---|---|")
        for rows in (rows_of_pairs(model, floats, folder, every), rows_elsewhere(model, floats, every)):
            for row in rows:
                click.echo(str(row))
                is_within &= row.is_within
        click.echo()
    sys.exit(0 if is_within else 1)


if __name__ == "__main__":
    main()
