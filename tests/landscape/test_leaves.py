"""Trees that are drawn into real images: they hide streets, stand elsewhere too, and labels stay as they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from click.testing import CliRunner

from sat2map.classes import CLASSES, ClassTable
from sat2map.cli.main import sat2map
from sat2map.data.ground_file import DATA_FILE, GroundFile, data_table, write_ground_file
from sat2map.data.partial import open_partial
from sat2map.landscape.leaves import in_leaf
from tests.data.label_sets import write_set

LEGEND = "value,classes\n0,land|water|park|place\n1,road|major road\n"
GREY, STREET = 150, 90


def town() -> tuple[np.ndarray, np.ndarray]:
    """A grey image of 300 px with two streets, and where they are."""
    roads = np.zeros((300, 300), bool)
    roads[:, 100:108] = roads[200:208] = True
    return np.where(roads[..., None], STREET, GREY).repeat(3, 2).astype(np.uint8), roads


def test_crowns_hide_a_part_of_the_streets_and_of_what_is_beside_them() -> None:
    image, roads = town()
    hidden = np.mean([(in_leaf(image, roads, 1.0, (seed,)) != image).any(-1) for seed in range(12)], 0)
    assert 0.1 < hidden[roads].mean() < 0.7
    assert 0.02 < hidden[~roads].mean() < hidden[roads].mean()


def test_same_seed_gives_the_same_trees() -> None:
    image, roads = town()
    assert np.array_equal(in_leaf(image, roads, 1.0, (3,)), in_leaf(image, roads, 1.0, (3,)))
    assert not np.array_equal(in_leaf(image, roads, 1.0, (3,)), in_leaf(image, roads, 1.0, (4,)))


def test_towns_of_a_folder_are_written_with_the_labels_that_they_had(tmp_path: Path) -> None:
    image, roads = town()
    label = roads.astype(np.uint8)
    folder = write_set(tmp_path / "set", {"town.png": (image, label), "wood.png": (image, label * 0)}, LEGEND)
    result = CliRunner().invoke(sat2map, ["data", "trees", str(folder), "--gsd", "1", "-o", str(tmp_path / "new")])
    assert result.exit_code == 0, result.output
    new = open_partial(tmp_path / "new", CLASSES)
    assert [Path(name).stem for name in new.names] == ["town"]
    assert np.array_equal(new[0].label_hw, label)
    assert (new[0].image_hwc != image).any(-1).mean() > 0.02
    assert np.array_equal(new.sets[new[0].label_hw] == CLASSES.roads, roads)


def test_labels_are_not_replaced_by_those_of_their_towns(tmp_path: Path) -> None:
    image, roads = town()
    label = roads.astype(np.uint8)
    folder = write_set(tmp_path / "set", {"town.png": (image, label), "wood.png": (image, label * 0)}, LEGEND)
    before = {path: path.read_bytes() for path in folder.rglob("*.*")}
    # A folder of labels that holds another one is as much an input.
    (tmp_path / "legend.csv").write_bytes((folder / "legend.csv").read_bytes())
    for out in (folder, tmp_path):
        arguments = ["data", "trees", str(folder), "--gsd", "1", "-o", str(out), "--overwrite"]
        result = CliRunner().invoke(sat2map, arguments)
        assert result.exit_code == 2
        assert "output holds the input" in result.stderr
    assert {path: path.read_bytes() for path in folder.rglob("*.*")} == before


def test_labels_of_other_classes_keep_their_own_table(tmp_path: Path) -> None:
    image, roads = town()
    legend = "value,classes\n0,soil\n1,tarmac\n"
    folder = write_set(tmp_path / "set", {"town.png": (image, roads.astype(np.uint8))}, legend)
    classes: tuple[dict[str, object], ...] = (
        {"name": "soil", "colours_rgb": [[9, 9, 9]]},
        {"name": "tarmac", "colours_rgb": [[90, 90, 90]], "is_road": True},
    )
    table = GroundFile.model_validate({"classes": classes}).classes
    assert isinstance(table, ClassTable)
    write_ground_file(folder / DATA_FILE, GroundFile(classes=table))
    result = CliRunner().invoke(sat2map, ["data", "trees", str(folder), "--gsd", "1", "-o", str(tmp_path / "new")])
    assert result.exit_code == 0, result.output
    assert data_table(tmp_path / "new") == table
    assert len(open_partial(tmp_path / "new", table)) == 1


def test_folder_without_a_town_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    image, roads = town()
    folder = write_set(tmp_path / "set", {"wood.png": (image, np.zeros(roads.shape, np.uint8))}, LEGEND)
    result = CliRunner().invoke(sat2map, ["data", "trees", str(folder), "--gsd", "1", "-o", str(tmp_path / "new")])
    assert result.exit_code == 2
    assert "no image has roads on 5% of its pixels" in result.output
    assert not (tmp_path / "new").exists()
