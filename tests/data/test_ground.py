from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import shapely
from PIL import Image
from rasterio import Affine
from scipy import ndimage

from sat2map.arrays import Bool
from sat2map.city.draw import City
from sat2map.city.write import CRS, NORTH_M, WEST_M, write_scene
from sat2map.classes import CLASS_NAMES, CLASSES, COLOURS_RGB, ROAD_CLASSES, classify
from sat2map.data.align_image import AFTER_RGB, ARROW_RGB, BEFORE_RGB
from sat2map.data.ground import GroundOptions, write_ground_pairs
from sat2map.data.ground_file import read_ground_file
from sat2map.data.pairs import list_pairs, read_pair
from sat2map.data.split import read_groups, read_rows
from sat2map.errors import DataError, OutputError
from sat2map.scene.georeference import Grid
from sat2map.tiling import Window
from sat2map.vector.draw import open_vector_map
from sat2map.vector.draw_style import load_style, parse_style

from ..vector.ground import write_layer

GSD_M = 0.9
AREAS = load_style("areas")


def areas_of(
    truth_hwc: Any, path: Path, shift_m: tuple[float, float] = (0, 0), keep: Callable[..., bool] = bool
) -> Path:
    """The areas of a map as vectors, moved to the right and up."""
    from rasterio.features import shapes

    classes = classify(truth_hwc)
    transform = Affine(GSD_M, 0, WEST_M + shift_m[0], 0, -GSD_M, NORTH_M + shift_m[1])
    polygons, names = [], []
    for geometry, value in shapes(classes, transform=transform):
        polygons.append(shapely.geometry.shape(geometry))
        names.append(CLASS_NAMES[int(value)])
    return write_layer(path, polygons, {"class": names}, geometry_type="Polygon", crs=CRS)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with scene.tif, its true map, and the map's areas as vectors."""
    folder = tmp_path_factory.mktemp("town")
    write_scene(folder / "scene.tif", 640, seed=4)
    with rasterio.open(folder / "scene_truth.tif") as truth:
        truth_hwc = np.moveaxis(truth.read(), 0, -1)
    np.save(folder / "truth.npy", truth_hwc)
    areas_of(truth_hwc, folder / "areas.gpkg")
    areas_of(truth_hwc, folder / "moved.gpkg", (9.0, -6.3))
    return folder


def write(town: Path, out: Path, vectors: str = "areas.gpkg", **options: Any) -> Any:
    road_model = options.pop("road_model", None)
    overwrite = options.pop("overwrite", False)
    ground = GroundOptions(**{"size_px": 200, **options})
    return write_ground_pairs(
        [town / "scene.tif"], [town / vectors], out, AREAS, ground, road_model=road_model, overwrite=overwrite
    )


def truth_of(town: Path, window: Window) -> Any:
    return classify(np.load(town / "truth.npy"))[window.slices]


def test_pairs_are_what_a_trainer_reads(town: Path, tmp_path: Path) -> None:
    written = write(town, tmp_path / "data")
    files = list_pairs(tmp_path / "data")
    assert len(files) == len(written.cells) == 9
    window = written.cells[4].window
    file = next(f for f in files if f.name == f"{written.cells[4].name}.tif")
    pair = read_pair(file)
    with rasterio.open(town / "scene.tif") as scene:
        np.testing.assert_array_equal(pair.source_hwc, np.moveaxis(scene.read(), 0, -1)[window.slices])
    np.testing.assert_array_equal(classify(pair.target_hwc), truth_of(town, window))
    with Image.open(tmp_path / "data" / "classes" / f"{written.cells[4].name}.png") as indexed:
        assert indexed.mode == "P"
        np.testing.assert_array_equal(np.asarray(indexed), truth_of(town, window))
        palette = np.array(indexed.getpalette()).reshape(-1, 3)[: len(CLASSES)]
    assert palette.tolist() == [list(kind.colours_rgb[0]) for kind in CLASSES]


def test_groups_are_blocks_and_the_data_say_what_they_are(town: Path, tmp_path: Path) -> None:
    write(town, tmp_path / "data", block_m=400, licence="CC0")
    names = [file.name for file in list_pairs(tmp_path / "data")]
    groups = read_groups(tmp_path / "data", names)
    assert 1 < len(set(groups)) < len(names)
    said = read_ground_file(tmp_path / "data")
    assert said is not None
    assert (said.licence, said.n_pairs, said.scenes, said.vectors) == ("CC0", 9, ("scene.tif",), ("areas.gpkg",))
    assert said.gsd_m == pytest.approx(GSD_M, rel=0.01)
    assert [c.name for c in said.classes if c.is_road] == [CLASS_NAMES[i] for i in ROAD_CLASSES]
    assert read_ground_file(town) is None


def test_pairs_hold_no_nodata(town: Path, tmp_path: Path) -> None:
    with rasterio.open(town / "scene.tif") as scene:
        pixels, profile = scene.read(), scene.profile
    pixels[:, :250, :250] = 0
    with rasterio.open(tmp_path / "scene.tif", "w", **{**profile, "nodata": 0, "driver": "GTiff"}) as holey:
        holey.write(np.maximum(pixels, 1) * (pixels.any(0) > 0))
    written = write_ground_pairs(
        [tmp_path / "scene.tif"], [town / "areas.gpkg"], tmp_path / "data", AREAS, GroundOptions(size_px=200)
    )
    assert (written.n_cells("nodata"), written.n_cells("written")) == (4, 5)


def test_two_scenes_of_one_ground_share_groups(town: Path, tmp_path: Path) -> None:
    written = write_ground_pairs(
        [town / "scene.tif", town / "scene.tif"],
        [town / "areas.gpkg"],
        tmp_path / "data",
        AREAS,
        GroundOptions(size_px=200),
    )
    rows = read_rows(tmp_path / "data" / "groups.csv")
    assert len(rows) == 18
    by_window: dict[Window, set[str]] = {}
    for cell, row in zip(written.cells, rows, strict=True):
        by_window.setdefault(cell.window, set()).add(row["group"])
    assert all(len(groups) == 1 for groups in by_window.values())


def true_roads(town: Path) -> Any:
    """A model that sees every road."""
    roads = np.isin(classify(np.load(town / "truth.npy")), ROAD_CLASSES)

    @contextmanager
    def opened(_scene: str) -> Iterator[Callable[[Window], Bool]]:
        yield lambda window: roads[window.slices]

    return opened


def test_vectors_that_lie_beside_the_scene_are_moved(town: Path, tmp_path: Path) -> None:
    written = write(town, tmp_path / "data", "moved.gpkg", road_model=true_roads(town))
    cells = [cell for cell in written.cells if cell.reason == "written"]
    assert len(cells) >= 7
    for cell in cells:
        assert cell.shift is not None
        assert cell.shift.smoothed_m == pytest.approx((-9.0, 6.3), abs=0.5)
    middle = next(cell for cell in cells if cell.window.row == cell.window.col == 220)
    drawn = classify(
        read_pair(next(f for f in list_pairs(tmp_path / "data") if f.name == f"{middle.name}.tif")).target_hwc
    )
    assert (drawn == truth_of(town, middle.window)).mean() > 0.97
    rows = read_rows_of(tmp_path / "data" / "alignment.csv")
    assert float(rows[0]["smoothed_right_m"]) == pytest.approx(-9, abs=0.5)
    with Image.open(tmp_path / "data" / "alignment.png") as image:
        shown = {tuple(rgb) for rgb in np.asarray(image.convert("RGB")).reshape(-1, 3).tolist()}
        assert image.size == (600, 600)
    assert {BEFORE_RGB, AFTER_RGB, ARROW_RGB} <= shown


def read_rows_of(path: Path) -> list[dict[str, str]]:
    import csv

    with path.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def test_squares_whose_roads_are_missing_are_left_out(town: Path, tmp_path: Path) -> None:
    truth = np.load(town / "truth.npy")
    truth[:, :220] = COLOURS_RGB[0]
    areas_of(truth, tmp_path / "half.gpkg")
    written = write_ground_pairs(
        [town / "scene.tif"], [tmp_path / "half.gpkg"], tmp_path / "data", AREAS, GroundOptions(size_px=200),
        road_model=true_roads(town),
    )  # fmt: skip
    out = {(c.window.row, c.window.col) for c in written.cells if c.reason == "roads are missing"}
    assert out == {(20, 20), (220, 20), (420, 20)}


def test_squares_that_lack_some_roads_get_those_that_the_model_sees(town: Path, tmp_path: Path) -> None:
    truth = np.load(town / "truth.npy")
    truth[:, 220:280] = COLOURS_RGB[0]
    areas_of(truth, tmp_path / "some.gpkg")
    written = write_ground_pairs(
        [town / "scene.tif"], [tmp_path / "some.gpkg"], tmp_path / "data", AREAS, GroundOptions(size_px=200),
        road_model=true_roads(town),
    )  # fmt: skip
    cell = next(cell for cell in written.cells if cell.window == Window(220, 220, 200, 200))
    assert cell.is_completed
    assert any(line.startswith("completed: ") for line in written.remarks())
    (row,) = (row for row in read_rows_of(tmp_path / "data" / "alignment.csv") if row["file"] == cell.name)
    assert row["became"] == "completed"
    pair = next(file for file in list_pairs(tmp_path / "data") if file.name == f"{cell.name}.tif")
    drawn, true = (
        np.isin(c, ROAD_CLASSES) for c in (classify(read_pair(pair).target_hwc), truth_of(town, cell.window))
    )
    assert (drawn & true).sum() / true.sum() > 0.95
    whole = write(town, tmp_path / "whole", road_model=true_roads(town))
    assert not any(cell.is_completed for cell in whole.cells)


def test_output_is_whole_or_not_there(town: Path, tmp_path: Path) -> None:
    out = tmp_path / "data"
    write(town, out)
    with pytest.raises(OutputError, match="not empty"):
        write(town, out)
    before = sorted(p.name for p in out.rglob("*"))
    with pytest.raises(DataError, match="none of"):
        write_ground_pairs(
            [town / "scene.tif"], [town / "areas.gpkg"], out, AREAS, GroundOptions(size_px=200),
            road_model=lambda _: _everywhere(), overwrite=True,
        )  # fmt: skip
    assert sorted(p.name for p in out.rglob("*")) == before
    write(town, out, size_px=300, overwrite=True)
    assert len(list_pairs(out)) == 4
    assert [p.name for p in tmp_path.iterdir()] == ["data"]


@contextmanager
def _everywhere() -> Iterator[Callable[[Window], Bool]]:
    """A model that sees roads wherever none can be."""
    yield lambda window: np.ones((window.height, window.width), bool)


def test_folder_that_is_no_data_set_is_never_replaced(town: Path, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "me.jpg").write_bytes(b"x")
    with pytest.raises(OutputError, match=r"data\.toml"):
        write(town, tmp_path / "photos", overwrite=True)


def test_data_set_that_holds_a_scene_is_not_replaced(town: Path, tmp_path: Path) -> None:
    out = tmp_path / "data"
    write(town, out)
    scene = out / "A" / "scene.tif"
    scene.write_bytes((town / "scene.tif").read_bytes())
    style = load_style("osm")
    with pytest.raises(OutputError, match="output holds the input"):
        write_ground_pairs([scene], [town / "areas.gpkg"], out, style, overwrite=True)
    assert scene.exists()


def test_city_drawn_from_its_own_vectors_is_its_map(tmp_path: Path) -> None:
    """Borders are rounded in another way; nothing else differs."""
    window = Window(0, 0, 600, 600)
    city = City(7, GSD_M)
    truth = classify(city.draw(window).target_hwc)
    box = np.array([[-60.0, -60.0], [600 * GSD_M + 60] * 2])
    land = list(city._filled.values())
    grounds = [g for part in (*land, *city._crossings(box, city._layout.courses(box))) for g in part.grounds]
    drawn = [ground for ground in grounds if ground.map_colour is not None]
    polygons = [shapely.Polygon(g.corners * (1, -1) + (WEST_M, NORTH_M)) for g in drawn]
    kinds = classify(np.array([[g.map_colour for g in drawn]], np.uint8))[0]
    tags = {"class": [CLASS_NAMES[k] for k in kinds], "z": [str(i) for i in range(len(drawn))]}
    path = write_layer(tmp_path / "city.gpkg", polygons, tags, geometry_type="Polygon", crs=CRS)
    rules = [{"class": name, "geometry": "area", "where": {"class": name}, "by_level": True} for name in CLASS_NAMES]
    style = parse_style({"name": "city", "background": "road", "levels": {"layer": "z"}, "rules": rules}, "city")
    grid = Grid(600, 600, rasterio.crs.CRS.from_string(CRS), Affine(GSD_M, 0, WEST_M, 0, -GSD_M, NORTH_M))
    vectors = open_vector_map([path], style, grid, "city")
    found = vectors.style.classes.class_of_colour[vectors.draw(window)]
    inner = ndimage.maximum_filter(truth, 3) == ndimage.minimum_filter(truth, 3)
    assert (found != truth).mean() < 0.02
    assert (found != truth)[inner].mean() < 0.001


@pytest.mark.parametrize("limit", [300, 20_000])
def test_full_disk_is_one_line_and_what_was_there_stays(town: Path, tmp_path: Path, limit: int) -> None:
    """A limit on the size of files stands for the end of a disk."""
    out = tmp_path / "data"
    write(town, out)
    before = {path: path.is_file() and path.read_bytes() for path in out.rglob("*")}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limits[1]))
    try:
        with pytest.raises(OutputError, match=r"cannot be written \(TIFF.*\): '.*/data'$") as caught:
            write(town, out, overwrite=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.hint == "is the disk full?"
    assert {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*") if path != out} == before
