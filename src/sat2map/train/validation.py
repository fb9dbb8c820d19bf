"""How good a generator is in the middle of a run: on pairs that are held out, and on partial labels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean

import numpy as np

from sat2map.arrays import UInt8
from sat2map.engine.torch import TorchEngine
from sat2map.evaluate.elsewhere import as_translated
from sat2map.evaluate.metrics import METRICS, prepare_truth, resize, score, total
from sat2map.evaluate.partial import PartialScore, score_partial
from sat2map.evaluate.protocol import Predict, by_engine
from sat2map.model.card import Card
from sat2map.nn.generator import Generator
from sat2map.train.data import ValidationLabels
from sat2map.train.model_files import make_card
from sat2map.train.run import Run

N_GRID_ROWS = 6
OF_PAIRS = ("road_f1", "cldice", "miou")
"""Metrics of the pairs that `selection` is made of."""
Grid = list[list[UInt8]]


def validate(run: Run, generator: Generator) -> tuple[dict[str, float], Grid]:
    """Score a generator on the pairs that are held out and on the recipe's `validation`.

    Returns:
        The nine metrics of the pairs (none where none are held out), those of each folder of partial labels, their
        names beginning with the folder's, and `selection`; and rows of source, prediction and target for the grid: of
        the first pairs that are held out, or of the training set.
    """
    card = make_card(run, "generator", generator)
    predict = by_engine(TorchEngine(generator, card, run.options.device))
    metrics, grid = _of_pairs(run, predict)
    by_folder = {validation.source.name: _of_labels(card, predict, validation) for validation in run.data.validation}
    chosen = selection(metrics, list(by_folder.values()))
    for name, values in by_folder.items():
        metrics |= {f"{name}_{key}": value for key, value in values.items()}
    return metrics | ({} if chosen is None else {"selection": chosen}), grid


def selection(of_pairs: Mapping[str, float], by_folder: Sequence[Mapping[str, float]]) -> float | None:
    """The mean of two means: over folders of partial labels of the mean of what each has, and of the pairs' metrics.

    Args:
        of_pairs: metrics of the pairs that are held out, or none.
        by_folder: metrics of each folder of partial labels that are defined there.

    Returns:
        0 to 1, the larger the better; one of the two means where there is one alone, None where there is neither.

    >>> selection({}, [{"allowed": 0.9, "invented_water": 0.3}])
    0.8
    """
    parts = []
    if by_folder:
        parts.append(fmean(fmean(_larger_is_better(values)) for values in by_folder))
    if of_pairs:
        parts.append(fmean(np.nan_to_num(of_pairs[name]) for name in OF_PAIRS))
    return round(fmean(parts), 12) if parts else None


def _larger_is_better(values: Mapping[str, float]) -> list[float]:
    plain = [values[name] for name in ("allowed", "road_f1", "water_iou") if name in values]
    return [*plain, *(1 - values[name] for name in ("invented_water",) if name in values)]


def _of_pairs(run: Run, predict: Predict) -> tuple[dict[str, float], Grid]:
    size, held_out = run.recipe.validation_px, run.data.held_out()
    shown = held_out or [source.pairs[i] for source in run.data.pairs for i in source.split.train[:N_GRID_ROWS]]
    if not run.truths:
        run.truths = [prepare_truth(pair.target_hwc, size, run.recipe.table) for pair in shown]
    sources = [resize(pair.source_hwc, size) for pair in shown]
    predictions = [predict(source) for source in sources]
    grid = [[s, p, t.bicubic_hwc] for s, p, t in zip(sources, predictions, run.truths, strict=True)][:N_GRID_ROWS]
    if not held_out:
        return {}, grid
    metrics = total([score(p, t) for p, t in zip(predictions, run.truths, strict=True)])
    return {name: float(getattr(metrics, name)) for name in METRICS}, grid


def _of_labels(card: Card, predict: Predict, validation: ValidationLabels) -> dict[str, float]:
    """Metrics of a folder that are defined there, each image as `sat2map translate` would draw it."""
    whole = PartialScore()
    labels, gsd_m = validation.labels, validation.source.gsd_m
    for i in range(len(labels)):
        image, sets = as_translated(labels[i], labels.sets, gsd_m, card)
        whole += score_partial(card.classes.classify(predict(image)), sets, card.classes)
    return {name: value for name, value in whole.metrics().items() if not math.isnan(value)}
