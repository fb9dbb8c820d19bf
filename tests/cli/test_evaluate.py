"""`sat2map evaluate`, on pairs drawn here and, where there are any, on real ones beside the independent scorer."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image, ImageFilter

from sat2map.arrays import UInt8
from sat2map.classes import CLASSES
from sat2map.cli.main import sat2map
from sat2map.evaluate.metrics import METRICS

from ..need import SAMPLE, SHARED

BASELINE_RGB = CLASSES[0].colours_rgb[0]

SCORER = SHARED / "tools" / "score.py"
LAND = ",".join(map(str, BASELINE_RGB))

needs_scorer = pytest.mark.skipif(
    not SCORER.exists() or not SAMPLE.is_dir(), reason="no independent scorer, or no real pairs, beside the checkout"
)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Four pairs of 48 px in two groups, the map with a street in another place each."""
    folder = tmp_path / "town"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(4):
        target = np.full((48, 48, 3), BASELINE_RGB, np.uint8)
        target[8 * i + 4 : 8 * i + 10] = 255
        source = rng.integers(0, 256, target.shape, np.uint8)
        Image.fromarray(np.concatenate((source, target), axis=1)).save(folder / f"{i}.png")
    (tmp_path / "groups.csv").write_text("file,group\n0.png,a\n1.png,a\n2.png,b\n3.png,b\n")
    return folder


class _Blur:
    """Stands for a model: `crisp` gives the image back, `smooth` a corrupted and blurred one."""

    card = SimpleNamespace(name="blur", heads=("crisp", "smooth"), stride=8, recipe={}, classes=CLASSES)

    precision = "float32"

    def with_precision(self, _precision: str) -> _Blur:
        return self

    def shared_by(self, _n_runs: int) -> None:
        pass

    def run(self, sat_bhwc: UInt8, output: str) -> UInt8:
        if output == "crisp":
            return sat_bhwc
        blurred = Image.fromarray(np.roll(sat_bhwc[0], 2, 1)).filter(ImageFilter.GaussianBlur(1))
        return np.asarray(blurred)[None]


@pytest.fixture
def blur(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sat2map.engine.load_engine", lambda model, device="auto": _Blur())


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(sat2map, ["evaluate", *map(str, arguments)])


def _json(*arguments: object) -> Any:
    done = _run(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_evaluate_prints_every_metric_beside_the_constant_baseline(data: Path) -> None:
    done = _run(data, "--size", 48, "--constant", "255,255,255")
    assert done.exit_code == 0, done.output
    rows = {line.split("  ")[1].strip(): line for line in done.stdout.splitlines() if line.startswith("  ")}
    assert set(METRICS) <= set(rows)
    assert "iou major road" in rows
    assert rows["acc5"].split() == ["acc5", "12.5", "12.5", "to", "12.5", "87.5", "87.5", "to", "87.5"]
    assert "4 images of town in 2 groups, 48 px, colour (255, 255, 255)" in done.stdout
    assert done.stderr == ""


def test_evaluate_of_the_baseline_colour_is_the_constant_baseline(data: Path) -> None:
    found = _json(data, "--constant", LAND)
    assert found["metrics"] == found["constant_baseline"]["metrics"]
    assert found["iou"] == found["constant_baseline"]["iou"]
    assert found["constant_baseline"]["constant_rgb"] == [232, 229, 222]


@pytest.mark.usefixtures("blur")
def test_evaluate_writes_the_protocol_and_prints_the_same_json(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    found = _json(data, "--size", 48, "--head", "smooth", "--every", 2, "--seed", 5, "-o", out)
    assert json.loads((out / "metrics.json").read_text()) == found
    protocol = found["protocol"]
    assert protocol.pop("sat2map_version")
    assert protocol == {
        "data": "town",
        "size_px": 48,
        "every": 2,
        "n_images": 2,
        "n_groups": 2,
        "n_draws": 1000,
        "seed": 5,
        "model": "blur",
        "head": "smooth",
        "direction": "AtoB",
        "precision": "float32",
        "classes": {kind.name: list(kind.colours_rgb[0]) for kind in CLASSES},
    }
    assert [p.name for p in out.iterdir()] == ["metrics.json"]


@pytest.mark.usefixtures("blur")
def test_evaluate_reads_pairs_in_the_direction_that_the_model_was_trained_in(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in data.iterdir():
        with Image.open(path) as pair:
            pixels = np.roll(np.asarray(pair), 48, 1)
        Image.fromarray(pixels).save(path)
    flipped = _json(data, "--size", 48)["metrics"]
    monkeypatch.setattr(_Blur.card, "recipe", {"direction": "BtoA"})
    found = _json(data, "--size", 48)
    assert found["protocol"]["direction"] == "BtoA"
    assert found["metrics"] != flipped


@pytest.mark.usefixtures("blur")
def test_evaluate_takes_the_first_head_of_the_model(data: Path) -> None:
    assert _json(data)["protocol"]["head"] == "crisp"


def test_evaluate_takes_the_groups_that_it_is_given(data: Path, tmp_path: Path) -> None:
    with (tmp_path / "other.csv").open("w", newline="") as handle:
        csv.writer(handle).writerows([("file", "group"), *((f"{i}.png", "all") for i in range(4))])
    found = _json(data, "--constant", "0,0,0", "--groups", tmp_path / "other.csv")
    assert found["protocol"]["n_groups"] == 1


@pytest.mark.usefixtures("blur")
def test_evaluate_saves_predictions_and_truths(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert _run(data, "--size", 48, "-o", out, "--save-images").exit_code == 0
    names = [f"{i}.png" for i in range(4)]
    assert sorted(p.name for p in (out / "prediction").iterdir()) == names
    assert sorted(p.name for p in (out / "truth").iterdir()) == names
    both = np.asarray(Image.open(data / "2.png"))
    np.testing.assert_array_equal(np.asarray(Image.open(out / "prediction/2.png")), both[:, :48])
    np.testing.assert_array_equal(np.asarray(Image.open(out / "truth/2.png")), both[:, 48:])


@pytest.mark.usefixtures("blur")
def test_evaluate_saves_every_image_also_where_two_differ_in_their_endings_alone(data: Path, tmp_path: Path) -> None:
    for name in ("0.bmp", "0.jpg", "0.tif"):
        with Image.open(data / "1.png") as pair:
            pair.save(data / name)
    assert _run(data, "--size", 48, "-o", tmp_path / "out", "--save-images").exit_code == 0
    for part in ("prediction", "truth"):
        assert len(list((tmp_path / "out" / part).iterdir())) == 7


def test_evaluate_refuses_an_existing_output_and_replaces_it_when_told(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "prediction").mkdir(parents=True)
    (out / "prediction" / "old.png").touch()
    (out / "metrics.json").write_text("old")
    arguments = (data, "--constant", LAND, "-o", out, "--save-images")
    refused = _run(*arguments)
    assert refused.exit_code == 2
    assert refused.stderr.startswith("error: output exists: ")
    assert (out / "metrics.json").read_text() == "old"
    assert _run(*arguments, "--overwrite").exit_code == 0
    assert not (out / "prediction" / "old.png").exists()
    assert json.loads((out / "metrics.json").read_text())["protocol"]["n_images"] == 4


def test_evaluate_leaves_nothing_behind_when_a_pair_is_broken(data: Path, tmp_path: Path) -> None:
    (data / "9.png").write_bytes(b"not an image")
    out = tmp_path / "out"
    done = _run(data, "--constant", LAND, "-o", out, "--save-images")
    assert done.exit_code == 2
    assert "9.png" in done.stderr
    assert not out.exists()


@pytest.mark.usefixtures("blur")
@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (("--constant", "1,2"), "'1,2' is not a colour R,G,B"),
        (("--constant", "1,2,256"), "'1,2,256' is not a colour R,G,B"),
        (("--constant", "a,b,c"), "'a,b,c' is not a colour R,G,B"),
        (("--constant", LAND, "--model", "m.onnx"), "a constant colour takes the place of a model"),
        (("--constant", LAND, "--head", "rgb"), "a constant colour takes the place of a model"),
        (("--constant", LAND, "--save-images"), "--save-images needs a folder"),
        (("--constant", LAND, "--size", "10"), "smaller than the window of SSIM"),
        (("--constant", LAND, "--every", "0"), "0 is not in the range"),
        (("--constant", LAND, "--groups", "nowhere.csv"), "groups cannot be read: 'nowhere.csv'"),
        (("--head", "rgb"), "model has no such head: 'rgb'"),
    ],
)
def test_evaluate_refuses_in_two_lines(data: Path, arguments: tuple[str, ...], found: str) -> None:
    done = _run(data, *arguments)
    assert done.exit_code == 2
    error, hint = done.stderr.splitlines()
    assert error.startswith("error: ")
    assert found in error
    assert hint.startswith("hint: ")
    assert done.stdout == ""


def test_evaluate_refuses_a_folder_that_is_not_there(tmp_path: Path) -> None:
    done = _run(tmp_path / "nowhere", "--constant", LAND)
    assert done.exit_code == 2
    assert "no such folder of pairs" in done.stderr


def test_evaluate_refuses_a_file_for_a_folder(data: Path) -> None:
    done = _run(data, "--constant", LAND, "-o", data / "0.png")
    assert done.exit_code == 2
    assert "output is not a folder" in done.stderr


@needs_scorer
@pytest.mark.usefixtures("blur")
@pytest.mark.parametrize("size", [256, 600])
def test_evaluate_agrees_with_the_independent_scorer(tmp_path: Path, size: int) -> None:
    # The map as its own source: the stand-in model then gives something map-like, but not perfect.
    doubled = tmp_path / "doubled"
    doubled.mkdir()
    paths = sorted(SAMPLE.glob("*.jpg"))
    for path in paths[:: max(1, len(paths) // 4)]:
        both = np.asarray(Image.open(path).convert("RGB"))
        target = both[:, both.shape[1] // 2 :]
        # The scorer takes JPEGs only; both programs decode the same file.
        Image.fromarray(np.concatenate((target, target), axis=1)).save(doubled / path.name, quality=95, subsampling=0)
    out = tmp_path / "out"
    found = _json(doubled, "--size", size, "--head", "smooth", "-o", out, "--save-images")
    command = [sys.executable, SCORER, doubled, out / "prediction", "--size", str(size), "--json", tmp_path / "s.json"]
    subprocess.run(list(map(str, command)), check=True, capture_output=True)
    theirs = json.loads((tmp_path / "s.json").read_text())
    ours = {name: cell["value"] for name, cell in found["metrics"].items()}
    assert ours == pytest.approx({name: theirs[name] for name in METRICS}, abs=0.01)
    assert 0.1 < ours["road_f1"] < 1


@needs_scorer
def test_constant_baseline_agrees_with_the_independent_scorer(tmp_path: Path) -> None:
    every = max(1, len(list(SAMPLE.glob("*.jpg"))) // 8)
    found = _json(SAMPLE, "--constant", LAND, "--every", every)
    command = [sys.executable, SCORER, SAMPLE, "--constant", LAND, "--every", every, "--json", tmp_path / "s.json"]
    subprocess.run(list(map(str, command)), check=True, capture_output=True)
    theirs = json.loads((tmp_path / "s.json").read_text())
    ours = {name: cell["value"] for name, cell in found["constant_baseline"]["metrics"].items()}
    assert ours == pytest.approx({name: theirs[name] for name in METRICS}, abs=0.01)


@pytest.mark.slow
@pytest.mark.skipif("SAT2MAP_DATA" not in os.environ, reason="the published baseline is of $SAT2MAP_DATA/maps/valdev")
def test_constant_baseline_on_valdev_is_the_published_one() -> None:
    found = _json(Path(os.environ["SAT2MAP_DATA"]) / "maps/valdev", "--constant", LAND)["metrics"]
    published = {"rmse": 28.62, "acc5": 40.1, "acc10": 50.9, "psnr": 24.77, "ssim": 0.670, "miou": 0.128}
    decimals = {"rmse": 2, "acc5": 1, "acc10": 1, "psnr": 2, "ssim": 3, "miou": 3}
    assert {name: round(found[name]["value"], decimals[name]) for name in published} == published


def test_evaluate_gives_the_metrics_under_each_corruption(data: Path) -> None:
    result = CliRunner().invoke(
        sat2map, ["evaluate", str(data), "--size", "48", "--constant", LAND, "--corruptions", "--json", "--quiet"]
    )
    assert result.exit_code == 0, result.output
    metrics = json.loads(result.stdout)
    assert len(metrics["corruptions"]) == 12
    # What does not look at the image does not mind.
    assert metrics["corruptions"]["gamma 2"]["rmse"] == metrics["metrics"]["rmse"]


def _predictions(data: Path, folder: Path, name: str = "{}.png", scale: int = 1) -> Path:
    """The images of pairs, as if a program had given them back for maps; of the third its true map."""
    folder.mkdir()
    for i in range(4):
        with Image.open(data / f"{i}.png") as both:
            half = both.crop((48, 0, 96, 48) if i == 2 else (0, 0, 48, 48))
        half.resize((48 * scale, 48 * scale), Image.Resampling.NEAREST).save(folder / name.format(i))
    return folder


def test_prediction_is_the_file_named_as_its_pair_and_never_one_of_several(data: Path, tmp_path: Path) -> None:
    maps = _predictions(data, tmp_path / "maps")
    expected = _json(data, "--size", 48, "--predictions", maps)["metrics"]
    # What a Mac leaves, a folder, and another form of the same map.
    (maps / "._1.png").write_bytes(b"Mac OS X")
    (maps / "3.bmp").mkdir()
    Image.new("RGB", (48, 48)).save(maps / "1.tif")
    assert _json(data, "--size", 48, "--predictions", maps)["metrics"] == expected
    (maps / "1.png").rename(maps / "1.bmp")
    done = _run(data, "--size", 48, "--predictions", maps)
    assert done.exit_code == 2
    assert "2 predictions are named as the pair 1.png: '1.bmp, 1.tif'" in done.stderr


@pytest.mark.usefixtures("blur")
@pytest.mark.parametrize("name", ["{}.png", "{}.tif", "{}_fake_B.png", "{}_pred.bmp"])
def test_predictions_of_another_program_are_scored_as_a_models(data: Path, tmp_path: Path, name: str) -> None:
    maps = _predictions(data, tmp_path / "maps", name)
    found = _json(data, "--size", 48, "--predictions", maps, "--versus", "blur")
    assert (found["protocol"]["model"], found["protocol"]["head"]) == ("maps", "predictions")
    # The model gives its image back, so all but the third are as the model's.
    single = _json(data, "--size", 48)
    assert found["versus"]["metrics"] == single["metrics"]
    assert found["difference"]["metrics"]["acc5"]["value"] == pytest.approx(
        found["metrics"]["acc5"]["value"] - single["metrics"]["acc5"]["value"]
    )
    assert found["difference"]["metrics"]["acc5"]["value"] > 20
    assert found["metrics"].keys() == single["metrics"].keys()
    assert found["metrics"]["acc5"]["low"] < found["metrics"]["acc5"]["high"]


def test_predictions_of_another_size_are_brought_to_that_of_scoring(data: Path, tmp_path: Path) -> None:
    for scale in (1, 3):
        maps = _predictions(data, tmp_path / f"maps{scale}", scale=scale)
        found = _json(data, "--size", 48, "--predictions", maps, "--every", 2)["metrics"]
        assert found["road_f1"]["value"] > 0.3
    done = _run(data, "--size", 48, "--predictions", maps, "-o", tmp_path / "out", "--save-images")
    assert done.exit_code == 0, done.output
    with Image.open(tmp_path / "out" / "prediction" / "2.png") as prediction:
        assert prediction.size == (48, 48)


def test_saved_images_do_not_replace_the_predictions_that_are_scored(data: Path, tmp_path: Path) -> None:
    maps = _predictions(data, tmp_path / "prediction", scale=3)
    before = {path: path.read_bytes() for path in maps.iterdir()}
    done = _run(data, "--size", 48, "--predictions", maps, "-o", tmp_path, "--save-images", "--overwrite")
    assert done.exit_code == 2
    assert "output holds the input" in done.stderr
    assert {path: path.read_bytes() for path in maps.iterdir()} == before


@pytest.mark.usefixtures("blur")
def test_predictions_are_in_the_report(data: Path, tmp_path: Path) -> None:
    maps = _predictions(data, tmp_path / "maps")
    report = tmp_path / "report.html"
    done = _run(data, "--size", 48, "--predictions", maps, "--versus", "blur", "--report", report)
    assert done.exit_code == 0, done.output
    assert "A: maps, predictions" in report.read_text("utf-8")


@pytest.mark.parametrize("case", ["missing folder", "missing maps", "other proportions", "with a model", "corrupted"])
def test_predictions_that_do_not_fit_are_refused(data: Path, tmp_path: Path, case: str) -> None:
    maps = _predictions(data, tmp_path / "maps")
    arguments: tuple[object, ...] = ()
    found = {
        "missing folder": "no such folder of predictions", "missing maps": "2 of 4 pairs have no prediction",
        "other proportions": "of other proportions", "with a model": "take the place of a model",
        "corrupted": "not of corrupted ones",
    }[case]  # fmt: skip
    if case == "missing folder":
        maps = tmp_path / "nowhere"
    elif case == "missing maps":
        (maps / "0.png").unlink()
        (maps / "3.png").unlink()
    elif case == "other proportions":
        Image.new("RGB", (48, 40)).save(maps / "1.png")
    elif case == "with a model":
        arguments = ("--model", "newyork")
    else:
        arguments = ("--corruptions",)
    done = _run(data, "--predictions", maps, *arguments)
    assert done.exit_code == 2, done.output
    assert found in done.stderr
    assert done.stderr.splitlines()[-1].startswith("hint: ")
