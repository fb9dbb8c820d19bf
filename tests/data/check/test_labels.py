"""What `data inspect` tells of partial labels and road masks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from sat2map.cli.main import sat2map
from sat2map.data.check.labels import inspect_labels
from sat2map.data.partial import label_kind
from sat2map.errors import DataError
from tests.data.label_sets import write_set


@pytest.fixture
def coast(tmp_path: Path) -> Path:
    """Two images of 8 x 10 px; a quarter of the pixels is water, half of them unknown."""
    label = np.zeros((8, 10), np.uint8)
    label[:4, :5], label[4:, :5] = 1, 2
    images = dict.fromkeys(("a.png", "b.png"), (np.zeros((8, 10, 3), np.uint8), label))
    return write_set(tmp_path / "coast", images, "value,classes\n0,\n1,water\n2,land|park\n")


def test_report_tells_sizes_classes_and_how_much_is_known(coast: Path) -> None:
    report = inspect_labels(coast, "partial")
    assert (report.n_images, dict(report.sizes), report.known) == (2, {(8, 10): 2}, 0.5)
    assert report.shares == {"land|road|major road|water|park|place": 0.5, "water": 0.25, "land|park": 0.25}
    assert report.problems == []


def test_broken_files_and_unknown_values_are_named(coast: Path) -> None:
    (coast / "image" / "a.png").write_bytes(b"no image")
    Image.new("L", (10, 8), 7).save(coast / "label" / "b.png")
    problems = inspect_labels(coast, "partial").problems
    assert [(p.kind, p.pairs[0].name) for p in problems] == [("unreadable", "a.png"), ("unknown value", "b.png")]
    assert "holds 7" in problems[1].words


def test_road_masks_that_are_not_used_are_named(tmp_path: Path) -> None:
    for part in ("image", "mask"):
        (tmp_path / part).mkdir()
    for name, rows in (("empty", 0), ("good", 3), ("full", 9)):
        mask = np.zeros((10, 10), np.uint8)
        mask[:rows] = 255
        Image.fromarray(mask).save(tmp_path / "mask" / f"{name}.png")
        Image.new("RGB", (10, 10)).save(tmp_path / "image" / f"{name}.png")
    assert label_kind(tmp_path) == "roads"
    report = inspect_labels(tmp_path, "roads")
    assert report.shares == pytest.approx({"land|water|park|place": 0.6, "road|major road": 0.4})
    assert [[w.name for w in p.pairs] for p in report.problems] == [["empty.png", "full.png"]]


def test_command_knows_the_folder_by_what_is_in_it(coast: Path) -> None:
    found = CliRunner().invoke(sat2map, ["data", "inspect", str(coast), "--json"])
    assert found.exit_code == 0, found.output
    assert json.loads(found.stdout)["coast"] == {
        "kind": "partial", "images": 2, "sizes_px": {"10 x 8": 2}, "known": 0.5,
        "classes": {"land|road|major road|water|park|place": 0.5, "water": 0.25, "land|park": 0.25}, "problems": [],
    }  # fmt: skip
    Image.new("L", (10, 8), 7).save(coast / "label" / "b.png")
    found = CliRunner().invoke(sat2map, ["data", "inspect", str(coast)])
    assert found.exit_code == 1
    assert "coast: 2 images with partial labels, 10 x 8 px (2)" in found.stdout
    assert "unknown value: label holds 7, which legend.csv lacks: b.png" in found.stdout


def test_folder_that_is_none_is_taken_for_pairs(coast: Path) -> None:
    (coast / "legend.csv").unlink()
    with pytest.raises(DataError, match="legend"):
        inspect_labels(coast, "partial")
    assert label_kind(coast / "image") is None
