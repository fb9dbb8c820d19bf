from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from sat2map.cli.main import sat2map
from sat2map.engine import load_engine
from sat2map.model import safetensors_file
from sat2map.model.card import Card
from tests.model.networks import images, tiny
from tests.train.test_calibrate import places


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(sat2map, ["model", *map(str, arguments)], prog_name="sat2map")


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """What training leaves, as far as exporting is concerned."""
    folder = tmp_path / "run"
    folder.mkdir()
    tiny("compact").save(folder / "generator_best.safetensors")
    tiny("unet").save(folder / "generator_last.safetensors")
    return folder


def test_info_prints_the_card_for_people_and_for_programs(run_folder: Path) -> None:
    file = run_folder / "generator_best.safetensors"
    card = tiny("compact").card
    told = run("info", file)
    assert told.exit_code == 0
    assert f"architecture{' ' * 11}compact\n" in told.stdout
    assert "#e8e5de" in told.stdout
    printed = run("info", file, "--json").stdout
    assert Card.model_validate(json.loads(printed)) == card


def test_export_of_a_run_takes_its_best_generator(run_folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.onnx"
    result = run("export", run_folder, "-o", output)
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    assert result.stderr.startswith(f"wrote {output}")
    assert load_engine(output).card == tiny("compact").card


def test_export_of_a_file_takes_that_file(run_folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.onnx"
    assert run("export", run_folder / "generator_last.safetensors", "-o", output, "--quiet").output == ""
    assert load_engine(output).card == tiny("unet").card


def test_export_states_the_licence_of_the_weights(run_folder: Path, tmp_path: Path) -> None:
    assert run("export", run_folder, "-o", tmp_path / "out.onnx", "--licence", "for experiments").exit_code == 0
    assert load_engine(tmp_path / "out.onnx").card.licence == "for experiments"


def test_halved_model_is_half_the_size_and_draws_nearly_the_same(run_folder: Path, tmp_path: Path) -> None:
    whole, half = run_folder / "generator_last.safetensors", tmp_path / "half.safetensors"
    assert run("halve", whole, "-o", half).exit_code == 0
    assert half.stat().st_size < 0.6 * whole.stat().st_size
    engines = [load_engine(path) for path in (whole, half)]
    assert engines[0].card == engines[1].card
    image = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), np.uint8)
    maps = [engine.run(image, "rgb").astype(int) for engine in engines]
    assert 0 < np.abs(maps[0] - maps[1]).max() <= 4


def test_calibrated_model_has_the_same_weights_and_a_familiarity(tmp_path: Path) -> None:
    model, file, out = tiny("compact"), tmp_path / "m.safetensors", tmp_path / "c.safetensors"
    (tmp_path / "places").mkdir()
    recipe = places(tmp_path / "places").model_dump(mode="json")
    legend = "value,classes\n1,land|road|major road|water|place\n2,water|land\n3,land|road|major road|water|place\n"
    (tmp_path / "places" / "legend.csv").write_text(legend)
    model._replace(card=model.card.model_copy(update={"recipe": recipe})).save(file)
    result = run("calibrate", file, "-o", out, "--json")
    assert result.exit_code == 0, result.output
    measured = json.loads(result.stdout)
    assert measured["familiarity"]["n_windows"] > 0
    assert result.stderr.startswith(f"wrote {out} (error of the confidence: ")
    weights, card = safetensors_file.load(out)
    assert card.metrics["calibration"] == measured
    before, _ = safetensors_file.load(file)
    assert all(np.array_equal(weights[name], before[name]) for name in before)
    assert run("export", out, "-o", tmp_path / "c.onnx").exit_code == 0
    assert load_engine(tmp_path / "c.onnx").outputs == ("crisp", "smooth", "confidence", "familiarity")


def test_model_without_probabilities_cannot_be_calibrated(run_folder: Path, tmp_path: Path) -> None:
    refused = run("calibrate", run_folder / "generator_last.safetensors", "-o", tmp_path / "c.safetensors")
    assert refused.exit_code == 2
    assert refused.stderr.startswith("error: model gives no probabilities to calibrate: ")


def test_export_replaces_an_output_only_with_overwrite(run_folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.onnx"
    output.write_bytes(b"mine")
    # Refused before any work: the model is not even looked for.
    refused = run("export", tmp_path / "nowhere", "-o", output)
    assert refused.exit_code == 2
    assert refused.stderr == f"error: output exists: '{output}'\nhint: --overwrite replaces it\n"
    assert output.read_bytes() == b"mine"
    assert run("export", run_folder, "-o", output, "--overwrite").exit_code == 0
    assert load_engine(output).card.name == "tiny-compact"


@pytest.mark.parametrize(
    ("source", "output", "found"),
    [
        ("generator_best.safetensors", "out.safetensors", "error: what is written here ends in .onnx"),
        ("nothing.safetensors", "out.onnx", "error: no such model"),
        ("m.onnx", "out.onnx", "error: model is ONNX already"),
        ("empty", "out.onnx", "error: folder is no run"),
        ("generator_best.safetensors", "nowhere/out.onnx", "error: no such folder to write to"),
    ],
)
def test_bad_export_is_refused_and_leaves_nothing(
    source: str, output: str, found: str, run_folder: Path, tmp_path: Path
) -> None:
    (run_folder / "empty").mkdir()
    (run_folder / "m.onnx").touch()
    result = run("export", run_folder / source, "-o", tmp_path / output)
    assert result.exit_code == 2
    assert result.stderr.startswith(found)
    assert "hint: " in result.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize("of", ["generator_best.safetensors", "model.onnx"])
def test_quantize_writes_what_export_with_int8_writes(of: str, run_folder: Path, tmp_path: Path) -> None:
    data = tmp_path / "ground"
    data.mkdir()
    for i in range(3):
        Image.fromarray(images(3, 32, 48)[i]).save(data / f"{i}.png")
    assert run("export", run_folder, "-o", run_folder / "model.onnx").exit_code == 0
    result = run("quantize", run_folder / of, data, "-o", tmp_path / "a.onnx")
    assert result.exit_code == 0, result.output
    assert result.stderr.startswith(f"wrote {tmp_path / 'a.onnx'} (0.")
    assert run("export", run_folder, "--int8", data, "-o", tmp_path / "b.onnx", "--quiet").exit_code == 0
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()
    card = load_engine(tmp_path / "a.onnx").card
    assert (card.precision, card.calibration_data, card.n_calibration_images) == ("int8", "ground", 3)


def test_quantize_without_images_is_refused(run_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = run("quantize", run_folder / "generator_best.safetensors", tmp_path / "empty", "-o", tmp_path / "a.onnx")
    assert result.exit_code == 2
    assert result.stderr.startswith("error: folder holds no image")
    assert not (tmp_path / "a.onnx").exists()
