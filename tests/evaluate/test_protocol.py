"""The protocol: from pairs to tables of metrics."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image

from sat2map.arrays import UInt8
from sat2map.classes import CLASS_NAMES, CLASSES
from sat2map.errors import DataError, ModelFileError
from sat2map.evaluate.metrics import METRICS, ImageScore, score_image, total
from sat2map.evaluate.protocol import Predict, by_engine, constant, decode_pairs, score_images, summarise

BASELINE_RGB = CLASSES[0].colours_rgb[0]

NATIVE, SIDE = 48, 32


def _pair(seed: int) -> tuple[str, UInt8, UInt8]:
    source = np.random.default_rng(seed).integers(0, 256, (NATIVE, NATIVE, 3), np.uint8)
    target = np.full_like(source, BASELINE_RGB)
    target[10 + seed : 16 + seed] = 255
    return f"{seed}.png", source, target


class _Inverse:
    """An engine that needs no model file: its first head is the negative, its second the image."""

    card = SimpleNamespace(name="inverse", heads=("crisp", "smooth"), stride=8)

    def run(self, sat_bhwc: UInt8, head: str) -> UInt8:
        return 255 - sat_bhwc if head == "crisp" else sat_bhwc


def _scores(predict: Predict, pairs: Iterable[tuple[str, UInt8, UInt8]], size_px: int) -> list[ImageScore]:
    return [image.score for image in score_images(predict, pairs, size_px, CLASSES)]


def test_score_images_scores_each_pair_as_score_image_does() -> None:
    pairs = [_pair(0), _pair(1)]
    expected = [score_image(np.full((SIDE, SIDE, 3), 200, np.uint8), target, SIDE) for _, _, target in pairs]
    assert _scores(constant((200, 200, 200)), pairs, SIDE) == expected


def test_score_images_gives_the_model_the_whole_source_by_pillow_bicubic() -> None:
    given = []

    def predict(image_hwc: UInt8) -> UInt8:
        given.append(image_hwc)
        return image_hwc

    name, source, target = _pair(0)
    _scores(predict, [(name, source, target)], SIDE)
    np.testing.assert_array_equal(
        given[0], np.asarray(Image.fromarray(source).resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    )


def test_score_images_at_the_native_size_resizes_nothing() -> None:
    _, source, target = _pair(0)
    found = total(_scores(lambda _: target, [("0.png", source, target)], NATIVE))
    assert (found.rmse, found.acc5, found.miou) == (0, 100, 1)


def test_score_images_holds_one_image_at_a_time() -> None:
    taken = []

    def pairs() -> Any:
        for seed in range(3):
            taken.append(seed)
            yield _pair(seed)

    next(score_images(constant((0, 0, 0)), pairs(), SIDE, CLASSES))
    assert taken == [0]


def test_constant_baseline_is_the_score_of_one_colour() -> None:
    name, source, target = _pair(0)
    (image,) = score_images(constant((0, 0, 0)), [(name, source, target)], SIDE, CLASSES)
    assert image.constant_baseline() == score_image(np.full((SIDE, SIDE, 3), BASELINE_RGB, np.uint8), target, SIDE)
    assert image.score != image.constant_baseline()


@pytest.mark.parametrize(("head", "inverted"), [(None, True), ("crisp", True), ("smooth", False)])
def test_by_engine_runs_the_chosen_head(head: str | None, inverted: bool) -> None:
    _, source, _ = _pair(0)
    made = by_engine(cast("Any", _Inverse()), head)(source)
    np.testing.assert_array_equal(made, 255 - source if inverted else source)


def test_by_engine_names_the_heads_that_there_are() -> None:
    with pytest.raises(ModelFileError, match="no such head: 'rgb'") as caught:
        by_engine(cast("Any", _Inverse()), "rgb")
    assert caught.value.hint == "set head to one of: crisp, smooth"


def test_summarise_is_json_with_every_metric_between_its_ends() -> None:
    scores = _scores(constant((250, 250, 250)), [_pair(seed) for seed in range(6)], SIDE)
    found = summarise(scores, ["a", "a", "b", "b", "c", "c"])
    assert tuple(found["metrics"]) == METRICS
    assert tuple(found["iou"]) == CLASS_NAMES
    json.dumps(found, allow_nan=False)
    for cell in found["metrics"].values():
        assert cell["low"] <= cell["value"] <= cell["high"]
    assert found["iou"]["water"] == {"value": None, "low": None, "high": None}


def test_summarise_has_no_number_for_an_infinite_psnr() -> None:
    _, source, target = _pair(0)
    found = summarise(_scores(lambda _: target, [("0.png", source, target)], NATIVE), ["a"])
    assert found["metrics"]["psnr"] == {"value": None, "low": None, "high": None}
    assert found["metrics"]["rmse"]["value"] == 0


def test_decode_pairs_cuts_satellite_left_and_map_right(tmp_path: Path) -> None:
    name, source, target = _pair(0)
    Image.fromarray(np.concatenate((source, target), axis=1)).save(tmp_path / name)
    ((found, left, right),) = decode_pairs([tmp_path / name])
    assert found == name
    np.testing.assert_array_equal(left, source)
    np.testing.assert_array_equal(right, target)


def test_decode_pairs_names_the_file_that_is_no_pair(tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"not an image")
    with pytest.raises(DataError, match=r"broken\.jpg"):
        list(decode_pairs([tmp_path / "broken.jpg"]))
