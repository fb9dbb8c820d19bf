"""What one predicted map is worth against the true one, as sums that add up over images; never reads a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from sat2map.arrays import Bool, UInt8
from sat2map.classes import CLASS_NAMES, CLASSES, ROAD_CLASSES, classify
from sat2map.errors import MissingExtraError

Float = npt.NDArray[np.float64]

METRICS = ("rmse", "acc5", "acc10", "psnr", "ssim", "road_f1", "cldice", "miou", "sharpness")
FIGURES = (*METRICS, *(f"iou {name}" for name in CLASS_NAMES))
"""Columns of `figures`: the nine metrics, then the IoU of each class."""
BASELINE_RGB = CLASSES[0].colours_rgb[0]
"""The one colour that everything is compared with: bare land, (232, 229, 222)."""


@dataclass(frozen=True)
class Matches:
    """How much of what is predicted is true, and how much of what is true is predicted (pixel counts)."""

    predicted_right: int
    predicted: int
    true_found: int
    true: int


@dataclass(frozen=True)
class ImageScore:
    """All that one image adds to the measures of a data set."""

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
    """Pixels per class of the palette, in its order."""

    def sums(self) -> Float:
        """The image as one row to add up: float64, shape (28,); the first is 1, so that sums carry their count."""
        means = (1, self.rmse, self.acc5, self.acc10, self.psnr, self.ssim)
        gradients = (self.predicted_gradient, self.true_gradient)
        matches = (*astuple(self.road), *astuple(self.centre_line))
        return np.array((*means, *matches, *gradients, *self.intersection, *self.union), np.float64)


@dataclass(frozen=True)
class Metrics:
    """The nine metrics of a set of images, and the IoU of each class."""

    iou: tuple[float, ...]
    """Per class of the palette, in its order; NaN for a class that is in neither image."""
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
    """A true map at the size of scoring, with all that does not depend on the prediction (bool, shape (s, s))."""

    bicubic_hwc: UInt8
    bilinear_hwc: UInt8
    classes: UInt8
    road: Bool
    road_with_slack: Bool
    centre_line: Bool


def resize(image_hwc: UInt8, size_px: int) -> UInt8:
    """The image at `size_px` x `size_px` by Pillow BICUBIC; unchanged where it has that size already."""
    return np.asarray(Image.fromarray(image_hwc).resize((size_px, size_px), Image.Resampling.BICUBIC))


def sample_bilinear(image_hwc: UInt8, size_px: int) -> UInt8:
    """The image at `size_px` x `size_px` by bilinear sampling at pixel centres, without antialiasing.

    Args:
        image_hwc: uint8, shape (H, W, 3).
        size_px: side of the result.

    Returns:
        uint8, shape (size_px, size_px, 3), rounded.
    """
    sampled: npt.NDArray[Any] = image_hwc
    for axis in (0, 1):
        n = sampled.shape[axis]
        position = np.clip((np.arange(size_px) + 0.5) * n / size_px - 0.5, 0, n - 1)
        before = position.astype(np.intp)
        after = np.minimum(before + 1, n - 1)
        weight = np.expand_dims(position - before, (1, 2) if axis == 0 else (0, 2))
        sampled = sampled.take(before, axis) * (1 - weight) + sampled.take(after, axis) * weight
    rounded: UInt8 = np.rint(sampled).astype(np.uint8)
    return rounded


def prepare_truth(truth_hwc: UInt8, size_px: int) -> Truth:
    """Resize the true map (uint8, shape (H, W, 3)) and find its classes and roads, once for all predictions."""
    bicubic = resize(truth_hwc, size_px)
    classes = classify(bicubic)
    road = np.isin(classes, ROAD_CLASSES)
    return Truth(bicubic, sample_bilinear(truth_hwc, size_px), classes, road, _dilate(road), _centre_line(road))


def score_image(prediction_hwc: UInt8, truth_hwc: UInt8, size_px: int) -> ImageScore:
    """Score a prediction against the true map at its native size.

    Args:
        prediction_hwc: uint8, shape (size_px, size_px, 3), RGB.
        truth_hwc: uint8, shape (H, W, 3), RGB, not resized.
        size_px: side at which to score: 256 is the paper's, 600 that of the pairs themselves.

    Raises:
        MissingExtraError: scikit-image is not installed.
    """
    return score(prediction_hwc, prepare_truth(truth_hwc, size_px))


def score(prediction_hwc: UInt8, truth: Truth) -> ImageScore:
    """Score a prediction (uint8, shape (s, s, 3), RGB) against a prepared truth of the same size.

    Source: rmse and accuracy, Fu et al., GcGAN (CVPR 2019), where rmse is not divided by the three channels; SSIM, Wang
    et al. (2004), over the Gaussian window, channels averaged; clDice, Shit et al. (CVPR 2021), hard skeletons.
    """
    assert prediction_hwc.shape == truth.bicubic_hwc.shape, (prediction_hwc.shape, truth.bicubic_hwc.shape)
    error = np.abs(prediction_hwc.astype(np.int32) - truth.bilinear_hwc)
    largest = error.max(-1)
    classes = classify(prediction_hwc)
    road = np.isin(classes, ROAD_CLASSES)
    centre_line = _centre_line(road)
    of_class = range(len(CLASSES))
    return ImageScore(
        rmse=float(np.sqrt((error**2).sum() / largest.size)),
        acc5=100 * float((largest < 5).mean()),
        acc10=100 * float((largest < 10).mean()),
        psnr=_psnr(prediction_hwc, truth.bicubic_hwc),
        ssim=_ssim(prediction_hwc, truth.bicubic_hwc),
        road=_matches(road, truth.road, _dilate(road), truth.road_with_slack),
        centre_line=_matches(centre_line, truth.centre_line, road, truth.road),
        predicted_gradient=_gradient(prediction_hwc),
        true_gradient=_gradient(truth.bicubic_hwc),
        intersection=tuple(int(((classes == c) & (truth.classes == c)).sum()) for c in of_class),
        union=tuple(int(((classes == c) | (truth.classes == c)).sum()) for c in of_class),
    )


def total(scores: Sequence[ImageScore]) -> Metrics:
    """The metrics of a set of images: means over images, or ratios of sums, as each is defined."""
    values = figures(np.sum([s.sums() for s in scores], axis=0)).tolist()
    return Metrics(tuple(values[len(METRICS) :]), *values[: len(METRICS)])


def figures(sums: Float) -> Float:
    """Metrics of summed rows of `ImageScore.sums`.

    Args:
        sums: float64, shape (..., 28).

    Returns:
        float64, shape (..., 15): columns as in `FIGURES`. A measure with nothing to measure is NaN: roads where the
        truth has none, a class that is in neither image, sharpness beside one constant colour.
    """
    n, *means = np.moveaxis(sums[..., :6], -1, 0)
    road, centre_line, gradients = sums[..., 6:10], sums[..., 10:14], sums[..., 14:16]
    intersection, union = np.split(sums[..., 16:], 2, axis=-1)
    iou = _ratio(intersection, union)
    present = union > 0
    miou = _ratio(np.where(present, iou, 0).sum(-1), present.sum(-1))
    sharpness = _ratio(gradients[..., 0], gradients[..., 1])
    nine = (*(m / n for m in means), _harmonic_mean(road), _harmonic_mean(centre_line), miou, sharpness)
    return np.concatenate((np.stack(nine, -1), iou), -1)


def _ratio(part: Float, whole: npt.NDArray[Any]) -> Float:
    ratio = np.full(part.shape, np.nan)
    np.divide(part, whole, out=ratio, where=whole > 0)
    return ratio


def _harmonic_mean(matches: Float) -> Float:
    """Of precision and recall, from the four counts of `Matches` (shape (..., 4))."""
    predicted_right, predicted, true_found, true = np.moveaxis(matches, -1, 0)
    precision = predicted_right / np.maximum(predicted, 1)
    recall = true_found / np.maximum(true, 1)
    harmonic = _ratio(2 * precision * recall, precision + recall)
    # Both are 0 where all roads are missed; where there is none to miss, nothing is measured.
    measured: Float = np.where(true > 0, np.nan_to_num(harmonic), np.nan)
    return measured


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
    structural_similarity = _from_scikit("skimage.metrics").structural_similarity
    window = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    return float(structural_similarity(prediction_hwc, truth_hwc, data_range=255, channel_axis=-1, **window))


def _gradient(image_hwc: UInt8) -> float:
    levels = image_hwc.astype(np.int16)
    return float(sum(np.abs(np.diff(levels, axis=axis)).sum() for axis in (0, 1)))


def _dilate(mask: Bool) -> Bool:
    dilated: Bool = _from_scikit("scipy.ndimage").binary_dilation(mask, np.ones((3, 3), bool))
    return dilated


def _centre_line(mask: Bool) -> Bool:
    skeleton: Bool = _from_scikit("skimage.morphology").skeletonize(mask)
    return skeleton


def _from_scikit(module: str) -> Any:
    # scipy comes with scikit-image: one extra brings both.
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise MissingExtraError("scikit-image", "eval") from error
