from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import rasterio.shutil
import tifffile
from PIL import Image
from rasterio.transform import from_origin

from sat2map.data.augment import Augmentation, draw_chip
from sat2map.data.pairs import Pair, TwoFolders, check_pairs, list_pairs, read_pair
from sat2map.errors import DataError
from tests.data.images import flat, noise, save_pair


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
    colours: dict[str, Any] = {"L": 10, "RGBA": (10, 20, 30, 255), "P": 0, "1": 1}
    colour = colours[mode]
    image = Image.new(mode, (8, 4), colour)
    if mode == "P":
        image.putpalette([10, 20, 30])
    image.save(tmp_path / "1.png")
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
    "no image": ("1.png", write(b"<html>404 Not Found</html>" * 9), "cannot be read"),
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
        (lambda p: p.mkdir(), "folder holds no image"),
        (lambda p: (p.mkdir(), (p / "readme.txt").touch()), "folder holds no image"),
    ],
    ids=["missing", "a file", "empty", "no image"],
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


def save(path: Path, image_hwc: np.ndarray, **how: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image_hwc).save(path, **how)
    return path


def save_two(root: Path, names: tuple[str, str], halves: tuple[np.ndarray, np.ndarray]) -> None:
    for folder, name, half in zip("AB", names, halves, strict=True):
        save(root / folder / name, half)


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        (["b10", "b9", "a2", "a10", "a1"], ["a1", "a2", "a10", "b9", "b10"]),
        (["x2y10", "x10y1", "x2y9"], ["x2y9", "x2y10", "x10y1"]),
        (["010", "9", "10"], ["9", "010", "10"]),
        (["tile", "tile2", "2"], ["2", "tile", "tile2"]),
    ],
)
def test_numbers_sort_by_value_wherever_they_stand(tmp_path: Path, names: list[str], wanted: list[str]) -> None:
    for name in names:
        (tmp_path / f"{name}.png").touch()
    assert [path.name.removesuffix(".png") for path in list_pairs(tmp_path)] == wanted


def test_hidden_files_are_no_images(tmp_path: Path) -> None:
    for name in ("._1.jpg", "1.jpg", ".hidden.png"):
        (tmp_path / name).touch()
    assert [path.name for path in list_pairs(tmp_path)] == ["1.jpg"]
    for part in ("A", "B"):
        (tmp_path / part).mkdir()
        for name in ("1.jpg", "._1.jpg"):
            (tmp_path / part / name).touch()
    assert [path.name for path in list_pairs(tmp_path)] == ["1.jpg"]


def test_two_folders_pair_by_name_whatever_the_endings(tmp_path: Path) -> None:
    halves = {name: (noise(5, 7, i), noise(5, 7, i + 50)) for i, name in enumerate(["10", "9"])}
    for name, pair in halves.items():
        save_two(tmp_path, (f"{name}.png", f"{name}.bmp"), pair)
    (tmp_path / "sheet.png").touch()  # beside the two folders, so not of the set
    pairs = list_pairs(tmp_path)
    assert [pair.name for pair in pairs] == ["9.png", "10.png"]
    for given, name in zip(pairs, ["9", "10"], strict=True):
        a, b = halves[name]
        np.testing.assert_array_equal(read_pair(given).source_hwc, a)
        np.testing.assert_array_equal(read_pair(given).target_hwc, b)
        np.testing.assert_array_equal(read_pair(given, "BtoA").source_hwc, b)
    apart = TwoFolders(tmp_path / "A", tmp_path / "B")
    assert list_pairs(apart) == pairs
    assert Path(apart) == tmp_path / "A"


TWO = {
    "missing in B": (lambda d: save(d / "A" / "2.png", noise(2, 2)), "1 images have none of the same name in .*B"),
    "missing in A": (lambda d: save(d / "B" / "2.png", noise(2, 2)), "1 images have none of the same name in .*A"),
    "one name twice": (lambda d: save(d / "A" / "1.bmp", noise(2, 2)), "two images of a folder have one name"),
    "B empty": (lambda d: (d / "B" / "1.png").unlink(), "folder holds no image"),
    "sizes": (lambda d: save(d / "B" / "1.png", noise(4, 9)), r"differ in size \(6 x 4 and 9 x 4 px\)"),
    "truncated": (lambda d: (d / "B" / "1.png").write_bytes(encoded("PNG")[:-900]), "cannot be read"),
}


@pytest.mark.parametrize("case", TWO)
def test_two_folders_that_do_not_match_are_refused(tmp_path: Path, case: str) -> None:
    save_two(tmp_path, ("1.png", "1.png"), (noise(4, 6), noise(4, 6)))
    make, found = TWO[case]
    make(tmp_path)
    with pytest.raises(DataError, match=found) as caught:
        read_pair(list_pairs(tmp_path)[0])
    assert caught.value.hint is not None


def test_folder_of_folders_is_refused_with_their_names(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    with pytest.raises(DataError) as caught:
        list_pairs(tmp_path)
    assert "train" in str(caught.value.hint)


def raster(path: Path, image_hwc: np.ndarray, **profile: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width, count = image_hwc.shape
    place = {"crs": "EPSG:32618", "transform": from_origin(583_000, 4_507_000, 0.5, 0.5)} | profile
    with rasterio.open(
        path, "w", driver="GTiff", height=height, width=width, count=count, dtype=image_hwc.dtype, **place
    ) as dataset:
        dataset.write(np.moveaxis(image_hwc, -1, 0))
    return path


def test_geotiffs_on_one_grid_are_a_pair(tmp_path: Path) -> None:
    a, b = noise(5, 7, 1), noise(5, 7, 2)
    raster(tmp_path / "A" / "1.tif", a)
    nearly = from_origin(583_000 + 1e-4, 4_507_000, 0.5, 0.5)
    raster(tmp_path / "B" / "1.tiff", b, transform=nearly)
    (pair,) = list_pairs(tmp_path)
    np.testing.assert_array_equal(read_pair(pair).source_hwc, a)
    np.testing.assert_array_equal(read_pair(pair).target_hwc, b)


def test_geotiff_pairs_with_a_image_of_its_size(tmp_path: Path) -> None:
    a, b = noise(5, 7, 1), noise(5, 7, 2)
    raster(tmp_path / "A" / "1.tif", a)
    save(tmp_path / "B" / "1.png", b)
    np.testing.assert_array_equal(np.concatenate(read_pair(list_pairs(tmp_path)[0])), np.concatenate([a, b]))


NOT_ON_ONE_GRID = {
    "half a pixel off": {"transform": from_origin(583_000.25, 4_507_000, 0.5, 0.5)},
    "other resolution": {"transform": from_origin(583_000, 4_507_000, 0.6, 0.5)},
    "other CRS": {"crs": "EPSG:32619"},
}


@pytest.mark.parametrize("case", NOT_ON_ONE_GRID)
def test_geotiffs_elsewhere_are_refused(tmp_path: Path, case: str) -> None:
    raster(tmp_path / "A" / "1.tif", noise(5, 7))
    raster(tmp_path / "B" / "1.tif", noise(5, 7), **NOT_ON_ONE_GRID[case])
    with pytest.raises(DataError, match="not on the same grid") as caught:
        read_pair(list_pairs(tmp_path)[0])
    assert "--like" in str(caught.value.hint)


def deep(path: Path) -> Path:
    return raster(path, noise(4, 6).astype(np.uint16) * 200)


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("grey.png", lambda p: Image.fromarray(noise(4, 6)[..., 0].astype(np.uint16) * 256).save(p)),
        ("rgb.png", lambda p: raster(p.with_suffix(".tif"), noise(4, 6).astype(np.uint16)) and to_png(p)),
        ("rgb.tif", lambda p: tifffile.imwrite(p, noise(4, 6).astype(np.uint16), photometric="rgb")),
        ("float.tif", lambda p: tifffile.imwrite(p, noise(4, 6)[..., 0].astype(np.float32))),
    ],
)
def test_more_than_8_bits_are_refused_not_cut(tmp_path: Path, name: str, make: Callable[[Path], object]) -> None:
    make(tmp_path / name)
    with pytest.raises(DataError, match="more than 8 bits") as caught:
        read_pair(tmp_path / name)
    assert "gdal_translate" in str(caught.value.hint)


def to_png(path: Path) -> None:
    rasterio.shutil.copy(path.with_suffix(".tif"), path, driver="PNG")


def test_16_bit_geotiff_of_two_is_refused(tmp_path: Path) -> None:
    deep(tmp_path / "A" / "1.tif")
    raster(tmp_path / "B" / "1.tif", noise(4, 6))
    with pytest.raises(DataError, match="more than 8 bits") as caught:
        read_pair(list_pairs(tmp_path)[0])
    assert "gdal_translate" in str(caught.value.hint)


def test_bitmap_of_five_and_six_bits_is_read(tmp_path: Path) -> None:
    header = io.BytesIO()
    Image.new("RGB", (8, 4)).save(header, "BMP")
    # The same header, for 16 bits a pixel: 5 red, 5 green, 5 blue.
    data = bytearray(header.getvalue()[:54])
    data[28:30] = (16).to_bytes(2, "little")
    (tmp_path / "1.bmp").write_bytes(bytes(data) + (0b0_11111_00000_00000).to_bytes(2, "little") * 32)
    assert (read_pair(tmp_path / "1.bmp").source_hwc == (255, 0, 0)).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_image_is_turned_as_its_exif_says(tmp_path: Path, orientation: int) -> None:
    upright = np.concatenate([flat(16, 40), flat(16, 220)], 1)
    upright[:8, :16] = 120
    how = {
        1: lambda x: x, 2: lambda x: x[:, ::-1], 3: lambda x: x[::-1, ::-1], 4: lambda x: x[::-1],
        5: lambda x: x.transpose(1, 0, 2), 6: lambda x: np.rot90(x, 1),
        7: lambda x: x[::-1, ::-1].transpose(1, 0, 2), 8: lambda x: np.rot90(x, -1),
    }  # fmt: skip
    stored = how[orientation](upright)
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path / "1.png", np.ascontiguousarray(stored), exif=exif)
    np.testing.assert_array_equal(np.concatenate(read_pair(path), 1), upright)
