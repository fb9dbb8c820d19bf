"""Evaluation of a model on pairs: one request in, all tables of `metrics.json` out; writes no file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sat2map.arrays import UInt8
from sat2map.classes import CLASSES, ClassTable
from sat2map.data.ground_file import data_table
from sat2map.data.pairs import Direction, PairFile, TwoFolders, list_pairs
from sat2map.data.plausible import check_plausible
from sat2map.data.split import read_groups
from sat2map.errors import DataError, ModelFileError
from sat2map.evaluate.bootstrap import N_DRAWS
from sat2map.evaluate.metrics import ImageScore
from sat2map.evaluate.predictions import decode, predictions_predictor
from sat2map.evaluate.predictor import Predictor, check_table, constant_predictor, load_baseline, load_predictor
from sat2map.evaluate.protocol import ScoredImage, baseline_rgb, compare, decode_pairs, score_images, summarise
from sat2map.model.card import WantedPrecision

SMALLEST_PX = 11
"""Side of the window of SSIM."""
Watch = Callable[[Iterator[ScoredImage], int], Iterator[ScoredImage]]
"""Passes images on and sees each one; the number is how many there are."""


@dataclass(frozen=True)
class EvaluationRequest:
    """What to evaluate, and how.

    Args:
        data: folder of side-by-side pairs, or of two folders A and B with equal names.
        target_folder: folder of the maps; `data` then holds the images alone.
        model: a bundled model's name or a file; by default `open`.
        head: one of the model's heads; by default its first.
        constant_rgb: score this colour in place of a model (0..255).
        predictions: score the maps in this folder, which another program made, in place of a model.
        versus: another model, the baseline of a comparison on the same images.
        size_px: side at which pairs are predicted and scored, at least 11.
        groups_file: CSV with the columns file and group; by default `groups.csv` in `data` or beside it.
        every: score every n-th pair.
        corruptions: score under each corruption as well.
        frontier: score each point of a palette head as well.
        device: `auto`, `cpu`, `cuda` or `mps`.
        precision: with what numbers the model computes, where it has 8-bit integers; a baseline takes the faster.
        seed: seed of the bootstrap.

    Raises:
        DataError: `size_px` is smaller than the window of SSIM.
        ModelFileError: both a constant colour and a model or head are given.
    """

    data: Path
    target_folder: Path | None = None
    model: str | Path | None = None
    head: str | None = None
    constant_rgb: tuple[int, ...] | None = None
    predictions: Path | None = None
    versus: str | Path | None = None
    size_px: int = 256
    groups_file: Path | None = None
    every: int = 1
    corruptions: bool = False
    frontier: bool = False
    device: str = "auto"
    precision: WantedPrecision = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.constant_rgb is not None and (self.model or self.head):
            raise ModelFileError(
                "a constant colour takes the place of a model", self.model or self.head, hint="give one of the two"
            )
        if self.predictions and (self.model or self.head or self.constant_rgb):
            raise ModelFileError(
                "predictions take the place of a model", self.model or self.head or self.constant_rgb,
                hint="compare them with a model by `versus`",
            )  # fmt: skip
        if self.predictions and self.corruptions:
            raise DataError(
                "predictions are of the images as they are, not of corrupted ones", self.predictions,
                hint="leave `corruptions` out",
            )  # fmt: skip
        if self.size_px < SMALLEST_PX:
            raise DataError(
                "size is smaller than the window of SSIM", f"{self.size_px} px", hint=f"at least {SMALLEST_PX} px"
            )


class PairSet(NamedTuple):
    """Pairs to score on: files and the overlap group of each, and the classes of their maps."""

    paths: Sequence[PairFile]
    groups: list[str]
    size_px: int
    seed: int
    table: ClassTable


class SetScores(NamedTuple):
    """Scores of one predictor: for each image, of the constant baseline on it, and the tables of the set."""

    scores: list[ImageScore]
    constant_baseline: list[ImageScore]
    tables: dict[str, Any]


@dataclass(frozen=True)
class Evaluation:
    """The result of an evaluation.

    Attributes:
        metrics: the tables of `metrics.json`: `protocol`, `metrics`, `iou`, `confusion` and `constant_baseline`; with a
            baseline `versus` and `difference`; with corruptions `corruptions`.
        frontier: tables of each point of a palette head, by name; empty unless it was asked for.
        pairs: what was scored on.
        predictors: the model and, in a comparison, its baseline.
        scores: the scores of each predictor, one for each image.
    """

    metrics: dict[str, Any]
    frontier: dict[str, Any]
    pairs: PairSet
    predictors: list[Predictor]
    scores: list[list[ImageScore]]

    def to_json(self) -> str:
        """Text of `metrics.json`."""
        return json.dumps(self.metrics, indent=2, allow_nan=False)


def evaluate(
    request: EvaluationRequest,
    *,
    watch: Watch = lambda images, _n: images,
    on_image: Callable[[ScoredImage], None] = lambda _image: None,
) -> Evaluation:
    """Score a model, beside the constant baseline, on every pair of a data set.

    Args:
        request: what to evaluate.
        watch: sees each image pass, to show the progress.
        on_image: called with each image that the model itself was scored on, to save it.

    Raises:
        DataError: the data holds no pairs, a file is no pair, or the groups cannot be read.
        ModelFileError: a model is missing or broken, has no such head or other classes than the pairs, or its baseline
            has another direction.
        MissingExtraError: scikit-image is not installed.
    """
    pairs = _list_pairs(request)
    predictors = _load_predictors(request, pairs)
    model = _score_set(predictors[0], pairs, watch, on_image)
    results = [model, *(_score_set(baseline, pairs, watch) for baseline in predictors[1:])]
    metrics = {
        "protocol": _protocol(request, pairs, predictors[0]),
        **model.tables,
        "constant_baseline": {
            "constant_rgb": baseline_rgb(pairs.table),
            **summarise(model.constant_baseline, pairs.groups, seed=pairs.seed),
        },
    }
    if request.versus:
        metrics["versus"] = {**predictors[1].description, **results[1].tables}
        metrics["difference"] = compare(model.scores, results[1].scores, pairs.groups, seed=pairs.seed)
    if request.corruptions:
        metrics["corruptions"] = _corruptions(predictors[0], pairs)
    frontier = _frontier(request, predictors[0], pairs, watch) if request.frontier else {}
    return Evaluation(metrics, frontier, pairs, predictors, [result.scores for result in results])


def _list_pairs(request: EvaluationRequest) -> PairSet:
    source = TwoFolders(request.data, request.target_folder) if request.target_folder else request.data
    paths = list_pairs(source)[:: request.every]
    check_plausible(paths, request.data)
    groups = read_groups(request.data, [path.name for path in paths], request.groups_file)
    return PairSet(paths, groups, request.size_px, request.seed, data_table(source) or CLASSES)


def _load_predictors(request: EvaluationRequest, pairs: PairSet) -> list[Predictor]:
    predictors = _predictors(request, pairs)
    for predictor in predictors:
        if predictor.engine:
            check_table(predictor.engine.card, pairs.table, "the pairs")
    return predictors


def _predictors(request: EvaluationRequest, pairs: PairSet) -> list[Predictor]:
    if request.predictions is not None:
        baselines = [load_predictor(request.versus, device=request.device)] if request.versus else []
        direction: Direction = baselines[0].description["direction"] if baselines else "AtoB"
        return [predictions_predictor(request.predictions, pairs.paths, direction), *baselines]
    if request.constant_rgb is not None:
        model = constant_predictor(request.constant_rgb)
    else:
        model = load_predictor(request.model, request.head, request.device, request.precision)
    return [model, load_baseline(request.versus, model, request.device)] if request.versus else [model]


def _score_set(
    predictor: Predictor, pairs: PairSet, watch: Watch, on_image: Callable[[ScoredImage], None] | None = None
) -> SetScores:
    """Score a predictor on all pairs; where `on_image` is given, the constant baseline too."""
    decoded = decode(predictor, pairs.paths)
    scores, constant_baseline, confusions = [], [], []
    for image in watch(score_images(predictor.predict, decoded, pairs.size_px, pairs.table), len(pairs.paths)):
        scores.append(image.score)
        confusions.append(image.confusion())
        if on_image is not None:
            on_image(image)
            constant_baseline.append(image.constant_baseline())
    tables = summarise(scores, pairs.groups, seed=pairs.seed)
    return SetScores(scores, constant_baseline, {**tables, "confusion": np.sum(confusions, axis=0).tolist()})


def _protocol(request: EvaluationRequest, pairs: PairSet, predictor: Predictor) -> dict[str, Any]:
    return {
        "data": request.data.resolve().name,
        "size_px": pairs.size_px,
        "every": request.every,
        "n_images": len(pairs.paths),
        "n_groups": len(set(pairs.groups)),
        "n_draws": N_DRAWS,
        "seed": pairs.seed,
        "classes": {kind.name: kind.colours_rgb[0] for kind in pairs.table},
        **predictor.description,
        "sat2map_version": version("sat2map"),
    }


def _corruptions(predictor: Predictor, pairs: PairSet) -> dict[str, Any]:
    """Metrics under each corruption."""
    from sat2map.evaluate.corruptions import score_corrupted

    def decoded() -> Iterator[tuple[str, UInt8, UInt8]]:
        return decode_pairs(pairs.paths, predictor.description["direction"])

    return {
        name: summarise(scores, pairs.groups, seed=pairs.seed)["metrics"]
        for name, scores in score_corrupted(predictor.predict, decoded, pairs.size_px, pairs.table)
    }


def _frontier(request: EvaluationRequest, predictor: Predictor, pairs: PairSet, watch: Watch) -> dict[str, Any]:
    """Tables of each point of a palette head; none of any other model."""
    from sat2map.evaluate.frontier import frontier

    if predictor.engine is None:
        return {}
    return {
        name: _score_set(predictor._replace(predict=predict), pairs, watch).tables
        for name, predict in frontier(predictor.engine, request.model, request.device)
    }
