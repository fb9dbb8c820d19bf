from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sat2map.arrays import UInt8
from sat2map.data.calibration import LARGEST_PX, calibration_images
from sat2map.errors import DataError
from tests.model.networks import tiny

CARD = tiny("compact").card


def save(path: Path, *shape: int, level: int = 0) -> UInt8:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.random.default_rng(level).integers(level, level + 20, (*shape, 3)).astype(np.uint8)
    Image.fromarray(image).save(path)
    return image


def test_images_are_taken_evenly_in_natural_order(tmp_path: Path) -> None:
    for i in range(1, 12):
        save(tmp_path / f"{i}.png", 32, 40, level=10 * i)
    images = calibration_images([tmp_path], CARD, 6)
    assert [int(image.min()) // 10 for image in images] == [1, 3, 5, 7, 9, 11]
    again = calibration_images([tmp_path], CARD, 6)
    assert all((one == other).all() for one, other in zip(images, again, strict=True))
    assert len(calibration_images([tmp_path], CARD)) == 11


def test_folders_give_images_alike(tmp_path: Path) -> None:
    for i in range(9):
        save(tmp_path / "few" / f"{i}.png", 32, 32, level=20 * i)
    save(tmp_path / "one" / "image" / "1.png", 32, 32, level=200)
    images = calibration_images([tmp_path / "few", tmp_path / "one"], CARD, 6)
    assert [int(image.min()) // 20 for image in images] == [0, 4, 8, 10]


@pytest.mark.parametrize(
    ("direction", "folder", "wanted"),
    [("AtoB", "A", 0), ("BtoA", "B", 1), ("AtoB", "image", 0), ("AtoB", ".", 0), ("BtoA", ".", 1)],
)
def test_of_a_pair_the_source_is_taken(tmp_path: Path, direction: str, folder: str, wanted: int) -> None:
    card = CARD.model_copy(update={"recipe": {"direction": direction}})
    if folder == ".":
        both = save(tmp_path / "1.png", 32, 64)
        source = np.split(both, 2, axis=1)[wanted]
    else:
        for i, name in enumerate(["A", "B"] if folder in "AB" else ["image", "label"]):
            image = save(tmp_path / name / "1.png", 32, 32, level=100 * i)
            source = image if name == folder else source if i else image
    (image,) = calibration_images([tmp_path], card)
    np.testing.assert_array_equal(image, source)


def test_sides_are_multiples_of_the_stride_from_the_middle(tmp_path: Path) -> None:
    large = save(tmp_path / "1.png", LARGEST_PX + 100, 90)
    (image,) = calibration_images([tmp_path], CARD)
    assert image.shape == (LARGEST_PX, -(-90 // CARD.stride) * CARD.stride, 3)
    np.testing.assert_array_equal(image[:, :90], large[50:-50])
    assert image.flags.c_contiguous


def test_images_are_stretched_where_the_model_knows_them_so(tmp_path: Path) -> None:
    save(tmp_path / "1.png", 64, 64, level=60)
    stretched = CARD.model_copy(update={"stretch_bytes": True, "levels": ((20, 200),) * 3})
    (plain,), (image,) = calibration_images([tmp_path], CARD), calibration_images([tmp_path], stretched)
    assert plain.max() - plain.min() < 20
    assert int(image.max()) - int(image.min()) > 50


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        calibration_images([tmp_path / "none"], CARD)
    with pytest.raises(DataError, match="folder holds no image"):
        calibration_images([tmp_path], CARD)
    (tmp_path / "1.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"image cannot be read.*1\.png"):
        calibration_images([tmp_path], CARD)
