"""The same maps by many processes, over Dask distributed: rows of windows are the tasks; the pixels are those of one.

Workers see the same files as the one who asks: scenes, model and the folder that the map grows in. A worker that dies
costs the time of its tasks, which others do again.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from sat2map.errors import Sat2mapError, import_extra
from sat2map.scene.source import open_scene
from sat2map.scene.stretch import SharedStretch
from sat2map.translate import DrawRows, Progress, SceneDrawing, TranslationJob, Translator, draw_pieces

ATTEMPTS = 10
"""Deaths of workers that one task may see before it is given up: more than chance brings, less than for ever."""


@contextmanager
def connect(n_workers: int | None, scheduler: str | None) -> Iterator[Any]:
    """A client of a scheduler, or of so many processes on this machine.

    Raises:
        MissingExtraError: Dask is not installed.
        Sat2mapError: the scheduler does not answer.
    """
    distributed = import_extra("distributed", "cluster")
    with importlib.import_module("dask").config.set({"distributed.scheduler.allowed-failures": ATTEMPTS}):
        if scheduler is not None:
            try:
                client = distributed.Client(scheduler, timeout=10)
            except (OSError, TimeoutError, ValueError) as error:
                raise Sat2mapError("scheduler does not answer", scheduler, hint="is the address right?") from error
            with client:
                yield client
            return
        with (
            distributed.LocalCluster(n_workers=n_workers, threads_per_worker=1, dashboard_address=None) as cluster,
            distributed.Client(cluster) as client,
        ):
            yield client


def distributed_rows(client: Any, model: str | Path | None, device: str = "auto") -> DrawRows:
    """What draws the pieces of a scene, for `Translator.translate_file`.

    Args:
        client: of Dask.
        model: name or file that workers load; they keep it.
        device: on which they run it.
    """
    as_completed = importlib.import_module("distributed").as_completed

    def draw_rows(_drawing: SceneDrawing, job: TranslationJob, progress: Progress) -> None:
        n_threads = max(1, (os.cpu_count() or 1) // max(1, len(client.scheduler_info()["workers"])))
        name = str(model) if model is not None else None
        futures = {
            client.submit(_draw, job, row, name, device, n_threads, pure=False): row for row in job.missing_rows()
        }
        try:
            for future in as_completed(futures):
                problem = future.result()
                if problem is not None:
                    raise problem
                window = job.plan.scene_window_of_row(futures[future])
                progress(window.height * window.width)
        finally:
            client.cancel(list(futures))

    return draw_rows


def _draw(job: TranslationJob, row: int, model: str | None, device: str, n_threads: int) -> Sat2mapError | None:
    """Draw one row of windows; what is wrong with the user's input is an answer, which no one tries again."""
    try:
        translator = _translator(model, device, n_threads)
        decided = SharedStretch(job.stretch, job.stretch)
        with open_scene(job.source, job.reading, translator.stretch_rule, decided) as scene:
            drawing = SceneDrawing(scene, translator.engine, job.settings, job.plan)
            draw_pieces(drawing, job, [row], lambda _: None)
    except Sat2mapError as error:
        return error
    return None


@lru_cache(maxsize=1)
def _translator(model: str | None, device: str, n_threads: int) -> Any:
    return Translator.load(model, device, n_threads)
