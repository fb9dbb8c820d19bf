"""Metrics of a model in places that were held out of the training of `open`, by partial labels.

`SAT2MAP_DATA=FOLDER python benchmarks/elsewhere.py [--model M] [--images]`

The places are those of `[[validation]]` in the recipe `open`. Each image is brought to the nearest resolution that the
model knows and stretched, as `sat2map translate` does, and drawn whole. What is computed: docs/partial-labels.md.
"""

from __future__ import annotations

from collections.abc import Iterator

import click
import numpy as np
from PIL import Image

from sat2map.data.partial import expand_folder, open_labels
from sat2map.engine import Engine, load_engine, run_whole
from sat2map.evaluate.partial import PartialScore, score_partial
from sat2map.scene.stretch import DEFAULT_LEVELS, Stretch
from sat2map.train.recipe import load_recipe
from sat2map.train.source import ValidationSource

COLUMNS = ("allowed", "road_f1", "water_iou", "invented_water", "park")


def scores_of(engine: Engine, place: ValidationSource, every: int = 1) -> Iterator[tuple[str, PartialScore]]:
    """Yield the name and the score of each image of a place, or of each n-th."""
    table = engine.card.classes
    labels = open_labels(expand_folder(place.folder), place.kind, table).matching(place.only, place.without)
    finest, coarsest = engine.card.gsd_m
    scale = place.gsd_m / min(max(place.gsd_m, finest), coarsest)
    for i in range(0, len(labels.names), every):
        image_hwc, label_hw = labels[i]
        size = [max(1, round(side * scale)) for side in reversed(label_hw.shape)]
        sat = np.asarray(Image.fromarray(image_hwc).resize(size, Image.Resampling.BICUBIC))
        stretch = Stretch.of_sample(image_hwc.reshape(-1, 3), engine.card.levels or DEFAULT_LEVELS)
        label = np.asarray(Image.fromarray(label_hw).resize(size, Image.Resampling.NEAREST))
        drawn = table.classify(run_whole(engine, stretch.apply(sat)))
        yield labels.names[i], score_partial(drawn, labels.sets[label], table)


def row(name: str, score: PartialScore) -> str:
    """A line of the table; metrics that a place does not define are blank."""
    values = score.metrics()
    return f"{name:28}" + "".join(f"{'' if np.isnan(values[c]) else f'{values[c]:.3f}':>16}" for c in COLUMNS)


@click.command()
@click.option("--model", help="Name or file.  [default: open]")
@click.option("--images", is_flag=True, help="A row for each image as well.")
def main(model: str | None, images: bool) -> None:
    """Print the metrics of each place, and the image with the most invented water."""
    engine = load_engine(model)
    click.echo(f"{engine.card.name:28}" + "".join(f"{column:>16}" for column in COLUMNS))
    for place in load_recipe("open").validation:
        scores = dict(scores_of(engine, place))
        for name, score in scores.items() if images else ():
            click.echo(row(f"  {name}", score))
        click.echo(row(f"{place.name} ({len(scores)} images)", sum(scores.values(), PartialScore())))
        worst = max(scores, key=lambda name: np.nan_to_num(scores[name].metrics()["invented_water"]))
        click.echo(row(f"  worst: {worst}", scores[worst]))


if __name__ == "__main__":
    main()
