from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sat2map.data.pairs import TwoFiles, list_pairs
from sat2map.data.split import divide, read_groups, read_rows, split_validation, write_folders, write_lists, write_rows
from sat2map.errors import DataError, OutputError
from tests.data.images import save_folder

NAMES = ["1.jpg", "2.jpg", "3.jpg", "4.jpg"]
PLAIN = "file,group\n1.jpg,a\n2.jpg,b\n3.jpg,a\n"
WITH_SPLIT = "split,file,group,x_px\ntrain,1.jpg,a,0\nval,1.jpg,z,0\nval,2.jpg,z,1\ntrain,2.jpg,b,1\ntrain,3.jpg,a,2\n"


@given(
    groups=st.lists(st.sampled_from("abcdefghij"), min_size=2, max_size=60),
    share=st.floats(0, 0.5),
    seed=st.integers(0, 2**32),
)
def test_groups_never_straddle_and_the_share_is_reached(groups: list[str], share: float, seed: int) -> None:
    try:
        split = split_validation(groups, share, seed)
    except DataError:
        # Only where one group more than the others together would have to go.
        largest = max(Counter(groups).values())
        assert len(groups) - largest < share * len(groups)
        assume(False)
    assert sorted(split.train + split.validation) == list(range(len(groups)))
    held = Counter(groups[i] for i in split.validation)
    assert not held.keys() & {groups[i] for i in split.train}
    assert len(split.validation) >= share * len(groups)
    assert split.train
    # No more than it takes: without the last group drawn, the share would be missed.
    assert not held or any(len(split.validation) - n < share * len(groups) for n in held.values())
    assert split == split_validation(groups, share, seed)


def test_split_follows_the_seed_and_not_the_order_of_the_images() -> None:
    groups = [f"g{i % 20}" for i in range(100)]
    held = {frozenset(groups[i] for i in split_validation(groups, 0.2, seed).validation) for seed in range(10)}
    assert len(held) > 5
    shuffled = groups.copy()
    random.Random(0).shuffle(shuffled)
    assert {shuffled[i] for i in split_validation(shuffled, 0.2, 3).validation} == {
        groups[i] for i in split_validation(groups, 0.2, 3).validation
    }


def test_nothing_is_held_out_for_a_share_of_zero() -> None:
    assert split_validation(NAMES, 0, 0) == ([0, 1, 2, 3], [])
    assert split_validation(["a", "a"], 0, 0) == ([0, 1], [])


@pytest.mark.parametrize(("groups", "share"), [(["a"] * 4, 0.05), (["a", "b"], 0.9), (["a"], 1)])
def test_holding_everything_out_is_refused(groups: list[str], share: float) -> None:
    with pytest.raises(DataError, match="leaves nothing to train on") as caught:
        split_validation(groups, share, 0)
    assert caught.value.hint == "`set` validation_share=0"


@pytest.mark.parametrize("where", ["inside", "beside", "given"])
@pytest.mark.parametrize("text", [PLAIN, WITH_SPLIT], ids=["plain", "split"])
def test_groups_are_found(tmp_path: Path, where: str, text: str) -> None:
    folder = tmp_path / "train"
    folder.mkdir()
    file = {"inside": folder, "beside": tmp_path, "given": tmp_path / "else"}[where] / "groups.csv"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    given = file if where == "given" else None
    assert read_groups(folder, NAMES, given) == ["a", "b", "a", "4.jpg"]


def test_given_file_comes_before_the_one_inside_and_that_before_the_one_beside(tmp_path: Path) -> None:
    folder = tmp_path / "train"
    folder.mkdir()
    for path, group in ((tmp_path, "beside"), (folder, "inside")):
        (path / "groups.csv").write_text(f"file,group\n1.jpg,{group}\n")
    (tmp_path / "own.csv").write_text("file,group\n1.jpg,given\n")
    assert read_groups(folder, ["1.jpg"]) == ["inside"]
    assert read_groups(str(folder), ["1.jpg"], tmp_path / "own.csv") == ["given"]


def test_split_column_is_compared_with_the_folders_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "val").mkdir()
    (tmp_path / "groups.csv").write_text(WITH_SPLIT)
    assert read_groups(tmp_path / "val", NAMES) == ["z", "z", "3.jpg", "4.jpg"]
    monkeypatch.chdir(tmp_path / "val")
    assert read_groups(".", NAMES[:2]) == ["z", "z"]


def test_without_a_file_each_image_is_a_group(tmp_path: Path) -> None:
    assert read_groups(tmp_path, NAMES) == NAMES


def test_byte_order_mark_of_a_spreadsheet_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    (tmp_path / "groups.csv").write_text(PLAIN, encoding="utf-8-sig")
    assert read_groups(tmp_path, NAMES) == ["a", "b", "a", "4.jpg"]


NOT_GROUPS = {
    "no file": b"name,group\n1.jpg,a\n",
    "no group": b"file,place\n1.jpg,a\n",
    "semicolons": b"file;group\n1.jpg;a\n",
    "short row": b"file,group\n1.jpg\n",
    "no value": b"file,group\n1.jpg,\n",
    "no rows": b"file,place\n",
    "empty": b"",
    "endless": b"file,group\n" + b"x" * 200_000,
    "not UTF-8": b"file,group\n\xff\xfe,a\n",
    "missing": None,
}


@pytest.mark.parametrize("case", NOT_GROUPS)
def test_file_without_the_columns_is_refused(tmp_path: Path, case: str) -> None:
    file = tmp_path / "own.csv"
    content = NOT_GROUPS[case]
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(DataError, match="groups cannot be read") as caught:
        read_groups(tmp_path, NAMES, file)
    assert caught.value.value == file
    assert "columns file, group" in str(caught.value.hint)


@given(
    groups=st.lists(st.sampled_from("abcdefghijklmnop"), min_size=8, max_size=60),
    val=st.floats(0.01, 0.3),
    test=st.floats(0.01, 0.3),
    seed=st.integers(0, 99),
)
def test_parts_are_whole_groups_and_each_has_its_share(groups: list[str], val: float, test: float, seed: int) -> None:
    try:
        parts = divide(groups, {"val": val, "test": test}, seed)
    except DataError:
        assume(False)
    assert sorted(i for part in parts.values() for i in part) == list(range(len(groups)))
    assert list(parts) == ["train", "val", "test"]
    of = {name: {groups[i] for i in part} for name, part in parts.items()}
    assert not of["train"] & of["val"]
    assert not of["train"] & of["test"]
    assert not of["val"] & of["test"]
    assert len(parts["val"]) >= val * len(groups)
    assert len(parts["test"]) >= test * len(groups)


def test_dividing_one_group_is_refused() -> None:
    with pytest.raises(DataError, match=r"0\.1 for val leaves nothing to train on"):
        divide(["a"] * 5, {"val": 0.1}, 0)


def test_folders_hold_the_pairs_and_survive_a_second_time(tmp_path: Path) -> None:
    save_folder(tmp_path / "data", [(2, 2)] * 4)
    files = list_pairs(tmp_path / "data")
    out = tmp_path / "out"
    parts = {"train": files[:3], "val": files[3:]}
    write_folders(out, parts, overwrite=False)
    found = {str(p.relative_to(out)): p.read_bytes() for p in out.rglob("*.png")}
    assert found == {f"{n}/{f.name}": f.read_bytes() for n, fs in parts.items() for f in fs}
    with pytest.raises(OutputError, match="output exists"):
        write_folders(out, parts, overwrite=False)
    write_folders(out, {"train": files[:1], "val": files[1:]}, overwrite=True)
    assert sorted(str(p.relative_to(out)) for p in out.rglob("*.png")) == [
        "train/1.png",
        *(f"val/{i}.png" for i in "234"),
    ]
    assert sorted(p.name for p in out.iterdir()) == ["train", "val"]
    assert len(list((tmp_path / "data").iterdir())) == 4


def test_folders_are_copies_where_the_disk_has_no_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(18, "cross-device link")

    monkeypatch.setattr("os.link", refuse)
    save_folder(tmp_path / "data", [(2, 2)])
    (file,) = list_pairs(tmp_path / "data")
    assert isinstance(file, Path)
    write_folders(tmp_path, {"train": [file]}, overwrite=False)
    assert (tmp_path / "train" / "1.png").read_bytes() == file.read_bytes()
    assert not (tmp_path / "train" / "1.png").samefile(file)


@pytest.mark.parametrize("out", [".", "..", "data"])
def test_pairs_themselves_are_never_replaced(tmp_path: Path, out: str) -> None:
    data = tmp_path / "train" / "data" / "train"
    save_folder(data, [(2, 2)])
    place = {".": data.parent, "..": tmp_path, "data": data}[out]
    files = list_pairs(data)
    if out == "data":
        (place / "train").mkdir()
        write_folders(place, {"train": files}, overwrite=True)
    else:
        with pytest.raises(OutputError, match="would replace the pairs themselves"):
            write_folders(place, {"train": files}, overwrite=True)
    assert all(file.exists() for file in files)


def test_two_files_go_to_two_folders_and_on_one_line(tmp_path: Path) -> None:
    for name in ("A", "B"):
        save_folder(tmp_path / "data" / name, [(2, 2)])
    files = list_pairs(tmp_path / "data")
    assert isinstance(files[0], TwoFiles)
    out = tmp_path / "out"
    write_folders(out, {"val": files}, overwrite=False)
    assert sorted(str(p.relative_to(out)) for p in out.rglob("*.png")) == ["val/A/1.png", "val/B/1.png"]
    assert [f.name for f in list_pairs(out / "val")] == ["1.png"]
    write_lists(out, {"val": files, "test": []}, overwrite=False)
    assert (out / "val.txt").read_text().split("\t") == [str(files[0].a), f"{files[0].b}\n"]
    assert (out / "test.txt").read_text() == ""
    with pytest.raises(OutputError, match="output exists"):
        write_lists(out, {"val": files}, overwrite=False)


def test_groups_that_are_written_are_read_back(tmp_path: Path) -> None:
    rows = [{"split": "a", "file": "1, 2.png", "group": "g1"}, {"split": "b", "file": "1, 2.png", "group": "g2"}]
    write_rows(tmp_path / "groups.csv", rows)
    assert read_rows(tmp_path / "groups.csv") == rows
    for name, group in (("a", "g1"), ("b", "g2")):
        (tmp_path / name).mkdir()
        assert read_groups(tmp_path / name, ["1, 2.png"]) == [group]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("split,file,group\ntrain,1.jpg,a\nval,8.jpg,b\n", "of the folders train, val .* and not of renamed"),
        ("file,group\n1,a\n2,b\n", "none of the 4 images, such as 1.jpg, but others, such as 1"),
        ("file,group\n1.JPG,a\n", "none of the 4 images"),
        ("file,group\nA/1.jpg,a\n", "none of the 4 images"),
        ("file,group\n", "none of the 4 images"),
    ],
    ids=["renamed folder", "names without ending", "other case", "paths", "no rows"],
)
@pytest.mark.parametrize("given", [True, False])
def test_groups_that_name_no_image_are_refused(tmp_path: Path, text: str, found: str, given: bool) -> None:
    folder = tmp_path / "renamed"
    folder.mkdir()
    file = tmp_path / ("own.csv" if given else "groups.csv")
    file.write_text(text)
    with pytest.raises(DataError, match=found) as caught:
        read_groups(folder, NAMES, file if given else None)
    assert caught.value.hint


def test_groups_that_name_some_images_say_how_many(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("WARNING", "sat2map")
    (tmp_path / "groups.csv").write_text("file,group\n1.jpg,a\n2.jpg,a\n3.jpg,b\n4.jpg,b\n")
    read_groups(tmp_path, NAMES)
    assert not caplog.text
    (tmp_path / "groups.csv").write_text(PLAIN)
    read_groups(tmp_path, NAMES)
    assert "names 3 of 4 images" in caplog.text


def test_groups_match_names_in_whichever_form_accents_have(tmp_path: Path) -> None:
    (tmp_path / "groups.csv").write_text("file,group\nGru\u0308n.jpg,a\n", "utf-8")
    assert read_groups(tmp_path, ["Gr\u00fcn.jpg"]) == ["a"]


def test_groups_beside_a_folder_may_be_of_its_neighbours(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("WARNING", "sat2map")
    (tmp_path / "sample").mkdir()
    (tmp_path / "groups.csv").write_text("split,file,group\n" + "".join(f"train,{i}.jpg,a\n" for i in range(9)))
    assert read_groups(tmp_path / "sample", NAMES) == NAMES
    assert "only of other folders" in caplog.text
