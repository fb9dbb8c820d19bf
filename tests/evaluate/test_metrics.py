"""Each metric against numbers worked out by hand or against another library."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from sat2map.arrays import UInt8
from sat2map.classes import CLASS_NAMES, CLASSES
from sat2map.errors import MissingExtraError
from sat2map.evaluate.metrics import Metrics, resize, sample_bilinear, score_image, total

BASELINE_RGB = CLASSES[0].colours_rgb[0]

SIDE = 32
LAND, ROAD, MAJOR_ROAD, WATER = (232, 229, 222), (255, 255, 255), (251, 158, 38), (177, 208, 254)


def _plain(colour: tuple[int, int, int] = LAND) -> UInt8:
    return np.full((SIDE, SIDE, 3), colour, np.uint8)


def _with_rows(start: int, stop: int, colour: tuple[int, int, int]) -> UInt8:
    image = _plain()
    image[start:stop] = colour
    return image


def _noise(seed: int, side: int = SIDE) -> UInt8:
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)


def _metrics_of(prediction: UInt8, truth: UInt8) -> Metrics:
    return total([score_image(prediction, truth, SIDE)])


def test_metrics_of_the_truth_itself_are_perfect() -> None:
    truth = _with_rows(10, 14, ROAD)
    found = _metrics_of(truth, truth)
    assert (found.rmse, found.acc5, found.acc10, found.psnr) == (0, 100, 100, np.inf)
    assert found.ssim == pytest.approx(1)
    assert (found.road_f1, found.cldice, found.miou, found.sharpness) == (1, 1, 1, 1)


def test_rmse_sums_over_channels_and_averages_over_pixels() -> None:
    truth = _plain((100, 100, 100))
    assert _metrics_of(_plain((103, 96, 100)), truth).rmse == pytest.approx(5)
    half = truth.copy()
    half[: SIDE // 2] = (103, 96, 100)
    assert _metrics_of(half, truth).rmse == pytest.approx(np.sqrt(25 / 2))


def test_rmse_of_images_is_their_mean_not_that_of_their_pixels() -> None:
    truth = _plain((100, 100, 100))
    scores = [score_image(_plain((100 + d, 100, 100)), truth, SIDE) for d in (2, 10)]
    assert total(scores).rmse == pytest.approx(6)


@pytest.mark.parametrize(
    ("difference", "acc5", "acc10"),
    [((4, -4, 4), 100, 100), ((0, 5, 0), 0, 100), ((-9, 0, 0), 0, 100), ((0, 0, 10), 0, 0)],
)
def test_accuracy_counts_pixels_whose_largest_difference_is_below(
    difference: tuple[int, int, int], acc5: float, acc10: float
) -> None:
    truth = _plain((100, 100, 100))
    prediction = (truth + np.array(difference)).astype(np.uint8)
    found = _metrics_of(prediction, truth)
    assert (found.acc5, found.acc10) == (acc5, acc10)


def test_psnr_and_ssim_agree_with_torchmetrics() -> None:
    import torch
    from torchmetrics.functional import image

    truth = _noise(0)
    prediction = np.clip(truth + np.random.default_rng(1).normal(0, 30, truth.shape), 0, 255).astype(np.uint8)
    p, t = (torch.from_numpy(a).permute(2, 0, 1)[None].double() for a in (prediction, truth))
    found = _metrics_of(prediction, truth)
    assert found.psnr == pytest.approx(float(image.peak_signal_noise_ratio(p, t, data_range=255.0)), abs=1e-4)
    _, ssim = image.structural_similarity_index_measure(p, t, sigma=1.5, data_range=255.0, return_full_image=True)
    # Only where the window of 11 px lies inside the image; torchmetrics averages its reflected border too.
    assert found.ssim == pytest.approx(float(ssim[..., 5:-5, 5:-5].mean()), abs=1e-6)


@pytest.mark.parametrize(("native", "size"), [(75, 32), (20, 33), (32, 32)])
def test_sample_bilinear_agrees_with_torch_without_antialiasing(native: int, size: int) -> None:
    import torch

    image = _noise(2, native)
    planes = torch.from_numpy(image).permute(2, 0, 1)[None].double()
    sampled = torch.nn.functional.interpolate(planes, (size, size), mode="bilinear", antialias=False)
    expected = sampled[0].permute(1, 2, 0).numpy()
    assert np.abs(sample_bilinear(image, size) - expected).max() <= 0.5 + 1e-9


def test_resize_to_the_native_size_changes_nothing() -> None:
    image = _noise(3)
    np.testing.assert_array_equal(resize(image, SIDE), image)


def test_iou_of_each_class_is_counted_by_hand_and_absent_classes_are_left_out() -> None:
    found = _metrics_of(_with_rows(0, 12, WATER), _with_rows(0, 8, WATER))
    iou = dict(zip(CLASS_NAMES, found.iou, strict=True))
    assert iou["water"] == pytest.approx(8 / 12)
    assert iou["land"] == pytest.approx(20 / 24)
    assert all(np.isnan(iou[name]) for name in CLASS_NAMES if name not in ("water", "land"))
    assert found.miou == pytest.approx((8 / 12 + 20 / 24) / 2)


def test_iou_is_a_ratio_of_sums_over_images() -> None:
    pairs = [(_with_rows(0, 12, WATER), _with_rows(0, 8, WATER)), (_plain(), _with_rows(0, 2, WATER))]
    found = total([score_image(p, t, SIDE) for p, t in pairs])
    assert found.iou[CLASS_NAMES.index("water")] == pytest.approx(8 / 14)


def test_iou_of_a_class_that_is_only_predicted_is_nought() -> None:
    found = _metrics_of(_with_rows(0, 8, WATER), _plain())
    assert found.iou[CLASS_NAMES.index("water")] == 0
    assert found.miou == pytest.approx(24 / 32 / 2)


@pytest.mark.parametrize(("shift", "f1"), [(0, 1), (1, 1), (2, 0.5), (3, 0)])
def test_road_f1_forgives_one_pixel(shift: int, f1: float) -> None:
    # Two rows of road, so that a shift by two leaves one row of each within a pixel of the other.
    found = _metrics_of(_with_rows(10 + shift, 12 + shift, ROAD), _with_rows(10, 12, ROAD))
    assert found.road_f1 == pytest.approx(f1)


def test_road_f1_takes_major_roads_for_roads() -> None:
    assert _metrics_of(_with_rows(10, 12, MAJOR_ROAD), _with_rows(10, 12, ROAD)).road_f1 == 1


def test_road_metrics_are_nought_where_no_road_is_predicted_and_undefined_where_none_is_true() -> None:
    road, land = _with_rows(10, 12, ROAD), _plain()
    missed, invented = _metrics_of(land, road), _metrics_of(road, land)
    assert (missed.road_f1, missed.cldice) == (0, 0)
    assert np.isnan([invented.road_f1, invented.cldice]).all()


def test_cldice_of_half_a_street_is_two_thirds() -> None:
    # Lines one pixel wide are their own centre lines: precision 1, recall 1/2.
    truth, prediction = _with_rows(10, 11, ROAD), _plain()
    prediction[10, : SIDE // 2] = ROAD
    assert _metrics_of(prediction, truth).cldice == pytest.approx(2 / 3)


def test_cldice_counts_centre_lines_not_areas() -> None:
    # The middle row of a street three rows wide is its centre line, but for a pixel or two where it ends; by area, a
    # third of it would be found and clDice would be 1/2.
    thick, thin = _with_rows(10, 13, ROAD), _with_rows(11, 12, ROAD)
    assert _metrics_of(thin, thick).cldice > 0.95
    assert _metrics_of(thick, thin).cldice > 0.95


def test_cldice_has_no_slack() -> None:
    found = _metrics_of(_with_rows(11, 12, ROAD), _with_rows(10, 11, ROAD))
    assert (found.cldice, found.road_f1) == (0, 1)


def test_sharpness_is_the_ratio_of_neighbour_differences() -> None:
    board = np.indices((SIDE, SIDE)).sum(0) % 2
    strong, weak = (np.repeat((100 + a * board)[..., None], 3, -1).astype(np.uint8) for a in (40, 10))
    assert _metrics_of(weak, strong).sharpness == pytest.approx(0.25)
    assert _metrics_of(_plain(), strong).sharpness == 0
    assert np.isnan(_metrics_of(strong, _plain()).sharpness)


def test_constant_baseline_is_bare_land() -> None:
    found = _metrics_of(_plain(BASELINE_RGB), _with_rows(0, 8, WATER))
    assert BASELINE_RGB == (232, 229, 222)
    assert found.acc5 == 75
    assert found.miou == pytest.approx(0.75 / 2)


def test_score_image_refuses_a_prediction_of_another_size() -> None:
    with pytest.raises(AssertionError):
        score_image(_plain(), _plain(), SIDE + 1)


def test_score_image_names_the_extra_when_scikit_image_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("skimage.metrics", "skimage.morphology", "scipy.ndimage"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=r"skimage|scipy") as caught:
        score_image(_plain(), _plain(), SIDE)
    assert caught.value.hint == "pip install 'sat2map[eval]'"


def test_importing_the_room_loads_neither_torch_nor_scikit_image_nor_a_runtime() -> None:
    code = (
        "import sys, sat2map.evaluate.protocol, sat2map.evaluate.evaluation; "
        "print(sorted({'torch', 'skimage', 'scipy', 'onnxruntime', 'rasterio'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
