from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import sat2map
from sat2map.data import cache as cache_module
from sat2map.data.cache import CachedPairs, open_cached
from sat2map.data.identity import file_digests
from sat2map.data.pairs import Pair, TwoFolders, list_pairs, read_pair
from sat2map.errors import DataError
from sat2map.files import cache_folder
from tests.data.images import noise, save_folder, save_pair


def check(cached: CachedPairs, pairs: list[Pair]) -> None:
    assert len(cached) == len(pairs)
    for i, pair in enumerate(pairs):
        np.testing.assert_array_equal(cached[i].source_hwc, pair.source_hwc)
        np.testing.assert_array_equal(cached[i].target_hwc, pair.target_hwc)


def poison_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("decoded again")

    monkeypatch.setattr(cache_module, "read_pair", refuse)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "pairs"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "cache"


def test_images_of_different_sizes_come_back_as_they_are(folder: Path, place: Path) -> None:
    # More than one slice of the decoder, and every size another.
    pairs = save_folder(folder, [(1 + i % 7, 1 + i % 5) for i in range(70)])
    cached = open_cached(folder, cache=place)
    check(cached, pairs)
    assert cached.names == tuple(f"{i}.png" for i in range(1, 71))
    assert cached.shapes[8] == (2, 8)


def test_direction_swaps_the_halves_of_the_same_cache(folder: Path, place: Path) -> None:
    pairs = save_folder(folder, [(4, 6), (3, 5)])
    open_cached(folder, cache=place)
    back = open_cached(folder, direction="BtoA", cache=place)
    check(back, [Pair(target, source) for source, target in pairs])
    assert sorted(path.suffix for path in place.iterdir()) == [".json", ".sha256", ".u8"]


def test_second_open_does_not_decode(folder: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = save_folder(folder, [(4, 6), (3, 5)])
    open_cached(folder, cache=place)
    poison_decoder(monkeypatch)
    check(open_cached(str(folder), cache=place), pairs)
    save_folder(folder, [(5, 6), (3, 5)])
    with pytest.raises(AssertionError, match="decoded again"):
        open_cached(folder, cache=place)


def test_pixels_are_read_only(folder: Path, place: Path) -> None:
    save_folder(folder, [(4, 6)])
    with pytest.raises(ValueError, match="read-only"):
        open_cached(folder, cache=place)[0].source_hwc[0, 0] = 1


def test_changed_file_makes_a_new_cache(folder: Path, place: Path) -> None:
    save_folder(folder, [(4, 6), (3, 5)])
    old = open_cached(folder, cache=place)
    changed = Pair(noise(3, 5, 98), noise(3, 5, 99))
    save_pair(folder / "2.png", changed)
    new = open_cached(folder, cache=place)
    np.testing.assert_array_equal(new[1].source_hwc, changed.source_hwc)
    np.testing.assert_array_equal(new[0].source_hwc, old[0].source_hwc)
    assert not np.array_equal(old[1].source_hwc, changed.source_hwc)


@pytest.mark.parametrize("change", ["time", "name", "folder", "copy", "link"])
def test_same_bytes_are_the_same_data_and_are_not_decoded_again(
    folder: Path, place: Path, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = save_folder(folder, [(2, 2), (2, 2), (2, 2)])
    before = open_cached(folder, cache=place).digests
    path = folder / "2.png"
    if change == "time":
        os.utime(path, ns=(0, 0))
    elif change == "name":
        path.rename(folder / "2b.png")
    elif change == "folder":
        folder = folder.rename(folder.parent / "elsewhere")
    else:
        there = folder.parent / "there"
        there.mkdir()
        for file in folder.iterdir():
            if change == "copy":
                shutil.copyfile(file, there / file.name)
            else:
                (there / file.name).symlink_to(file)
        folder = there
    poison_decoder(monkeypatch)
    again = open_cached(folder, cache=place)
    assert again.digests == before
    check(again, pairs)


@pytest.mark.parametrize("change", ["one bit", "size", "order", "one more", "one less"])
def test_other_bytes_are_other_data(folder: Path, place: Path, change: str) -> None:
    save_folder(folder, [(2, 2), (2, 2), (2, 2)])
    before = open_cached(folder, cache=place).digests
    path = folder / "2.png"
    stat = path.stat()
    if change == "one bit":
        # Of the same size and time of modification, as `rsync --times` leaves it.
        Image.fromarray(np.concatenate([noise(2, 2, 50), noise(2, 2, 51)], 1)).save(path)
        path.write_bytes(path.read_bytes()[: stat.st_size].ljust(stat.st_size, b"\0"))
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        assert (path.stat().st_size, path.stat().st_mtime_ns) == (stat.st_size, stat.st_mtime_ns)
    elif change == "size":
        path.write_bytes(path.read_bytes() + b"\0")
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    elif change == "order":
        path.rename(folder / "7.png")
    elif change == "one more":
        save_pair(folder / "4.png", (noise(2, 2), noise(2, 2)))
    else:
        path.unlink()
    assert open_cached(folder, cache=place).digests != before


def test_broken_files_are_named_all_at_once_and_nothing_is_left(folder: Path, place: Path) -> None:
    save_folder(folder, [(2, 2)] * 70)
    (folder / "3.png").write_bytes(b"")
    (folder / "40.png").write_bytes(b"not an image")
    save_pair(folder / "69.png", (noise(2, 2), noise(2, 3)))
    with pytest.raises(DataError, match="3 of 70 pairs are broken") as caught:
        open_cached(folder, cache=place)
    for name in ("3.png", "40.png", "69.png"):
        assert str(folder / name) in str(caught.value)
    assert "/4.png" not in str(caught.value)
    assert [path.suffix for path in place.iterdir()] == [".sha256"]


@pytest.mark.parametrize("broken", ["dangling link", "a folder"])
def test_what_is_no_file_is_named(folder: Path, place: Path, broken: str) -> None:
    save_folder(folder, [(2, 2)])
    if broken == "a folder":
        (folder / "2.png").mkdir()
    else:
        (folder / "2.png").symlink_to(folder / "gone")
    with pytest.raises(DataError, match=r"2\.png"):
        open_cached(folder, cache=place)


@pytest.mark.parametrize("n_renames", [0, 1])
def test_build_interrupted_between_its_renames_is_made_again(
    folder: Path, place: Path, monkeypatch: pytest.MonkeyPatch, n_renames: int
) -> None:
    pairs = save_folder(folder, [(4, 6), (3, 5)])
    done: list[Path] = []
    rename = Path.rename

    def interrupted(self: Path, to: Path) -> Path:
        if len(done) == n_renames:
            raise KeyboardInterrupt
        done.append(to)
        return rename(self, to)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", interrupted)
        with pytest.raises(KeyboardInterrupt):
            open_cached(folder, cache=place)
    assert [path for path in place.iterdir() if path.suffix != ".sha256"] == done
    check(open_cached(folder, cache=place), pairs)


def test_another_run_may_finish_the_same_cache_first(
    folder: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = save_folder(folder, [(4, 6), (3, 5)])
    first: list[CachedPairs] = []

    def overtaken(path: Path) -> Pair:
        monkeypatch.setattr(cache_module, "read_pair", read_pair)
        if not first:
            first.append(open_cached(folder, cache=place))
        return read_pair(path)

    monkeypatch.setattr(cache_module, "read_pair", overtaken)
    second = open_cached(folder, cache=place)
    check(first[0], pairs)
    check(second, pairs)
    assert len(list(place.iterdir())) == 3


BUILD = """
import hashlib, sys
from pathlib import Path
from sat2map.data.cache import open_cached
print("ready", flush=True)
sys.stdin.readline()
cached = open_cached(sys.argv[1], cache=Path(sys.argv[2]))
digest = hashlib.sha256()
for pair in (cached[i] for i in range(len(cached))):
    for half in pair:
        digest.update(half.tobytes())
print(digest.hexdigest())
"""


def test_two_processes_building_at_once_both_get_the_right_pixels(folder: Path, place: Path) -> None:
    pairs = save_folder(folder, [(40, 30)] * 80)
    environment = {**os.environ, "PYTHONPATH": str(Path(sat2map.__file__).parents[1])}
    command = [sys.executable, "-c", BUILD, str(folder), str(place)]
    runs = [
        subprocess.Popen(command, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    for run in runs:
        assert run.stdout is not None
        assert run.stdout.readline() == "ready\n"
    for run in runs:
        assert run.stdin is not None
        run.stdin.write("go\n")
        run.stdin.flush()
    answers = [run.communicate()[0].strip() for run in runs]
    digest = hashlib.sha256(b"".join(half.tobytes() for pair in pairs for half in pair)).hexdigest()
    assert answers == [digest, digest]
    assert [run.returncode for run in runs] == [0, 0]
    assert sorted(path.suffix for path in place.iterdir()) == [".json", ".sha256", ".u8"]


def test_cache_lies_where_the_environment_says(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SAT2MAP_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache_folder() == Path.home() / ".cache" / "sat2map"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "sat2map"
    monkeypatch.setenv("SAT2MAP_CACHE", str(tmp_path / "own"))
    save_folder(folder, [(2, 2)])
    open_cached(folder)
    assert len(list((tmp_path / "own").iterdir())) == 3


def test_two_folders_are_cached_as_pairs_and_a_change_in_either_is_seen(folder: Path, place: Path) -> None:
    pairs = [Pair(noise(4, 6, i), noise(4, 6, i + 9)) for i in range(3)]
    for i, pair in enumerate(pairs):
        for name, half in zip("AB", pair, strict=True):
            (folder / name).mkdir(parents=True, exist_ok=True)
            Image.fromarray(half).save(folder / name / f"{i}.png")
    cached = open_cached(folder, cache=place)
    check(cached, pairs)
    assert cached.names == ("0.png", "1.png", "2.png")
    check(open_cached(TwoFolders(folder / "B", folder / "A"), cache=place), [Pair(b, a) for a, b in pairs])
    before = file_digests(list_pairs(folder), place)
    for name in "AB":
        Image.fromarray(noise(4, 6, 77)).save(folder / name / "1.png")
        after = file_digests(list_pairs(folder), place)
        assert [old == new for old, new in zip(before, after, strict=True)] == [True, False, True]
        before = after


KILLED = """
import os, sys
from pathlib import Path
from sat2map.data import cache
def killed(*_):
    os.kill(os.getpid(), 9)
cache.check_pairs = killed
cache.open_cached(sys.argv[1], cache=Path(sys.argv[2]))
"""


def test_what_a_killed_decode_left_goes_with_the_next_one(tmp_path: Path, folder: Path, place: Path) -> None:
    save_folder(folder, [(4, 6)])
    environment = {**os.environ, "PYTHONPATH": str(Path(sat2map.__file__).parents[1])}
    run = subprocess.run([sys.executable, "-c", KILLED, str(folder), str(place)], env=environment, check=False)
    assert run.returncode == -9
    (left,) = (path for path in place.iterdir() if path.is_dir())
    save_folder(tmp_path / "second", [(4, 5)])
    open_cached(tmp_path / "second", cache=place)
    assert left.exists()  # it may still be written to
    for path in (*left.iterdir(), left):
        os.utime(path, (0, 0))
    save_folder(tmp_path / "third", [(4, 7)])
    open_cached(tmp_path / "third", cache=place)
    assert not left.exists()
    assert len(list(place.glob("*.u8"))) == 2
