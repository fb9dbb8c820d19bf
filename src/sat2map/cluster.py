"""Translation by many processes with Dask distributed: each row of windows is one task, and the map is the same.

Workers must see the same files as the client: the scene, the model, and the work folder of the map. When a worker dies,
other workers repeat its tasks.
"""

from __future__ import annotations

import importlib
import logging
import os
import signal
import threading
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
"""Number of workers that may die with one task before it fails: more than die by chance, and still a limit."""


@contextmanager
def connect(n_workers: int | None, scheduler: str | None) -> Iterator[Any]:
    """Connect to Dask workers: those of a scheduler, or new processes on this machine.

    Args:
        n_workers: number of new processes; None: one for each core.
        scheduler: address of a running scheduler; None: start processes on this machine.

    Yields:
        The Dask client, which is closed at the end.

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
        with _children_left_alone_by_ctrl_c():
            # Dask logs what it thinks of tasks and workers that end with an interrupted command.
            cluster = distributed.LocalCluster(
                n_workers=n_workers, threads_per_worker=1, dashboard_address=None, silence_logs=logging.CRITICAL
            )
        with cluster, distributed.Client(cluster) as client:
            yield client


@contextmanager
def _children_left_alone_by_ctrl_c() -> Iterator[None]:
    """Let processes that begin meanwhile ignore Ctrl-C: a terminal sends it to all, and it is for this one to end them.

    They inherit that a signal is ignored, but not another way of handling it; so this one ignores it, too, meanwhile.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # where signals cannot be changed
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def distributed_rows(client: Any, model: str | Path | None, device: str = "auto") -> DrawRows:
    """Make the function that has Dask workers draw the rows of a scene, for `Translator.translate_file`.

    Args:
        client: Dask client.
        model: name or file of the model; each worker loads it once.
        device: device on which workers run it.
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
    """Draw one row of windows; a user's error is returned, not raised, so that Dask does not repeat the task."""
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
