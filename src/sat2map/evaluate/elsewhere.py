"""Evaluation on partial labels, set by set: what a map says wrongly where only some of the ground is known."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from sat2map.arrays import Float64, UInt8
from sat2map.classes import CLASSES, ClassTable
from sat2map.data.colour_jitter import levels_of, stretch_table
from sat2map.data.footprint import gsd_of_pairs
from sat2map.data.ground_file import data_table
from sat2map.data.partial import ClassSets, PartialLabels, PartialPair, label_files, label_kind, open_labels
from sat2map.data.split import read_groups
from sat2map.errors import DataError
from sat2map.evaluate.bootstrap import N_DRAWS, draw_counts, ends_of
from sat2map.evaluate.partial import PartialScore, partial_metrics, score_partial
from sat2map.evaluate.predictor import Predictor, constant_predictor, load_baseline, load_predictor
from sat2map.model.card import Card, WantedPrecision

METRICS = ("allowed", "water_iou", "road_f1", "invented_water", "park")
Tables = dict[str, dict[str, float | None]]


@dataclass(frozen=True)
class PartialRequest:
    """What to evaluate, and how.

    Args:
        data: folder with `image/` and `label/` or `mask/`, or of several such sets.
        gsd_m: metres on the ground per pixel of the images of each set by its name; under "" of all others.
        model: a model's name or file; by default the bundled model.
        head: one of the model's heads.
        constant_rgb: score this colour in place of a model.
        versus: another model, the baseline of a comparison on the same images.
        only: patterns of file names, of which one must match.
        without: patterns of file names, of which none may match.
        groups_file: CSV with the columns file and group; by default `groups.csv` in the set or beside it.
        every: score every n-th image.
        device: `auto`, `cpu`, `cuda` or `mps`.
        precision: numbers with which an 8-bit model computes.
        seed: seed of the bootstrap.
    """

    data: Path
    gsd_m: Mapping[str, float]
    model: str | Path | None = None
    head: str | None = None
    constant_rgb: tuple[int, ...] | None = None
    versus: str | Path | None = None
    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    groups_file: Path | None = None
    every: int = 1
    device: str = "auto"
    precision: WantedPrecision = "auto"
    seed: int = 0


class LabelledSet(NamedTuple):
    """A set of images with partial labels, the GSD of its images, and the group of each."""

    name: str
    labels: PartialLabels
    gsd_m: float
    groups: list[str]


def sets_in(data: Path) -> list[Path]:
    """Folders of partial labels or road masks: the folder itself, or those in it."""
    if label_kind(data):
        return [data]
    return sorted(p for p in data.iterdir() if p.is_dir() and label_kind(p)) if data.is_dir() else []


def evaluate_partial(
    request: PartialRequest, *, watch: Callable[[Iterator[int], int], Iterator[int]] = lambda images, _n: images
) -> dict[str, Any]:
    """Score a model on every set of partial labels, with 95 % intervals by overlap group.

    Returns:
        `protocol`, and `sets`: by name `n_images`, `n_groups`, `gsd_m` and `metrics`, a table of `value`, `low` and
        `high`; what labels say nothing of is None. In a comparison also `versus` and `difference`, both by set.

    Raises:
        DataError: a set is broken, nothing of it is left, or its GSD is not known.
        ModelFileError: a model is missing or broken, or has no such head.
    """
    if request.constant_rgb is not None:
        predictors = [constant_predictor(request.constant_rgb)]
    else:
        predictors = [load_predictor(request.model, request.head, request.device, request.precision)]
    if request.versus:
        predictors.append(load_baseline(request.versus, predictors[0], request.device))
    cards = [predictor.engine.card for predictor in predictors if predictor.engine]
    table = cards[0].classes if cards else data_table(request.data) or CLASSES
    opened = [_open(folder, request, table) for folder in sets_in(request.data)]
    n_images = len(predictors) * sum(len(labelled.labels) for labelled in opened)
    steps = watch(iter(range(n_images)), n_images)
    rows = [[_rows(predictor, labelled, steps) for labelled in opened] for predictor in predictors]

    def summaries(*of_each: list[Float64]) -> dict[str, dict[str, Tables]]:
        return {s.name: {"metrics": _summary(s, of, request.seed)} for s, *of in zip(opened, *of_each, strict=True)}

    found: dict[str, Any] = {
        "protocol": _protocol(request, predictors[0]),
        "sets": {s.name: _described(s) | summaries(rows[0])[s.name] for s in opened},
    }
    if request.versus:
        found["versus"] = predictors[1].description | {"sets": summaries(rows[1])}
        found["difference"] = summaries(*rows)
    return found


def to_json(found: Mapping[str, Any]) -> str:
    """Text of `metrics.json`."""
    return json.dumps(found, indent=2, allow_nan=False)


def as_translated(pair: PartialPair, sets: ClassSets, gsd_m: float, card: Card) -> tuple[UInt8, ClassSets]:
    """An image as `sat2map translate` shows it to a model, and the classes that each of its pixels may have.

    Args:
        pair: image and label.
        sets: the classes that each value of the label allows.
        gsd_m: metres per pixel of the image; it is brought to the nearest that the model was trained for.
        card: of the model; it says whether images are stretched, and to what.
    """
    finest, coarsest = card.gsd_m
    scale = gsd_m / min(max(gsd_m, finest), coarsest)
    size = [max(1, round(side * scale)) for side in reversed(pair.label_hw.shape)]
    image = Image.fromarray(pair.image_hwc).resize(size, Image.Resampling.BICUBIC)
    image = stretched(image, pair.image_hwc, card)
    label = np.asarray(Image.fromarray(pair.label_hw).resize(size, Image.Resampling.NEAREST))
    return np.asarray(image), sets[label]


def stretched(image: Image.Image, sample_hwc: UInt8, card: Card) -> Image.Image:
    """An image stretched as `sat2map translate` stretches scenes for a model, if it does.

    Args:
        image: RGB.
        sample_hwc: what its levels are taken from, uint8, shape (H, W, 3).
        card: of the model; it says whether images are stretched, and to what.
    """
    if not (card.stretch_bytes and card.levels):
        return image
    table = stretch_table(levels_of(sample_hwc[::8, ::8]), np.array(card.levels, np.float64).T)
    return image.point(np.rint(table).astype(np.uint8).T.ravel().tolist())


def _open(folder: Path, request: PartialRequest, table: ClassTable) -> LabelledSet:
    kind = label_kind(folder)
    assert kind is not None
    name = folder.resolve().name
    labels = open_labels(folder, kind, table).matching(request.only, request.without)
    kept = range(0, len(labels), request.every)
    if not kept:
        raise DataError("no image of the set is left", folder, hint="change `only` and `without`")
    labels = labels.chosen(kept)
    images = [file for file in label_files(folder, kind) if file.name in set(labels.names)]
    gsd_m = gsd_of_pairs(images) or request.gsd_m.get(name, request.gsd_m.get(""))
    if gsd_m is None:
        raise DataError(
            "GSD of the images is not known", folder, hint="`gsd` METRES, or of several sets `gsd` NAME=METRES for each"
        )
    return LabelledSet(name, labels, gsd_m, read_groups(folder, labels.names, request.groups_file))


def _rows(predictor: Predictor, labelled: LabelledSet, steps: Iterator[int]) -> Float64:
    """Scores of the images of a set, one line of sums each: float64, shape (n, fields of `PartialScore`)."""
    rows = []
    for i, _ in zip(range(len(labelled.labels)), steps, strict=False):
        pair = labelled.labels[i]
        if predictor.engine is None:
            image, sets = pair.image_hwc, labelled.labels.sets[pair.label_hw]
        else:
            image, sets = as_translated(pair, labelled.labels.sets, labelled.gsd_m, predictor.engine.card)
        table = labelled.labels.table
        score = score_partial(table.classify(predictor.predict(image)), sets, table)
        rows.append(list(asdict(score).values()))
    return np.array(rows, np.float64)


def _summary(labelled: LabelledSet, rows: Sequence[Float64], seed: int) -> Tables:
    """Metrics of a set with their intervals; of two lines of scores the differences, both in the same draws."""
    _, group_of_image = np.unique(np.asarray(labelled.groups), return_inverse=True)
    counts = draw_counts(labelled.groups, N_DRAWS, seed)
    by_set = [_metrics(r.sum(0, keepdims=True)) for r in rows]
    by_draw = []
    for r in rows:
        sums = np.zeros((counts.shape[1], r.shape[1]))
        np.add.at(sums, group_of_image, r)
        by_draw.append(_metrics(counts @ sums))
    tables: Tables = {}
    for name in METRICS:
        value, draws = (of[0][name] - of[1][name] if len(of) > 1 else of[0][name] for of in (by_set, by_draw))
        cells = zip(("value", "low", "high"), (float(value[0]), *ends_of(draws).tolist()), strict=True)
        tables[name] = {key: cell if np.isfinite(cell) else None for key, cell in cells}
    return tables


def _metrics(sums: Float64) -> dict[str, Float64]:
    return partial_metrics(dict(zip(PartialScore.__dataclass_fields__, sums.T, strict=True)))


def _described(labelled: LabelledSet) -> dict[str, Any]:
    n_groups = len(set(labelled.groups))
    return {"n_images": len(labelled.labels), "n_groups": n_groups, "gsd_m": labelled.gsd_m}


def _protocol(request: PartialRequest, predictor: Predictor) -> dict[str, Any]:
    return {
        "data": request.data.resolve().name, "only": list(request.only), "without": list(request.without),
        "every": request.every, "n_draws": N_DRAWS, "seed": request.seed, **predictor.description,
        "sat2map_version": version("sat2map"),
    }  # fmt: skip
