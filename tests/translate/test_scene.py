"""Scenes as files: whatever the way, the same pixels; classes, confidence, web tiles, resumption, every odd file."""

from __future__ import annotations

import csv
import os
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from rasterio import Affine
from rasterio.crs import CRS
from rasterio.transform import from_origin
from rio_cogeo.cogeo import cog_validate

from sat2map import Translator
from sat2map.arrays import UInt8
from sat2map.classes import CLASS_NAMES, COLOURS_RGB, classify
from sat2map.cli.main import sat2map
from sat2map.engine import Engine, run_whole
from sat2map.errors import ModelFileError, OutputError, Sat2mapError
from sat2map.scene.job_folder import job_folder
from sat2map.scene.model_grid import ResampledSource
from sat2map.scene.source import ReadOptions, open_scene
from sat2map.scene.stretch import StretchRange
from sat2map.tiling import Window
from sat2map.translate import Mode, Settings
from sat2map.translate.job import SIDE_BY_SIDE
from tests.need import SHARED
from tests.scene.rasters import PLACE, write_raster

GRID = {"crs": PLACE["crs"], "transform": from_origin(580000, 4510000, 1.5, 1.5)}
"""Where the bundled model sees a scene as it is."""


def ground(height: int, width: int, seed: int = 0) -> np.ndarray:
    """uint8, shape (3, height, width): blocks of random brightness with noise on them."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 220, (3, -(-height // 10), -(-width // 10))).repeat(10, 1).repeat(10, 2)
    return np.clip(blocks[:, :height, :width] + rng.integers(0, 30, (3, height, width)), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def bundled() -> Translator:
    return Translator.load(n_threads=1)


def drawn(translator: Translator, source: Path, out: Path, how: Settings, **options: Any) -> np.ndarray:
    translator.translate_file(source, out, how, reading=ReadOptions(**options), overwrite=True)
    with rasterio.open(out) as dataset:
        return np.moveaxis(dataset.read(), 0, -1)


@settings(max_examples=4)
@given(
    st.integers(150, 420), st.integers(150, 420), st.sampled_from([0.4, 0.6, 3.1]), st.sampled_from([96, 160]),
    st.sampled_from(["crisp", "smooth"]), st.integers(0, 99),
)  # fmt: skip
def test_tiled_equals_whole_on_a_resampled_scene(
    bundled: Translator, tmp_path_factory: pytest.TempPathFactory, height: int, width: int, gsd_m: float, core_px: int,
    output: str, seed: int,
) -> None:  # fmt: skip
    folder = tmp_path_factory.mktemp("scene")
    source = write_raster(folder / "a.tif", ground(height, width, seed) // 2, **PLACE)
    how = Settings(output, core_px, gsd_m=gsd_m)
    tiled = drawn(bundled, source, folder / "map.tif", how)
    with open_scene(source, rule=bundled.stretch_rule) as scene:
        model_grid = bundled.drawing(scene, how).plan.model_grid
        assert not model_grid.is_scene_grid
        everything = Window(0, 0, model_grid.height, model_grid.width)
        seen, _ = ResampledSource(scene, model_grid).read(everything)
    whole = run_whole(bundled.engine, seen, output)
    laid = model_grid.to_scene_grid(whole, everything, Window(0, 0, height, width), smooth=output == "smooth")
    apart = np.abs(tiled.astype(int) - laid).max(-1)
    assert (apart > (0 if output == "crisp" else 1)).mean() <= 1e-5


def test_stretched_scene_is_the_same_whatever_its_windows(bundled: Translator, tmp_path: Path) -> None:
    source = write_raster(tmp_path / "a.tif", ground(260, 300).astype(np.uint16) * 37 + 500, **GRID)
    maps = [drawn(bundled, source, tmp_path / "map.tif", Settings(core_px=core)) for core in (96, 1024)]
    assert (maps[0] != maps[1]).any(-1).mean() <= 1e-5
    with rasterio.open(tmp_path / "map.tif") as dataset:
        stretch = dataset.tags()["SAT2MAP_STRETCH"]
    levels = [f"{low},{high}" for low, high in bundled.card.levels or ()]
    assert [part.rpartition(" -> ")[2] for part in stretch.split("; ")] == levels
    with open_scene(source, rule=bundled.stretch_rule) as scene:
        assert str(scene.stretch) == stretch


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("way", ["command", "Translator"])
def test_range_that_is_given_is_put_on_the_levels_of_the_model(
    bundled: Translator, tmp_path: Path, dtype: str, way: str
) -> None:
    numbers = ground(120, 150).astype(dtype)
    source, out = write_raster(tmp_path / "a.tif", numbers, **GRID), tmp_path / "map.tif"
    if way == "command":
        result = CliRunner().invoke(
            sat2map, ["translate", str(source), "-o", str(out), "--head", "smooth", "--stretch", "30,181", "--quiet"]
        )
        assert result.exit_code == 0, result.output
    else:
        asked = ReadOptions(stretch=StretchRange((30, 30, 30), (181, 181, 181)))
        bundled.translate_file(source, out, Settings("smooth"), reading=asked)
    dark, bright = np.array(bundled.card.levels, float).T
    shares = (np.moveaxis(numbers, 0, -1) - 30.0) / (181 - 30)
    as_bytes = np.rint(dark + shares * (bright - dark)).clip(0, 255).astype(np.uint8)
    with rasterio.open(out) as dataset:
        drawn = np.moveaxis(dataset.read(), 0, -1)
        written = "; ".join(f"30,181 -> {low},{high}" for low, high in bundled.card.levels or ())
        assert dataset.tags()["SAT2MAP_STRETCH"] == written
    expected = bundled.translate(as_bytes, Settings("smooth")).astype(int)
    # 151 numbers, a prime, whatever the levels are: none falls on half a byte, which may be rounded to either side.
    assert (np.abs(drawn - expected).max(-1) > 1).mean() <= 1e-3
    assert np.ptp(expected) > 50


def test_range_that_is_wrong_is_told_before_any_scene_is_opened(tmp_path: Path) -> None:
    result = CliRunner().invoke(sat2map, ["translate", "a.tif", "b.tif", "-o", str(tmp_path), "--stretch", "9,1"])
    assert result.exit_code == 2
    assert "empty range" in result.stderr


def test_collection_has_one_stretch(bundled: Translator, tmp_path: Path) -> None:
    dark = write_raster(tmp_path / "dark.tif", ground(40, 50).astype(np.uint16), **GRID)
    bright = write_raster(tmp_path / "bright.tif", ground(40, 50).astype(np.uint16) * 20, **GRID)
    eight_bit = [write_raster(tmp_path / f"{n}.tif", ground(40, 50) // n, **GRID) for n in (1, 3)]
    sources = [str(path) for path in (dark, bright, *eight_bit)]
    result = CliRunner().invoke(sat2map, ["translate", *sources, "-o", str(tmp_path / "out"), "--quiet"])
    assert result.exit_code == 0, result.output
    tags = []
    for name in ("dark.tif", "bright.tif", "1.tif", "3.tif"):
        with rasterio.open(tmp_path / "out" / name) as dataset:
            tags.append(dataset.tags().get("SAT2MAP_STRETCH"))
    assert tags[0] is not None
    assert tags[0] == tags[1]
    assert tags[2] == tags[3] != tags[0]


def masked_scene(folder: Path) -> tuple[Path, np.ndarray]:
    mask = np.ones((150, 130), bool)
    mask[:60, :70] = False
    return write_raster(folder / "scene.tif", ground(150, 130), mask=mask, **GRID), mask


def test_classes_are_one_band_with_colours_names_and_nodata(bundled: Translator, tmp_path: Path) -> None:
    source, mask = masked_scene(tmp_path)
    colours = drawn(bundled, source, tmp_path / "map.tif", Settings())
    classes = drawn(bundled, source, tmp_path / "classes.tif", Settings(classes=True))[..., 0]
    np.testing.assert_array_equal(classes, np.where(mask, classify(colours), 255))
    with rasterio.open(tmp_path / "classes.tif") as dataset:
        assert (dataset.count, dataset.dtypes, dataset.nodata) == (1, ("uint8",), 255)
        assert [dataset.colormap(1)[i][:3] for i in (0, 1)] == [tuple(COLOURS_RGB[0]), (255, 255, 255)]
        np.testing.assert_array_equal(dataset.dataset_mask() > 0, mask)
    # GDAL's own reading of the names, through the only driver that prints them.
    rasterio.shutil.copy(tmp_path / "classes.tif", tmp_path / "names.vrt", driver="VRT")
    text = (tmp_path / "names.vrt").read_text()
    assert [name for name in CLASS_NAMES if f"<Category>{name}</Category>" in text] == list(CLASS_NAMES)
    assert cog_validate(tmp_path / "classes.tif") == (True, [], [])


def test_only_the_part_of_a_window_with_data_is_drawn(
    bundled: Translator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rgb = ground(700, 900)
    rgb[:, :300], rgb[:, :, :421], rgb[:, :, 580:] = 0, 0, 0
    source = write_raster(tmp_path / "a.tif", rgb, **GRID, nodata=0)
    how = Settings(core_px=640, familiarity=True)
    with open_scene(source) as scene:
        drawing = bundled.drawing(scene, how)
        for window in drawing.plan.windows:
            read = drawing.read(window)
            assert read.valid is not None
            monkeypatch.setattr(drawing, "_may_crop", False)
            whole = drawing.read(window)
            monkeypatch.setattr(drawing, "_may_crop", True)
            if read.sat_hwc is None:
                continue
            assert whole.sat_hwc is not None
            assert read.sat_hwc.size < whole.sat_hwc.size
            for layer, other in zip(drawing.draw_read(read), drawing.draw_read(whole), strict=True):
                np.testing.assert_array_equal(layer[read.valid], other[read.valid])


def test_windows_side_by_side_make_the_same_map(bundled: Translator, tmp_path: Path) -> None:
    source, _ = masked_scene(tmp_path)
    n_drawing, most = 0, 0
    halves = bundled.engine.with_precision("int8")

    class Halves:
        card, outputs, precision = halves.card, halves.outputs, halves.precision

        def with_precision(self, _precision: str) -> Halves:
            return self

        def shared_by(self, n_runs: int) -> Halves:
            assert n_runs == SIDE_BY_SIDE
            return self

        def run_outputs(self, sat_bhwc: UInt8, outputs: Sequence[str]) -> dict[str, UInt8]:
            nonlocal n_drawing, most
            n_drawing += 1
            most = max(most, n_drawing)
            time.sleep(0.05)
            answers = halves.run_outputs(sat_bhwc, outputs)
            n_drawing -= 1
            return answers

    how = Settings(core_px=64)
    result = drawn(Translator(cast(Engine, Halves())), source, tmp_path / "a.tif", how)
    np.testing.assert_array_equal(result, drawn(bundled, source, tmp_path / "b.tif", how))
    assert most == SIDE_BY_SIDE


def test_confidence_lies_beside_the_map(bundled: Translator, tmp_path: Path) -> None:
    source, mask = masked_scene(tmp_path)
    report = bundled.translate_file(source, tmp_path / "map.tif", Settings(confidence=True, core_px=64))
    assert [path.name for path in report.outputs] == ["map.tif", "map_confidence.tif"]
    plain = drawn(bundled, source, tmp_path / "plain.tif", Settings())
    with rasterio.open(tmp_path / "map.tif") as dataset:
        np.testing.assert_array_equal(np.moveaxis(dataset.read(), 0, -1), plain)
    with rasterio.open(tmp_path / "map_confidence.tif") as dataset:
        confidence = dataset.read(1)
        assert dataset.scales == pytest.approx((1 / 255,))
        assert dataset.transform == GRID["transform"]
    np.testing.assert_array_equal(confidence > 0, mask)
    assert confidence[mask].min() >= 255 / 12 - 1
    assert len(np.unique(confidence[mask])) > 1


def test_model_without_probabilities_is_refused_before_any_work(bundled: Translator, tmp_path: Path) -> None:
    class Colours:
        card = bundled.engine.card.model_copy(update={"heads": ("rgb",), "palette": None})

        precision, outputs = "float32", ("rgb",)

        def with_precision(self, _precision: str) -> Colours:
            return self

        def shared_by(self, _n_runs: int) -> None:
            pass

    source, _ = masked_scene(tmp_path)
    with pytest.raises(ModelFileError, match="no probabilities"):
        Translator(cast(Engine, Colours())).translate_file(source, tmp_path / "map.tif", Settings(confidence=True))
    assert [path.name for path in tmp_path.iterdir()] == ["scene.tif"]


def test_png_has_its_world_file(bundled: Translator, tmp_path: Path) -> None:
    source, mask = masked_scene(tmp_path)
    bundled.translate_file(source, tmp_path / "map.png")
    with rasterio.open(tmp_path / "map.png") as dataset:
        assert dataset.transform.almost_equals(GRID["transform"])
        np.testing.assert_array_equal(dataset.read(4) > 0, mask)
    bundled.translate_file(source, tmp_path / "classes.png", Settings(classes=True))
    with Image.open(tmp_path / "classes.png") as image:
        assert image.mode == "P"


@pytest.mark.parametrize("ending", ["mbtiles", "pmtiles"])
def test_web_tiles_show_the_map_where_it_lies(bundled: Translator, tmp_path: Path, ending: str) -> None:
    source = write_raster(tmp_path / "a.tif", ground(300, 700), **GRID)
    bundled.translate_file(source, tmp_path / f"map.{ending}")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tif", f"map.{ending}"]
    if ending == "pmtiles":
        assert (tmp_path / "map.pmtiles").read_bytes()[:7] == b"PMTiles"
        return
    with sqlite3.connect(tmp_path / "map.mbtiles") as database:
        zooms = [row[0] for row in database.execute("select distinct zoom_level from tiles order by 1")]
        west = float(database.execute("select value from metadata where name='bounds'").fetchone()[0].split(",")[0])
    assert zooms[-1] >= 15
    assert len(zooms) >= 2
    assert west == pytest.approx(-74.05, abs=0.02)
    with rasterio.open(tmp_path / "map.mbtiles") as dataset:
        shown = np.moveaxis(dataset.read(), 0, -1)
    opaque = shown[shown[..., 3] > 0][:, :3]
    assert {tuple(c) for c in np.unique(opaque, axis=0).tolist()} <= {tuple(c) for c in COLOURS_RGB.tolist()}


def test_web_tiles_of_no_place_are_refused(bundled: Translator, tmp_path: Path) -> None:
    source = write_raster(tmp_path / "a.tif", ground(30, 30))
    with pytest.raises(OutputError, match="no georeference"):
        bundled.translate_file(source, tmp_path / "map.mbtiles")


def test_interrupted_scene_goes_on_where_it_stopped(
    bundled: Translator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_raster(tmp_path / "a.tif", ground(400, 120), **GRID)
    how = Settings(core_px=64)
    expected = drawn(bundled, source, tmp_path / "whole.tif", how)
    engine, runs = type(bundled.engine), []
    plain = engine.run_outputs

    def stops(self: Any, *arguments: Any) -> dict[str, np.ndarray]:
        runs.append(1)
        if len(runs) == 9:
            raise KeyboardInterrupt
        return plain(self, *arguments)

    monkeypatch.setattr(engine, "run_outputs", stops)
    with pytest.raises(KeyboardInterrupt):
        bundled.translate_file(source, tmp_path / "map.tif", how)
    assert not (tmp_path / "map.tif").exists()
    n_kept = len(list(job_folder(tmp_path / "map.tif").glob("map_*.tif")))
    assert n_kept >= 3
    np.testing.assert_array_equal(drawn(bundled, source, tmp_path / "map.tif", how), expected)
    assert len(runs) == 9 + (7 - n_kept) * 2
    assert not job_folder(tmp_path / "map.tif").exists()


def test_corrupt_block_halfway_leaves_nothing(bundled: Translator, tmp_path: Path) -> None:
    path = write_raster(
        tmp_path / "a.tif", ground(512, 512), tiled=True, blockxsize=256, blockysize=256, interleave="pixel", **GRID
    )
    path.write_bytes(path.read_bytes()[:-100_000])
    with pytest.raises(Sat2mapError, match="corrupt in rows"):
        bundled.translate_file(path, tmp_path / "map.tif", Settings(core_px=128))
    assert [p.name for p in tmp_path.iterdir()] == ["a.tif"]


@pytest.mark.parametrize("mode", ["fast", "blend"])
def test_mode_that_is_not_exact_says_how_far_it_is_off(bundled: Translator, tmp_path: Path, mode: Mode) -> None:
    source = write_raster(tmp_path / "a.tif", ground(300, 300), **GRID)
    report = bundled.translate_file(source, tmp_path / "map.tif", Settings(core_px=128, mode=mode))
    assert report.mode_difference is not None
    assert report.mode_difference.n_px > 0
    with rasterio.open(tmp_path / "map.tif") as dataset:
        assert dataset.tags()["SAT2MAP_MODE"] == mode
        colours = np.unique(dataset.read().reshape(3, -1).T, axis=0)
    assert {tuple(c) for c in colours.tolist()} <= {tuple(c) for c in COLOURS_RGB.tolist()}


def test_own_statistics_of_an_exported_model_are_refused(bundled: Translator) -> None:
    with pytest.raises(ModelFileError, match="normalization of an exported model"):
        bundled.translate(np.zeros((20, 20, 3), np.uint8), Settings(mode="instance"))


FAMILY: dict[str, tuple[str, int, dict[str, Any]]] = {
    "grey bytes": ("uint8", 1, {}),
    "uint16, four bands": ("uint16", 4, {"photometric": "minisblack"}),
    "signed with nodata": ("int16", 3, {"nodata": -1}),
    "float with nan": ("float32", 3, {"nodata": float("nan")}),
    "float64": ("float64", 1, {}),
    "degrees": ("uint8", 3, {"crs": CRS.from_epsg(4326), "transform": from_origin(-74, 41, 1.5e-5, 1.5e-5)}),
    "web mercator": ("uint8", 3, {"crs": CRS.from_epsg(3857), "transform": from_origin(-8238310, 4970241, 2, 2)}),
    "rotated": ("uint8", 3, {"transform": Affine(1.2, 0.9, 580000, 0.9, -1.2, 4510000)}),
    "south up": ("uint8", 3, {"transform": Affine(1.5, 0, 580000, 0, 1.5, 4510000)}),
    "feet": ("uint8", 3, {"crs": CRS.from_epsg(2263), "transform": from_origin(980000, 200000, 5, 5)}),
    "one pixel wide": ("uint8", 3, {"width": 1}),
    "one row": ("uint16", 3, {"height": 1}),
    "a few px wide and tall": ("uint8", 3, {"width": 3, "height": 700}),
    "all nodata": ("uint16", 3, {"nodata": 0, "fill": 0}),
    "much finer than the model": ("uint8", 3, {"transform": from_origin(580000, 4510000, 0.1, 0.1)}),
}


@pytest.mark.parametrize("case", FAMILY)
def test_generated_family_translates_on_its_own_grid(bundled: Translator, tmp_path: Path, case: str) -> None:
    dtype, count, profile = FAMILY[case]
    profile = {**GRID, **profile}
    height, width, fill = profile.pop("height", 90), profile.pop("width", 70), profile.pop("fill", None)
    bands = np.concatenate([ground(height, width), ground(height, width, 1)])[:count].astype(dtype)
    bands[:] = fill if fill is not None else bands
    if "nodata" in profile:
        bands[:, : height // 3] = profile["nodata"]
    source = write_raster(tmp_path / "a.tif", bands, **profile)
    bundled.translate_file(source, tmp_path / "map.tif", Settings(core_px=64))
    with rasterio.open(source) as before, rasterio.open(tmp_path / "map.tif") as after:
        assert (after.crs, after.shape) == (before.crs, before.shape)
        assert after.transform.almost_equals(before.transform, 1e-9)
        np.testing.assert_array_equal(after.dataset_mask() > 0, before.dataset_mask() > 0)
        assert [c.name for c in after.colorinterp] == ["red", "green", "blue"]
        assert after.tags()["SAT2MAP_MODEL"].startswith("open")
        assert "SAT2MAP_STRETCH" in after.tags()
    assert cog_validate(tmp_path / "map.tif") == (True, [], [])


GEOTIFFS = Path(os.environ.get("SAT2MAP_DATA", SHARED / "data")) / "geotiff"


def odd_files() -> list[dict[str, str]]:
    if not GEOTIFFS.is_dir():
        return []
    with (GEOTIFFS / "SOURCES.csv").open(newline="") as file:
        return [row for row in csv.DictReader(file) if row["expected"] != "sidecar"]


@pytest.mark.skipif(not GEOTIFFS.is_dir(), reason="needs $SAT2MAP_DATA/geotiff")
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize("row", odd_files(), ids=lambda row: row["file"])
def test_real_file_ends_as_expected(bundled: Translator, tmp_path: Path, row: dict[str, str]) -> None:
    source, out = GEOTIFFS / row["file"], tmp_path / "map.tif"
    problem = None
    try:
        bundled.translate_file(source, out)
    except Sat2mapError as error:
        problem = error
    if problem is not None:
        assert row["expected"] in ("clean error", "either"), problem
        assert problem.hint
        assert "\n" not in str(problem)
        assert list(tmp_path.iterdir()) == []
        return
    assert row["expected"] in ("translates", "either")
    with rasterio.open(source) as before, rasterio.open(out) as after:
        assert after.shape == before.shape
        if not before.transform.is_identity:
            assert (after.crs, after.transform) == (before.crs, before.transform)
    assert cog_validate(out) == (True, [], [])
