"""Partial labels that a model completes: which classes are left, and the folder that is written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from sat2map.arrays import UInt8
from sat2map.classes import CLASSES
from sat2map.cli.main import sat2map
from sat2map.data.partial import LEGEND_FILE, ClassSets, open_partial
from sat2map.train.completion import Probabilities, Teacher, completed, write_completed
from tests.data.label_sets import write_set
from tests.model.networks import tiny

LAND, ROAD, MAJOR, WATER, PARK, PLACE = (1 << i for i in range(6))
ANY = int(CLASSES.every_class)


def left(possible: int, **probabilities: float) -> int:
    """What is left of a set where a model gives these probabilities, and the rest to nothing."""
    p = np.zeros((len(CLASSES), 1, 1), np.float32)
    for name, value in probabilities.items():
        p[CLASSES.names.index(name.replace("_", " "))] = value
    sets: ClassSets = np.array([[possible]], np.uint32)
    return int(completed(sets, p, CLASSES)[0, 0])


def test_a_street_that_the_model_is_unsure_of_is_a_road() -> None:
    assert left(LAND | ROAD | MAJOR, land=0.6, road=0.35, major_road=0.05) == ROAD | MAJOR
    assert left(LAND | ROAD | MAJOR, land=0.6, road=0.4) == ROAD


def test_a_road_that_the_model_rules_out_is_none_and_neither_is_what_else_it_rules_out() -> None:
    assert left(ANY, land=0.9, road=0.05, park=0.05) == LAND | PARK
    assert left(ANY, water=0.99, land=0.01) == WATER


def test_between_both_all_stays_open() -> None:
    assert left(ANY, land=0.8, road=0.2) == ANY


def test_what_is_known_of_roads_stays() -> None:
    assert left(LAND | WATER, road=0.9, water=0.1) == WATER
    assert left(ROAD | MAJOR, land=1.0) == ROAD | MAJOR
    assert left(ROAD | MAJOR, land=0.5, major_road=0.5) == MAJOR


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One image of 48 x 64 px: its left half is any class but water, its right half trees."""
    label = np.zeros((48, 64), np.uint8)
    label[:, 32:] = 2
    image = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    legend = "value,classes\n0,land|road|major road|park|place\n2,land|park|place\n"
    return write_set(tmp_path / "set", {"a.png": (image, label)}, legend)


def test_probabilities_are_those_of_the_image_in_its_own_size_and_turn_with_it() -> None:
    teacher = Teacher(*tiny("compact"))
    image = np.random.default_rng(1).integers(0, 256, (40, 56, 3), np.uint8)
    p = teacher.probabilities(image, 0.8)
    assert p.shape == (len(CLASSES), 40, 56)
    np.testing.assert_allclose(p.sum(0), 1, atol=1e-5)
    assert p.std() > 0.01
    turned = teacher.probabilities(np.ascontiguousarray(image[::-1, ::-1]), 0.8)
    assert np.abs(turned[:, ::-1, ::-1] - p).mean() < 0.5 * p.std()


def test_completed_folder_is_read_as_partial_labels_that_allow_no_more(folder: Path, tmp_path: Path) -> None:
    model = tiny("compact")
    shares: list[float] = []
    before = open_partial(folder, CLASSES)
    share = write_completed(before, tmp_path / "new", Teacher(*model), 0.8, tell=shares.append)
    after = open_partial(tmp_path / "new", CLASSES)
    old, new = (labels.sets[labels[0].label_hw] for labels in (before, after))
    assert (new & ~old == 0).all()
    assert (new != 0).all()
    n_new, n_old = (sum(map(int.bit_count, sets.ravel().tolist())) for sets in (new, old))
    assert share == pytest.approx(n_new / n_old)
    assert share < 1
    assert shares == [1.0]
    np.testing.assert_array_equal(after[0].image_hwc, before[0].image_hwc)


def test_roads_may_be_hidden_under_a_value_that_is_named(folder: Path, tmp_path: Path) -> None:
    class Street(Teacher):
        def probabilities(self, image_hwc: UInt8, gsd_m: float) -> Probabilities:
            p: Probabilities = np.zeros((len(CLASSES), *image_hwc.shape[:2]), np.float32)
            p[1] = 1
            return p

    teacher = Street(*tiny("compact"))
    for hidden, expected in (((), LAND | PARK | PLACE), ((2,), ROAD)):
        write_completed(open_partial(folder, CLASSES), tmp_path / f"new{len(hidden)}", teacher, 0.8, hidden=hidden)
        labels = open_partial(tmp_path / f"new{len(hidden)}", CLASSES)
        sets = labels.sets[labels[0].label_hw]
        assert (sets[:, :32] == ROAD).all()
        assert (sets[:, 32:] == expected).all()


def test_images_that_are_not_chosen_and_values_of_the_legend_stay(folder: Path, tmp_path: Path) -> None:
    before = open_partial(folder, CLASSES)
    write_completed(before, tmp_path / "new", Teacher(*tiny("compact")), 0.8, chosen=())
    after = open_partial(tmp_path / "new", CLASSES)
    np.testing.assert_array_equal(after[0].label_hw, before[0].label_hw)
    assert after.sets[[0, 2]].tolist() == before.sets[[0, 2]].tolist()


def test_command_writes_a_folder_and_refuses_what_does_not_fit(folder: Path, tmp_path: Path) -> None:
    model = tiny("compact").save(tmp_path / "m.safetensors")

    def run(*arguments: object) -> tuple[int, str]:
        result = CliRunner().invoke(sat2map, ["data", "complete", *map(str, arguments)])
        return result.exit_code, result.stderr

    code, said = run(folder, "-o", tmp_path / "new", "--gsd", 0.8, "--model", model)
    assert code == 0, said
    assert "wrote labels of 1 images, 1 completed" in said
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == ["image", "label", LEGEND_FILE]
    assert "output exists" in run(folder, "-o", tmp_path / "new", "--gsd", 0.8, "--model", model)[1]
    assert "holds the input" in run(tmp_path / "new", "-o", tmp_path / "new", "--gsd", 1, "--overwrite")[1]
    assert (
        "no image is left to complete"
        in run(folder, "-o", tmp_path / "b", "--gsd", 1, "--model", model, "--only", "x*")[1]
    )
    assert "holds no partial labels" in run(tmp_path, "-o", tmp_path / "b", "--gsd", 1, "--model", model)[1]
    unet = tiny("unet").save(tmp_path / "u.safetensors")
    assert "no probabilities of classes" in run(folder, "-o", tmp_path / "b", "--gsd", 1, "--model", unet)[1]
    assert not (tmp_path / "b").exists()
