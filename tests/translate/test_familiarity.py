"""Scenes that look unlike what a model has been trained on: the raster, the share, and the line that tells it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from sat2map import Settings, Translator
from sat2map.arrays import UInt8
from sat2map.cli.main import sat2map
from sat2map.engine.onnx import OnnxEngine
from sat2map.errors import ModelFileError
from sat2map.model.card import Card
from sat2map.model.export import export
from sat2map.scene.job_folder import job_folder
from sat2map.tiling import Window
from sat2map.translate.familiarity import UnfamiliarShare
from tests.model.networks import images, tiny
from tests.scene.rasters import PLACE, write_raster

FAMILIAR_ENTROPY = 0.56


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that has a familiarity, which is near the threshold on the scenes here."""
    model, path = tiny("compact"), tmp_path_factory.mktemp("model") / "m.onnx"
    export(
        model.generator, model.card.model_copy(update={"familiar_entropy": FAMILIAR_ENTROPY}), path, images(1, 32, 32)
    )
    return path


@pytest.fixture(scope="module")
def translator(model_file: Path) -> Translator:
    return Translator(OnnxEngine(model_file, 1))


def scene(folder: Path, height: int = 300, width: int = 600, *, masked: bool = False) -> Path:
    """Half of it is flat, half noise."""
    pixels = np.full((3, height, width), 120, np.uint8)
    pixels[:, :, width // 2 :] = np.random.default_rng(0).integers(0, 255, (3, height, width - width // 2))
    mask = None
    if masked:
        mask = np.ones((height, width), bool)
        mask[:, : width // 4] = False
    return write_raster(folder / "scene.tif", pixels, mask=mask, **PLACE)


def read(path: Path) -> tuple[UInt8, dict[str, str]]:
    with rasterio.open(path) as dataset:
        return dataset.read(1), dataset.tags()


def test_raster_lies_beside_the_map_and_is_the_same_whatever_the_windows(
    translator: Translator, tmp_path: Path
) -> None:
    source = scene(tmp_path, masked=True)
    rasters, shares = [], []
    for core_px in (64, 1408):
        result = translator.translate_file(
            source, tmp_path / "map.tif", Settings(familiarity=True, core_px=core_px), overwrite=True
        )
        assert [path.name for path in result.outputs] == ["map.tif", "map_familiarity.tif"]
        rasters.append(read(result.outputs[1])[0])
        shares.append(result.unfamiliar_share)
    np.testing.assert_array_equal(rasters[0], rasters[1])
    assert shares[0] == shares[1]
    whole = rasters[0]
    assert (whole[:, :150] == 0).all()
    assert (whole[:, 150:] > 0).all()
    assert len(np.unique(whole)) > 3


def test_share_is_told_in_result_and_tags_without_the_raster(translator: Translator, tmp_path: Path) -> None:
    source = scene(tmp_path)
    result = translator.translate_file(source, tmp_path / "map.tif", Settings(core_px=128))
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["map.tif", "scene.tif"]
    familiarity, _ = read(translator.translate_file(source, tmp_path / "a.tif", Settings(familiarity=True)).outputs[1])
    blocks = [familiarity[r : r + 256, c : c + 256] for r in (0, 256) for c in (0, 256, 512)]
    expected = sum(block.size for block in blocks if block.mean() < 128) / familiarity.size
    assert 0 < expected < 1
    assert result.unfamiliar_share == pytest.approx(expected)
    tags = read(tmp_path / "map.tif")[1]
    assert float(tags["SAT2MAP_UNFAMILIAR_SHARE"]) == pytest.approx(expected, abs=1e-3)
    # An array has no share, and is drawn all the same.
    assert translator.translate(np.zeros((20, 30, 3), np.uint8)).shape == (20, 30, 3)


def test_interrupted_run_tells_the_share_of_the_whole(
    translator: Translator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, how = scene(tmp_path), Settings(core_px=64)
    expected = translator.translate_file(source, tmp_path / "whole.tif", how).unfamiliar_share
    run, n_runs = translator.engine.run_outputs, 0

    def interrupted(*arguments: object) -> dict[str, UInt8]:
        nonlocal n_runs
        n_runs += 1
        if n_runs == 30:
            raise KeyboardInterrupt
        return run(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(translator.engine, "run_outputs", interrupted)
    with pytest.raises(KeyboardInterrupt):
        translator.translate_file(source, tmp_path / "map.tif", how)
    assert job_folder(tmp_path / "map.tif").exists()
    n_runs = 100
    assert translator.translate_file(source, tmp_path / "map.tif", how).unfamiliar_share == expected
    assert n_runs < 100 + 40


def cli(*arguments: str | Path) -> Result:
    return CliRunner().invoke(sat2map, ["translate", *map(str, arguments)], prog_name="sat2map")


def test_translate_ends_with_a_line_about_what_looks_unfamiliar(model_file: Path, tmp_path: Path) -> None:
    source = scene(tmp_path)
    said = cli(source, "-o", tmp_path / "map.tif", "--model", model_file)
    share = float(read(tmp_path / "map.tif")[1]["SAT2MAP_UNFAMILIAR_SHARE"])
    line = f"{share:.0%} of this scene looks unlike anything the model has seen: expect errors there"
    assert said.stderr.splitlines()[-1] == f"{source}: {line}"
    assert "unlike" not in cli(source, "-o", tmp_path / "q.tif", "--model", model_file, "--quiet").stderr


def test_model_without_it_says_so_and_tells_no_share(tmp_path: Path) -> None:
    model, path = tiny("compact"), tmp_path / "m.onnx"
    export(model.generator, model.card, path, images(1, 32, 32))
    source = scene(tmp_path)
    refused = cli(source, "-o", tmp_path / "map.tif", "--model", path, "--familiarity")
    assert refused.exit_code == 2
    assert refused.stderr.startswith(
        "error: model does not know what it was trained on, so there is no familiarity: 'tiny-compact'\nhint: "
    )
    assert cli(source, "-o", tmp_path / "map.tif", "--model", path).exit_code == 0
    assert "SAT2MAP_UNFAMILIAR_SHARE" not in read(tmp_path / "map.tif")[1]
    with pytest.raises(ModelFileError):
        Translator(OnnxEngine(path, 1)).translate_file(source, tmp_path / "b.tif", Settings(familiarity=True))


@settings(max_examples=40)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 15), st.integers(1, 15), st.integers(1, 17))
def test_share_is_that_of_whole_squares_whatever_parts_they_come_in(
    height: int, width: int, rows: int, cols: int, part: int
) -> None:
    values = np.random.default_rng(height * width).integers(0, 256, (height, width)).astype(np.uint8)
    values[: height // 3] = 0
    share = UnfamiliarShare(height, width, (rows, cols))
    for row in range(0, height, part):
        for col in range(0, width, part):
            window = Window(row, col, part, part).clipped(height, width)
            share.add(window, values[window.slices])
    n_unfamiliar = n_valid = 0
    for row in range(0, height, rows):
        for col in range(0, width, cols):
            square = values[row : row + rows, col : col + cols]
            valid = square[square > 0]
            n_valid += valid.size
            n_unfamiliar += valid.size if valid.size and valid.mean() < 128 else 0
    assert share.share == pytest.approx(n_unfamiliar / max(n_valid, 1))


def test_card_tells_how_it_is_computed(translator: Translator) -> None:
    assert isinstance(translator.card, Card)
    assert translator.card.familiar_entropy == FAMILIAR_ENTROPY
