"""A queue of windows and the thread that draws them, beginning with those that a request waits for.

No window is drawn twice at the same time, and the number of windows that requests wait for is limited.
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
"""Draws the window of a plan that has an index; the function that it returns writes the result to the sparse map."""

Priority = tuple[float, ...]
Key = tuple[SparseMap, int]

WAITED_FOR, BEHIND = 0, 1

log = logging.getLogger(__name__)


class BusyError(Exception):
    """Requests wait for more windows than the queue takes.

    Args:
        retry_after_s: seconds after which a client should try again.
    """

    def __init__(self, retry_after_s: int) -> None:
        super().__init__("too many windows are waited for")
        self.retry_after_s = retry_after_s


@dataclass
class FillJob:
    """One window that is to be drawn; the job with the smallest `priority` is next."""

    draw: Draw
    index: int
    priority: Priority
    finished: Future[None] = field(default_factory=Future)

    @property
    def waited_for(self) -> bool:
        """Whether a request waits for the window."""
        return self.priority[0] == WAITED_FOR


class Filler:
    """Draws windows in a thread of its own, one after the other; while one is written, the next is drawn.

    Args:
        n_waited_for: number of windows that requests may wait for at the same time.
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
        """Number of windows that are still to be drawn."""
        return len(self._jobs)

    def ask(self, sparse_map: SparseMap, draw: Draw, indices: Iterable[int]) -> list[Future[None]]:
        """Put windows at the front of the queue, in the order in which they are asked for.

        Args:
            sparse_map: sparse map to draw in.
            draw: draws one window.
            indices: windows of the plan.

        Returns:
            One future per window, done when the window is drawn and written.

        Raises:
            BusyError: the queue is full, the sparse map was forgotten, or the server is stopping.
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
        """Put windows behind all that requests wait for: the latest call comes first, within it the smallest `order`.

        Args:
            sparse_map: sparse map to draw in.
            draw: draws one window.
            indices: windows of the plan.
            order: rank of each window, by index.
        """
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
        # Earlier entries of a job stay in the heap until they are popped, or are too many.
        if len(self._heap) > 2 * len(self._jobs) + 64:
            self._heap = [(job.priority, next(self._count), key) for key, job in self._jobs.items()]
            heapq.heapify(self._heap)
        self._changed.notify()

    def forget(self, sparse_map: SparseMap) -> None:
        """Never draw in a sparse map again; returns when none of its windows is being drawn."""
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
        """Stop the thread after the window that is being drawn; all other windows fail with `BusyError`."""
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
                    if job is None or job.finished.running():  # done or begun by an earlier entry
                        continue
                    if job.finished.set_running_or_notify_cancel():
                        return key, job
                self._changed.wait()
        return None

    def _work(self) -> None:
        with ThreadPoolExecutor(1, "writer") as writer:
            written: Future[None] | None = None
            while (following := self._next()) is not None:
                key, job = following
                if key[0].is_done(job.index):  # drawn together with another layer
                    self._finish(key, job, None)
                    continue
                begun = time.monotonic()
                try:
                    write = job.draw(job.index)
                except Exception as error:  # the requests that wait get it, and the thread goes on
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
