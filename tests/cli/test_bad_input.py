"""What a user can get wrong ends in one line that names it, one with the remedy, exit 2, and nothing half-written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import rasterio.shutil
import safetensors.numpy
from click.testing import CliRunner
from PIL import Image
from rasterio.transform import from_origin

from sat2map.cli.main import sat2map

from ..scene.rasters import PLACE, random_bands, write_raster
from ..scene.test_source import bomb, truncated

Make = Callable[[Path], list[str]]


def _image(path: Path) -> Path:
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 50, 3), np.uint8)).save(path)
    return path


def _placed(path: Path, **profile: Any) -> Path:
    return write_raster(path, random_bands(3), **{**PLACE, **profile})


def _latin(path: Path) -> Path:
    """A raster whose CRS has a name in Latin-1."""
    _placed(path, crs="+proj=laea +lat_0=52 +lon_0=10 +ellps=GRS80")
    path.write_bytes(path.read_bytes().replace(b"unknown|", b"unb\xfcrgt|", 1))
    return path


def _container(path: Path) -> Path:
    """A netCDF of three variables."""
    rasterio.shutil.copy(_placed(path.with_suffix(".tif")), path, driver="netCDF")
    return path


def _half(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[:3000])
    return path


def _mosaic(path: Path) -> Path:
    """A virtual raster whose only member is gone."""
    bands = "".join(
        f'<VRTRasterBand dataType="Byte" band="{i}"><SimpleSource><SourceFilename relativeToVRT="1">gone.tif'
        f"</SourceFilename><SourceBand>{i}</SourceBand></SimpleSource></VRTRasterBand>"
        for i in (1, 2, 3)
    )
    path.write_text(f'<VRTDataset rasterXSize="50" rasterYSize="40">{bands}</VRTDataset>')
    return path


def _file(path: Path, content: bytes = b"") -> Path:
    path.write_bytes(content)
    return path


def _foreign_onnx(path: Path) -> Path:
    value = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in "xy"]
    graph = onnx.helper.make_graph([onnx.helper.make_node("Identity", ["x"], ["y"])], "g", value[:1], value[1:])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(model, path)
    return path


def _pair(folder: Path, *, width: int = 64, name: str = "1.png") -> Path:
    folder.mkdir(parents=True)
    Image.new("RGB", (width, 32)).save(folder / name)
    return folder


def _deep(folder: Path) -> Path:
    folder.mkdir()
    Image.fromarray(np.zeros((32, 64), np.uint16)).save(folder / "1.png")
    return folder


def _single(folder: Path, *names: str, side_px: int = 64) -> Path:
    """Single images, each of one smooth ramp."""
    folder.mkdir(parents=True)
    ramp = np.add.outer(np.arange(side_px), np.arange(side_px))[..., None].repeat(3, 2).astype(np.uint8)
    for name in names or ("1.png", "2.png"):
        Image.fromarray(ramp).save(folder / name)
    return folder


def _two(folder: Path, largest: int = 255) -> Path:
    """Pairs in the folders A and B, the maps with levels up to `largest`."""
    rng = np.random.default_rng(0)
    for side, most in (("A", 255), ("B", largest)):
        (folder / side).mkdir(parents=True)
        Image.fromarray(rng.integers(0, most + 1, (32, 32, 3), np.uint8)).save(folder / side / "1.png")
    return folder


def _labels(folder: Path, legend: str = "value,classes\n0,\n1,water\n") -> Path:
    """A set of one image with partial labels."""
    for part in ("image", "label"):
        (folder / part).mkdir(parents=True)
        Image.fromarray(np.ones((32, 32), np.uint8)).save(folder / part / "1.png")
    (folder / "legend.csv").write_text(legend)
    return folder


def _instance(path: Path) -> Path:
    """A state dict as `--norm instance` with running statistics saves it, as far as it is looked at."""
    import torch

    u_net = {"model.model.0.weight": torch.zeros(4, 3, 4, 4), "model.model.3.weight": torch.zeros(8, 3, 4, 4)}
    within = {f"model.model.1.model.{n}.weight": torch.zeros(4, 4, 4, 4) for n in (1, 3)}
    statistics = {f"model.model.1.model.4.{name}": torch.zeros(4) for name in ("running_mean", "running_var")}
    torch.save(u_net | within | statistics, path)
    return path


def _with_groups(folder: Path, text: str) -> Path:
    (folder / "groups.csv").write_text(text)
    return folder


def _not_finite(path: Path) -> Path:
    from tests.model.networks import tiny

    model = tiny("unet")
    tensors = {name: value.numpy().copy() for name, value in model.generator.state_dict().items()}
    next(iter(tensors.values())).flat[0] = np.nan
    card = model.card.model_dump_json()
    safetensors.numpy.save_file(tensors, path, {"sat2map.card": card})
    return path


def _made(path: Path, make: Callable[[Path], object]) -> Path:
    make(path)
    return path


def _translate(source: Path | str, out: Path, *more: str) -> list[str]:
    return ["translate", str(source), "-o", str(out), *more]


def _train(data: Path, *more: object, recipe: object = "paper") -> list[str]:
    return ["train", str(data), "--recipe", str(recipe), "--out", str(data.parent / "run"), *map(str, more)]


def _evaluate(data: Path, *more: object) -> list[str]:
    return ["evaluate", str(data), *map(str, more)]


def _data(command: str, *more: object) -> list[str]:
    return ["data", command, *map(str, more)]


def _model(command: str, source: Path, out: Path) -> list[str]:
    return ["model", command, str(source), "-o", str(out)]


def _classes(path: Path, value: float = 0, dtype: str = "uint8", **profile: Any) -> Path:
    """A raster of one band, one value everywhere."""
    place = {"crs": "EPSG:32633", "transform": rasterio.Affine(1, 0, 5e5, 0, -1, 5e6)}
    size = {"driver": "GTiff", "height": 8, "width": 8, "count": 1, "dtype": dtype}
    with rasterio.open(path, "w", **(size | place | profile)) as dataset:
        dataset.write(np.full((dataset.height, dataset.width), value, dtype), 1)
    return path


def _vectorize(source: Path, out: Path, *more: str) -> list[str]:
    return ["vectorize", str(source), "-o", str(out), *more]


CODE = b"\x80\x02cos\nsystem\nX\x02\x00\x00\x00ls\x85R."
"""A pickle that lists the folder."""
LAND = ("--constant", "1,2,3")


CASES: dict[str, tuple[Make, str]] = {
    "unreadable image": (lambda d: _translate(_file(d / "a.png", b"no image"), d / "o.png"), "a.png"),
    "truncated image": (lambda d: _translate(_made(d / "a.png", truncated), d / "o.png"), "a.png"),
    "zero-size image": (lambda d: _translate(_file(d / "a.jpg"), d / "o.png"), "a.jpg"),
    "zero-size raster": (lambda d: _translate(_file(d / "a.tif"), d / "o.tif"), "a.tif"),
    "decompression bomb": (lambda d: _translate(_made(d / "a.png", bomb), d / "o.png"), "3600000000 px"),
    "missing source": (lambda d: _translate(d / "nowhere.tif", d / "o.tif"), "nowhere.tif"),
    "missing model": (lambda d: _translate(_image(d / "a.png"), d / "o.png", "--model", "nosuch"), "nosuch"),
    "foreign model": (
        lambda d: _translate(_image(d / "a.png"), d / "o.png", "--model", str(_foreign_onnx(d / "m.onnx"))), "m.onnx",
    ),
    "truncated model": (
        lambda d: _translate(
            _image(d / "a.png"), d / "o.png", "--model", str(_file(d / "m.safetensors", b"\x99" * 100))
        ),
        "m.safetensors",
    ),
    "no such head of the model": (
        lambda d: _translate(_image(d / "a.png"), d / "o.png", "--head", "crips"), "crips",
    ),
    "no such band": (lambda d: _translate(_image(d / "a.png"), d / "o.tif", "-b", "1,2,9"), "no band 9"),
    "bands that are no numbers": (lambda d: _translate(_image(d / "a.png"), d / "o.tif", "-b", "x"), "'x'"),
    "box of three numbers": (lambda d: _translate(_image(d / "a.png"), d / "o.tif", "--bbox", "1,2,3"), "1,2,3"),
    "box of a scene without a georeference": (
        lambda d: _translate(_image(d / "a.png"), d / "o.tif", "--bbox", "1,2,3,4"), "no georeference",
    ),
    "stretch that is none": (
        lambda d: _translate(_image(d / "a.png"), d / "o.tif", "--stretch", "bright"), "bright",
    ),
    "CRS that is none": (
        lambda d: _translate(_placed(d / "a.tif"), d / "o.tif", "--crs", "EPSG:0"), "--crs is none that is known",
    ),
    "CRS of a scene without a transform": (
        lambda d: _translate(_image(d / "a.png"), d / "o.tif", "--crs", "EPSG:2263"), "--crs says nothing",
    ),
    "web tiles of a scene without a georeference": (
        lambda d: _translate(_image(d / "a.png"), d / "o.mbtiles"), "no georeference",
    ),
    "unknown ending": (lambda d: _translate(_image(d / "a.png"), d / "o.xyz"), "o.xyz"),
    "own statistics of an exported model": (
        lambda d: _translate(_image(d / "a.png"), d / "o.png", "--mode", "instance"), "normalization",
    ),
    "url of nobody": (lambda d: _translate("http://127.0.0.1:9/a.tif", d / "o.tif"), "127.0.0.1"),
    "unwritable folder": (lambda d: _translate(_image(d / "a.png"), Path("/proc/o.png")), "/proc"),
    "missing folder": (lambda d: _translate(_image(d / "a.png"), d / "none" / "o.png"), "none"),
    "output over its own input": (
        lambda d: _translate(_image(d / "a.png"), d / "a.png", "--overwrite"), "input itself",
    ),
    "existing output": (lambda d: _translate(_image(d / "a.png"), _image(d / "o.png")), "o.png"),
    "folder with nothing in it to translate": (
        lambda d: _translate(_made(d / "empty", Path.mkdir), d / "maps"), "empty",
    ),
    "folder with nothing in it to score": (lambda d: ["evaluate", str(_made(d / "empty", Path.mkdir))], "empty"),
    "folder with nothing in it to train on": (
        lambda d: ["train", str(_made(d / "empty", Path.mkdir)), "--recipe", "paper", "--out", str(d / "run")], "empty",
    ),
    "broken pair": (
        lambda d: ["train", str(_file(_pair(d / "pairs") / "2.png", b"x").parent), "--recipe", "paper", "--out",
                   str(d / "run")],
        "2.png",
    ),
    "unknown recipe": (
        lambda d: ["train", str(_pair(d / "pairs")), "--recipe", "papr", "--out", str(d / "run")],
        "Did you mean 'paper'?",
    ),
    "run whose folder is a file": (
        lambda d: ["train", str(_pair(d / "pairs", name="broken.png")), "--recipe", "paper", "--gsd", "1", "--out",
                   str(_file(d / "run"))],
        "not a folder",
    ),
    "recipe that is not UTF-8": (
        lambda d: _train(_pair(d / "pairs"), recipe=_file(d / "r.toml", b'name = "caf\xe9"')), "not UTF-8",
    ),
    "unknown recipe key": (
        lambda d: ["train", str(_pair(d / "pairs")), "--recipe", "paper", "--out", str(d / "run"), "--set",
                   "objective.lambda=3"],
        "objective.lambda",
    ),
    "unknown command": (lambda d: ["transalte"], "Did you mean 'translate'?"),
    "unknown command of a group": (lambda d: ["model", "inof"], "Did you mean 'info'?"),
    "web tiles across the 180th meridian": (
        lambda d: _translate(
            _placed(d / "a.tif", crs="EPSG:4326", transform=from_origin(179.9999, 10, 1e-5, 1e-5)), d / "o.mbtiles"
        ),
        "180th meridian",
    ),
    "name that is not UTF-8": (lambda d: _translate(_image(d / "a\udcff.png"), d / "o.png"), "not UTF-8"),
    "output's name that is not UTF-8": (lambda d: _translate(_image(d / "a.png"), d / "o\udcff.png"), "not UTF-8"),
    "mosaic that lacks a member": (lambda d: _translate(_mosaic(d / "a.vrt"), d / "o.tif"), "gone.tif"),
    "files beside an older map": (
        lambda d: _translate(_image(d / "a.png"), _file(d / "o.tif.aux.xml").with_suffix("").with_suffix("")),
        "o.tif.aux.xml",
    ),
    "model that is misspelt": (
        lambda d: _translate(_image(d / "a.png"), d / "o.png", "--model", "newyrk"), "Did you mean 'newyork'?",
    ),
    "file of several rasters": (lambda d: _translate(_container(d / "a.nc"), d / "o.tif"), ":Band2"),
    "part of a file that is not there": (lambda d: _translate("GPKG:none.gpkg:t", d / "o.tif"), "GPKG:none.gpkg:t"),
    "CRS that is none, of what is served": (
        lambda d: ["serve", str(_placed(d / "a.tif")), "--port", "0", "--crs", "EPSG:0"], "--crs is none",
    ),
    "band that a served scene has not": (
        lambda d: ["serve", str(_placed(d / "a.tif")), "--port", "0", "-b", "7"], "no band 7",
    ),
    "folder with nothing in it to serve": (
        lambda d: ["serve", str(_made(d / "empty", Path.mkdir)), "--port", "0"], "empty",
    ),
    "cache that cannot be written to": (
        lambda d: ["serve", str(_placed(d / "a.tif")), "--port", "0", "--cache", "/proc/none"], "--cache",
    ),
    "unknown option": (lambda d: _translate(_image(d / "a.png"), d / "o.png", "--modell", "x"), "--modell"),
    "number out of range": (lambda d: _translate(_image(d / "a.png"), d / "o.png", "--window", "0"), "--window"),
    "ending that cannot be written": (lambda d: _translate(_image(d / "a.png"), d / "o.docx"), "o.docx"),
    "missing option": (lambda d: ["train", "--recipe", "paper"], "--out"),
    "source that the recipe has not": (
        lambda d: ["train", "--recipe", "open", "--out", str(d / "run"), "--leave-out", "dubay"],
        "Did you mean 'dubai'",
    ),
    "source to leave out of a recipe of pairs": (
        lambda d: ["train", "--recipe", "paper", "--out", str(d / "run"), "--leave-out", "dubai"], "dubai",
    ),
    "recipe that has no sources": (lambda d: ["train", "--recipe", "paper", "--out", str(d / "run")], "sources"),
    "target without images": (
        lambda d: ["train", "--recipe", "paper", "--out", str(d / "run"), "--target", str(d)], "--target",
    ),
    "missing pairs": (lambda d: _evaluate(d / "nowhere"), "nowhere"),
    "pair of 16 bits": (lambda d: _evaluate(_deep(d / "pairs"), *LAND), "more than 8 bits"),
    "pair of odd width": (lambda d: _evaluate(_pair(d / "pairs", width=63), *LAND), "63 px wide"),
    "colour that is none": (lambda d: _evaluate(_pair(d / "pairs"), "--constant", "1,2,300"), "1,2,300"),
    "colour and model": (lambda d: _evaluate(_pair(d / "pairs"), *LAND, "--model", "newyork"), "a constant colour"),
    "images with nowhere to go": (lambda d: _evaluate(_pair(d / "pairs"), "--save-images"), "-o"),
    "size too small to score": (lambda d: _evaluate(_pair(d / "pairs"), "--size", 5), "5 px"),
    "groups without a group": (
        lambda d: _evaluate(_pair(d / "pairs"), "--groups", _file(d / "g.csv", b"file,place\n1.png,a\n")), "g.csv",
    ),
    "target without the names": (
        lambda d: _evaluate(_pair(d / "A"), "--target", _pair(d / "maps", name="2.png")), "1.png",
    ),
    "target of another size": (
        lambda d: _evaluate(_pair(d / "A"), "--target", _pair(d / "maps", width=32), *LAND), "64 x 32 and 32 x 32",
    ),
    "target that is missing": (lambda d: _train(_pair(d / "A"), "--target", d / "maps"), "maps"),
    "folder of folders": (lambda d: _evaluate(_pair(d / "pairs" / "train").parent), "holds no image"),
    "checkpoint that is missing": (lambda d: _train(_pair(d / "pairs"), "--resume", d / "gone.pt"), "gone.pt"),
    "recipe's value of another kind": (lambda d: _train(_pair(d / "pairs"), "--set", "epochs=many"), "epochs"),
    "assignment without a value": (lambda d: _train(_pair(d / "pairs"), "--set", "epochs"), "epochs"),
    "recipe that is no TOML": (lambda d: _train(_pair(d / "p"), recipe=_file(d / "r.toml", b"[[[")), "r.toml"),
    "card of no model": (lambda d: ["model", "info", "nosuch"], "nosuch"),
    "card of a folder": (lambda d: ["model", "info", str(d)], "is no run"),
    "export of what is ONNX already": (
        lambda d: _model("export", _foreign_onnx(d / "m.onnx"), d / "o.onnx"), "ONNX already",
    ),
    "export to another ending": (lambda d: _model("export", _file(d / "m.safetensors"), d / "o.pb"), "o.pb"),
    "export of an empty run": (lambda d: _model("export", _made(d / "run", Path.mkdir), d / "o.onnx"), "run"),
    "import of nothing": (lambda d: _model("import", d / "net_G.pth", d / "o.safetensors"), "net_G.pth"),
    "import of code": (lambda d: _model("import", _file(d / "G.pth", CODE), d / "o.safetensors"), "holds code"),
    "import of no weights": (lambda d: _model("import", _image(d / "a.png"), d / "o.safetensors"), "a.png"),
    "import to another ending": (lambda d: _model("import", _file(d / "G.pth"), d / "o.onnx"), "o.onnx"),
    "nothing to look into": (lambda d: _data("inspect", _made(d / "empty", Path.mkdir)), "empty"),
    "contact sheet of another kind": (lambda d: _data("inspect", _pair(d / "a"), "-o", d / "s.jpg"), "s.jpg"),
    "contact sheet that exists": (lambda d: _data("inspect", _pair(d / "a"), "-o", _image(d / "s.png")), "s.png"),
    "groups of what is not looked for": (
        lambda d: _data("inspect", _pair(d / "a"), "--no-overlaps", "--write-groups", d / "g.csv"), "--no-overlaps",
    ),
    "one set twice": (lambda d: _data("inspect", _pair(d / "a"), d / "a"), "twice"),
    "target of two sets": (
        lambda d: _data("inspect", _pair(d / "a"), _pair(d / "b"), "--target", _pair(d / "c")), "--target",
    ),
    "split of what has no groups": (lambda d: _data("split", _pair(d / "a"), "-o", d / "out"), "nor a place"),
    "split that leaves nothing": (
        lambda d: _data("split", _pair(d / "a"), "-o", d / "out", "--by", "image"), "nothing to train on",
    ),
    "split by place without one": (
        lambda d: _data("split", _pair(d / "a"), "-o", d / "out", "--by", "place"), "no place",
    ),
    "split over the pairs themselves": (
        lambda d: _data("split", _pair(d / "train"), "-o", d, "--by", "image", "--val", 0, "--overwrite"),
        "the pairs themselves",
    ),
    "download of an unknown set": (lambda d: _data("download", "facades"), "facades"),
    "download without consent": (lambda d: _data("download", "maps", d / "data"), "not accepted"),
    "archive that is none": (
        lambda d: _data("download", "maps", d, "--accept-licence", "--archive", _file(d / "m.gz", b"x" * 99)), "m.gz",
    ),
    "archive that is missing": (
        lambda d: _data("download", "maps", d, "--accept-licence", "--archive", d / "m.gz"), "m.gz",
    ),
    "data set that is there already": (
        lambda d: _data("download", "maps", _made(d / "maps", Path.mkdir).parent, "--accept-licence"), "exists",
    ),
    "synthetic city without a form": (lambda d: _data("synth", d / "city"), "--scene"),
    "synthetic scene as an image": (lambda d: _data("synth", d / "city.png", "--scene", 64), "city.png"),
    "synthetic pairs over others": (lambda d: _data("synth", _pair(d / "pairs"), "--pairs", 1), "pairs"),
    "vectors of nothing": (lambda d: _vectorize(d / "nowhere.tif", d / "o.gpkg"), "nowhere.tif"),
    "vectors of decimal numbers": (
        lambda d: _vectorize(_classes(d / "a.tif", dtype="float32"), d / "o.gpkg"), "float32",
    ),
    "vectors of a container": (
        lambda d: _vectorize(_container(d / "three.nc"), d / "o.gpkg"), "netcdf:",
    ),
    "vectors of half a map": (lambda d: _vectorize(_half(_placed(d / "a.tif")), d / "o.gpkg"), "as a whole"),
    "vectors of other numbers": (lambda d: _vectorize(_classes(d / "a.tif", 77), d / "o.gpkg"), "77"),
    "vectors without a CRS": (
        lambda d: _vectorize(_classes(d / "a.tif", crs=None), d / "o.fgb"), "no CRS",
    ),
    "vectors without data": (lambda d: _vectorize(_classes(d / "a.tif", 5, nodata=5), d / "o.gpkg"), "no data"),
    "vectors of a photograph": (
        lambda d: _vectorize(_classes(d / "a.tif", 40, count=3), d / "o.gpkg"), "no map of them",
    ),
    "vectors with a broken class table": (
        lambda d: _vectorize(_classes(d / "a.tif"), d / "o.gpkg", "--class-table", str(_file(d / "c.toml", b"x"))),
        "c.toml",
    ),
    "vectors of a name for an archive": (lambda d: _vectorize(_classes(d / "a.tif"), d / "zip!o.gpkg"), "zip!o.gpkg"),
    "vectors of a name of two lines": (lambda d: _vectorize(_classes(d / "a.tif"), d / "o\n.fgb"), r"o\n.fgb"),
    "vectors of another ending": (lambda d: _vectorize(_classes(d / "a.tif"), d / "o.shp"), "o.shp"),
    "one layer of a GeoPackage": (
        lambda d: _vectorize(_classes(d / "a.tif"), d / "o.gpkg", "--layer", "roads"), "holds all layers",
    ),
    "vectors of an unknown layer": (
        lambda d: _vectorize(_classes(d / "a.tif"), d / "o.fgb", "--layer", "rails"), "rails",
    ),
    "roads of other classes": (
        lambda d: _vectorize(
            _classes(d / "a.tif"), d / "o.fgb", "--layer", "roads", "--class-table",
            str(_file(d / "c.toml", b'classes = [{name = "sea", colours_rgb = [[0, 0, 9]]}]')),
        ),
        "no class that is a road",
    ),
    "vectors that exist": (lambda d: _vectorize(_classes(d / "a.tif"), _file(d / "o.gpkg", b"x")), "exists"),
    "vectors in a missing folder": (lambda d: _vectorize(_classes(d / "a.tif"), d / "no" / "o.gpkg"), "no"),
    "vectors of a folder": (lambda d: _translate(_made(d / "empty", Path.mkdir), d / "o.gpkg"), "one scene"),
    "vectors of a scene without a CRS": (
        lambda d: _translate(_placed(d / "a.tif", crs=None), d / "o.gpkg"), "--crs says which it is",
    ),
    "vectors of an image": (lambda d: _translate(_image(d / "a.png"), d / "o.gpkg"), "no georeference"),
    "CRS whose name is not UTF-8": (
        lambda d: _translate(_latin(d / "a.tif"), d / "o.tif"), "CRS cannot be expressed",
    ),
    "a map beside a map": (
        lambda d: _translate(_image(d / "a.png"), d / "o.png", "--also", str(d / "b.tif")), "--also",
    ),
    "single images to train on": (lambda d: _train(_single(d / "photos")), "continue each other"),
    "single images to score on": (lambda d: _evaluate(_single(d / "photos"), *LAND), "continue each other"),
    "single images to split": (
        lambda d: _data("split", _single(d / "photos"), "-o", d / "out", "--by", "image"), "continue each other",
    ),
    "both images of a pair in one folder": (
        lambda d: _train(_single(d / "data", "1_A.png", "1_B.png", "2_A.png", "2_B.png")), "two folders A and B",
    ),
    "image and mask in one folder": (
        lambda d: _evaluate(_single(d / "data", "1_sat.jpg", "1_mask.png"), *LAND), "with sat and with mask",
    ),
    "maps of class numbers": (lambda d: _train(_two(d / "data", 5)), "numbers of classes"),
    "maps of class numbers to score": (lambda d: _evaluate(_two(d / "data", 5), *LAND), "numbers of classes"),
    "groups of a folder that was renamed": (
        lambda d: _train(_with_groups(_two(d / "new"), "split,file,group\nold,1.png,a\n")), "not of new",
    ),
    "groups without endings": (
        lambda d: _evaluate(_with_groups(_two(d / "data"), "file,group\n1,a\n"), *LAND), "none of the 1 images",
    ),
    "groups of other files to split by": (
        lambda d: _data("split", _with_groups(_two(d / "data"), "file,group\n9.png,a\n"), "-o", d / "out"),
        "such as 9.png",
    ),
    "four channels": (
        lambda d: _train(_two(d / "data"), "--set", "generator.configuration.in_channels=4"), "three channels",
    ),
    "one channel": (
        lambda d: _train(_two(d / "data"), "--set", "generator.configuration.out_channels=1"), "maps of 1 channels",
    ),
    "another palette": (
        lambda d: _train(
            _two(d / "data"), "--set", "generator.configuration.palette=[[0,0,0],[9,9,9]]", recipe="city"
        ),
        "palette",
    ),
    "GSD of pairs that are not given": (
        lambda d: ["train", "--recipe", "paper", "--out", str(d / "run"), "--gsd", "1"], "gsd is of a folder",
    ),
    "two predictions of one pair": (
        lambda d: _evaluate(_two(d / "data"), "--predictions", _single(d / "maps", "1.bmp", "1.tif")), "1.bmp, 1.tif",
    ),
    "GSD of nothing": (lambda d: _train(_two(d / "data"), "--gsd", 0), "--gsd"),
    "beginning with a folder that is no run": (
        lambda d: _train(_two(d / "data"), "--init", _made(d / "empty", Path.mkdir)), "is no run",
    ),
    "model with weights that are no numbers": (
        lambda d: _model("export", _not_finite(d / "m.safetensors"), d / "o.onnx"), "not finite numbers",
    ),
    "half of a model with weights that are no numbers": (
        lambda d: _model("halve", _not_finite(d / "m.safetensors"), d / "o.safetensors"), "not finite numbers",
    ),
    "card of a folder that is no run": (lambda d: ["model", "info", str(_made(d / "empty", Path.mkdir))], "is no run"),
    "model of nearly that name": (lambda d: ["model", "info", "newyrk"], "Did you mean 'newyork'?"),
    "tile of another stride": (
        lambda d: [*_model("export", _not_finite(d / "m.safetensors"), d / "o.onnx"), "--plain", "--tile", "3"],
        "--tile",
    ),
    "predictions that are missing": (
        lambda d: _evaluate(_two(d / "data"), "--predictions", d / "nowhere"), "no such folder of predictions",
    ),
    "predictions of other pairs": (
        lambda d: _evaluate(_two(d / "data"), "--predictions", _single(d / "maps", "7.png")), "1 of 1 pairs",
    ),
    "predictions and a model": (
        lambda d: _evaluate(_two(d / "data"), "--predictions", d, "--model", "newyork"), "take the place of a model",
    ),
    "labels without a GSD": (lambda d: _evaluate(_labels(d / "set"), *LAND), "GSD of the images is not known"),
    "GSD that is none": (lambda d: _evaluate(_labels(d / "set"), *LAND, "--gsd", "set=fine"), "set=fine"),
    "labels of a class that there is not": (
        lambda d: _evaluate(_labels(d / "set", "value,classes\n1,lake\n"), *LAND, "--gsd", 1), "lake",
    ),
    "report of partial labels": (
        lambda d: _evaluate(_labels(d / "set"), *LAND, "--gsd", 1, "--report", d / "r.html"), "--report is for pairs",
    ),
    "GSD of pairs to score": (lambda d: _evaluate(_two(d / "data"), *LAND, "--gsd", 1), "for partial labels"),
    "import of instance normalization": (
        lambda d: _model("import", _instance(d / "G.pth"), d / "o.safetensors"), "--norm instance",
    ),
}  # fmt: skip


def test_table_is_long() -> None:
    assert len(CASES) >= 105


@pytest.mark.parametrize("case", CASES)
def test_wrong_input_ends_in_one_line_and_a_hint(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAT2MAP_CACHE", str(tmp_path / "cache"))
    make, named = CASES[case]
    arguments = make(tmp_path)
    cache = tmp_path / "cache"
    before = {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")}
    result = CliRunner().invoke(sat2map, arguments)
    assert result.exit_code == 2, result.output
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    hints = [line for line in result.stderr.splitlines() if line.startswith("hint: ")]
    assert (len(errors), len(hints)) == (1, 1), result.stderr
    assert named in result.stderr
    assert "Traceback" not in result.output
    left = {p: p.is_file() and p.read_bytes() for p in tmp_path.rglob("*") if cache not in (p, *p.parents)}
    assert left == before
