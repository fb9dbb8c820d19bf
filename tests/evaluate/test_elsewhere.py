"""`sat2map evaluate` on partial labels: the right values, their intervals, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from sat2map.arrays import UInt8
from sat2map.classes import CLASSES
from sat2map.cli.main import sat2map
from sat2map.data.partial import PartialPair
from sat2map.evaluate.elsewhere import as_translated
from sat2map.model.card import Card
from tests.data.label_sets import write_set

LAND, ROAD, _, WATER, PARK, _ = (c.colours_rgb[0] for c in CLASSES)
LEGEND = "value,classes\n0,\n1,water\n2,land|park\n3,road|major road\n"
SIDE = 64


class _Mirror:
    """Stands for a model that gives its image back."""

    card = Card(
        name="mirror", architecture="unet", configuration={}, gsd_m=(1, 1), normalization="frozen", stride=8,
        receptive_radius_px=0, margin_px=0, heads=("rgb",),
    )  # fmt: skip

    def run(self, sat_bhwc: UInt8, head: str) -> UInt8:
        return sat_bhwc

    precision = "float32"

    def with_precision(self, _precision: str) -> _Mirror:
        return self


@pytest.fixture(autouse=True)
def mirror(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sat2map.engine.load_engine", lambda model, device="auto": _Mirror())
    monkeypatch.setenv("SAT2MAP_CACHE", str(tmp_path / "cache"))


def halves(left: Any, right: Any) -> UInt8:
    """An image, or a label, of two halves."""
    shape = np.shape(left)
    image = np.empty((SIDE, SIDE, *shape), np.uint8)
    image[:, : SIDE // 2], image[:, SIDE // 2 :] = left, right
    return image


@pytest.fixture
def coast(tmp_path: Path) -> Path:
    return write_set(tmp_path / "coast", {
        # Half water, half land; drawn as water and park.
        "a1.png": (halves(WATER, PARK), halves(1, 2)),
        # All land; half of it drawn as water.
        "a2.png": (halves(LAND, WATER), halves(2, 2)),
        # Of the right half nothing is known; the left is road, and drawn so.
        "b1.png": (halves(ROAD, WATER), halves(3, 0)),
    }, LEGEND)  # fmt: skip


def run(*arguments: object) -> Result:
    return CliRunner().invoke(sat2map, ["evaluate", *map(str, arguments)])


def found(*arguments: object) -> Any:
    done = run(*arguments, "--json", "--quiet")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_metrics_are_ratios_of_sums_over_the_set(coast: Path) -> None:
    ((name, of_set),) = found(coast, "--gsd", 1)["sets"].items()
    values = {metric: cell["value"] for metric, cell in of_set["metrics"].items()}
    assert (name, of_set["n_images"], of_set["n_groups"], of_set["gsd_m"]) == ("coast", 3, 3, 1)
    # In half images: 5 are known, 4 of them right; 1 is water, 2 of what is known are drawn as water; 4 are dry.
    assert values == pytest.approx(
        {"allowed": 4 / 5, "water_iou": 1 / 2, "road_f1": 1, "invented_water": 1 / 4, "park": 1 / 6}
    )
    for cell in of_set["metrics"].values():
        assert cell["low"] is None or cell["low"] <= cell["value"] <= cell["high"]
    assert of_set["metrics"]["park"]["low"] < of_set["metrics"]["park"]["high"]


def test_names_choose_images_and_what_is_not_known_is_none(coast: Path) -> None:
    cells = found(coast, "--gsd", 1, "--only", "a*", "--without", "a1*")["sets"]["coast"]["metrics"]
    assert (cells["allowed"]["value"], cells["water_iou"]["value"], cells["road_f1"]["value"]) == (0.5, None, None)
    done = run(coast, "--gsd", 1, "--only", "z*")
    assert (done.exit_code, "no image of the set is left" in done.stderr) == (2, True)
    assert "--only" in done.stderr


def test_intervals_draw_whole_groups(coast: Path) -> None:
    (coast / "groups.csv").write_text("file,group\na1.png,x\na2.png,x\nb1.png,x\n")
    of_set = found(coast, "--gsd", 1)["sets"]["coast"]
    assert of_set["n_groups"] == 1
    assert all(cell["low"] == cell["value"] == cell["high"] for cell in of_set["metrics"].values())


def test_two_models_are_compared_on_the_same_images(coast: Path) -> None:
    both = found(coast, "--gsd", 1, "--versus", "mirror")
    assert both["versus"]["sets"]["coast"]["metrics"] == both["sets"]["coast"]["metrics"]
    # Paired: of a model with itself every draw differs by nothing.
    assert all(set(cell.values()) <= {0, None} for cell in both["difference"]["coast"]["metrics"].values())
    printed = run(coast, "--gsd", 1, "--versus", "mirror").stdout
    assert "A - B" in printed
    assert "invented_water" in printed


def test_each_set_of_a_folder_is_scored_at_its_own_gsd(coast: Path, tmp_path: Path) -> None:
    root = tmp_path / "sets"
    root.mkdir()
    coast.rename(root / "coast")
    (root / "masks" / "image").mkdir(parents=True)
    (root / "masks" / "mask").mkdir()
    Image.fromarray(halves(ROAD, LAND)).save(root / "masks" / "image" / "1.png")
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[:, : SIDE // 4] = 255
    Image.fromarray(mask).save(root / "masks" / "mask" / "1.png")
    refused = run(root, "--gsd", "coast=2")
    assert (refused.exit_code, "GSD of the images is not known" in refused.stderr) == (2, True)
    sets = found(root, "--gsd", "coast=2", "--gsd", 1)["sets"]
    assert {name: of["gsd_m"] for name, of in sets.items()} == {"coast": 2, "masks": 1}
    assert sets["masks"]["metrics"]["water_iou"]["value"] is None


def test_constant_colour_and_output(coast: Path, tmp_path: Path) -> None:
    out = tmp_path / "scores"
    of_set = found(coast, "--gsd", 1, "--constant", "232,229,222", "-o", out)["sets"]["coast"]["metrics"]
    assert (of_set["invented_water"]["value"], of_set["road_f1"]["value"]) == (0, 0)
    assert json.loads((out / "metrics.json").read_text())["sets"]["coast"]["metrics"] == of_set


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((), "GSD of the images is not known"),
        (("--gsd", "x"), "'x' is not METRES or NAME=METRES"),
        (("--gsd", "coast=0"), "'coast=0' is not METRES"),
        (("--gsd", "1", "--corruptions"), "--corruptions is for pairs"),
        (("--gsd", "1", "--save-images"), "--save-images is for pairs"),
    ],
)
def test_what_does_not_fit_is_refused(coast: Path, arguments: tuple[str, ...], error: str) -> None:
    done = run(coast, *arguments)
    assert done.exit_code == 2
    assert error in done.stderr
    assert done.stderr.count("error: ") == done.stderr.count("hint: ") == 1


def test_image_goes_to_the_nearest_gsd_and_is_stretched_as_the_card_says() -> None:
    rng = np.random.default_rng(0)
    pair = PartialPair(rng.integers(50, 101, (40, 60, 3), np.uint8), np.ones((40, 60), np.uint8))
    sets = np.arange(256, dtype=np.uint32)
    card = _Mirror.card.model_copy(update={"gsd_m": (0.5, 2), "levels": ((0, 200),) * 3})
    for gsd_m, size in ((0.25, (20, 30)), (1, (40, 60)), (4, (80, 120))):
        image, classes = as_translated(pair, sets, gsd_m, card)
        assert image.shape[:2] == classes.shape == size
    as_it_is, _ = as_translated(pair, sets, 1, card)
    np.testing.assert_array_equal(as_it_is, pair.image_hwc)
    stretched, _ = as_translated(pair, sets, 1, card.model_copy(update={"stretch_bytes": True}))
    assert np.percentile(stretched, (2, 98)) == pytest.approx((0, 200), abs=15)
