"""What is no set of pairs is said to be none, and every real layout passes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sat2map.city import write_pairs
from sat2map.data.pairs import TwoFolders, list_pairs
from sat2map.data.plausible import check_plausible
from sat2map.errors import DataError
from tests.data.images import hills, save_pair
from tests.need import SAMPLE

MAP = np.where(np.arange(96)[:, None, None] % 24 < 4, (255, 255, 255), (232, 229, 222)).repeat(96, 1).astype(np.uint8)


def check(folder: Path) -> None:
    check_plausible(list_pairs(folder), folder)


def single(folder: Path, *, width: int = 96, height: int = 96, n: int = 5, suffix: str = ".png") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(n):
        side = max(width, height)
        Image.fromarray(hills(side, i)[:height, :width]).save(folder / f"{i}{suffix}")
    return folder


def tagged(folder: Path, one: str, other: str) -> Path:
    folder.mkdir()
    for i in range(3):
        Image.fromarray(hills(96, i)).save(folder / one.format(i))
        Image.fromarray(MAP).save(folder / other.format(i))
    return folder


def two_folders(folder: Path, target: np.ndarray, mode: str | None = None) -> Path:
    for side in "AB":
        (folder / side).mkdir(parents=True)
    for i in range(3):
        Image.fromarray(hills(96, i)).save(folder / "A" / f"{i}.png")
        Image.fromarray(target, mode).save(folder / "B" / f"{i}.png")
    return folder


CLASSES = np.arange(96 * 96, dtype=np.uint8).reshape(96, 96) // 7 % 6
REFUSED: dict[str, tuple[Callable[[Path], Path], str]] = {
    "square images": (single, "continue each other"),
    "wide photographs": (lambda d: single(d, height=64), "continue each other"),
    "tall JPEGs": (lambda d: single(d, width=64, suffix=".jpg"), "continue each other"),
    "two images, many": (lambda d: single(d, n=40), "continue each other"),
    "A and B in the names": (lambda d: tagged(d, "{}_A.png", "{}_B.png"), "one folder"),
    "outputs of pix2pix": (lambda d: tagged(d, "{}_real_A.png", "{}_fake_B.png"), "one folder"),
    "DeepGlobe": (lambda d: tagged(d, "{}_sat.jpg", "{}_mask.png"), "one folder"),
    "tags in front": (lambda d: tagged(d, "sat_{}.png", "map_{}.png"), "one folder"),
    "tags with a minus": (lambda d: tagged(d, "{}-image.png", "{}-label.png"), "one folder"),
    "class numbers": (lambda d: two_folders(d, CLASSES), "classes, not colours"),
    "class numbers in three bands": (lambda d: two_folders(d, CLASSES[..., None].repeat(3, 2)), "no level above 5"),
    "two classes": (lambda d: two_folders(d, (CLASSES > 2).astype(np.uint8)), "hold no level above 1"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_pair_is_refused(case: str, tmp_path: Path) -> None:
    make, found = REFUSED[case]
    with pytest.raises(DataError, match=found) as caught:
        check(make(tmp_path / "data"))
    assert caught.value.hint
    assert "remove" not in caught.value.hint


def test_numbers_of_classes_beside_each_other_are_refused(tmp_path: Path) -> None:
    for i in range(3):
        save_pair(tmp_path / f"{i}.png", (hills(96, i), CLASSES[..., None].repeat(3, 2)))
    with pytest.raises(DataError, match="side B hold no level above 5"):
        check(tmp_path)


def palette(path: Path) -> None:
    image = Image.fromarray(CLASSES, "P")
    image.putpalette([232, 229, 222, 255, 255, 255, 251, 158, 38, 177, 208, 254, 203, 223, 173, 231, 218, 188])
    image.save(path)


def test_real_layouts_pass(tmp_path: Path) -> None:
    write_pairs(tmp_path / "city", 3, size_px=128)
    check(tmp_path / "city")
    check(two_folders(tmp_path / "two", MAP))
    for file in two_folders(tmp_path / "indexed", MAP).glob("B/*.png"):
        palette(file)
    check(tmp_path / "indexed")
    for i in range(3):
        # Both sides photographs, as of two seasons; and one side nearly black, of a night.
        save_pair(tmp_path / "seasons" / f"{i}.png", (hills(96, i), hills(96, i + 9)[::-1] // 2 + 120))
    check(tmp_path / "seasons")
    # Names that share an ending with others, but of which most stand alone.
    names = ["paris_north", "paris_south", "rome_a", "rome_b", *"cdefgh"]
    for i, name in enumerate(names):
        save_pair(tmp_path / "named" / f"{name}.png", (hills(96, i), MAP))
    check(tmp_path / "named")


def test_wide_images_whose_halves_continue_each_other_are_only_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("WARNING", "sat2map")
    check(single(tmp_path / "panoramas", width=96, height=48))
    assert "continue each other" in caplog.text


@pytest.mark.skipif(not SAMPLE.is_dir(), reason="needs $SAT2MAP_SAMPLE, pairs of `maps`")
def test_real_pairs_pass() -> None:
    check(SAMPLE)


@pytest.mark.parametrize("folder", ["A", "B"])
def test_names_match_in_whichever_form_accents_have(folder: str, tmp_path: Path) -> None:
    for side in "AB":
        (tmp_path / side).mkdir()
        # One letter, or a letter and its accent, as macOS has it.
        name = "Gru\u0308n" if side == folder else "Gr\u00fcn"
        Image.fromarray(MAP).save(tmp_path / side / f"{name}.png")
    assert len(list_pairs(TwoFolders(tmp_path / "A", tmp_path / "B"))) == 1
