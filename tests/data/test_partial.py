"""Partial labels: the legend, the folders, the chips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sat2map.classes import CLASS_NAMES, CLASSES
from sat2map.data.augment import Augmentation
from sat2map.data.partial import expand_folder, near_roads, open_partial, open_road_masks
from sat2map.data.partial_chip import draw_partial_chip
from sat2map.errors import DataError

LEGEND = "value,classes,meaning\n0,,unknown\n1,water,water\n2,land|park|place,trees\n6,road|major road,road\n"
PLAIN = Augmentation(load_px=(64, 64), crop_px=32, mirror=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_set(tmp_path / "set", LEGEND)


def write_set(folder: Path, legend: str | None, label: np.ndarray | None = None) -> Path:
    """Two images of 40 x 60 px; each pixel's colour tells its label: (10 * value, 0, 0)."""
    for part in ("image", "label"):
        (folder / part).mkdir(parents=True)
    values = np.zeros((40, 60), np.uint8)
    values[:, 20:] = 1
    values[20:, 40:] = 6
    values[5, 5] = 2
    values = values if label is None else label
    image = np.zeros((*values.shape, 3), np.uint8)
    image[..., 0] = 10 * values
    for name in ("t1_a.png", "t4_b.png"):
        Image.fromarray(image).save(folder / "image" / name)
        Image.fromarray(values).save(folder / "label" / name)
    if legend is not None:
        (folder / "legend.csv").write_text(legend)
    return folder


def bits(*names: str) -> int:
    return sum(1 << CLASS_NAMES.index(name) for name in names)


def test_label_allows_the_classes_of_its_legend(folder: Path, tmp_path: Path) -> None:
    labels = open_partial(folder, CLASSES, tmp_path / "cache")
    sets = labels.sets[labels[0].label_hw]
    assert sets[0, 0] == CLASSES.every_class == bits(*CLASS_NAMES)
    assert sets[0, 30] == bits("water")
    assert sets[5, 5] == bits("land", "park", "place")
    assert sets[30, 50] == bits("road", "major road") == CLASSES.roads


def test_images_are_kept_out_by_the_pattern_of_their_name(folder: Path, tmp_path: Path) -> None:
    labels = open_partial(folder, CLASSES, tmp_path / "cache")
    assert labels.matching(without=["t1_*"]).names == ("t4_b.png",)
    assert labels.matching(only=["t1_*"]).names == ("t1_a.png",)
    assert labels.matching(only=["t*"], without=["*_a*", "x"]).names == ("t4_b.png",)
    assert len(labels.matching(without=["t*"])) == 0


@pytest.mark.parametrize(
    ("legend", "found"),
    [
        (None, "legend of the partial labels cannot be read"),
        ("value,classes\n", "no rows"),
        ("value,classes\n0,lake\n", "a class that there is not: 'lake'"),
        ("value,classes\nx,water\n", "cannot be read"),
        ("value,classes\n300,water\n", "cannot be read"),
        ("value,classes\n0,\n1,water\n2,land\n", "holds the value 6"),
    ],
)
def test_wrong_legend_is_one_clear_line(tmp_path: Path, legend: str | None, found: str) -> None:
    with pytest.raises(DataError, match=found) as caught:
        open_partial(write_set(tmp_path / "set", legend), CLASSES, tmp_path / "cache")
    assert caught.value.hint


def test_road_masks_say_road_or_anything_but_a_road(tmp_path: Path) -> None:
    for part in ("image", "mask"):
        (tmp_path / "roads" / part).mkdir(parents=True)
    masks = {
        "good": np.zeros((40, 40), np.uint8),
        "empty": np.zeros((40, 40), np.uint8),
        "full": np.full((40, 40), 255),
    }
    masks["good"][18:22] = 255
    for name, mask in masks.items():
        Image.fromarray(mask.astype(np.uint8)).save(tmp_path / "roads" / "mask" / f"{name}.png")
        Image.new("RGB", (40, 40)).save(tmp_path / "roads" / "image" / f"{name}.png")
    labels = open_road_masks(tmp_path / "roads", CLASSES, tmp_path / "cache")
    assert labels.names == ("good.png",)
    sets = labels.sets[labels[0].label_hw]
    assert (sets[20] == CLASSES.roads).all()
    assert (sets[0] == bits("land", "water", "park", "place")).all()


def test_pixels_near_a_road_are_those_within_the_slack() -> None:
    roads = np.zeros((9, 9), bool)
    roads[4, 4] = True
    near = near_roads(roads, 2)
    assert near.sum() == 24
    assert not near[4, 4]
    assert near[2, 2]
    assert not near[1, 4]


@pytest.mark.parametrize("scale", [0.5, 1.0, 1.7, 4.0])
def test_chip_and_its_label_are_of_the_same_ground(folder: Path, tmp_path: Path, scale: float) -> None:
    labels = open_partial(folder, CLASSES, tmp_path / "cache")
    for seed in range(20):
        chip = draw_partial_chip(labels, 0, PLAIN, np.random.default_rng(seed), scale=(scale, scale))
        assert chip.source_hwc.shape == (32, 32, 3)
        # Away from borders between labels, the image still says which label it had.
        for value, known in ((0, bits(*CLASS_NAMES)), (1, bits("water")), (6, CLASSES.roads)):
            wrong = (np.abs(chip.source_hwc[..., 0].astype(int) - 10 * value) < 2) & (chip.sets_hw != known)
            assert wrong.mean() < 0.06


def test_chip_depends_on_its_seed_alone(folder: Path, tmp_path: Path) -> None:
    labels = open_partial(folder, CLASSES, tmp_path / "cache")
    one, same, other = (
        draw_partial_chip(labels, 1, PLAIN, np.random.default_rng(seed), scale=(0.5, 2)) for seed in (3, 3, 4)
    )
    assert np.array_equal(one.source_hwc, same.source_hwc)
    assert np.array_equal(one.sets_hw, same.sets_hw)
    assert not np.array_equal(one.source_hwc, other.source_hwc)


def test_slack_makes_the_border_of_a_road_unknown(folder: Path, tmp_path: Path) -> None:
    labels = open_partial(folder, CLASSES, tmp_path / "cache")
    rng = [np.random.default_rng(7) for _ in range(2)]
    sharp, slack = (
        draw_partial_chip(labels, 0, PLAIN, r, scale=(1, 1), slack_px=n).sets_hw
        for r, n in zip(rng, (0, 2), strict=True)
    )
    changed = sharp != slack
    assert np.array_equal(changed, near_roads(sharp == CLASSES.roads, 2) & (sharp != CLASSES.every_class))
    assert (slack[changed] == CLASSES.every_class).all()


def test_chips_are_plain_or_stretched_by_image_or_by_folder(tmp_path: Path) -> None:
    labels = open_partial(write_set(tmp_path / "set", LEGEND), CLASSES, tmp_path / "cache")
    levels, folder_levels = np.array([[0.0] * 3, [240.0] * 3]), np.array([[0.0] * 3, [120.0] * 3])
    brightest = [
        int(
            draw_partial_chip(
                labels, 0, PLAIN.model_copy(update={"stretch": 0.1}), np.random.default_rng(seed), scale=(1.8, 1.8),
                levels=levels, own_levels=folder_levels,
            ).source_hwc[..., 0].max()
        )
        for seed in range(120)
    ]  # fmt: skip
    # 60 as it is, twice as much by the folder's levels, four times as much by its own.
    third = np.histogram(brightest, [55, 90, 180, 256])[0]
    assert third.sum() == 120
    assert third.min() > 25


@pytest.mark.parametrize(
    ("folder", "found"), [("$SAT2MAP_NOWHERE/x", "variable that is not set"), ("~/sat2map-no-such", "no such folder")]
)
def test_folder_of_a_recipe_that_is_not_there_is_one_clear_line(folder: str, found: str) -> None:
    with pytest.raises(DataError, match=found) as caught:
        expand_folder(folder)
    assert caught.value.hint


def test_variables_of_a_folder_are_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "town").mkdir()
    monkeypatch.setenv("SAT2MAP_DATA", str(tmp_path))
    assert expand_folder("$SAT2MAP_DATA/town") == tmp_path / "town"
