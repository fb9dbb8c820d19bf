from __future__ import annotations

import errno
import threading
from pathlib import Path
from typing import Any

import pytest
from tensorboard.compat.tensorflow_stub.io.gfile import LocalFileSystem

from sat2map.errors import OutputError
from sat2map.train.monitor import STEPS_A_ROW, Monitor

HEADER = "step,loss_d,d_real,d_fake,loss_g,reconstruction"


def feed(run: Path, first: int, last: int, value: float) -> None:
    with Monitor(run, step=first, n_steps=1000, batch_size=1, quiet=True) as monitor:
        for step in range(first + 1, last + 1):
            monitor.step(step, 0, {"loss_d": value})


def feed_monitor(monitor: Monitor, last: int) -> None:
    with monitor:
        for step in range(1, last + 1):
            monitor.step(step, 0, {"loss_d": 1})


def rows(run: Path) -> list[str]:
    return (run / "steps.csv").read_text().splitlines()


def test_rows_hold_the_mean_of_their_steps(tmp_path: Path) -> None:
    with Monitor(tmp_path, step=0, n_steps=100, batch_size=1, quiet=True) as monitor:
        for step in range(1, 2 * STEPS_A_ROW + 1):
            monitor.step(step, 0, {"loss_d": float(step > STEPS_A_ROW)})
    assert rows(tmp_path) == [HEADER, f"{STEPS_A_ROW},0,,,,", f"{2 * STEPS_A_ROW},1,,,,"]


def test_columns_stay_when_d_is_switched_on(tmp_path: Path) -> None:
    late = {"loss_d": 0.7, "d_real": 0.6, "d_fake": 0.4}
    with Monitor(tmp_path, step=0, n_steps=100, batch_size=1, quiet=True) as monitor:
        for step in range(1, 2 * STEPS_A_ROW + 1):
            monitor.step(step, 0, (late if step > STEPS_A_ROW + 5 else {}) | {"loss_g": 0.0, "reconstruction": 2.0})
    # Means are of the steps in which D took part.
    assert rows(tmp_path) == [HEADER, f"{STEPS_A_ROW},,,,0,2", f"{2 * STEPS_A_ROW},0.7,0.6,0.4,0,2"]


def test_resumed_run_drops_rows_after_its_checkpoint(tmp_path: Path) -> None:
    feed(tmp_path, 0, 4 * STEPS_A_ROW, 1.0)
    with (tmp_path / "steps.csv").open("a") as table:
        table.write("9")  # cut short by a kill
    feed(tmp_path, 2 * STEPS_A_ROW, 3 * STEPS_A_ROW, 2.0)
    assert [row.split(",")[1] for row in rows(tmp_path)[1:]] == ["1", "1", "2"]


def test_run_begun_anew_begins_its_tables_anew(tmp_path: Path) -> None:
    feed(tmp_path, 0, STEPS_A_ROW, 1.0)
    feed(tmp_path, 0, STEPS_A_ROW, 2.0)
    assert rows(tmp_path) == [HEADER, f"{STEPS_A_ROW},2,,,,"]


@pytest.mark.parametrize("left", ["", "step,lo", HEADER], ids=["empty", "cut short", "no end of line"])
def test_table_that_a_kill_left_without_its_first_line_is_begun_anew(left: str, tmp_path: Path) -> None:
    (tmp_path / "steps.csv").write_text(left)
    feed(tmp_path, STEPS_A_ROW, 2 * STEPS_A_ROW, 2.0)
    assert rows(tmp_path) == [HEADER, f"{2 * STEPS_A_ROW},2,,,,"]


@pytest.mark.parametrize("n_written", [0, 1, 2])
def test_full_disk_that_tensorboards_thread_meets_is_one_line_of_the_run(
    n_written: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[object] = []
    monkeypatch.setattr(threading, "excepthook", told.append)
    monitor, left = Monitor(tmp_path, step=0, n_steps=100, batch_size=1, quiet=True), [n_written]
    write = LocalFileSystem._write

    def full(*arguments: Any) -> None:
        if not left[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        left[0] -= 1
        write(*arguments)

    monkeypatch.setattr(LocalFileSystem, "_write", full)
    with pytest.raises(OutputError, match="no room to write") as caught:
        feed_monitor(monitor, 3 * STEPS_A_ROW)
    assert caught.value.value == tmp_path / "tensorboard"
    assert told == []
    assert threading.excepthook == told.append


def test_other_errors_of_a_run_are_not_hidden_by_those_of_its_curves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monitor = Monitor(tmp_path, step=0, n_steps=100, batch_size=1, quiet=True)
    monkeypatch.setattr(LocalFileSystem, "_write", full)
    monitor.writer.add_scalar("x", 1, 1)
    nothing: dict[str, int] = {}
    monkeypatch.setattr(Monitor, "step", lambda *_: nothing["broken"])
    with pytest.raises(KeyError, match="broken"):
        feed_monitor(monitor, 1)


def test_a_line_each_minute_tells_the_metric_and_the_time_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now_s = 1000.0
    monkeypatch.setattr("sat2map.train.monitor.time.monotonic", lambda: now_s)
    with Monitor(tmp_path, step=100, n_steps=1000, batch_size=1, metric="miou", quiet=False) as monitor:
        for step in range(101, 301):
            now_s += 1.0
            monitor.step(step, 0, {"loss_d": 0.5})
            if step == 170:
                monitor.epoch(step, 0, {"miou": 0.25, "rmse": 9.0}, 1.0)
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("step")]
    # A second a step: 840, 780 and 720 steps are left, 14, 13 and 12 minutes.
    assert lines == [
        "step 160 of 1000, 14 min left at most",
        "step 220 of 1000, 13 min left at most, miou 0.25 at the last validation",
        "step 280 of 1000, 12 min left at most, miou 0.25 at the last validation",
    ]
