"""The report: whole in itself, true to metrics.json, of the right images; and two models compared, paired."""

from __future__ import annotations

import base64
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from sat2map.arrays import UInt8
from sat2map.classes import CLASS_NAMES, CLASSES
from sat2map.cli.main import sat2map
from sat2map.evaluate.metrics import score_image
from sat2map.evaluate.protocol import score_images
from sat2map.evaluate.report import N_EXAMPLES, choose

BASELINE_RGB = CLASSES[0].colours_rgb[0]

SIZE = 32
N_PAIRS = 8


class _Shift:
    """Stands for a model: the image (here the true map itself) moved to the right, the further the worse."""

    def __init__(self, name: str, by_px: int, outputs: tuple[str, ...] = ("rgb",)) -> None:
        self.card = SimpleNamespace(name=name, heads=outputs, stride=8, recipe={}, temperature=3.0, classes=CLASSES)
        self.by_px = by_px

    precision = "float32"

    def with_precision(self, _precision: str) -> _Shift:
        return self

    def run(self, sat_bhwc: UInt8, output: str) -> UInt8:
        drawn = np.roll(sat_bhwc, self.by_px, 2)
        return np.asarray(0.5 * drawn + 0.5 * np.array(BASELINE_RGB)).astype(np.uint8) if output == "smooth" else drawn


MODELS = {
    "near.onnx": _Shift("near <b>", 1, ("crisp", "smooth")),
    "far.onnx": _Shift("far", 6),
    "turned.onnx": _Shift("turned", 1),
}
MODELS["turned.onnx"].card.recipe = {"direction": "BtoA"}


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Eight pairs in four groups, both halves the same map: a street, the wider the less a shift costs."""
    monkeypatch.setattr("sat2map.engine.load_engine", lambda model, device="auto": MODELS[Path(model).name])
    for name in MODELS:
        (tmp_path / name).touch()
    folder = tmp_path / "town"
    folder.mkdir()
    for i in range(N_PAIRS):
        image = np.full((SIZE, SIZE, 3), BASELINE_RGB, np.uint8)
        image[:, 2 : 4 + 2 * i] = 255
        Image.fromarray(np.concatenate((image, image), axis=1)).save(folder / f"{i}.png")
    rows = "".join(f"{i}.png,{i // 2}\n" for i in range(N_PAIRS))
    (tmp_path / "groups.csv").write_text("file,group\n" + rows)
    return folder


def _run(data: Path, *arguments: object) -> Result:
    return CliRunner().invoke(sat2map, ["evaluate", str(data), "--size", str(SIZE), *map(str, arguments)])


class _Page(HTMLParser):
    """Text and images of a page, and every address in it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.images: list[tuple[str, bytes, str]] = []
        self.addresses: list[str] = []
        self.feed(html)

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        of = dict(attrs)
        address = of.get("src") or of.get("href")
        if address:
            self.addresses.append(address)
        if tag == "img":
            kind, _, text = (of["src"] or "").partition(";base64,")
            self.images.append((kind.removeprefix("data:image/"), base64.b64decode(text), of["alt"] or ""))

    @property
    def text(self) -> str:
        return " ".join(self.words)


@pytest.fixture
def compared(data: Path, tmp_path: Path) -> tuple[_Page, Any]:
    """Report and metrics.json of two models."""
    report = tmp_path / "report.html"
    out = tmp_path / "out"
    arguments = ("--model", tmp_path / "near.onnx", "--versus", tmp_path / "far.onnx", "--report", report, "-o", out)
    done = _run(data, *arguments)
    assert done.exit_code == 0, done.output
    return _Page(report.read_text("utf-8")), json.loads((out / "metrics.json").read_text())


def test_report_loads_nothing_from_elsewhere(compared: tuple[_Page, Any]) -> None:
    page, _ = compared
    assert page.addresses
    assert all(address.startswith("data:image/") for address in page.addresses)


def test_report_holds_every_metric_of_both_models_and_their_difference(compared: tuple[_Page, Any]) -> None:
    page, metrics = compared
    assert "A: near <b>, crisp against B: far, rgb on town" in page.text
    for part in (metrics, metrics["versus"]):
        for name in ("road_f1", "cldice", "ssim"):
            assert f"{part['metrics'][name]['value']:.3f}" in page.text
    difference = metrics["difference"]["metrics"]["rmse"]
    assert f"{difference['value']:+.2f} {difference['low']:+.2f} to {difference['high']:+.2f}" in page.text


def test_report_marks_the_better_one_where_the_interval_leaves_out_nought(
    compared: tuple[_Page, Any], tmp_path: Path
) -> None:
    html = (tmp_path / "report.html").read_text("utf-8")
    winners = {
        name: re.search(rf'<tr><td>{name}</td>.*?<td class="(.?)">', html) for name in ("rmse", "ssim", "sharpness")
    }
    assert {name: found and found[1] for name, found in winners.items()} == {"rmse": "a", "ssim": "a", "sharpness": ""}


def test_report_charts_are_svg_and_images_open_at_the_size_of_scoring(compared: tuple[_Page, Any]) -> None:
    page, _ = compared
    charts = [data for kind, data, _ in page.images if kind == "svg+xml"]
    # Metrics, classes, two confusions, the frontier.
    assert len(charts) == 5
    for chart in charts:
        assert ElementTree.fromstring(chart).tag.endswith("svg")
    images = [Image.open(io.BytesIO(data)) for kind, data, _ in page.images if kind != "svg+xml"]
    # Five headings, three examples, each with image, two maps and the truth.
    assert len(images) == 5 * N_EXAMPLES * 4
    assert {image.size for image in images} == {(SIZE, SIZE)}


def test_report_shows_what_each_model_drew(compared: tuple[_Page, Any]) -> None:
    page, _ = compared
    first: dict[str, UInt8] = {}
    for kind, data, label in page.images:
        if kind != "svg+xml":
            first.setdefault(label.split(" · ")[0], np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))
    np.testing.assert_array_equal(first["A: near <b>, crisp"], np.roll(first["true map"], 1, 1))
    np.testing.assert_array_equal(first["B: far, rgb"], np.roll(first["true map"], 6, 1))


def test_report_of_a_model_without_palette_head_has_no_frontier(data: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    assert _run(data, "--model", tmp_path / "far.onnx", "--report", report).exit_code == 0
    page = _Page(report.read_text("utf-8"))
    assert "Frontier" not in page.text
    assert "A − B" not in page.text
    assert len([kind for kind, _, _ in page.images if kind == "svg+xml"]) == 3


def test_report_of_one_colour_is_written_too(data: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    assert _run(data, "--constant", "255,255,255", "--report", report).exit_code == 0
    assert "colour (255, 255, 255) on town" in _Page(report.read_text("utf-8")).text


def test_frontier_draws_the_points_that_the_file_has(compared: tuple[_Page, Any]) -> None:
    page, _ = compared
    assert "γ = 3" in page.text
    chart = next(data.decode() for kind, data, label in page.images if label == "frontier")
    assert "γ = 3" in chart
    assert ">crisp<" in chart


def test_comparison_is_paired_and_signed(compared: tuple[_Page, Any]) -> None:
    _, metrics = compared
    assert metrics["versus"]["model"] == "far"
    for name, sign in (("rmse", -1), ("road_f1", 1)):
        a, b, difference = (metrics[k]["metrics"][name] if k else metrics["metrics"][name]
                            for k in ("", "versus", "difference"))  # fmt: skip
        assert difference["value"] == pytest.approx(a["value"] - b["value"])
        assert sign * difference["low"] > 0


def test_comparison_prints_both_models_beside_each_other(data: Path, tmp_path: Path) -> None:
    done = _run(data, "--model", tmp_path / "near.onnx", "--versus", tmp_path / "far.onnx")
    assert done.exit_code == 0
    header, row = (next(line for line in done.stdout.splitlines() if key in line) for key in ("metric", "road_f1"))
    assert re.split(r"  +", header.strip()) == ["metric", "A: near <b>", "B: far", "A - B", "95 %", "constant"]
    assert re.fullmatch(r"road_f1 +\d\.\d{3} +\d\.\d{3} +\+\d\.\d{3} +\+\d\.\d{3} to \+\d\.\d{3} +0\.000", row.strip())


def test_baseline_takes_the_same_head_where_it_has_it(data: Path, tmp_path: Path) -> None:
    near = tmp_path / "near.onnx"
    done = _run(data, "--model", near, "--head", "smooth", "--versus", near, "--json")
    found = json.loads(done.stdout)
    assert found["versus"]["head"] == "smooth"
    assert found["difference"]["metrics"]["rmse"] == {"value": 0, "low": 0, "high": 0}


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (("--report", "report.pdf"), "a report is HTML"),
        (("--report", "nowhere/report.html"), "no such folder to write to"),
        (("--report", "groups.csv/report.html"), "no such folder to write to"),
        (("--versus", "turned.onnx"), "opposite directions"),
    ],
)
def test_report_and_comparison_refuse_before_any_work(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], found: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sat2map.evaluate.evaluation.score_images", lambda *_: pytest.fail("scored all the same"))
    done = _run(data, "--model", "near.onnx", *arguments)
    assert done.exit_code == 2
    assert found in done.stderr


def test_report_that_exists_is_kept_without_overwrite(data: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    report.write_text("old")
    refused = _run(data, "--constant", "0,0,0", "--report", report)
    assert (refused.exit_code, report.read_text()) == (2, "old")
    assert _run(data, "--constant", "0,0,0", "--report", report, "--overwrite").exit_code == 0
    assert report.read_text("utf-8").startswith("<!doctype html>")


def test_report_names_the_extra_that_brings_matplotlib(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.delitem(sys.modules, "sat2map.evaluate.charts", raising=False)
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    done = _run(data, "--constant", "0,0,0", "--report", tmp_path / "report.html")
    assert done.exit_code == 2
    assert "sat2map[report]" in done.stderr


def test_chosen_images_are_best_median_and_worst_each_of_another_group() -> None:
    truth = np.full((SIZE, SIZE, 3), BASELINE_RGB, np.uint8)
    truth[:, 4:20] = 255
    near = [score_image(np.roll(truth, shift, 1), truth, SIZE) for shift in (0, 0, 2, 4, 6, 8, 10)]
    far = [score_image(np.roll(truth, shift, 1), truth, SIZE) for shift in (0, 0, 2, 4, 6, 8, 2)]
    groups = ["a", "a", "b", "c", "d", "e", "f"]
    ranking = choose([near, far], groups)
    assert ranking.metric == "road_f1"
    assert ranking.chosen["Best"] == [0, 2, 3]
    assert ranking.chosen["Worst"] == [6, 5, 4]
    assert ranking.chosen["Median"][0] == 3
    assert ranking.chosen["Where B gains most"][0] == 6


def test_images_without_a_street_are_chosen_by_colour() -> None:
    land = np.full((SIZE, SIZE, 3), BASELINE_RGB, np.uint8)
    scores = [score_image(land + np.uint8(shift), land, SIZE) for shift in (9, 1, 5)]
    ranking = choose([scores], ["a", "b", "c"])
    assert (ranking.metric, ranking.chosen["Best"][0], ranking.chosen["Worst"][0]) == ("rmse", 1, 0)


def test_confusion_counts_true_classes_in_rows() -> None:
    truth = np.full((SIZE, SIZE, 3), BASELINE_RGB, np.uint8)
    truth[:8] = 255
    drawn = np.full_like(truth, BASELINE_RGB)
    drawn[:2] = 255
    image = next(score_images(lambda _: drawn, [("x", truth, truth)], SIZE, CLASSES))
    confusion = image.confusion()
    land, road = CLASS_NAMES.index("land"), CLASS_NAMES.index("road")
    assert (confusion[road, road], confusion[road, land], confusion[land, road]) == (2 * SIZE, 6 * SIZE, 0)
    assert confusion.sum() == SIZE * SIZE
    assert np.diag(confusion).tolist() == list(image.score.intersection)
