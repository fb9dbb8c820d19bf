"""Rasters as the world has them: other numbers than bytes, other bands, masks from elsewhere, parts, URLs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from PIL import Image
from rasterio import Affine
from rasterio.enums import ColorInterp
from rasterio.transform import from_origin

from sat2map.errors import SceneError
from sat2map.scene.options import MaskBand, MaskFile, NoMask
from sat2map.scene.source import ReadOptions, open_scene
from sat2map.scene.stretch import DEFAULT_RULE, StretchRange, StretchRule
from sat2map.tiling import Window

from .rasters import PLACE, random_bands, write_raster


class QuietServer(ThreadingHTTPServer):
    """Says nothing of clients that go away: its threads would write into the output of other tests."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.stop = threading.Event()

    def handle_error(self, request: object, client_address: object) -> None:
        pass


def read(path: Path | str, rule: StretchRule = DEFAULT_RULE, **options: Any) -> tuple[np.ndarray, np.ndarray]:
    with open_scene(path, ReadOptions(**options), rule) as source:
        window = Window(0, 0, source.grid.height, source.grid.width)
        return source.read(window), source.valid(window)


@pytest.mark.parametrize("dtype", ["uint16", "int16", "uint32", "int32", "float32", "float64"])
def test_numbers_are_stretched_by_the_whole_scene_not_by_the_window(tmp_path: Path, dtype: str) -> None:
    ramp = np.linspace(1000, 9000, 40 * 50).reshape(40, 50)
    path = write_raster(tmp_path / "a.tif", np.stack([ramp, ramp + 500, ramp * 2]).astype(dtype), **PLACE)
    rgb, valid = read(path, StretchRule(((10, 210),) * 3))
    assert valid.all()
    low, high = np.percentile(rgb, (2, 98), axis=(0, 1))
    assert np.abs(low - 10).max() <= 1
    assert np.abs(high - 210).max() <= 1
    window = Window(3, 7, 11, 13)
    with open_scene(path, rule=StretchRule(((10, 210),) * 3)) as source:
        np.testing.assert_array_equal(source.read(window), rgb[window.slices])


def test_stretch_sees_valid_pixels_alone(tmp_path: Path) -> None:
    bands = np.random.default_rng(0).integers(2000, 3000, (3, 40, 50)).astype(np.float32)
    expected, _ = read(write_raster(tmp_path / "a.tif", bands))
    bands[:, :10], bands[:, 10:15], bands[0, 15, :] = -9999, np.nan, np.inf
    rgb, valid = read(write_raster(tmp_path / "b.tif", bands, nodata=-9999))
    assert valid[16:].all()
    assert not valid[:16].any()
    assert np.abs(rgb[16:].astype(int) - expected[16:]).max() <= 6


def test_stretch_of_a_large_raster_is_decided_from_windows_all_over_it(tmp_path: Path) -> None:
    bands = np.full((3, 1500, 1400), 100, np.uint16)
    bands[:, 1100:, 1000:] = 900
    rgb, _ = read(write_raster(tmp_path / "a.tif", bands), StretchRule(((20, 200),) * 3))
    assert (rgb[0, 0].tolist(), rgb[-1, -1].tolist()) == ([20] * 3, [200] * 3)


def test_stretch_can_be_given_and_forced_and_refused(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", random_bands(3) // 4)
    plain, _ = read(path)
    auto, _ = read(path, StretchRule(((0, 250),) * 3), stretch="auto")
    given, _ = read(path, StretchRule(((0, 200),) * 3), stretch=StretchRange((0, 0, 0), (100, 100, 100)))
    assert plain.max() < 64
    assert auto.max() > 240
    np.testing.assert_array_equal(given, np.rint(plain * 2.0))
    wide = write_raster(tmp_path / "b.tif", random_bands(3).astype(np.uint16))
    np.testing.assert_array_equal(read(wide, stretch="none")[0], np.moveaxis(random_bands(3), 0, -1))


def test_bands_are_taken_in_the_order_given(tmp_path: Path) -> None:
    bands = random_bands(6)
    path = write_raster(tmp_path / "a.tif", bands, photometric="minisblack")
    np.testing.assert_array_equal(read(path, bands=(6, 2, 4))[0], np.moveaxis(bands[[5, 1, 3]], 0, -1))
    np.testing.assert_array_equal(read(path, bands=(5,))[0], bands[4][..., None].repeat(3, -1))


def test_first_three_of_many_bands_are_taken_and_that_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    bands = random_bands(5)
    path = write_raster(tmp_path / "a.tif", bands, photometric="minisblack")
    for _ in range(2):
        np.testing.assert_array_equal(read(path)[0], np.moveaxis(bands[:3], 0, -1))
    assert caplog.text.count("bands 1, 2 and 3 are taken") == 1, "said once, however often the scene is opened"


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"bands": (1, 2, 9)}, "no band 9"),
        ({"bands": (0,)}, "no band 0"),
        ({"bands": (1, 2)}, "one band or three"),
        ({"mask": MaskBand(7)}, "no band 7"),
        ({"mask": MaskFile("nowhere.tif")}, "cannot be opened"),
        ({"bbox": (0, 0, 0, 1)}, "is empty"),
        ({"bbox": (0, 0, 1, 1)}, "beside the scene"),
        ({"bbox": (0, 0, 1, 1), "bbox_crs": "EPSG:999999"}, "none that is known"),
        ({"bbox": (-200, 95, -190, 99), "bbox_crs": "EPSG:4326"}, "bbox"),
    ],
)
def test_what_the_scene_has_not_is_refused(tmp_path: Path, options: dict[str, Any], found: str) -> None:
    path = write_raster(tmp_path / "a.tif", random_bands(4), photometric="minisblack", **PLACE)
    with pytest.raises(SceneError, match=found) as caught:
        read(path, **options)
    assert caught.value.hint


def test_two_bands_are_no_image_unless_the_second_is_alpha(tmp_path: Path) -> None:
    with pytest.raises(SceneError, match="2 bands"):
        read(write_raster(tmp_path / "a.tif", random_bands(2)))
    bands = random_bands(2)
    bands[1] = 255
    bands[1, :7] = 0
    grey = write_raster(tmp_path / "b.tif", bands, photometric="minisblack", alpha="yes", **PLACE)
    rgb, valid = read(grey)
    np.testing.assert_array_equal(rgb, bands[0][..., None].repeat(3, -1))
    np.testing.assert_array_equal(valid, bands[1] > 0)


def test_mask_can_be_a_file_a_band_or_none(tmp_path: Path) -> None:
    bands = random_bands(4)
    bands[:, 3] = 0
    mask = np.zeros((1, 40, 50), np.uint8)
    mask[:, 5:20] = 1
    bands[3] = np.where(mask[0], 9, 0)
    scene = write_raster(tmp_path / "a.tif", bands, nodata=0, **PLACE)
    other = write_raster(tmp_path / "mask.tif", mask, **PLACE)
    for choice in (MaskFile(other), MaskBand(4)):
        np.testing.assert_array_equal(read(scene, mask=choice)[1], mask[0] > 0)
    with open_scene(scene, ReadOptions(mask=NoMask())) as source:
        assert not source.has_mask
    small = write_raster(tmp_path / "small.tif", mask[:, :5], **PLACE)
    with pytest.raises(SceneError, match="50 x 5 px, its scene 50 x 40"):
        read(scene, mask=MaskFile(small))


def test_nodata_can_be_given(tmp_path: Path) -> None:
    bands = random_bands(3)
    bands[:, 3, 4] = 7
    bands[0, 5, 6] = 7
    _, valid = read(write_raster(tmp_path / "a.tif", bands), nodata=7.0)
    assert np.argwhere(~valid).tolist() == [[3, 4]]


@pytest.mark.parametrize(
    "transform",
    [
        from_origin(500, 900, 2, 2),
        Affine(2, 0, 500, 0, 2, 900),
        Affine(1.6, -1.2, 500, -1.2, -1.6, 900),
    ],
    ids=["north up", "south up", "rotated"],
)
def test_box_is_the_whole_pixels_that_hold_it(tmp_path: Path, transform: Affine) -> None:
    bands = random_bands(3)
    path = write_raster(tmp_path / "a.tif", bands, crs=PLACE["crs"], transform=transform)
    corners = [transform * (col, row) for col, row in [(10, 5), (30, 5), (10, 25), (30, 25)]]
    xs, ys = zip(*corners, strict=True)
    with open_scene(path, ReadOptions(bbox=(min(xs), min(ys), max(xs), max(ys)))) as source:
        grid = source.grid
        rgb = source.read(Window(0, 0, grid.height, grid.width))
    corner = ~transform * (grid.transform.c, grid.transform.f)
    col, row = (round(value) for value in corner)
    assert (grid.transform.a, grid.transform.e) == (transform.a, transform.e)
    np.testing.assert_allclose(corner, (col, row), atol=1e-6)
    np.testing.assert_array_equal(rgb, np.moveaxis(bands[:, row : row + grid.height, col : col + grid.width], 0, -1))
    if transform.b == 0:
        assert (row, col, grid.height, grid.width) == (5, 10, 20, 20)
    else:
        assert col <= 10
        assert grid.width >= 20


def test_box_in_degrees_agrees_with_rasterios_own_window(tmp_path: Path) -> None:
    from rasterio.warp import transform_bounds

    path = write_raster(tmp_path / "a.tif", random_bands(3, 400, 500), **PLACE)
    box = (580100.0, 4509700.0, 580200.0, 4509800.0)
    degrees = transform_bounds(PLACE["crs"], "EPSG:4326", *box)
    back = transform_bounds("EPSG:4326", PLACE["crs"], *degrees)
    with rasterio.open(path) as dataset:
        expected = dataset.window(*back)
    with open_scene(path, ReadOptions(bbox=degrees, bbox_crs="EPSG:4326")) as source:
        assert abs(source.grid.height - expected.height) < 2
        assert abs(source.grid.width - expected.width) < 2
        assert abs((source.grid.transform.c - 580000) / 0.9 - expected.col_off) < 1.01


def test_image_with_a_world_file_has_its_place(tmp_path: Path) -> None:
    Image.fromarray(np.moveaxis(random_bands(3), 0, -1)).save(tmp_path / "a.png")
    (tmp_path / "a.pgw").write_text("2\n0\n0\n-2\n101\n199\n")
    with open_scene(tmp_path / "a.png") as source:
        assert source.grid.transform == Affine(2, 0, 100, 0, -2, 200)


def test_raster_of_blocks_that_fill_the_memory_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    profile = {"driver": "GTiff", "dtype": "int32", "count": 1, "height": 20_000, "width": 20_000, "sparse_ok": True}
    with rasterio.open(path, "w", tiled=True, blockxsize=20_000, blockysize=16_384, **profile, **PLACE):
        pass
    with pytest.raises(SceneError, match="blocks of 20000 x 16384 px take 1250 MiB"):
        read(path)


class _Handler(SimpleHTTPRequestHandler):
    server: QuietServer

    def do_GET(self) -> None:
        if self.path.endswith("never.tif"):
            self.server.stop.wait()
        else:
            super().do_GET()

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    with QuietServer(("127.0.0.1", 0), lambda *a: _Handler(*a, directory=str(tmp_path))) as httpd:
        httpd.daemon_threads = True
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.stop.set()
        httpd.shutdown()


def test_scene_is_read_by_url(tmp_path: Path, server: str) -> None:
    bands = random_bands(3)
    write_raster(tmp_path / "a.tif", bands, **PLACE)
    rgb, _ = read(f"{server}/a.tif")
    np.testing.assert_array_equal(rgb, np.moveaxis(bands, 0, -1))


def test_url_that_is_not_there_is_one_line(server: str) -> None:
    with pytest.raises(SceneError, match="URL cannot be read"):
        read(f"{server}/none.tif")


def test_server_that_does_not_answer_is_one_line(tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write_raster(tmp_path / "never.tif", random_bands(3))
    monkeypatch.setenv("GDAL_HTTP_TIMEOUT", "1")
    monkeypatch.setenv("GDAL_HTTP_MAX_RETRY", "0")
    with pytest.raises(SceneError, match="URL cannot be read") as caught:
        read(f"{server}/never.tif")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("ending", ["tif", "png"])
def test_eight_bits_are_stretched_where_the_model_knows_it(tmp_path: Path, ending: str) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(100, 200, (40, 50, 3), np.uint8)
    path = tmp_path / f"scene.{ending}"
    Image.fromarray(pixels).save(path)
    levels = ((20, 220), (30, 210), (40, 200))
    window = Window(0, 0, 40, 50)
    with open_scene(path, rule=StretchRule(levels)) as scene:
        np.testing.assert_array_equal(scene.read(window), pixels)
    with open_scene(path, rule=StretchRule(levels, stretch_bytes=True)) as scene:
        found = np.percentile(scene.read(window).reshape(-1, 3), (2, 98), axis=0)
    np.testing.assert_allclose(found.T, levels, atol=3)
    with open_scene(path, ReadOptions(stretch="none"), StretchRule(levels, stretch_bytes=True)) as scene:
        np.testing.assert_array_equal(scene.read(window), pixels)


def test_scene_almost_without_contrast_is_stretched_no_further_than_to_be_seen(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(60, 63, (40, 50, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "water.png")
    rule = StretchRule(((10, 200),) * 3, stretch_bytes=True)
    with open_scene(tmp_path / "water.png", rule=rule) as scene:
        assert np.ptp(scene.read(Window(0, 0, 40, 50))) <= 3 * 190 / 48


def sparse(path: Path, dtype: str, side: int, block: int, **profile: Any) -> Path:
    """A large raster with numbers of 1,000 to 9,000 (bytes: 50 to 90) in one block alone, at row and column 304."""
    shape = {"count": 3, "height": side, "width": side, "dtype": dtype, "nodata": 0 if dtype[0] == "u" else np.nan}
    numbers = np.linspace(1000, 9000, block * block) / (100 if dtype == "uint8" else 1)
    with rasterio.open(path, "w", driver="GTiff", tiled=True, sparse_ok=True, **{**shape, **profile, **PLACE}) as made:
        band = numbers.reshape(block, block).astype(dtype)
        made.write(np.stack([band] * 3), window=rasterio.windows.Window(304, 304, block, block))
    return path


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_stretch_of_a_sparse_raster_is_that_of_its_data(tmp_path: Path, dtype: str) -> None:
    path = sparse(tmp_path / "a.tif", dtype, 8000, 128)
    with open_scene(path, rule=StretchRule(((20, 200),) * 3, stretch_bytes=True)) as source:
        block = source.read(Window(304, 304, 128, 128))
        assert source.valid(Window(304, 304, 128, 128)).all()
        assert source.remarks == ()
    np.testing.assert_allclose(np.percentile(block, (2, 98)), (20, 200), atol=3)


@pytest.mark.parametrize("nodata", [0, None])
def test_stretch_of_next_to_no_pixels_is_said(
    tmp_path: Path, nodata: float | None, caplog: pytest.LogCaptureFixture
) -> None:
    path = sparse(tmp_path / "a.tif", "uint16", 4000, 16, nodata=nodata)
    with open_scene(path) as source:
        assert any("only 256 valid pixels" in remark for remark in source.remarks) == (nodata == 0)
    assert ("only 256 valid pixels of it" in caplog.text) == (nodata == 0)


def test_sample_of_an_image_that_is_almost_all_transparent_is_what_is_not(tmp_path: Path) -> None:
    rgba = np.zeros((3000, 3000, 4), np.uint8)
    rgba[1001:1060, 1001:1060] = (50, 60, 70, 255)
    rgba[1001:1030, 1001:1060] = (90, 100, 110, 255)
    Image.fromarray(rgba).save(tmp_path / "a.png", compress_level=1)
    with open_scene(tmp_path / "a.png", rule=StretchRule(((20, 200),) * 3, stretch_bytes=True)) as source:
        assert source.read(Window(1002, 1002, 1, 1))[0, 0].tolist() == [185, 185, 185]


@pytest.mark.parametrize("dtype", ["uint16", "int16", "uint32", "float32"])
def test_alpha_that_gdal_adds_when_it_warps_is_the_mask(tmp_path: Path, dtype: str) -> None:
    from rasterio.vrt import WarpedVRT

    numbers = np.random.default_rng(0).integers(1000, 3000, (3, 200, 250)).astype(dtype)
    path = write_raster(tmp_path / "a.tif", numbers, photometric="minisblack", **PLACE)
    with rasterio.open(path) as scene, WarpedVRT(scene, crs="EPSG:3857", add_alpha=True) as warped:
        bands, profile = warped.read(), {"crs": warped.crs, "transform": warped.transform}
    colours = [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha]
    with open_scene(write_raster(tmp_path / "b.tif", bands, colours=colours, **profile)) as source:
        assert source.remarks == ()
        np.testing.assert_array_equal(source.valid(Window(0, 0, *bands.shape[1:])), bands[3] > 0)


@pytest.mark.parametrize(("dtype", "n_bits"), [("uint16", 12), ("uint16", 8)])
def test_alpha_of_the_greatest_number_of_its_bits_is_the_mask(tmp_path: Path, dtype: str, n_bits: int) -> None:
    bands = random_bands(4).astype(dtype)
    bands[3] = 2**n_bits - 1
    bands[3, :9] = 0
    colours = [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha]
    with open_scene(write_raster(tmp_path / "a.tif", bands, colours=colours, nbits=12)) as source:
        np.testing.assert_array_equal(source.valid(Window(0, 0, 40, 50)), bands[3] > 0)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
def test_grey_whose_zero_is_white_is_no_negative(tmp_path: Path, dtype: str) -> None:
    numbers = np.linspace(0, 200, 2000).reshape(1, 40, 50).astype(dtype)
    normal = write_raster(tmp_path / "a.tif", numbers, photometric="minisblack")
    # -1 - n of a signed number never overflows.
    top = {"uint8": 255, "uint16": 65535, "int16": -1, "float32": 0}[dtype]
    white = write_raster(tmp_path / "b.tif", (top - numbers.astype(float)).astype(dtype), photometric="miniswhite")
    np.testing.assert_array_equal(read(white)[0], read(normal)[0])
    given = StretchRange((0, 0, 0), (200, 200, 200))
    other = StretchRange((top - 200.0,) * 3, (top - 0.0,) * 3)
    np.testing.assert_array_equal(read(white, stretch=other)[0], read(normal, stretch=given)[0])


@pytest.mark.parametrize("n_bits", [1, 4])
def test_white_zero_of_few_bits_is_white(tmp_path: Path, n_bits: int) -> None:
    bands = np.arange(2000, dtype=np.uint8).reshape(1, 40, 50) % 2**n_bits
    rgb, _ = read(write_raster(tmp_path / "a.tif", bands, photometric="miniswhite", nbits=n_bits), stretch="auto")
    np.testing.assert_array_equal(np.argsort(rgb[0, : 2**n_bits, 0]), np.arange(2**n_bits)[::-1])


def test_palette_of_sixteen_bits_is_coloured(tmp_path: Path) -> None:
    index = np.array([[[0, 255, 300, 65535]]], np.uint16)
    path = write_raster(tmp_path / "a.tif", index, photometric="palette", **PLACE)
    with rasterio.open(path, "r+") as dataset:
        dataset.write_colormap(1, {0: (1, 2, 3), 255: (9, 8, 7), 300: (40, 50, 60)})
    rgb, _ = read(path)
    assert rgb[0].tolist() == [[1, 2, 3], [9, 8, 7], [40, 50, 60], [0, 0, 0]]


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize("shape", [(40, 50), (40, 50, 3)])
@pytest.mark.parametrize("top", [1023, 4095, 65535])
def test_image_of_sixteen_bits_is_read_as_the_same_numbers_in_a_geotiff(
    tmp_path: Path, shape: tuple[int, ...], top: int
) -> None:
    numbers = np.random.default_rng(0).integers(0, top, shape).astype(np.uint16)
    bands = np.moveaxis(np.atleast_3d(numbers), -1, 0)
    with rasterio.open(
        tmp_path / "a.png", "w", driver="PNG", dtype="uint16", count=len(bands), height=40, width=50
    ) as png:
        png.write(bands)
    expected, _ = read(write_raster(tmp_path / "a.tif", bands))
    np.testing.assert_array_equal(read(tmp_path / "a.png")[0], expected)
    assert expected.std() > 30


@pytest.mark.parametrize(
    ("scale", "nodata"), [(1e300, None), (1e-300, None), (1.0, -1.7976931348623157e308), (1e30, float("nan"))]
)
def test_decimal_numbers_of_any_size_are_stretched_alike(tmp_path: Path, scale: float, nodata: float | None) -> None:
    bands = random_bands(3).astype(np.float64)
    expected, _ = read(write_raster(tmp_path / "plain.tif", bands[:, 7:], **PLACE))
    bands *= scale
    if nodata is not None:
        bands[:, :7] = nodata
    # A warning would be an error.
    drawn, valid = read(write_raster(tmp_path / "a.tif", bands, nodata=nodata, **PLACE))
    if nodata is None:
        expected, _ = read(write_raster(tmp_path / "plain.tif", bands / scale, **PLACE))
    else:
        assert not valid[:7].any()
        assert valid[7:].all()
        drawn = drawn[7:]
    np.testing.assert_allclose(drawn.astype(int), expected, atol=1)


@pytest.mark.parametrize("ending", [".tif", ".png"])
def test_colours_of_a_palette_that_are_wholly_transparent_are_no_data(tmp_path: Path, ending: str) -> None:
    index = np.random.default_rng(0).integers(0, 4, (40, 50), np.uint8)
    image = Image.fromarray(index, "P")
    image.putpalette([0, 0, 0, 200, 0, 0, 0, 200, 0, 0, 0, 200])
    image.save(tmp_path / "a.png", transparency=bytes([0, 255, 100, 200]))
    np.testing.assert_array_equal(read(tmp_path / "a.png")[1], index > 0)
    # With a world file it is a raster.
    (tmp_path / "a.pgw").write_text("2\n0\n0\n-2\n101\n199\n")
    path = tmp_path / "a.png"
    if ending == ".tif":
        path = tmp_path / "a.vrt"
        rasterio.shutil.copy(tmp_path / "a.png", path, driver="VRT")
    _, valid = read(path)
    np.testing.assert_array_equal(valid, index > 0)


@pytest.mark.parametrize(("dtype", "number"), [("uint16", 65535), ("int16", -9999), ("float32", -9999), ("uint16", 0)])
def test_numbers_that_may_stand_for_no_data_are_told(tmp_path: Path, dtype: str, number: int) -> None:
    bands = random_bands(3).astype(dtype) * 4
    with open_scene(write_raster(tmp_path / "a.tif", bands, **PLACE)) as scene:
        assert scene.remarks == ()
    bands[:, :7] = number
    path = write_raster(tmp_path / "b.tif", bands, **PLACE)
    with open_scene(path) as scene:
        (remark,) = scene.remarks
    told = float(remark.split("`nodata` ")[1].split()[0])
    assert remark.startswith("18% of its pixels hold")
    assert told == number
    with open_scene(path, ReadOptions(nodata=told)) as scene:
        assert scene.remarks == ()
        np.testing.assert_array_equal(scene.valid(Window(0, 0, 40, 50)), np.arange(40)[:, None].repeat(50, 1) >= 7)
