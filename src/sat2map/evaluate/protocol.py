"""The protocol: every prediction takes the same road from pair to figures, whatever made it; writes no file."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sat2map.arrays import UInt8
from sat2map.classes import CLASS_NAMES, CLASSES, classify
from sat2map.data.pairs import Direction, PairFile, read_pair
from sat2map.evaluate.bootstrap import N_DRAWS, intervals, paired_difference
from sat2map.evaluate.metrics import (
    BASELINE_RGB,
    METRICS,
    Float,
    ImageScore,
    Truth,
    figures,
    prepare_truth,
    resize,
    score,
)

if TYPE_CHECKING:
    from sat2map.engine import Engine

Predict = Callable[[UInt8], UInt8]
"""Satellite image to map: both uint8, shape (s, s, 3), RGB."""
Counts = npt.NDArray[np.int64]


class Judged(NamedTuple):
    """One image, what was made of it, and its score."""

    name: str
    prediction_hwc: UInt8
    truth: Truth
    score: ImageScore

    def baseline(self) -> ImageScore:
        """Score that the one constant colour gets on this image."""
        return score(np.full_like(self.prediction_hwc, BASELINE_RGB), self.truth)

    def confusion(self) -> Counts:
        """Pixels by true class (rows) and predicted class (columns): int64, shape (6, 6)."""
        n = len(CLASSES)
        both = self.truth.classes.astype(np.intp) * n + classify(self.prediction_hwc)
        return np.bincount(both.ravel(), minlength=n * n).reshape(n, n)


def judge(predict: Predict, pairs: Iterable[tuple[str, UInt8, UInt8]], size_px: int) -> Iterator[Judged]:
    """Predict and score images one by one; no more than one is in memory.

    Args:
        predict: takes the source as one whole image at the size of scoring.
        pairs: name, source and target (uint8, shape (H, W, 3), RGB), at their native size.
        size_px: side at which to predict and score: 256 is the paper's, 600 that of the pairs themselves.

    Raises:
        MissingExtraError: scikit-image is not installed.
    """
    for name, source_hwc, target_hwc in pairs:
        truth = prepare_truth(target_hwc, size_px)
        prediction = predict(resize(source_hwc, size_px))
        yield Judged(name, prediction, truth, score(prediction, truth))


def decode_pairs(paths: Iterable[PairFile], direction: Direction = "AtoB") -> Iterator[tuple[str, UInt8, UInt8]]:
    """Name, source and target of each file, decoded when its turn comes.

    Raises:
        DataError: a file is no pair.
    """
    for path in paths:
        yield path.name, *read_pair(path, direction)


def by_engine(engine: Engine, head: str | None = None) -> Predict:
    """The engine's model, run on each image as a whole; `head` is one of its card's, by default the first.

    Raises:
        ModelFileError: the model has no such head.
    """
    # Only now: whoever scores arrays need not load a runtime.
    from sat2map.engine import choose_head, run_whole

    choose_head(engine.card, head)
    return lambda image_hwc: run_whole(engine, image_hwc, head)


def constant(colour_rgb: Sequence[int]) -> Predict:
    """A model that paints everything in one colour."""
    return lambda image_hwc: np.full_like(image_hwc, colour_rgb)


def summarise(
    scores: Sequence[ImageScore], groups: Sequence[str], n_draws: int = N_DRAWS, seed: int = 0
) -> dict[str, Any]:
    """Figures with their 95 % intervals, as `metrics.json` has them.

    Args:
        scores: one for each image.
        groups: the overlap group of each image.
        n_draws: bootstrap samples.
        seed: of the draws.

    Returns:
        `measures` and `iou` (by class), each a table of `value`, `low` and `high`. What is undefined (a class that is
        in no image) or infinite (psnr of a perfect image) is None, since JSON has neither.
    """
    return _tables(figures(np.sum([s.sums() for s in scores], axis=0)), intervals(scores, groups, n_draws, seed))


def compare(
    scores_a: Sequence[ImageScore],
    scores_b: Sequence[ImageScore],
    groups: Sequence[str],
    n_draws: int = N_DRAWS,
    seed: int = 0,
) -> dict[str, Any]:
    """Differences a - b of two models on the same images, paired, in the form that `summarise` gives figures."""
    return _tables(*paired_difference(scores_a, scores_b, groups, n_draws, seed))


def _tables(values: Float, ends: Float) -> dict[str, Any]:
    cells = [
        {"value": _finite(value), "low": _finite(low), "high": _finite(high)}
        for value, low, high in zip(values.tolist(), *ends.tolist(), strict=True)
    ]
    n = len(METRICS)
    return {
        "metrics": dict(zip(METRICS, cells[:n], strict=True)),
        "iou": dict(zip(CLASS_NAMES, cells[n:], strict=True)),
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
