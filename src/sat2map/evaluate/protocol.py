"""The protocol: every prediction is made and scored in the same way, whatever made it; writes no file."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sat2map.arrays import Float64, UInt8
from sat2map.classes import ClassTable
from sat2map.data.pairs import Direction, PairFile, read_pair
from sat2map.evaluate.bootstrap import intervals, paired_difference
from sat2map.evaluate.metrics import (
    METRICS,
    ImageScore,
    Truth,
    add_up,
    metric_values,
    prepare_truth,
    resize,
    score,
    score_rows,
)

if TYPE_CHECKING:
    from sat2map.engine import Engine

Predict = Callable[[UInt8], UInt8]
"""Satellite image to map: both uint8, shape (s, s, 3), RGB."""
Counts = npt.NDArray[np.int64]


def baseline_rgb(table: ClassTable) -> tuple[int, int, int]:
    """Colour of the constant baseline: that of the usual ground, (232, 229, 222) in the default table."""
    return table[0].colours_rgb[0]


class ScoredImage(NamedTuple):
    """One image: its prediction, its true map and its score."""

    name: str
    prediction_hwc: UInt8
    truth: Truth
    score: ImageScore

    def constant_baseline(self) -> ImageScore:
        """Score of the constant baseline on this image."""
        return score(np.full_like(self.prediction_hwc, baseline_rgb(self.truth.table)), self.truth)

    def confusion(self) -> Counts:
        """Pixels by true class (rows) and predicted class (columns): int64, shape (C, C)."""
        n = len(self.truth.table)
        both = self.truth.classes.astype(np.intp) * n + self.truth.table.classify(self.prediction_hwc)
        return np.bincount(both.ravel(), minlength=n * n).reshape(n, n)


def score_images(
    predict: Predict, pairs: Iterable[tuple[str, UInt8, UInt8]], size_px: int, table: ClassTable
) -> Iterator[ScoredImage]:
    """Predict and score images one by one, with one at a time in memory.

    Args:
        predict: takes the source as one whole image at the size of scoring.
        pairs: name, source and target (uint8, shape (H, W, 3), RGB), at their native size.
        size_px: side at which to predict and score: 256 is the paper's, 600 that of the pairs themselves.
        table: classes of the maps.

    Raises:
        MissingExtraError: scikit-image is not installed.
    """
    for name, source_hwc, target_hwc in pairs:
        truth = prepare_truth(target_hwc, size_px, table)
        prediction = predict(resize(source_hwc, size_px))
        yield ScoredImage(name, prediction, truth, score(prediction, truth))


def decode_pairs(paths: Iterable[PairFile], direction: Direction = "AtoB") -> Iterator[tuple[str, UInt8, UInt8]]:
    """Name, source and target of each file, decoded when its turn comes.

    Raises:
        DataError: a file is no pair.
    """
    for path in paths:
        yield path.name, *read_pair(path, direction)


def by_engine(engine: Engine, head: str | None = None) -> Predict:
    """Predict with an engine, each image as a whole; `head` is one of its card's, by default the first.

    Raises:
        ModelFileError: the model has no such head.
    """
    # Only now: whoever scores arrays need not load a runtime.
    from sat2map.engine import choose_head, run_whole

    choose_head(engine.card, head)
    return lambda image_hwc: run_whole(engine, image_hwc, head)


def constant(colour_rgb: Sequence[int]) -> Predict:
    """Predict one colour everywhere."""
    return lambda image_hwc: np.full_like(image_hwc, colour_rgb)


def summarise(scores: Sequence[ImageScore], groups: Sequence[str], seed: int = 0) -> dict[str, Any]:
    """Compute metrics with their 95 % intervals, as `metrics.json` has them.

    Args:
        scores: one for each image.
        groups: the overlap group of each image.
        seed: seed of the draws.

    Returns:
        `metrics` and `iou` (by class), each a table of `value`, `low` and `high`. What is undefined (a class that is
        in no image) or infinite (psnr of a perfect image) is None, since JSON has neither.
    """
    values = {name: float(value[0]) for name, value in metric_values(add_up(score_rows(scores))).items()}
    return _tables(values, intervals(scores, groups, seed=seed))


def compare(
    scores_a: Sequence[ImageScore], scores_b: Sequence[ImageScore], groups: Sequence[str], seed: int = 0
) -> dict[str, Any]:
    """Compute paired differences a - b of two models on the same images, in the form of `summarise`."""
    return _tables(*paired_difference(scores_a, scores_b, groups, seed))


def _tables(values: Mapping[str, float], ends: Mapping[str, Float64]) -> dict[str, Any]:
    cells = {
        name: dict(zip(("value", "low", "high"), map(_finite, (value, *ends[name].tolist())), strict=True))
        for name, value in values.items()
    }
    return {
        "metrics": {name: cells[name] for name in METRICS},
        "iou": {name.removeprefix("iou "): cell for name, cell in cells.items() if name not in METRICS},
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
