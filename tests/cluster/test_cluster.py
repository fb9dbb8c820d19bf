"""Many processes draw the pixels of one, also when one of them is killed."""

from __future__ import annotations

import os
import pickle
import signal
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import rasterio
from PIL import Image

from sat2map.errors import MissingExtraError, Sat2mapError
from sat2map.translate import Progress, SceneDrawing, Settings, TranslationJob, Translator, draw_missing_rows

from ..need import need
from ..scene.rasters import PLACE, write_raster
from ..translate.test_scene import GRID, ground

HOW = Settings(core_px=64, confidence=True)


def read(path: Path) -> np.ndarray:
    with rasterio.open(path) as dataset:
        return dataset.read()


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_raster(tmp_path_factory.mktemp("scene") / "a.tif", ground(600, 200), **GRID)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # those of Dask are its own
def test_three_workers_draw_what_one_process_draws_also_when_one_is_killed(scene: Path, tmp_path: Path) -> None:
    need("workers", find_spec("distributed"))
    from sat2map.cluster import connect, distributed_rows

    alone = Translator.load(n_threads=1)
    alone.translate_file(scene, tmp_path / "alone.tif", HOW)
    handler = signal.getsignal(signal.SIGINT)
    with connect(3, None) as client:
        assert {*client.run(signal.getsignal, signal.SIGINT).values()} == {signal.SIG_IGN}
        assert signal.getsignal(signal.SIGINT) is handler
        draw_rows = distributed_rows(client, None)
        alone.translate_file(scene, tmp_path / "three.tif", HOW, draw_rows=draw_rows)
        resampled = write_raster(tmp_path / "fine.tif", ground(300, 200), **PLACE)
        alone.translate_file(resampled, tmp_path / "fine_alone.tif", HOW)
        alone.translate_file(resampled, tmp_path / "fine_three.tif", HOW, draw_rows=draw_rows)
        killed: list[int] = []

        def draw_rows_and_kill(drawing: SceneDrawing, job: TranslationJob, progress: Progress) -> None:
            def kill_at_the_first_row(n_px: int) -> None:
                if not killed:
                    killed.append(next(iter(client.run(os.getpid).values())))
                    os.kill(killed[0], signal.SIGKILL)
                progress(n_px)

            draw_rows(drawing, job, kill_at_the_first_row)

        alone.translate_file(scene, tmp_path / "killed.tif", HOW, draw_rows=draw_rows_and_kill)
    assert killed
    for end in ("", "_confidence"):
        expected = read(tmp_path / f"alone{end}.tif")
        np.testing.assert_array_equal(read(tmp_path / f"three{end}.tif"), expected)
        np.testing.assert_array_equal(read(tmp_path / f"killed{end}.tif"), expected)
        np.testing.assert_array_equal(read(tmp_path / f"fine_three{end}.tif"), read(tmp_path / f"fine_alone{end}.tif"))


@pytest.mark.parametrize("stretch", ["auto", "none", None])
def test_worker_reads_an_image_of_16_bits_as_the_asking_process_does(
    tmp_path: Path, stretch: Literal["auto", "none"] | None
) -> None:
    from sat2map.cluster import _draw
    from sat2map.scene.options import ReadOptions
    from sat2map.scene.stretch import SharedStretch, Stretch

    ramp = np.linspace(0, 700, 60 * 80).reshape(60, 80).astype(np.uint16)
    Image.fromarray(ramp).save(tmp_path / "a.png")

    def draw_rows(_drawing: SceneDrawing, job: TranslationJob, _progress: Progress) -> None:
        for row in job.missing_rows():
            assert _draw(pickle.loads(pickle.dumps(job)), row, None, "auto", 1) is None

    reading, bundled = ReadOptions(stretch=stretch), Translator.load(n_threads=1)
    of_all = Stretch((0, 0, 0), (2000, 2000, 2000))
    for name, rows in (("alone", draw_missing_rows), ("worker", draw_rows)):
        bundled.translate_file(
            tmp_path / "a.png", tmp_path / f"{name}.png", reading=reading, shared=SharedStretch(of_all, of_all),
            draw_rows=rows,
        )  # fmt: skip
    with Image.open(tmp_path / "worker.png") as by_worker, Image.open(tmp_path / "alone.png") as alone:
        np.testing.assert_array_equal(np.asarray(by_worker), np.asarray(alone))


def test_scene_that_a_worker_cannot_read_is_one_line(tmp_path: Path) -> None:
    from sat2map.cluster import _draw
    from sat2map.scene.model_grid import ModelGrid
    from sat2map.scene.source import ReadOptions
    from sat2map.translate import TranslationJob
    from sat2map.translate.settings import TilingPlan

    job = TranslationJob(
        tmp_path / "none.tif", ReadOptions(), None, HOW, TilingPlan(9, 9, [], ModelGrid(9, 9, 9, 9)), tmp_path, False,
        tuple(HOW.products),
    )  # fmt: skip
    problem = _draw(job, 0, None, "auto", 1)
    assert isinstance(problem, Sat2mapError)
    assert "no such file" in str(problem)
    assert problem.hint


def test_scheduler_that_is_not_there_is_one_line() -> None:
    from sat2map.cluster import connect

    with pytest.raises(Sat2mapError, match="does not answer"), connect(None, "nowhere"):
        pass


def test_missing_dask_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from sat2map import cluster

    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingExtraError, match="distributed"), cluster.connect(2, None):
        pass
