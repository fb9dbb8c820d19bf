"""Calibration of a generator: a confidence that is right as often as it says, and a familiarity with its threshold.

Both are fitted on what its run did not train on: the pairs that it held out, and its recipe's `validation`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sat2map.arrays import UInt8
from sat2map.classes import ClassTable
from sat2map.data.partial import ClassSets
from sat2map.engine.torch import pick_device
from sat2map.errors import DataError
from sat2map.evaluate.calibration import Reliability, part_of_sets, roc_area
from sat2map.evaluate.elsewhere import as_translated
from sat2map.evaluate.metrics import resize
from sat2map.model.card import Card, inference_arguments
from sat2map.nn.compact import CompactGenerator, interleave_subpixels
from sat2map.nn.generator import Generator
from sat2map.nn.inference import InferenceModel
from sat2map.nn.palette import class_probabilities
from sat2map.tiling import Window, padded_size, read_padded
from sat2map.train.data import TrainingData, ValidationLabels
from sat2map.train.recipe import Recipe

WINDOW_PX = 256
GOOD = 0.8
"""A window is good where the map is allowed on at least this share of its known pixels."""
LEAST_KNOWN = 0.1
FLAGGED = 0.1
"""Share of good windows below the threshold."""
N_SAMPLED_PX = 2000
"""Known pixels of an image that the confidence is fitted on."""
PAIRS = "pairs"
"""Name of the group of the pairs that were held out."""
SHARPNESSES = np.geomspace(0.3, 3, 47)


class HeldOut(NamedTuple):
    """An image that was not trained on, and what is known of it."""

    image_hwc: UInt8
    sets_hw: ClassSets


class _Cells(NamedTuple):
    """Of a window: the entropy of its cells, its mean confidence, and whether the map of it is good."""

    entropy: npt.NDArray[np.float32]
    confidence: float
    is_good: bool


@dataclass
class _Group:
    """What was seen of one folder of images, or of the pairs."""

    table: ClassTable
    windows: list[_Cells] = field(default_factory=list)
    logits: list[Tensor] = field(default_factory=list)
    sets: list[ClassSets] = field(default_factory=list)


def calibrate(generator: Generator, card: Card, recipe: Recipe, data: TrainingData) -> tuple[Card, dict[str, Any]]:
    """Fit confidence and familiarity of a generator.

    Args:
        generator: with a palette head.
        card: of it.
        recipe: of the run that made it.
        data: of that run.

    Returns:
        The card with both, and what was measured: `ece` of each group of held-out images before and after, and of the
        familiarity the area under the ROC curve, the share of good windows and of bad ones below the threshold. Without
        any good window there is no familiarity.

    Raises:
        DataError: nothing was held out.
    """
    model = InferenceModel(generator, **inference_arguments(card)).to(pick_device("auto"))
    held_out = _held_out(card, recipe, data)
    if not held_out:
        raise DataError(
            "nothing was held out of training to calibrate on", card.name, hint="set `validation` in the recipe"
        )
    groups = {name: _look_at(model, images, card.classes) for name, images in held_out.items()}
    # Of pairs every class is known, and the familiarity says nothing of land, park and place.
    places = [group for name, group in groups.items() if name != PAIRS] or list(groups.values())
    sharpness = _fit_sharpness(model, groups)
    familiar_entropy = _fit_familiar_entropy(places)

    def both(name: str) -> list[float]:
        return [round(_ece(model, name, groups[name], of), 4) for of in (1.0, sharpness)]

    measured = {
        "ece": {name: errors for name in groups if (errors := both(name))[0] >= 0},
        "familiarity": familiar_entropy and _familiarity_metrics(places, familiar_entropy),
    }
    fitted = {"confidence_sharpness": sharpness, "familiar_entropy": familiar_entropy}
    return card.model_copy(update=fitted | {"metrics": {**card.metrics, "calibration": measured}}), measured


def _held_out(card: Card, recipe: Recipe, data: TrainingData) -> dict[str, Iterator[HeldOut]]:
    groups = {labels.source.name: _of_labels(card, labels) for labels in data.validation}
    return groups | ({PAIRS: _of_pairs(recipe, data, card.classes)} if data.held_out() else {})


def _of_labels(card: Card, validation: ValidationLabels) -> Iterator[HeldOut]:
    labels, gsd_m = validation.labels, validation.source.gsd_m
    return (HeldOut(*as_translated(labels[i], labels.sets, gsd_m, card)) for i in range(len(labels)))


def _of_pairs(recipe: Recipe, data: TrainingData, table: ClassTable) -> Iterator[HeldOut]:
    for pair in data.held_out():
        source_hwc, target_hwc = (resize(image, recipe.validation_px) for image in pair)
        yield HeldOut(source_hwc, np.uint32(1) << table.classify(target_hwc).astype(np.uint32))


def _look_at(model: InferenceModel, images: Iterator[HeldOut], table: ClassTable) -> _Group:
    assert isinstance(model.generator, CompactGenerator)
    rng, group = np.random.default_rng(0), _Group(table)
    for image_hwc, sets_hw in images:
        logits, entropy = _run(model, image_hwc)
        height, width = sets_hw.shape
        of_class = class_probabilities(logits[None, :, :height, :width], model.class_of_colour.cpu())[0].numpy()
        classes, confidence = of_class.argmax(0).astype(np.uint32), of_class.max(0)
        known = sets_hw != table.every_class
        allowed = known & ((sets_hw >> classes) & 1 > 0)
        for window, cells in _windows(height, width, model.generator.stride):
            n_known = int(known[window].sum())
            if n_known >= LEAST_KNOWN * known[window].size:
                is_good = bool(allowed[window].sum() >= GOOD * n_known)
                group.windows.append(_Cells(entropy[cells], float(confidence[window].mean()), is_good))
        chosen = rng.permutation(np.flatnonzero(known))[:N_SAMPLED_PX]
        group.logits.append(logits[:, :height, :width].flatten(1)[:, torch.from_numpy(chosen)])
        group.sets.append(sets_hw.ravel()[chosen])
    return group


def _run(model: InferenceModel, image_hwc: UInt8) -> tuple[Tensor, npt.NDArray[np.float32]]:
    """Logits, shape (K, H, W) of the padded image, and the entropy of its cells, shape (h, w)."""
    assert isinstance(model.generator, CompactGenerator)
    height, width = image_hwc.shape[:2]
    whole = Window(0, 0, *padded_size(height, width, model.generator.stride))
    padded = read_padded(lambda w: image_hwc[w.slices], whole, height, width)
    with torch.inference_mode():
        satellite = torch.tensor(padded[None], device=model.in_part.device)
        subpixels = model.generator.subpixels(satellite.permute(0, 3, 1, 2).float() / 127.5 - 1)
        entropy = model.entropy(subpixels)[0, 0].cpu().numpy()
        logits = interleave_subpixels(subpixels.permute(0, 2, 3, 1))[0].permute(2, 0, 1)
    return logits.cpu(), entropy


def _windows(height: int, width: int, stride: int) -> Iterator[tuple[tuple[slice, slice], tuple[slice, slice]]]:
    """Cut an image evenly into windows of about 256 px: the pixels and the cells of each."""
    starts = [
        np.linspace(0, -(-side // stride), max(1, round(side / WINDOW_PX)) + 1).round().astype(int).tolist()
        for side in (height, width)
    ]
    for top, bottom in zip(starts[0], starts[0][1:], strict=False):
        for left, right in zip(starts[1], starts[1][1:], strict=False):
            cells = np.s_[top:bottom, left:right]
            yield np.s_[top * stride : bottom * stride, left * stride : right * stride], cells


def _fit_sharpness(model: InferenceModel, groups: Mapping[str, _Group]) -> float:
    """The sharpness of the least calibration error, each group counting alike."""

    def loss(sharpness: float) -> float:
        errors = [_ece(model, name, group, sharpness) for name, group in groups.items()]
        return float(np.nansum(errors))

    return round(float(min(SHARPNESSES, key=loss)), 3)


def _fit_familiar_entropy(groups: Sequence[_Group]) -> float | None:
    """The least entropy, in steps of a hundredth of itself, at which few enough of the good windows are unfamiliar."""
    good = [window for group in groups for window in group.windows if window.is_good]
    if not good:
        return None
    entropies = np.geomspace(1e-3, 1, 700)
    fitting = (e for e in entropies if np.mean([familiarity_of(w, e) < 0.5 for w in good]) <= FLAGGED)
    return round(float(next(fitting, entropies[-1])), 5)


def familiarity_of(window: _Cells, familiar_entropy: float) -> float:
    """Compute the mean familiarity of a window, 0..1."""
    return float((familiar_entropy / (familiar_entropy + window.entropy)).mean())


def _ece(model: InferenceModel, name: str, group: _Group, sharpness: float) -> float:
    """Calibration error: of pairs, over the classes; of partial labels, over water, roads and the rest."""
    logits, sets = torch.cat(group.logits, 1), np.concatenate(group.sets)
    of_class = class_probabilities(sharpness * logits[None], model.class_of_colour.cpu())[0].numpy()
    shown = of_class.argmax(0)
    reliability = Reliability()
    if name == PAIRS:
        reliability.add(of_class.max(0), (sets >> shown.astype(np.uint32)) & 1 > 0)
        return reliability.error()
    parts = np.array(group.table.part_of_class)
    truth, part = part_of_sets(sets, group.table), parts[shown]
    of_part = np.stack([of_class[parts == p].sum(0) for p in range(parts.max() + 1)])
    known = truth >= 0
    reliability.add(np.take_along_axis(of_part, part[None], 0)[0][known], (truth == part)[known])
    return reliability.error()


def _familiarity_metrics(groups: Sequence[_Group], familiar_entropy: float) -> dict[str, float | None]:
    windows = [window for group in groups for window in group.windows]
    value = np.array([familiarity_of(w, familiar_entropy) for w in windows])
    confidence, is_bad = np.array([w.confidence for w in windows]), np.array([not w.is_good for w in windows])
    metrics = {
        "n_windows": len(windows), "n_bad": int(is_bad.sum()),
        "auroc": roc_area(-value, is_bad), "auroc_of_confidence": roc_area(-confidence, is_bad),
        "flagged_good": _share(value[~is_bad] < 0.5), "flagged_bad": _share(value[is_bad] < 0.5),
    }  # fmt: skip
    return {name: None if math.isnan(metric) else round(metric, 4) for name, metric in metrics.items()}


def _share(is_so: npt.NDArray[np.bool_]) -> float:
    return float(is_so.mean()) if len(is_so) else math.nan
