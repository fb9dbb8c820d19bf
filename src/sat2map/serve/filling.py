"""Who draws next: a thread that takes windows off a queue, those that someone waits for first; reads no requests.

The same window is never drawn twice at once, and the number of windows that are waited for has a bound.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
import weakref
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from sat2map.errors import Sat2mapError
from sat2map.serve.sparse_map import SparseMap

Write = Callable[[], None]
Draw = Callable[[int], Write]
"""Draws a window of a plan, by index; what it returns puts it onto its sparse_map."""

Priority = tuple[float, ...]
Key = tuple[SparseMap, int]

WAITED_FOR, BEHIND = 0, 1

log = logging.getLogger(__name__)


class BusyError(Exception):
    """More windows are waited for than the queue takes.

    Args:
        retry_after_s: when it may be worth another try.
    """

    def __init__(self, retry_after_s: int) -> None:
        super().__init__("too many windows are waited for")
        self.retry_after_s = retry_after_s


@dataclass
class FillJob:
    """A window that is to be drawn; the smallest `priority` is next."""

    draw: Draw
    index: int
    priority: Priority
    finished: Future[None] = field(default_factory=Future)

    @property
    def waited_for(self) -> bool:
        """Whether someone waits for it."""
        return self.priority[0] == WAITED_FOR


class Filler:
    """Draws windows, one after the other; while one is written, the next is drawn.

    Args:
        n_waited_for: how many windows may be waited for at once.
    """

    def __init__(self, n_waited_for: int) -> None:
        self._limit = n_waited_for
        self._jobs: dict[Key, FillJob] = {}
        self._heap: list[tuple[Priority, int, Key]] = []
        self._count = itertools.count()
        self._changed = threading.Condition()
        self._forgotten = weakref.WeakSet[SparseMap]()
        self._stopping = False
        self._window_s = 1.0
        self._thread = threading.Thread(target=self._work, name="filler", daemon=True)
        self._thread.start()

    @property
    def n_queued(self) -> int:
        """Windows that are still to be drawn."""
        return len(self._jobs)

    def ask(self, sparse_map: SparseMap, draw: Draw, indices: Iterable[int]) -> list[Future[None]]:
        """Have windows drawn next, in the order in which they are asked for.

        Raises:
            BusyError: the queue is full, the sparse_map forgotten, or the server is stopping.
        """
        with self._changed:
            wanted = list(indices)
            fresh = [i for i in wanted if (job := self._jobs.get((sparse_map, i))) is None or not job.waited_for]
            n_waiting = sum(job.waited_for for job in self._jobs.values())
            if self._stopping or sparse_map in self._forgotten or n_waiting + len(fresh) > self._limit:
                raise BusyError(min(max(round(n_waiting * self._window_s / 2), 1), 30))
            for index in fresh:
                self._push(sparse_map, draw, index, (WAITED_FOR,))
            return [self._jobs[sparse_map, index].finished for index in wanted]

    def ask_behind(
        self, sparse_map: SparseMap, draw: Draw, indices: Iterable[int], order: Callable[[int], float]
    ) -> None:
        """Have windows drawn when no one waits for others: what was asked last first, then by `order`."""
        with self._changed:
            if sparse_map in self._forgotten:
                return
            newest = -time.monotonic()
            for index in indices:
                self._push(sparse_map, draw, index, (BEHIND, newest, order(index)))

    def _push(self, sparse_map: SparseMap, draw: Draw, index: int, priority: Priority) -> None:
        key = (sparse_map, index)
        job = self._jobs.setdefault(key, FillJob(draw, index, priority))
        if job.finished.running() or job.priority < priority:
            return
        job.priority = priority
        heapq.heappush(self._heap, (priority, next(self._count), key))
        # Places that a job has no longer stay in the heap until they are met, or are too many.
        if len(self._heap) > 2 * len(self._jobs) + 64:
            self._heap = [(job.priority, next(self._count), key) for key, job in self._jobs.items()]
            heapq.heapify(self._heap)
        self._changed.notify()

    def forget(self, sparse_map: SparseMap) -> None:
        """Never draw on a sparse_map again; returns when nothing of it is being drawn."""
        with self._changed:
            self._forgotten.add(sparse_map)
            jobs = {key: job for key, job in self._jobs.items() if key[0] is sparse_map}
            running = [job.finished for job in jobs.values() if job.finished.running()]
            for key, job in jobs.items():
                if job.finished not in running:
                    del self._jobs[key]
                    job.finished.set_exception(BusyError(1))
        wait(running)

    def stop(self) -> None:
        """Finish the window that is being drawn, and no other."""
        with self._changed:
            self._stopping = True
            for job in self._jobs.values():
                if not job.finished.running() and not job.finished.done():
                    job.finished.set_exception(BusyError(5))
            self._changed.notify()
        self._thread.join()

    def _next(self) -> tuple[Key, FillJob] | None:
        with self._changed:
            while not self._stopping:
                while self._heap:
                    _, _, key = heapq.heappop(self._heap)
                    job = self._jobs.get(key)
                    if job is None or job.finished.running():  # met before, in a better place
                        continue
                    if job.finished.set_running_or_notify_cancel():
                        return key, job
                self._changed.wait()
        return None

    def _work(self) -> None:
        with ThreadPoolExecutor(1, "sparse_map") as writer:
            written: Future[None] | None = None
            while (following := self._next()) is not None:
                key, job = following
                if key[0].is_done(job.index):  # with another layer
                    self._finish(key, job, None)
                    continue
                begun = time.monotonic()
                try:
                    write = job.draw(job.index)
                except Exception as error:  # it goes to those who wait, and the thread goes on
                    self._finish(key, job, error)
                    continue
                self._window_s += 0.2 * (time.monotonic() - begun - self._window_s)
                if written is not None:
                    written.result()
                written = writer.submit(self._write, key, job, write)

    def _write(self, key: Key, job: FillJob, write: Write) -> None:
        try:
            write()
        except Exception as error:
            self._finish(key, job, error)
        else:
            self._finish(key, job, None)

    def _finish(self, key: Key, job: FillJob, error: Exception | None) -> None:
        if error is not None and not isinstance(error, Sat2mapError):
            log.error("window %d cannot be drawn", job.index, exc_info=error)
        with self._changed:
            del self._jobs[key]
        if error is None:
            job.finished.set_result(None)
        else:
            job.finished.set_exception(error)
