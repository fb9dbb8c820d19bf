"""The algorithm in a plain TiTiler: adjacent buffered tiles meet without a seam."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fastapi import FastAPI
from morecantile import Tile, tms
from rasterio.transform import from_bounds
from rio_tiler.io import Reader
from starlette.testclient import TestClient
from titiler.core.algorithm import algorithms
from titiler.core.factory import TilerFactory

from sat2map.engine import run_whole
from sat2map.serve.algorithm import Sat2map, algorithm_of

from .served import STRIDE, QuickEngine, pixels_of_png, write_scene

ZOOM = 17


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    """On the grid of the tiles, so that no resampling stands between them."""
    bounds = tms.get("WebMercatorQuad").xy_bounds(Tile(38600, 49270, ZOOM))
    transform = from_bounds(*bounds, 256, 256)
    return write_scene(tmp_path / "s.tif", 1024, 1024, crs="EPSG:3857", transform=transform)


def plain_titiler(algorithm: type[Sat2map]) -> TestClient:
    app = FastAPI()
    with_map = algorithms.register({"sat2map": algorithm})  # type: ignore[dict-item]  # titiler means the class
    app.include_router(TilerFactory(process_dependency=with_map.dependency).router)
    return TestClient(app)


def tile(client: TestClient, scene: Path, x: int, y: int, buffer: int) -> np.ndarray:
    params: dict[str, str | int] = {"url": str(scene), "algorithm": "sat2map"}
    if buffer:
        params |= {"buffer": buffer, "algorithm_params": f'{{"buffer": {buffer}}}'}
    response = client.get(f"/tiles/WebMercatorQuad/{ZOOM}/{x}/{y}.png", params=params)
    assert response.status_code == 200, response.text
    return pixels_of_png(response.content)


def test_adjacent_buffered_tiles_are_the_whole_scenes_map(scene: Path) -> None:
    engine = QuickEngine()
    client = plain_titiler(algorithm_of(engine))
    left, right = (tile(client, scene, 38600 + i, 49271, STRIDE) for i in (1, 2))
    assert left.shape == right.shape == (256, 256, 4)
    with Reader(str(scene)) as reader:
        whole = run_whole(engine, np.moveaxis(reader.read().data, 0, -1))
    np.testing.assert_array_equal(np.hstack([left, right])[..., :3], whole[256:512, 256:768])


def test_without_a_buffer_tiles_differ_along_their_border(scene: Path) -> None:
    engine = QuickEngine()
    client = plain_titiler(algorithm_of(engine))
    with Reader(str(scene)) as reader:
        whole = run_whole(engine, np.moveaxis(reader.read().data, 0, -1))[256:512, 256:512]
    differs = (tile(client, scene, 38601, 49271, 0)[..., :3] != whole).any(-1)
    assert differs[:, -2:].mean() > 0.2
    assert not differs[4:-4, 4:-4].any()


def test_bundled_model_draws_in_a_plain_titiler(scene: Path) -> None:
    drawn = tile(plain_titiler(Sat2map), scene, 38601, 49271, 16)
    assert drawn.shape == (256, 256, 4)


def test_parameters_name_no_model(scene: Path) -> None:
    params = {"url": str(scene), "algorithm": "sat2map", "algorithm_params": '{"model": "/etc/passwd"}'}
    response = plain_titiler(Sat2map).get(f"/tiles/WebMercatorQuad/{ZOOM}/38600/49270.png", params=params)
    assert response.status_code == 400
