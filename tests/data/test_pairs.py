from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sat2map.data.augment import Augmentation, draw_chip
from sat2map.data.pairs import Pair, check_pairs, list_pairs, read_pair
from sat2map.errors import DataError
from tests.data.pictures import flat, noise, save_pair


def test_pairs_are_listed_in_natural_order(tmp_path: Path) -> None:
    for name in ("10.jpg", "2.jpg", "1.PNG", "100.webp", "notes.txt", "3.tif", "11.jpeg"):
        (tmp_path / name).touch()
    names = [path.name for path in list_pairs(str(tmp_path))]
    assert names == ["1.PNG", "2.jpg", "3.tif", "10.jpg", "11.jpeg", "100.webp"]


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".PNG"])
def test_halves_are_cut_exactly(tmp_path: Path, suffix: str) -> None:
    left, right = noise(5, 7, 1), noise(5, 7, 2)
    path = save_pair(tmp_path / f"1{suffix}", (left, right))
    source, target = read_pair(path)
    np.testing.assert_array_equal(source, left)
    np.testing.assert_array_equal(target, right)
    back = read_pair(path, "BtoA")
    np.testing.assert_array_equal(back.source_hwc, right)
    np.testing.assert_array_equal(back.target_hwc, left)


@pytest.mark.parametrize("load_px", [(37, 37), (37, 80), (16, 19)])
def test_no_pixel_crosses_the_seam_not_even_when_a_chip_is_resized(tmp_path: Path, load_px: tuple[int, int]) -> None:
    pair = read_pair(save_pair(tmp_path / "1.png", (flat(30, 0), flat(30, 255))))
    how = Augmentation(load_px=load_px, crop_px=16, mirror=True, quarter_turns=True, gain=0.5, gamma=0.5, colour=0.5)
    for half, level in zip(pair, (0, 255), strict=True):
        assert np.unique(half).tolist() == [level]
    for index in range(60):
        chip = draw_chip(pair, how, seed=0, epoch=0, index=index)
        assert np.unique(chip.source_hwc).tolist() == [0]
        assert np.unique(chip.target_hwc).tolist() == [255]


@pytest.mark.parametrize(
    ("mode", "levels"), [("L", (10, 10, 10)), ("RGBA", (10, 20, 30)), ("P", (10, 20, 30)), ("1", (255, 255, 255))]
)
def test_other_modes_become_rgb(tmp_path: Path, mode: str, levels: tuple[int, int, int]) -> None:
    colour = {"L": 10, "RGBA": (10, 20, 30, 255), "P": 0, "1": 1}[mode]
    picture = Image.new(mode, (8, 4), colour)
    if mode == "P":
        picture.putpalette([10, 20, 30])
    picture.save(tmp_path / "1.png")
    for half in read_pair(tmp_path / "1.png"):
        assert half.dtype == np.uint8
        assert half.shape == (4, 4, 3)
        assert (half == levels).all()


def encoded(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(noise(40, 80)).save(buffer, kind)
    return buffer.getvalue()


def write(data: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(data)


BROKEN = {
    "odd width": ("1.png", lambda p: save_pair(p, (noise(4, 3), noise(4, 4))), "pair is 7 px wide"),
    "one pixel": ("1.png", lambda p: Image.new("RGB", (1, 1)).save(p), "pair is 1 px wide"),
    "truncated jpeg": ("1.jpg", write(encoded("JPEG")[:-900]), "cannot be read"),
    "truncated png": ("1.png", write(encoded("PNG")[:-900]), "cannot be read"),
    "truncated webp": ("1.webp", write(encoded("WEBP")[:-900]), "cannot be read"),
    "truncated bmp": ("1.bmp", write(encoded("BMP")[:-900]), "cannot be read"),
    "truncated tiff": ("1.tif", write(encoded("TIFF")[:-900]), "cannot be read"),
    "header alone": ("1.jpg", write(encoded("JPEG")[:100]), "cannot be read"),
    "broken chunk": ("1.png", write(encoded("PNG").replace(b"IDAT", b"IDXT", 1)), "cannot be read"),
    "zero bytes": ("1.jpg", write(b""), "cannot be read"),
    "no picture": ("1.png", write(b"<html>404 Not Found</html>" * 9), "cannot be read"),
    "a folder": ("1.jpg", lambda p: p.mkdir(), "cannot be read"),
    "dangling link": ("1.jpg", lambda p: p.symlink_to(p.parent / "gone"), "cannot be read"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_pair_is_named_with_a_remedy(tmp_path: Path, case: str) -> None:
    name, make, found = BROKEN[case]
    make(tmp_path / name)
    with pytest.raises(DataError, match=found) as caught:
        read_pair(tmp_path / name)
    assert caught.value.value == tmp_path / name
    assert caught.value.hint is not None


@pytest.mark.parametrize(
    ("make", "found"),
    [
        (lambda p: None, "no such folder of pairs"),
        (lambda p: p.write_bytes(b""), "no such folder of pairs"),
        (lambda p: p.mkdir(), "folder holds no picture"),
        (lambda p: (p.mkdir(), (p / "readme.txt").touch()), "folder holds no picture"),
    ],
    ids=["missing", "a file", "empty", "no picture"],
)
def test_folder_without_pairs_is_refused(tmp_path: Path, make: Callable[[Path], object], found: str) -> None:
    folder = tmp_path / "pairs"
    make(folder)
    with pytest.raises(DataError, match=found) as caught:
        list_pairs(folder)
    assert caught.value.value == folder
    assert caught.value.hint is not None


def test_check_pairs_names_every_problem() -> None:
    paths = [Path(f"{i}.png") for i in range(5)]
    check_pairs(paths, [])
    problems = [DataError("pair is 7 px wide", paths[1]), DataError("pair cannot be read", paths[3])]
    with pytest.raises(DataError, match="2 of 5 pairs are broken") as caught:
        check_pairs(paths, problems)
    assert "1.png" in str(caught.value)
    assert "3.png" in str(caught.value)


def test_pair_unpacks_as_source_and_target() -> None:
    source, target = Pair(flat(2, 1), flat(2, 2))
    assert source.max() < target.min()
