"""What surrounds the process: nobody is contacted unasked, and another program's PROJ data harm nothing."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.need import need


def run(code: str, **environment: str | None) -> subprocess.CompletedProcess[str]:
    """Python in a process of its own; what is None is not set."""
    merged = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **os.environ, **environment}
    clean = {name: value for name, value in merged.items() if value is not None}
    return subprocess.run([sys.executable, "-c", code], env=clean, capture_output=True, text=True)


def quiet_home(folder: Path, **environment: str | None) -> dict[str, str | None]:
    unset: dict[str, str | None] = {"CI": None, "ORT_DISABLE_TELEMETRY": None, "XDG_CACHE_HOME": None}
    return {**unset, "HOME": str(folder), **environment}


def translate(source: Path, out: Path, *more: str) -> str:
    arguments = ["translate", str(source), "-o", str(out), "--quiet", "--overwrite", *more]
    return f"import sys\nfrom sat2map.cli.main import sat2map\nsat2map({arguments!r})"


@pytest.fixture
def image(tmp_path: Path) -> Path:
    Image.fromarray(np.zeros((40, 50, 3), np.uint8)).save(tmp_path / "a.png")
    return tmp_path / "a.png"


USES = {
    "command": lambda image: translate(image, image.with_name("o.png")),
    "library": lambda _: "from sat2map import Translator\nTranslator.load()",
    "card": lambda _: "from sat2map.cli.main import sat2map\nsat2map(['model', 'info'])",
    "new process": lambda _: (
        "import multiprocessing\nfrom sat2map.translate import Translator\n"
        "with multiprocessing.get_context('spawn').Pool(1) as pool:\n    pool.apply(Translator.load)\n"
        "    print('done')"
    ),
}


@pytest.mark.parametrize("use", USES)
def test_nothing_is_recorded_in_the_home_folder(tmp_path: Path, image: Path, use: str) -> None:
    (home := tmp_path / "home").mkdir()
    result = run(USES[use](image), **quiet_home(home))
    assert "telemetry" not in result.stderr
    assert list(home.rglob("*")) == []


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="a folder that nobody can write to")
def test_home_folder_that_cannot_be_written_is_no_matter(image: Path) -> None:
    result = run(translate(image, image.with_name("o.png")), **quiet_home(Path("/proc/nowhere")))
    assert (result.returncode, result.stderr) == (0, "")


def test_explicit_wish_about_telemetry_is_respected() -> None:
    code = "import os, sat2map\nprint(os.environ['ORT_DISABLE_TELEMETRY'])"
    assert run(code, ORT_DISABLE_TELEMETRY="0").stdout == "0\n"
    assert run(code, ORT_DISABLE_TELEMETRY=None).stdout == "1\n"


def foreign(folder: Path, kind: str) -> Path:
    """PROJ's data as another program has them."""
    import rasterio

    theirs, ours = folder / "proj", Path(rasterio.__file__).parent / "proj_data" / "proj.db"
    need("PROJ in a wheel of rasterio", ours.is_file())
    theirs.mkdir()
    if kind == "empty folder":
        return theirs
    if kind == "no data base":
        (theirs / "proj.db").write_text("hello")
        return theirs
    shutil.copy(ours, theirs / "proj.db")
    if kind == "same":
        return theirs
    key, value = ("MINOR", 2) if kind == "older" else ("MAJOR", 2)
    with sqlite3.connect(theirs / "proj.db") as base:
        base.execute("UPDATE metadata SET value = ? WHERE key = ?", (value, f"DATABASE.LAYOUT.VERSION.{key}"))
    return theirs


BOTH = """
import sat2map
import rasterio, pyogrio, numpy, os
from rasterio.warp import transform
print([round(x) for (x,) in transform("EPSG:4326", "EPSG:32618", [-74.0], [40.7])])
fields = {"crs": "EPSG:32618", "geometry_type": "Point", "driver": "GPKG", "fields": []}
point = numpy.array([bytes.fromhex("0101000000") + numpy.array([1.0, 2.0]).tobytes()], object)
pyogrio.raw.write("OUT", point, field_data=[], **fields)
print(pyogrio.read_info("OUT")["crs"])
print([round(x) for (x,) in transform("EPSG:4326", "EPSG:3857", [-74.0], [40.7])])
print([name for name in ("PROJ_DATA", "PROJ_LIB") if name in os.environ])
"""


@pytest.mark.parametrize("kind", ["older", "another generation", "no data base", "empty folder", "same"])
@pytest.mark.parametrize("variable", ["PROJ_LIB", "PROJ_DATA"])
def test_proj_data_of_another_program_are_left_out(tmp_path: Path, kind: str, variable: str) -> None:
    pytest.importorskip("pyogrio")
    variables = {"PROJ_LIB": None, "PROJ_DATA": None, variable: str(foreign(tmp_path, kind))}
    result = run(BOTH.replace("OUT", str(tmp_path / "a.gpkg")), **variables)
    assert result.returncode == 0, result.stderr
    kept = [variable] if kind == "same" else []
    assert result.stdout.splitlines() == ["[584482, 4505936]", "EPSG:32618", "[-8237642, 4968192]", str(kept)]
    assert "proj.db" not in result.stderr


def test_box_in_degrees_is_known_beside_another_programs_proj(tmp_path: Path) -> None:
    from tests.scene.rasters import PLACE, random_bands, write_raster

    scene = write_raster(tmp_path / "a.tif", random_bands(3, 200, 200), **PLACE)
    code = translate(scene, tmp_path / "o.tif", "--bbox", "-74.06,40.73,-74.04,40.75", "--bbox-crs", "EPSG:4326")
    result = run(code, PROJ_LIB=str(foreign(tmp_path, "older")))
    assert (result.returncode, result.stderr) == (0, "")
