from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.control import GroundControlPoint
from rasterio.enums import ColorInterp

from sat2map.errors import ImageError, Sat2mapError, SceneError
from sat2map.scene.image import as_rgb_array
from sat2map.scene.source import Grid, open_scene
from sat2map.tiling import Window

from .rasters import PLACE, random_bands, write_raster

RED, GREEN, BLUE, ALPHA = ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha
GRADIENT = np.linspace(0, 255, 12 * 20).reshape(12, 20).round().astype(np.uint8)


def everything(path: Path) -> tuple[np.ndarray, np.ndarray]:
    with open_scene(path) as source:
        window = Window(0, 0, source.grid.height, source.grid.width)
        return source.read(window), source.valid(window)


def test_raster_gives_windows_grid_and_no_mask(tmp_path: Path) -> None:
    bands = random_bands(3)
    with open_scene(write_raster(tmp_path / "a.tif", bands, **PLACE)) as source:
        assert (source.grid.height, source.grid.width) == (40, 50)
        assert (source.grid.crs, source.grid.transform) == (PLACE["crs"], PLACE["transform"])
        assert not source.has_mask
        window = Window(7, 3, 20, 30)
        np.testing.assert_array_equal(source.read(window), np.moveaxis(bands, 0, -1)[window.slices])
        assert source.valid(window).all()


def test_raster_without_place_has_none(tmp_path: Path) -> None:
    with open_scene(write_raster(tmp_path / "a.tif", random_bands(3))) as source:
        assert source.grid.crs is None
        assert source.grid.transform is None


def test_bands_follow_their_colours(tmp_path: Path) -> None:
    bands = random_bands(4)
    colours = [BLUE, GREEN, RED, ColorInterp.undefined]
    rgb, _ = everything(write_raster(tmp_path / "a.tif", bands, colours=colours))
    np.testing.assert_array_equal(rgb, np.moveaxis(bands[[2, 1, 0]], 0, -1))


def test_grey_raster_becomes_three_equal_bands(tmp_path: Path) -> None:
    bands = random_bands(1)
    rgb, _ = everything(write_raster(tmp_path / "a.tif", bands))
    np.testing.assert_array_equal(rgb, bands[0][..., None].repeat(3, -1))


def test_palette_raster_is_coloured(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", np.array([[[0, 1], [1, 2]]], np.uint8), photometric="palette", **PLACE)
    with rasterio.open(path, "r+") as dataset:
        dataset.write_colormap(1, {0: (10, 20, 30), 1: (40, 50, 60), 2: (70, 80, 90)})
    rgb, _ = everything(path)
    np.testing.assert_array_equal(rgb, [[(10, 20, 30), (40, 50, 60)], [(40, 50, 60), (70, 80, 90)]])


def test_mask_is_the_rasters(tmp_path: Path) -> None:
    mask = np.zeros((40, 50), bool)
    mask[5:20, 10:30] = True
    _, valid = everything(write_raster(tmp_path / "a.tif", random_bands(3), mask=mask))
    np.testing.assert_array_equal(valid, mask)


def test_pixel_is_nodata_only_if_every_band_is(tmp_path: Path) -> None:
    bands = random_bands(3)
    bands[:, 3, 4] = 0
    bands[0, 7, 8] = 0
    _, valid = everything(write_raster(tmp_path / "a.tif", bands, nodata=0))
    assert np.argwhere(~valid).tolist() == [[3, 4]]


@pytest.mark.parametrize("alpha", ["no", "yes"])
def test_pixel_is_nodata_only_if_every_band_is_infrared_included(tmp_path: Path, alpha: str) -> None:
    bands = random_bands(4)
    bands[:3, 3, 4] = 0  # black, but lit in the infrared
    bands[:, 7, 8] = 0
    _, valid = everything(write_raster(tmp_path / "a.tif", bands, nodata=0, photometric="RGB", alpha=alpha, **PLACE))
    assert np.argwhere(~valid).tolist() == [[7, 8]]


def test_faintest_alpha_of_a_raster_is_data_as_gdal_has_it(tmp_path: Path) -> None:
    bands = random_bands(4)
    bands[3] = 255
    bands[3, :2], bands[3, 2] = 0, 3
    path = write_raster(tmp_path / "a.tif", bands, colours=[RED, GREEN, BLUE, ALPHA], **PLACE)
    _, valid = everything(path)
    with rasterio.open(path) as dataset:
        np.testing.assert_array_equal(valid, dataset.dataset_mask() > 0)
    assert valid[2].all()


def test_raster_placed_by_ground_control_points_has_no_place_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    corners = [(0, 0), (0, 50), (40, 0), (40, 50)]
    points = [GroundControlPoint(row, col, 10 + col / 100, 50 - row / 100) for row, col in corners]
    path = write_raster(tmp_path / "a.tif", random_bands(3), gcps=points, crs=PLACE["crs"])
    with open_scene(path) as source:
        assert source.grid == Grid(40, 50)
    assert "ground control points" in caplog.text


def test_raster_with_a_transform_alone_keeps_it_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with open_scene(write_raster(tmp_path / "a.tif", random_bands(3), transform=PLACE["transform"])) as source:
        assert source.grid == Grid(40, 50, None, PLACE["transform"])
    assert "no CRS" in caplog.text


def test_binary_alpha_is_the_mask(tmp_path: Path) -> None:
    bands = random_bands(4)
    bands[3] = 255
    bands[3, :10] = 0
    _, valid = everything(write_raster(tmp_path / "a.tif", bands, colours=[RED, GREEN, BLUE, ALPHA]))
    np.testing.assert_array_equal(valid, bands[3] == 255)


def test_alpha_that_is_near_infrared_is_ignored_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_raster(tmp_path / "a.tif", random_bands(4), colours=[RED, GREEN, BLUE, ALPHA])
    with open_scene(path) as source:
        assert not source.has_mask
    assert "near infrared" in caplog.text


def save(path: Path, image: Image.Image, **options: Any) -> Path:
    image.save(path, **options)
    return path


def test_grey_image(tmp_path: Path) -> None:
    rgb, valid = everything(save(tmp_path / "a.png", Image.fromarray(GRADIENT)))
    np.testing.assert_array_equal(rgb, GRADIENT[..., None].repeat(3, -1))
    assert valid.all()


def test_alpha_of_a_image_is_its_mask(tmp_path: Path) -> None:
    rgba = np.dstack([GRADIENT] * 3 + [np.where(GRADIENT > 100, 255, 0).astype(np.uint8)])
    rgb, valid = everything(save(tmp_path / "a.png", Image.fromarray(rgba)))
    np.testing.assert_array_equal(valid, GRADIENT > 100)
    np.testing.assert_array_equal(rgb[valid], rgba[valid, :3])


def test_faintest_alpha_of_an_image_is_data_as_of_a_raster(tmp_path: Path) -> None:
    rgba = np.dstack([GRADIENT] * 3 + [np.minimum(GRADIENT, 1)])
    _, valid = everything(save(tmp_path / "a.png", Image.fromarray(rgba)))
    np.testing.assert_array_equal(valid, GRADIENT > 0)


def test_pillow_image_of_floats_up_to_one_is_not_black() -> None:
    shares = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)
    np.testing.assert_array_equal(as_rgb_array(Image.fromarray(shares))[..., 0], np.rint(shares * 255))
    np.testing.assert_array_equal(as_rgb_array(Image.fromarray(shares * 65535))[..., 0], np.rint(shares * 255))


def test_palette_image_with_transparency(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[0, 1]], np.uint8)).convert("P")
    image.putpalette([10, 20, 30, 40, 50, 60])
    rgb, valid = everything(save(tmp_path / "a.png", image, transparency=1))
    assert rgb[0, 0].tolist() == [10, 20, 30]
    assert valid.tolist() == [[True, False]]


def test_cmyk_image(tmp_path: Path) -> None:
    cmyk = Image.new("CMYK", (20, 12), (0, 255, 255, 0))
    rgb, _ = everything(save(tmp_path / "a.jpg", cmyk, quality=100))
    assert np.abs(rgb.astype(int) - (255, 0, 0)).max() < 10


def test_image_is_turned_as_its_exif_says(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to show
    image = Image.fromarray(GRADIENT)
    rgb, _ = everything(save(tmp_path / "a.png", image, exif=exif))
    np.testing.assert_array_equal(rgb[..., 0], np.rot90(GRADIENT, -1))


def truncated(path: Path) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (300, 300, 3), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:5000])


def bomb(path: Path) -> None:
    """A PNG of a few bytes that says it has 60,000 x 60,000 px."""
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 0, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b""))


BAD = {
    "missing": ("a.png", lambda path: None, SceneError, "no such file"),
    "empty image": ("a.png", lambda path: path.write_bytes(b""), ImageError, "cannot be read"),
    "text named as an image": ("a.jpg", lambda path: path.write_text("hello"), ImageError, "cannot be read"),
    "truncated image": ("a.png", truncated, ImageError, "cannot be read"),
    "bomb": ("a.png", bomb, ImageError, "3600000000 px"),
    "empty raster": ("a.tif", lambda path: path.write_bytes(b""), SceneError, "cannot be opened"),
    "text named as a raster": ("a.tif", lambda path: path.write_text("hello"), SceneError, "cannot be opened"),
    "complex raster": (
        "a.tif", lambda path: write_raster(path, random_bands(1).astype(np.complex64)), SceneError, "complex64",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_unreadable_source_is_named_in_one_line(case: str, tmp_path: Path) -> None:
    name, make, kind, message = BAD[case]
    make(tmp_path / name)
    with pytest.raises(kind, match=message) as caught:
        everything(tmp_path / name)
    assert isinstance(caught.value, Sat2mapError)
    assert name in str(caught.value)
    assert caught.value.hint
    assert "\n" not in str(caught.value)


def test_corrupt_block_halfway_is_named(tmp_path: Path) -> None:
    path = write_raster(
        tmp_path / "a.tif", random_bands(3, 512, 512), tiled=True, blockxsize=256, blockysize=256, interleave="pixel"
    )
    path.write_bytes(path.read_bytes()[:-100_000])
    with open_scene(path) as source:
        assert source.read(Window(0, 0, 100, 100)).any()
        with pytest.raises(SceneError, match="corrupt in rows 256 to 512"):
            source.read(Window(256, 256, 256, 256))


def test_corrupt_alpha_is_named(tmp_path: Path) -> None:
    bands = random_bands(4, 512, 512)
    path = write_raster(tmp_path / "a.tif", bands, colours=[RED, GREEN, BLUE, ALPHA], tiled=True, interleave="pixel")
    path.write_bytes(path.read_bytes()[:-100_000])
    with pytest.raises(SceneError, match="corrupt in its alpha band"):
        everything(path)
