from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sat2map.data.check.image_check import PairLocation
from sat2map.data.check.inspect import Report, group_rows, inspect, listed_overlaps
from sat2map.data.check.sheet import FAULT, N_COLUMNS, contact_sheet
from sat2map.data.pairs import Pair, list_pairs
from sat2map.errors import DataError
from tests.city.scenes import cut, save, scene

SIDE = 176


def look_into(root: Path, *names: str) -> Report:
    return inspect({name: list_pairs(root / name) for name in names})


def kinds(report: Report) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for problem in report.problems:
        found.setdefault(problem.kind, []).extend(f"{w.set_name}/{w.name}" for w in problem.pairs)
    return found


def sound(root: Path, name: str, seeds: range) -> None:
    for i, seed in enumerate(seeds, 1):
        save(root / name / f"{i}.jpg", cut(scene(SIDE, SIDE, seed), 0, 0, SIDE))


def test_nothing_is_wrong_with_a_sound_set(tmp_path: Path) -> None:
    sound(tmp_path, "train", range(6))
    report = look_into(tmp_path, "train")
    assert report.problems == []
    assert report.shared == []
    assert report.groups == list(range(6))


def test_each_fault_is_found_and_its_pairs_are_named(tmp_path: Path) -> None:
    sound(tmp_path, "train", range(6))
    train = tmp_path / "train"
    (train / "7.jpg").write_bytes((train / "1.jpg").read_bytes()[:2000])
    swapped = scene(SIDE, SIDE, 21)
    save(train / "8.jpg", (swapped[1], swapped[0]))
    (train / "9.jpg").write_bytes((train / "2.jpg").read_bytes())
    save(train / "10.jpg", scene(200, 180, 22))
    save(train / "11.jpg", Pair(*(np.full((SIDE, SIDE, 3), 7, np.uint8),) * 2))
    Image.fromarray(np.zeros((SIDE, SIDE + 1, 3), np.uint8)).save(train / "12.png")
    other = cut(scene(SIDE, SIDE, 2), 0, 0, SIDE)
    save(train / "13.jpg", (other[0], scene(SIDE, SIDE, 23)[1]))
    report = look_into(tmp_path, "train")
    found = kinds(report)
    assert found["unreadable"] == ["train/7.jpg", "train/12.png"]
    assert found["swapped"] == ["train/8.jpg"]
    assert found["duplicate"] == ["train/2.jpg", "train/9.jpg", "train/3.jpg", "train/13.jpg"]
    assert found["size"] == ["train/10.jpg"]
    assert found["blank"] == ["train/11.jpg"]
    assert "misaligned" not in found
    assert sum(report.groups.count(n) for n in set(report.groups)) == len(report.checks) == 11


@pytest.mark.parametrize(("dy", "dx"), [(9, -14), (-20, 6)])
def test_shift_of_all_maps_is_told(tmp_path: Path, dy: int, dx: int) -> None:
    for i in range(6):
        a, b = scene(SIDE + 60, SIDE + 60, i)
        save(tmp_path / "set" / f"{i}.png", (a[30 : 30 + SIDE, 30 : 30 + SIDE],
                                             b[30 + dy : 30 + dy + SIDE, 30 + dx : 30 + dx + SIDE]))  # fmt: skip
    (problem,) = look_into(tmp_path, "set").problems
    assert problem.kind == "misaligned"
    words = problem.words.split()
    right = int(words[words.index("px") - 1])
    down = int(words[words.index("and") + 1])
    assert abs(right - dx) <= 1, problem.words
    assert abs(down - dy) <= 1


def test_map_that_does_not_continue_its_neighbours_is_told(tmp_path: Path) -> None:
    whole = scene(400, 400, 3)
    places = [(0, 0), (60, 60), (120, 20), (30, 120)]
    for i, (y, x) in enumerate(places):
        a, b = cut(whole, y, x, SIDE)
        save(tmp_path / "set" / f"{i}.png", (a, cut(whole, y + 12, x, SIDE).target_hwc if i == 2 else b))
    assert kinds(look_into(tmp_path, "set")) == {"map elsewhere": ["set/2.png"]}


def test_ground_that_two_sets_share_is_told(tmp_path: Path) -> None:
    whole = scene(300, 400, 3)
    sound(tmp_path, "train", range(10, 13))
    sound(tmp_path, "val", range(20, 23))
    save(tmp_path / "train" / "7.jpg", cut(whole, 0, 0, SIDE))
    save(tmp_path / "train" / "8.jpg", cut(whole, 60, 200, SIDE))
    save(tmp_path / "val" / "9.jpg", cut(whole, 90, 110, SIDE))
    report = look_into(tmp_path, "train", "val")
    assert kinds(report) == {"shared ground": ["train/7.jpg", "val/9.jpg", "train/8.jpg"]}
    assert "2 overlaps between train and val" in report.problems[0].words
    rows = {(row["split"], row["file"]): row for row in group_rows(report)}
    seven, eight, nine = (rows[key] for key in (("train", "7.jpg"), ("train", "8.jpg"), ("val", "9.jpg")))
    assert seven["group"] == eight["group"] == nine["group"] != rows["train", "1.jpg"]["group"]
    assert [(r["y_px"], r["x_px"]) for r in (seven, eight, nine)] == [(0, 0), (60, 200), (90, 110)]


def test_least_share_decides_what_counts(tmp_path: Path) -> None:
    whole = scene(SIDE, 2 * SIDE, 3)
    save(tmp_path / "a" / "1.jpg", cut(whole, 0, 0, SIDE))
    save(tmp_path / "b" / "1.jpg", cut(whole, 0, 150, SIDE))
    sets = {name: list_pairs(tmp_path / name) for name in "ab"}
    assert [s.share for s in inspect(sets).shared] == [26 / SIDE]
    assert [p.kind for p in inspect(sets, least_share=0.1).problems] == ["shared ground"]
    assert inspect(sets, least_share=0.2).problems == []
    assert inspect(sets, find_shared=False).shared == []


def test_listed_overlaps_are_those_of_the_places(tmp_path: Path) -> None:
    sound(tmp_path, "train", range(3))
    checks = look_into(tmp_path, "train").checks
    row = {"split": "train", "group": "a"}
    rows = [
        row | {"file": "1.jpg", "x_px": "0", "y_px": "0"},
        row | {"file": "2.jpg", "x_px": "88", "y_px": "0"},
        row | {"file": "3.jpg", "x_px": "88", "y_px": "0", "group": "b"},
    ]
    assert listed_overlaps(rows, checks) == {(0, 1): 0.5}
    rows[2] |= {"group": "a", "y_px": "-175"}
    assert listed_overlaps(rows, checks) == pytest.approx({(0, 1): 0.5, (0, 2): 88 / SIDE**2, (1, 2): 1 / SIDE})
    assert listed_overlaps([row | {"file": "1.jpg"}], checks) == {}
    with pytest.raises(DataError, match="no number"):
        listed_overlaps([row | {"file": "1.jpg", "x_px": "left", "y_px": "0"}], checks)


def test_sheet_shows_faulty_pairs_first_and_framed(tmp_path: Path) -> None:
    sound(tmp_path, "train", range(9))
    a, b = scene(SIDE, SIDE, 30)
    save(tmp_path / "train" / "10.jpg", (b, a))
    report = look_into(tmp_path, "train")
    sheet = np.asarray(contact_sheet(report, 8))
    n_rows = -(-8 // N_COLUMNS)
    framed = (sheet == FAULT).all(-1)
    rows, cols = np.nonzero(framed)
    assert rows.size > 500
    assert rows.max() < sheet.shape[0] // n_rows
    assert cols.max() < sheet.shape[1] // N_COLUMNS + 8
    assert contact_sheet(Report([])).size[0] == sheet.shape[1]


def test_pair_is_known_by_set_and_name(tmp_path: Path) -> None:
    sound(tmp_path, "a", range(2))
    sound(tmp_path, "b", range(5, 7))
    assert [check.location for check in look_into(tmp_path, "a", "b").checks] == [
        PairLocation("a", "1.jpg"), PairLocation("a", "2.jpg"), PairLocation("b", "1.jpg"), PairLocation("b", "2.jpg"),
    ]  # fmt: skip
