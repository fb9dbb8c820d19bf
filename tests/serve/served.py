"""A small scene, a model that takes no time, and a server of them, for tests."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from starlette.testclient import TestClient

from sat2map.classes import COLOURS_RGB
from sat2map.errors import ModelFileError
from sat2map.model.card import Card, Precision, WantedPrecision
from sat2map.scene.options import DEFAULT_READ_OPTIONS, ReadOptions
from sat2map.serve.app import create_app
from sat2map.serve.filling import Filler
from sat2map.serve.layers import MAP
from sat2map.serve.scenes import Scenes
from sat2map.serve.settings import ServeSettings
from sat2map.serve.sparse_map import SparseMap
from sat2map.translate import Settings, Translator

from ..scene.rasters import PLACE, write_raster

UInt8 = npt.NDArray[np.uint8]
STRIDE = 16
SMALL = Settings(core_px=128)


@dataclass
class QuickEngine:
    """Gives each pixel the colour of the table that the brightness around it points to; counts what it is asked for."""

    n_runs: int = 0
    is_familiar: bool = False
    card: Card = field(
        default_factory=lambda: Card(
            name="quick", architecture="compact", configuration={}, gsd_m=(0.5, 2), normalization="frozen",
            stride=STRIDE, receptive_radius_px=2, margin_px=STRIDE, heads=("crisp",),
        )
    )  # fmt: skip

    def run(self, sat_bhwc: UInt8, output: str) -> UInt8:
        self.n_runs += len(sat_bhwc)
        grey = np.pad(sat_bhwc.astype(int).sum(-1), ((0, 0), (2, 2), (2, 2)), mode="edge")
        around = grey[:, 4:, 2:-2] + grey[:, :-4, 2:-2] + grey[:, 2:-2, 4:] + grey[:, 2:-2, :-4]
        return COLOURS_RGB[around // 7 % len(COLOURS_RGB)]

    @property
    def outputs(self) -> tuple[str, ...]:
        return (*self.card.heads, "confidence", *(["familiarity"] if self.is_familiar else []))

    def run_outputs(self, sat_bhwc: UInt8, outputs: Sequence[str]) -> dict[str, UInt8]:
        cells = np.maximum(sat_bhwc[:, ::STRIDE, ::STRIDE, :1], 1)
        all_outputs = {"crisp": self.run(sat_bhwc, "crisp"), "confidence": sat_bhwc[..., :1], "familiarity": cells}
        return {name: all_outputs[name] for name in outputs}

    precision: Precision = "float32"

    def with_precision(self, precision: WantedPrecision) -> QuickEngine:
        return self

    def shared_by(self, _n_runs: int) -> None:
        pass

    def with_instance_normalization(self) -> QuickEngine:
        raise ModelFileError("statistics are part of the file")


def ground(height: int, width: int, seed: int = 0) -> UInt8:
    """uint8, shape (3, height, width): blocks of random colour with noise."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(5, 220, (3, -(-height // 9), -(-width // 9))).repeat(9, 1).repeat(9, 2)
    return (blocks[:, :height, :width] + rng.integers(0, 30, (3, height, width))).astype(np.uint8)


def write_scene(path: Path, height: int, width: int, seed: int = 0, *, masked: bool = False, **profile: Any) -> Path:
    mask = None
    if masked:
        mask = np.random.default_rng(seed).random((-(-height // 50), -(-width // 50))) < 0.8
        mask = mask.repeat(50, 0).repeat(50, 1)[:height, :width]
    return write_raster(path, ground(height, width, seed), mask=mask, **{"photometric": "RGB", **PLACE, **profile})


@dataclass
class Server:
    client: TestClient
    scenes: Scenes
    filler: Filler
    engine: QuickEngine

    def sparse_map(self, scene_id: str) -> SparseMap:
        sparse_map = self.scenes.by_id[scene_id].layers[MAP].sparse_map
        assert sparse_map is not None
        return sparse_map

    def wait(self) -> None:
        """Until nothing is left to draw."""
        while self.filler.n_queued:
            time.sleep(0.01)


@contextmanager
def serving(
    cache: Path,
    *paths: Path | str,
    settings: Settings = SMALL,
    reading: ReadOptions = DEFAULT_READ_OPTIONS,
    is_familiar: bool = False,
    **changes: Any,
) -> Iterator[Server]:
    """A server of scenes in this process."""
    serve_settings = ServeSettings(cache=cache, **{"allow_host": ("testserver",), **changes})
    engine = QuickEngine(is_familiar=is_familiar)
    scenes = Scenes(Translator(engine), cache, 2**30, "quick", settings, reading)
    for path in paths:
        scenes.add(path)
    filler = Filler(serve_settings.n_windows_waited_for)
    with TestClient(create_app(scenes, filler, serve_settings), raise_server_exceptions=False) as client:
        yield Server(client, scenes, filler, engine)


def app_of(folder: Path, *paths: Path, **settings: Any) -> Any:
    """The application for scenes, with its cache in a folder, for a server on a port."""
    scenes = Scenes(Translator(QuickEngine()), folder / "cache", 2**30, "quick", SMALL)
    for path in paths:
        scenes.add(path)
    return create_app(scenes, Filler(32), ServeSettings(cache=folder / "cache", **settings))


@contextmanager
def serving_beside_files(folder: Path, height: int, width: int, **changes: Any) -> Iterator[tuple[Server, Path]]:
    """A server of `scene.tif` with a mask, and the folder of that file and of what `translate` makes of it.

    These are `map.tif`, `map_confidence.tif` and `classes.tif`.
    """
    scene = write_scene(folder / "scene.tif", height, width, masked=True)
    translator = Translator(QuickEngine())
    translator.translate_file(scene, folder / "map.tif", replace(SMALL, confidence=True))
    translator.translate_file(scene, folder / "classes.tif", replace(SMALL, classes=True))
    with serving(folder / "cache", scene, n_windows_at_once=99, **changes) as server:
        yield server, folder


def pixels_of_png(content: bytes) -> UInt8:
    """uint8, shape (H, W, 4)."""
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image.convert("RGBA"))
