"""What a person sees of a run: a progress bar, CSV, TensorBoard, a grid of the same images after each validation."""

from __future__ import annotations

import csv
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import fmean
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from PIL import Image
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch.utils.tensorboard import SummaryWriter

from sat2map.files import NO_ROOM, full_disk_named, replacing

STEPS_A_ROW = 20
"""Steps whose mean makes one row of `steps.csv`."""

LINE_S = 60.0
STEP_COLUMNS = ("loss_d", "d_real", "d_fake", "loss_g", "reconstruction")
"""Of `steps.csv`, after the step; what D has is empty as long as it is not switched on."""


class Monitor:
    """Shows and records a run; rows that a killed run wrote after its last checkpoint are dropped.

    Args:
        run: folder of the run.
        step: step that the run begins at.
        n_steps: steps in the whole run.
        batch_size: images in a step.
        metric: of the validations, told with the time that is left.
        quiet: no progress bar and no lines.
    """

    def __init__(self, run: Path, *, step: int, n_steps: int, batch_size: int, metric: str = "", quiet: bool) -> None:
        self.run = run
        self.batch_size = batch_size
        self.minutes = _Minutes(step, n_steps, metric)
        self.values: defaultdict[str, list[float]] = defaultdict(list)
        for name in ("steps.csv", "epochs.csv"):
            _drop_rows_after(run / name, step)
        self.curves = run / "tensorboard"
        self.writer = SummaryWriter(str(self.curves), purge_step=step + 1 if step else None)
        self.console = Console(stderr=True, quiet=quiet, markup=False, emoji=False, highlight=False)
        columns = (
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[values]}", markup=False),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
        )
        # Where nobody watches, the line of each epoch is enough.
        self.progress = Progress(*columns, console=self.console, disable=quiet or not sys.stderr.isatty())
        self.task = self.progress.add_task("train", total=n_steps, completed=step, epoch=0, values="", rate="")

    def __enter__(self) -> Self:
        self.progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.progress.stop()
        # Another error says more than the one that the last curves may meet.
        with suppress(OSError) if error else full_disk_named(self.curves), _quiet_thread():
            self.writer.flush()
            self.writer.close()

    def step(self, step: int, epoch: int, values: Mapping[str, float]) -> None:
        """Take in the losses and judgements of one step."""
        for key, value in values.items():
            self.values[key].append(value)
        self.progress.update(self.task, completed=step, epoch=epoch + 1)
        if line := self.minutes.line(step, time.monotonic()):
            self.console.print(line)
        if step % STEPS_A_ROW:
            return
        means = {key: fmean(values) for key, values in self.values.items()}
        self.values.clear()
        speed = self.progress.tasks[0].speed
        rate = f"{speed * self.batch_size:.1f} images/s" if speed else ""
        self.progress.update(self.task, values=_line(means), rate=rate)
        self._record("steps.csv", step, means, STEP_COLUMNS)

    def epoch(self, step: int, epoch: int, metrics: Mapping[str, float], seconds: float) -> None:
        """Take in the metrics of a validation."""
        values = {"epoch": epoch, "seconds": seconds, **metrics}
        self.minutes.last = metrics.get(self.minutes.metric)
        self._record("epochs.csv", step, values, tuple(values))
        self.console.print(f"epoch {epoch + 1}, step {step}, {seconds:.0f} s: {_line(metrics)}")

    def grid(self, step: int, epoch: int, rows: Sequence[Sequence[npt.NDArray[np.uint8]]]) -> None:
        """Save a grid: a row for each image, its columns source, prediction, target; uint8, shape (h, w, 3)."""
        lines = [np.concatenate(list(row), axis=1) for row in rows]
        width = max(line.shape[1] for line in lines)
        image = np.concatenate([np.pad(line, ((0, 0), (0, width - line.shape[1]), (0, 0))) for line in lines])
        folder = self.run / "grids"
        folder.mkdir(exist_ok=True)
        path = folder / f"epoch_{epoch + 1:04d}.png"
        with full_disk_named(path):
            Image.fromarray(image).save(path)
        with full_disk_named(self.curves), _quiet_thread():
            self.writer.add_image("validation", image, step, dataformats="HWC")
            self.writer.flush()

    def _record(self, name: str, step: int, values: Mapping[str, float], columns: Sequence[str]) -> None:
        path = self.run / name
        is_new = not path.exists()
        with full_disk_named(path), path.open("a", newline="", encoding="utf-8") as out:
            rows = csv.writer(out)
            if is_new:
                rows.writerow(["step", *columns])
            rows.writerow([step, *(f"{values[c]:.6g}" if c in values else "" for c in columns)])
        with full_disk_named(self.curves), _quiet_thread():
            for key, value in values.items():
                self.writer.add_scalar(f"{name.removesuffix('.csv')}/{key}", value, step)
            # What the writer's thread has met is raised here, and not from it.
            self.writer.flush()


@contextmanager
def _quiet_thread() -> Iterator[None]:
    """Let a full disk that TensorBoard's thread meets be told by the next call of the writer alone."""
    told = threading.excepthook

    def tell(met: threading.ExceptHookArgs) -> None:
        if not (isinstance(met.exc_value, OSError) and met.exc_value.errno in NO_ROOM):
            told(met)

    threading.excepthook = tell
    try:
        yield
    finally:
        threading.excepthook = told


class _Minutes:
    """A line each minute: how far the run is, its metric, and the time that is left."""

    def __init__(self, step: int, n_steps: int, metric: str) -> None:
        self.first, self.n_steps, self.metric = step, n_steps, metric
        self.last: float | None = None
        self._began_s = self._told_s = time.monotonic()

    def line(self, step: int, now_s: float) -> str | None:
        """The line, where a minute has passed since the last one."""
        if now_s - self._told_s < LINE_S or step <= self.first:
            return None
        self._told_s = now_s
        left_s = (self.n_steps - step) * (now_s - self._began_s) / (step - self.first)
        words = f"step {step} of {self.n_steps}, {max(1, round(left_s / 60))} min left at most"
        return words if self.last is None else f"{words}, {self.metric} {self.last:.3g} at the last validation"


def _line(values: Mapping[str, Any]) -> str:
    return "  ".join(f"{key} {value:.3g}" for key, value in values.items())


def _drop_rows_after(path: Path, step: int) -> None:
    if not path.exists():
        return
    header, *rows = path.read_text("utf-8").splitlines(keepends=True) or [""]
    if not header.endswith("\n"):
        # A kill came before the first line was whole.
        path.unlink()
        return
    # A row that a kill cut short has no end.
    kept = [row for row in rows if row.endswith("\n") and int(row.partition(",")[0]) <= step]
    with replacing(path) as work:
        work.write_text("".join([header, *kept]), "utf-8")
