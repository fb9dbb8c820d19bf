"""Metrics of predicted maps against true maps, from scores of single images that add up over a set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from sat2map.arrays import Bool, Float64, UInt8
from sat2map.classes import CLASSES, ClassTable
from sat2map.data.partial import dilated
from sat2map.errors import import_extra

METRICS = ("rmse", "acc5", "acc10", "psnr", "ssim", "road_f1", "cldice", "miou", "sharpness")
MEANS = ("rmse", "acc5", "acc10", "psnr", "ssim")
"""Metrics that are means over images; the others are ratios of sums."""
ROAD_SLACK_PX = 1
"""How far from a road of the other map a pixel of a road may lie and still count as right."""
_MATCHES = [(name, "f8") for name in ("predicted_right", "predicted", "true_found", "true")]
Sums = npt.NDArray[np.void]
"""Array of type `sums_type`."""


def sums_type(class_names: Sequence[str]) -> np.dtype[np.void]:
    """Type of the sums of a set of images, by name: all numbers are float64, so that a view as numbers can be added up.

    The fields of `intersection` and `union` are the classes.
    """
    of_classes = [(name, "f8") for name in class_names]
    return np.dtype([
        ("n_images", "f8"), *((name, "f8") for name in MEANS), ("road", _MATCHES), ("centre_line", _MATCHES),
        ("predicted_gradient", "f8"), ("true_gradient", "f8"), ("intersection", of_classes), ("union", of_classes),
    ])  # fmt: skip


@dataclass(frozen=True)
class Matches:
    """How much of what is predicted is true, and how much of what is true is predicted (pixel counts)."""

    predicted_right: int
    predicted: int
    true_found: int
    true: int


@dataclass(frozen=True)
class ImageScore:
    """What one image adds to the metrics of a set."""

    rmse: float
    acc5: float
    acc10: float
    psnr: float
    """Decibels; infinite where the prediction equals the truth."""
    ssim: float
    road: Matches
    """Road pixels, with one pixel of slack."""
    centre_line: Matches
    """Centre-line pixels inside the other image's road."""
    predicted_gradient: float
    true_gradient: float
    """Sum of absolute differences between neighbours."""
    intersection: tuple[int, ...]
    union: tuple[int, ...]
    """Pixels of each class."""
    class_names: tuple[str, ...] = CLASSES.names


@dataclass(frozen=True)
class Metrics:
    """The nine metrics of a set of images, and the IoU of each class."""

    iou: tuple[float, ...]
    """Of each class of the table; NaN for a class that is in neither map."""
    rmse: float
    """Levels of 255, over the three channels together; smaller is better."""
    acc5: float
    acc10: float
    """Per cent of pixels less than 5 (10) levels off in every channel."""
    psnr: float
    ssim: float
    road_f1: float
    cldice: float
    miou: float
    sharpness: float
    """1 is as sharp as the truth."""


@dataclass(frozen=True)
class Truth:
    """A true map at the size of scoring, and what is derived from it alone (masks: bool, shape (s, s))."""

    bicubic_hwc: UInt8
    bilinear_hwc: UInt8
    classes: UInt8
    road: Bool
    road_with_slack: Bool
    centre_line: Bool
    table: ClassTable


def resize(image_hwc: UInt8, size_px: int) -> UInt8:
    """The image with a shorter side of `size_px` by Pillow BICUBIC; unchanged where it has that size already."""
    height, width = scored_size(image_hwc.shape[:2], size_px)
    return np.asarray(Image.fromarray(image_hwc).resize((width, height), Image.Resampling.BICUBIC))


def scored_size(shape: tuple[int, ...], size_px: int) -> tuple[int, int]:
    """Height and width at which an image is scored: its shorter side is `size_px`, its proportions stay.

    >>> scored_size((600, 600), 256), scored_size((600, 900), 256)
    ((256, 256), (256, 384))
    """
    height, width = (round(side * size_px / min(shape)) for side in shape)
    return height, width


def sample_bilinear(image_hwc: UInt8, size_px: int) -> UInt8:
    """The image with a shorter side of `size_px` by bilinear sampling at pixel centres, without antialiasing.

    Args:
        image_hwc: uint8, shape (H, W, 3).
        size_px: shorter side of the result.

    Returns:
        uint8, shape (h, w, 3), rounded.
    """
    sampled: npt.NDArray[Any] = image_hwc
    for axis, size in enumerate(scored_size(image_hwc.shape[:2], size_px)):
        n = sampled.shape[axis]
        position = np.clip((np.arange(size) + 0.5) * n / size - 0.5, 0, n - 1)
        before = position.astype(np.intp)
        after = np.minimum(before + 1, n - 1)
        weight = np.expand_dims(position - before, (1, 2) if axis == 0 else (0, 2))
        sampled = sampled.take(before, axis) * (1 - weight) + sampled.take(after, axis) * weight
    rounded: UInt8 = np.rint(sampled).astype(np.uint8)
    return rounded


def prepare_truth(truth_hwc: UInt8, size_px: int, table: ClassTable) -> Truth:
    """Resize the true map (uint8, shape (H, W, 3)) and find its classes and roads, once for all predictions."""
    bicubic = resize(truth_hwc, size_px)
    classes = table.classify(bicubic)
    road = np.isin(classes, table.road_classes)
    bilinear = sample_bilinear(truth_hwc, size_px)
    return Truth(bicubic, bilinear, classes, road, dilated(road, ROAD_SLACK_PX), _centre_line(road), table)


def score_image(prediction_hwc: UInt8, truth_hwc: UInt8, size_px: int, table: ClassTable = CLASSES) -> ImageScore:
    """Score a prediction against the true map at its native size.

    Args:
        prediction_hwc: uint8, shape (size_px, size_px, 3), RGB.
        truth_hwc: uint8, shape (H, W, 3), RGB, not resized.
        size_px: side at which to score: 256 is the paper's, 600 that of the pairs themselves.
        table: classes of both maps.

    Raises:
        MissingExtraError: scikit-image is not installed.
    """
    return score(prediction_hwc, prepare_truth(truth_hwc, size_px, table))


def score(prediction_hwc: UInt8, truth: Truth) -> ImageScore:
    """Score a prediction (uint8, shape (s, s, 3), RGB) against a prepared truth of the same size.

    Source: rmse and accuracy, Fu et al., GcGAN (CVPR 2019), where rmse is not divided by the three channels; SSIM, Wang
    et al. (2004), over the Gaussian window, channels averaged; clDice, Shit et al. (CVPR 2021), hard skeletons.
    """
    assert prediction_hwc.shape == truth.bicubic_hwc.shape, (prediction_hwc.shape, truth.bicubic_hwc.shape)
    error = np.abs(prediction_hwc.astype(np.int32) - truth.bilinear_hwc)
    largest = error.max(-1)
    classes = truth.table.classify(prediction_hwc)
    road = np.isin(classes, truth.table.road_classes)
    centre_line = _centre_line(road)
    of_class = range(len(truth.table))
    return ImageScore(
        rmse=float(np.sqrt((error**2).sum() / largest.size)),
        acc5=100 * float((largest < 5).mean()),
        acc10=100 * float((largest < 10).mean()),
        psnr=_psnr(prediction_hwc, truth.bicubic_hwc),
        ssim=_ssim(prediction_hwc, truth.bicubic_hwc),
        road=_matches(road, truth.road, dilated(road, ROAD_SLACK_PX), truth.road_with_slack),
        centre_line=_matches(centre_line, truth.centre_line, road, truth.road),
        predicted_gradient=_gradient(prediction_hwc),
        true_gradient=_gradient(truth.bicubic_hwc),
        intersection=tuple(int(((classes == c) & (truth.classes == c)).sum()) for c in of_class),
        union=tuple(int(((classes == c) | (truth.classes == c)).sum()) for c in of_class),
        class_names=truth.table.names,
    )


def total(scores: Sequence[ImageScore]) -> Metrics:
    """Metrics of a set of images: means over images, or ratios of sums, as each is defined."""
    values = {name: float(value[0]) for name, value in metric_values(add_up(score_rows(scores))).items()}
    return Metrics(
        tuple(value for name, value in values.items() if name not in METRICS),
        **{name: values[name] for name in METRICS},
    )


def score_rows(scores: Sequence[ImageScore]) -> Sums:
    """Scores as an array that can be added up: `sums_type` of their classes, shape (n,), an element for each image."""
    rows = [
        (1, *(getattr(s, name) for name in MEANS), astuple(s.road), astuple(s.centre_line),
         s.predicted_gradient, s.true_gradient, s.intersection, s.union)
        for s in scores
    ]  # fmt: skip
    return np.array(rows, sums_type(scores[0].class_names if scores else CLASSES.names))


def as_numbers(sums: Sums) -> Float64:
    """The same memory as plain numbers: float64, shape (n, 28) for six classes."""
    return sums.view(np.float64).reshape(len(sums), -1)


def as_sums(numbers: Float64, sums: np.dtype[np.void]) -> Sums:
    """The inverse of `as_numbers`: of a `sums_type`, shape (n,)."""
    return np.ascontiguousarray(numbers).view(sums)[:, 0]


def add_up(rows: Sums) -> Sums:
    """Sums over all images: shape (1,)."""
    return as_sums(as_numbers(rows).sum(0, keepdims=True), rows.dtype)


def metric_values(sums: Sums) -> dict[str, Float64]:
    """Metrics of sums of scores.

    Args:
        sums: of a `sums_type`, shape (n,): of n sets of images.

    Returns:
        For each of `METRICS`, and for the IoU of each class (`iou NAME`), float64, shape (n,). A metric is NaN where it
        is not defined: roads where the truth has none, a class that is in neither map, sharpness where the truth has
        one colour only.
    """
    names = sums.dtype["union"].names or ()
    intersection, union = (np.stack([sums[part][name] for name in names], -1) for part in ("intersection", "union"))
    iou = _ratio(intersection, union)
    present = union > 0
    values = {name: sums[name] / sums["n_images"] for name in MEANS}
    values |= {"road_f1": _harmonic_mean(sums["road"]), "cldice": _harmonic_mean(sums["centre_line"])}
    values["miou"] = _ratio(np.where(present, iou, 0).sum(-1), present.sum(-1))
    values["sharpness"] = _ratio(sums["predicted_gradient"], sums["true_gradient"])
    return values | {f"iou {name}": iou[:, i] for i, name in enumerate(names)}


def _ratio(part: Float64, whole: npt.NDArray[Any]) -> Float64:
    ratio = np.full(part.shape, np.nan)
    np.divide(part, whole, out=ratio, where=whole > 0)
    return ratio


def _harmonic_mean(matches: Sums) -> Float64:
    """Harmonic mean of precision and recall, from the four counts of `Matches` by name."""
    precision = matches["predicted_right"] / np.maximum(matches["predicted"], 1)
    recall = matches["true_found"] / np.maximum(matches["true"], 1)
    harmonic = _ratio(2 * precision * recall, precision + recall)
    # 0 where all true roads are missed; undefined where there is no true road.
    values: Float64 = np.where(matches["true"] > 0, np.nan_to_num(harmonic), np.nan)
    return values


def _matches(predicted: Bool, true: Bool, predicted_area: Bool, true_area: Bool) -> Matches:
    return Matches(
        predicted_right=int((predicted & true_area).sum()),
        predicted=int(predicted.sum()),
        true_found=int((true & predicted_area).sum()),
        true=int(true.sum()),
    )


def _psnr(prediction_hwc: UInt8, truth_hwc: UInt8) -> float:
    mean_square = float(np.square(prediction_hwc.astype(np.float64) - truth_hwc).mean())
    return 10 * float(np.log10(255**2 / mean_square)) if mean_square else float("inf")


def _ssim(prediction_hwc: UInt8, truth_hwc: UInt8) -> float:
    structural_similarity = import_extra("skimage.metrics", "eval").structural_similarity
    window = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    return float(structural_similarity(prediction_hwc, truth_hwc, data_range=255, channel_axis=-1, **window))


def _gradient(image_hwc: UInt8) -> float:
    levels = image_hwc.astype(np.int16)
    return float(sum(np.abs(np.diff(levels, axis=axis)).sum() for axis in (0, 1)))


def _centre_line(mask: Bool) -> Bool:
    skeleton: Bool = import_extra("skimage.morphology", "eval").skeletonize(mask)
    return skeleton
