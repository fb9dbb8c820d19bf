from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from sat2map.cli.main import sat2map
from sat2map.data.download import MAPS

from ..city.scenes import cut, save, scene
from ..data.images import save_folder
from ..data.test_pairs import raster

SIDE = 96


def run(*arguments: object) -> Result:
    return CliRunner().invoke(sat2map, ["data", *map(str, arguments)])


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as handle:
        return list(csv.DictReader(handle))


@pytest.fixture
def two_sets(tmp_path: Path) -> Path:
    """`train` and `val`, which share a third of an image."""
    whole = scene(SIDE, 220, 1)
    for i, (name, x) in enumerate([("train", 0), ("val", 60), ("val", 120)]):
        save(tmp_path / name / f"{i}.jpg", cut(whole, 0, x, SIDE))
    return tmp_path


def test_inspect_tells_of_shared_ground_and_writes_groups_and_sheet(two_sets: Path) -> None:
    groups, sheet = two_sets / "groups.csv", two_sets / "sheet.png"
    result = run("inspect", two_sets / "train", two_sets / "val", "--write-groups", groups, "-o", sheet)
    assert result.exit_code == 1, result.output
    assert "shared ground: 1 overlaps between train and val" in result.stdout
    assert "overlaps of at least 1.0% of an image: 2" in result.stdout
    assert {(r["split"], r["file"], r["group"], r["x_px"]) for r in rows(groups)} == {
        ("train", "0.jpg", "g001", "0"), ("val", "1.jpg", "g001", "60"), ("val", "2.jpg", "g001", "120"),
    }  # fmt: skip
    with Image.open(sheet) as drawn:
        assert drawn.size[0] > 1000
    again = run("inspect", two_sets / "val", "--json")
    found = json.loads(again.stdout)
    assert again.exit_code == 0
    assert found["problems"] == []
    assert found["overlaps"] == [
        {"pairs": ["val/1.jpg", "val/2.jpg"], "share": 0.375, "shift_px": {"rows": 0, "columns": 60}}
    ]
    assert sum(row["listed"] for row in found["groups_csv"]["by_share"]) == 1
    assert sum(row["found"] for row in found["groups_csv"]["by_share"]) == 1
    words = run("inspect", two_sets / "val").stdout
    assert "of 1 overlaps in" in words
    assert "1 found (100.0%)" in words
    assert "nothing wrong found" in words


def test_inspect_finds_shared_ground_by_place(tmp_path: Path) -> None:
    from rasterio.transform import from_origin

    for i, x in enumerate([0, 48, 500]):
        for name, half in zip("AB", scene(SIDE, SIDE, i), strict=True):
            raster(tmp_path / name / f"{i}.tif", half, transform=from_origin(583_000 + x, 4_507_000, 1, 1))
    result = run("inspect", tmp_path, "--json", "--write-groups", tmp_path / "groups.csv")
    assert json.loads(result.stdout)["overlaps"] == [
        {"pairs": [f"{tmp_path.name}/0.tif", f"{tmp_path.name}/1.tif"], "share": 0.5, "shift_px": None}
    ]
    assert [row["group"] for row in rows(tmp_path / "groups.csv")] == ["g001", "g001", "g002"]


def test_evaluate_scores_two_folders_as_it_scores_halves(tmp_path: Path) -> None:
    for i in range(2):
        pair = scene(SIDE, SIDE, i)
        Image.fromarray(np.concatenate(pair, 1)).save(_folder(tmp_path / "whole") / f"{i}.png")
        for name, half in zip("AB", pair, strict=True):
            Image.fromarray(half).save(_folder(tmp_path / "two" / name) / f"{i}.png")
    two = tmp_path / "two"
    given: list[list[str | Path]] = [[tmp_path / "whole"], [two], [two / "A", "--target", two / "B"]]
    found = []
    for data in given:
        arguments = ["evaluate", *map(str, data), "--constant", "1,2,3", "--size", "64", "--json"]
        result = CliRunner().invoke(sat2map, arguments)
        assert result.exit_code == 0, result.output
        found.append(json.loads(result.stdout)["metrics"])
    assert found[0] == found[1] == found[2]


def _folder(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path


def split_of(out: Path) -> dict[str, set[str]]:
    return {p.name: {f.name for f in p.rglob("*.*")} for p in out.iterdir() if p.is_dir()}


def test_split_keeps_groups_together_and_train_finds_them(tmp_path: Path) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    save_folder(data, [(2, 2)] * 20)
    group_of = {f"{i}.png": f"g{i % 5}" for i in range(1, 21)}
    (data / "groups.csv").write_text("file,group\n" + "".join(f"{k},{v}\n" for k, v in group_of.items()))
    result = run("split", data, "-o", out, "--val", 0.2, "--test", 0.2)
    assert result.exit_code == 0, result.output
    parts = split_of(out)
    assert {name: len(files) for name, files in parts.items()} == {"train": 12, "val": 4, "test": 4}
    assert len({frozenset(group_of[f] for f in files) for files in parts.values()}) == 3
    assert {(r["split"], r["file"]): r["group"] for r in rows(out / "groups.csv")} == {
        (name, file): group_of[file] for name, files in parts.items() for file in files
    }
    assert run("split", data, "-o", out).exit_code == 2
    assert run("split", data, "-o", out, "--overwrite", "--seed", 5).exit_code == 0


def test_split_by_place_keeps_squares_together(tmp_path: Path) -> None:
    from rasterio.transform import from_origin

    for i in range(12):
        for name in "AB":
            place = from_origin(580_000 + 1000 * (i // 3) + 20 * (i % 3), 4_500_000, 1, 1)
            raster(tmp_path / "data" / name / f"{i}.tif", np.zeros((8, 8, 3), np.uint8), transform=place)
    result = run("split", tmp_path / "data", "-o", tmp_path / "out", "--val", 0.25, "--block", 500)
    assert result.exit_code == 0, result.output
    assert len({int(name[:-4]) // 3 for name in split_of(tmp_path / "out")["val"]}) == 1
    assert "of 4 groups" in result.stderr
    apart = run("split", tmp_path / "data", "-o", tmp_path / "apart", "--lists")
    assert "of 12 groups" in apart.stderr
    assert len((tmp_path / "apart" / "train.txt").read_text().splitlines()) == 10


def test_download_shows_the_notice_and_takes_an_archive_by_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Any] = []
    monkeypatch.setattr("sat2map.data.download.download", lambda *args, **how: calls.append((args, how)) or args[1])
    refused = run("download", "maps", tmp_path)
    assert refused.exit_code == 2
    assert MAPS.notice in refused.stderr
    assert "--accept-licence" in refused.stderr
    assert calls == []
    result = run("download", "maps", tmp_path, "--accept-licence", "--archive", tmp_path / "mine.tar.gz")
    assert result.exit_code == 0, result.output
    assert MAPS.notice in result.stderr
    assert calls[0][0] == (MAPS, tmp_path)
    assert calls[0][1]["by_hand"] == tmp_path / "mine.tar.gz"
