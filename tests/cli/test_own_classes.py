"""Classes of one's own, from the style of a map to its model, its files, its page and its vectors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from click.testing import CliRunner
from PIL import Image
from rasterio.features import shapes
from starlette.testclient import TestClient

from sat2map.city.write import CRS, write_scene
from sat2map.classes import CLASSES, ClassTable, MapClass
from sat2map.cli.main import sat2map
from sat2map.data.ground_file import data_table
from sat2map.model.bundled import read_card
from sat2map.scene.class_tag import named_classes
from sat2map.scene.options import DEFAULT_READ_OPTIONS
from sat2map.serve.app import create_app
from sat2map.serve.filling import Filler
from sat2map.serve.scenes import Scenes
from sat2map.serve.settings import ServeSettings
from sat2map.translate import Settings, Translator

from ..vector.ground import write_layer

OWN = ClassTable([
    MapClass("ground", ((120, 140, 110),)),
    MapClass("road", ((40, 40, 40), (90, 90, 90)), is_road=True),
    MapClass("building", ((200, 60, 40),)),
])  # fmt: skip
BUILDING_RGB = CLASSES[0].colours_rgb[1]
SIZE_PX = 200
STYLE = """
name = "houses"
licence = "CC0"
background = "ground"
[[classes]]
name = "ground"
colours_rgb = [[120, 140, 110]]
[[classes]]
name = "road"
colours_rgb = [[40, 40, 40], [90, 90, 90]]
is_road = true
[[classes]]
name = "building"
colours_rgb = [[200, 60, 40]]
[[rules]]
class = "building"
geometry = "area"
where = {kind = "building"}
[[rules]]
class = "road"
geometry = "area"
where = {kind = "road"}
"""
RECIPE = """
base = "finetune"
name = "tiny"
init = []
batch_size = 2
steps_per_epoch = 2
epochs = 1
constant_epochs = 1
validation_px = 192
validation_share = 0.2
[generator]
architecture = "compact"
[generator.configuration]
widths = [4, 6, 8]
dilations = [[1], [1]]
head_width = 4
[augmentation]
load_px = [150, 200]
crop_px = 64
"""


def run(*arguments: object) -> Any:
    result = CliRunner().invoke(sat2map, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    return result


def refused(*arguments: object) -> list[str]:
    result = CliRunner().invoke(sat2map, [str(argument) for argument in arguments])
    assert result.exit_code == 2
    assert "Traceback" not in result.output
    return [line for line in result.stderr.splitlines() if line.startswith("error:")]


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synthetic city, vectors of its houses and roads, pairs of three classes, and a model of them."""
    folder = tmp_path_factory.mktemp("town")
    write_scene(folder / "scene.tif", 3 * SIZE_PX, seed=4)
    with rasterio.open(folder / "scene_truth.tif") as truth:
        rgb, transform = np.moveaxis(truth.read(), 0, -1), truth.transform
    is_road = np.isin(CLASSES.classify(rgb), CLASSES.road_classes)
    number = np.where((rgb == BUILDING_RGB).all(-1), 2, is_road).astype(np.uint8)
    np.save(folder / "classes.npy", number)
    found = [(shapely.geometry.shape(g), OWN.names[int(v)]) for g, v in shapes(number, number > 0, transform=transform)]
    polygons, kinds = zip(*found, strict=True)
    write_layer(folder / "town.gpkg", polygons, {"kind": list(kinds)}, geometry_type="Polygon", crs=CRS)
    (folder / "houses.toml").write_text(STYLE)
    (folder / "tiny.toml").write_text(RECIPE)
    run(
        "data", "pairs", folder / "scene.tif", "--vectors", folder / "town.gpkg", "--style", folder / "houses.toml",
        "--size", SIZE_PX, "--block", 180, "-o", folder / "data",
    )  # fmt: skip
    run(
        "train",
        folder / "data",
        "--recipe",
        folder / "tiny.toml",
        "--out",
        folder / "run",
        "--device",
        "cpu",
        "--threads",
        1,
    )
    run("model", "export", folder / "run", "-o", folder / "town.onnx")
    return folder


def test_card_takes_over_what_the_data_say(town: Path) -> None:
    card = read_card(town / "town.onnx")
    assert card.classes == OWN
    assert card.palette == tuple(rgb for kind in OWN for rgb in kind.colours_rgb)
    assert card.recipe["classes"][2] == {"name": "building", "colours_rgb": [[200, 60, 40]], "is_road": False}
    assert card.training_data.startswith("scene.tif with town.gpkg (")
    assert card.training_data_licence == "scene.tif with town.gpkg: maps: CC0; images: their own"
    # Validation is of other blocks than training.
    assert 0 < card.metrics["validation"]["n_images"] < 9


def test_pairs_are_scored_with_their_own_classes(town: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    done = run("evaluate", town / "data", "--model", town / "town.onnx", "--size", 192, "--json", "--report", report)
    found = json.loads(done.stdout)
    assert list(found["iou"]) == list(OWN.names)
    assert np.shape(found["confusion"]) == (3, 3)
    assert found["constant_baseline"]["constant_rgb"] == [120, 140, 110]
    n_px = np.sum(found["confusion"])
    # What is true does not depend on the model: each row has the pixels of a class, but for the resizing.
    share = np.bincount(np.load(town / "classes.npy").ravel(), minlength=3) / (3 * SIZE_PX) ** 2
    assert np.sum(found["confusion"], axis=1) / n_px == pytest.approx(share, abs=0.02)
    text = report.read_text("utf-8")
    assert "<td>building</td>" in text
    assert "<td>park</td>" not in text


@pytest.mark.parametrize("swapped", [False, True])
def test_a_model_is_never_scored_with_the_classes_of_another(town: Path, tmp_path: Path, swapped: bool) -> None:
    if swapped:
        data, model = town / "data", "open"
    else:
        data, model = tmp_path / "plain", str(town / "town.onnx")
        data.mkdir()
        image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
        both = np.concatenate([image, np.full_like(image, CLASSES[0].colours_rgb[0])], 1)
        Image.fromarray(both).save(data / "a.png")
    (line,) = refused("evaluate", data, "--model", model, "--size", 64)
    assert "model's classes (" in line
    assert "are not those of the pairs" in line
    (line,) = refused("evaluate", town / "data", "--model", town / "town.onnx", "--versus", "open", "--size", 64)
    assert "are not those of the other model" in line


def test_parts_of_data_that_were_divided_keep_their_classes(town: Path, tmp_path: Path) -> None:
    run("data", "split", town / "data", "-o", tmp_path / "parts", "--test", 0.3)
    assert data_table(tmp_path / "parts" / "test") == OWN
    assert data_table(tmp_path / "parts" / "train") == OWN


def test_partial_labels_name_the_classes_of_the_model(town: Path, tmp_path: Path) -> None:
    place = tmp_path / "place"
    for name, mode in (("image", "RGB"), ("label", "L")):
        (place / name).mkdir(parents=True)
        Image.new(mode, (64, 64), 1 if mode == "L" else (90, 90, 90)).save(place / name / "a.png")
    (place / "legend.csv").write_text("value,classes\n1,building|ground\n")
    command = "evaluate", place, "--gsd", 1, "--model", town / "town.onnx", "--json"
    metrics = json.loads(run(*command).stdout)["sets"]["place"]["metrics"]
    assert metrics["allowed"]["value"] is not None
    assert metrics["water_iou"]["value"] is metrics["invented_water"]["value"] is metrics["park"]["value"] is None
    (place / "legend.csv").write_text("value,classes\n1,water\n")
    assert refused(*command) == ["error: legend.csv names a class that there is not: 'water'"]


@pytest.mark.parametrize("name", ["classes.tif", "map.tif", "map.png"])
def test_files_carry_the_classes_from_which_vectors_are_made(town: Path, tmp_path: Path, name: str) -> None:
    path, vectors = tmp_path / name, tmp_path / "map.gpkg"
    is_classes = name.startswith("classes")
    flags = ["--classes"] if is_classes else []
    run("translate", town / "scene.tif", "-o", path, "--model", town / "town.onnx", *flags)
    with rasterio.open(path) as drawn:
        assert named_classes(drawn, drawn.name) == OWN
        pixels = drawn.read()
        if is_classes:
            assert [drawn.colormap(1)[i][:3] for i in range(3)] == [kind.colours_rgb[0] for kind in OWN]
            assert drawn.tags()["SAT2MAP_CLASSES"] == "0 ground, 1 road, 2 building"
    numbers = pixels[0] if is_classes else OWN.classify(np.moveaxis(pixels[:3], 0, -1))
    if name.endswith(".png"):
        return
    run("vectorize", path, "-o", vectors, "--simplify", 0)
    areas = pyogrio.raw.read(vectors, layer="areas")
    columns = dict(zip(areas[0]["fields"], areas[3], strict=True))
    by_class = {kind: columns["area_m2"][columns["class"] == kind].sum() for kind in set(columns["class"])}
    expected = {OWN.names[i]: n for i, n in enumerate(np.bincount(numbers.ravel(), minlength=3)) if n}
    total = sum(by_class.values())
    assert {kind: area / total for kind, area in by_class.items()} == pytest.approx(
        {kind: n / numbers.size for kind, n in expected.items()}, abs=1e-3
    )


def test_roads_of_a_map_are_those_that_its_classes_say(town: Path, tmp_path: Path) -> None:
    with rasterio.open(town / "scene.tif") as scene:
        place = {"crs": scene.crs, "transform": scene.transform}
    classes, vectors = np.load(town / "classes.npy"), tmp_path / "roads.fgb"
    table = "".join(
        f'[[classes]]\nname = "{name}"\ncolours_rgb = [[{i}, 0, 0]]\nis_road = {str(i == 1).lower()}\n'
        for i, name in enumerate(("plain", "track", "house"))
    )
    (tmp_path / "table.toml").write_text(table)
    profile = {"driver": "GTiff", "width": 600, "height": 600, "count": 1, "dtype": "uint8"}
    with rasterio.open(tmp_path / "c.tif", "w", **profile, **place) as out:
        out.write(classes, 1)
    run("vectorize", tmp_path / "c.tif", "--class-table", tmp_path / "table.toml", "--layer", "roads", "-o", vectors)
    roads = pyogrio.raw.read(vectors)
    assert set(roads[3][list(roads[0]["fields"]).index("class")]) == {"track"}


def test_page_shows_and_hides_the_classes_of_its_model(town: Path, tmp_path: Path) -> None:
    settings = ServeSettings(cache=tmp_path / "cache", allow_host=("testserver",))
    translator = Translator.load(town / "town.onnx")
    scenes = Scenes(translator, tmp_path / "cache", 2**30, "own", Settings(), DEFAULT_READ_OPTIONS)
    scene = scenes.add(town / "scene.tif")
    app = create_app(scenes, Filler(settings.n_windows_waited_for), settings)
    with TestClient(app, raise_server_exceptions=False) as client:
        shown = client.get("/scenes").json()["classes"]
        assert shown == [
            {"name": "ground", "colour": "#788c6e"}, {"name": "road", "colour": "#282828"},
            {"name": "building", "colour": "#c83c28"},
        ]  # fmt: skip
        found = client.get(f"/scenes/{scene.id}/map/preview.png?hide=park&max_size=64")
        assert found.status_code >= 400
        assert "map has no such class" in found.text
        assert "ground, road, building" in found.text


ADAPT_CHANGES = {
    "batch_size": 2, "steps_per_epoch": 2, "epochs": 1, "constant_epochs": 1, "augmentation.crop_px": 64,
    "precision": "fp32",
}  # fmt: skip


def adapting(town: Path, out: Path, *more: object) -> list[str]:
    changes = [part for key, value in ADAPT_CHANGES.items() for part in ("--set", f"{key}={value}")]
    arguments = [
        "adapt", town / "scene.tif", "--vectors", town / "town.gpkg", "--style", town / "houses.toml", "--no-align",
        "--size", SIZE_PX, "--block", 180, "--model", town / "run", "-o", out, "--threads", 1, "--device", "cpu",
        *changes, *more,
    ]  # fmt: skip
    return [str(argument) for argument in arguments]


def test_adapt_goes_on_after_an_interruption_and_says_whether_it_is_worth_it(
    town: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "mine.onnx"

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("sat2map.adapt.make.evaluate", interrupt)
        assert CliRunner().invoke(sat2map, adapting(town, out)).exit_code == 130
    assert not out.exists()
    checkpoint, pairs = (tmp_path / "mine_adapt" / name for name in ("run/checkpoint.pt", "pairs/data.toml"))
    before = checkpoint.stat().st_mtime_ns, pairs.stat().st_mtime_ns
    done = run(*adapting(town, out, "--json"))
    assert (checkpoint.stat().st_mtime_ns, pairs.stat().st_mtime_ns) == before
    card = read_card(out)
    assert (card.name, card.precision, card.classes) == ("mine", "int8", OWN)
    assert card.init[0].startswith("tiny, generator (trained on scene.tif with town.gpkg (")
    found = json.loads(done.stdout)
    # Three of nine blocks are held out from both training and its validation.
    trained = {path.name for path in (tmp_path / "mine_adapt" / "pairs" / "train" / "A").iterdir()}
    held_out = {path.name for path in (tmp_path / "mine_adapt" / "pairs" / "test" / "A").iterdir()}
    assert len(trained | held_out) == 9
    assert len(held_out) == found["protocol"]["n_images"] == found["protocol"]["n_groups"] == 3
    assert "on 3 squares in 3 blocks that it was not trained on" in found["verdict"]
    text = out.with_suffix(".html").read_text("utf-8")
    assert found["verdict"].partition(":")[0] in text
    assert text.count("<img") > 6
    # Another request does not take what this one has made.
    (line,) = refused(*adapting(town, tmp_path / "other.onnx", "--work", tmp_path / "mine_adapt", "--licence", "CC BY"))
    assert line.startswith("error: folder holds other work than this")
