"""Several processes by torchrun, for real: two of them, over gloo."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch

from sat2map.errors import CheckpointError
from sat2map.model import safetensors_file
from sat2map.train import checkpoint, loader, processes
from sat2map.train.loop import train
from sat2map.train.open_data import open_data
from sat2map.train.run import RunOptions

from .conftest import tiny_recipe
from .test_loop import command

NO_NOISE = {"architecture": "unet", "configuration": {"n_levels": 3, "width": 4, "dropout": 0}}


def torchrun(n: int) -> list[str]:
    return [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(n), "--no-python"]


def weights(run: Path) -> Mapping[str, np.ndarray]:
    return safetensors_file.load(run / "generator_last.safetensors")[0]


def wait_for_checkpoint_after(run: Path, step: int, process: subprocess.Popen[str]) -> None:
    while process.poll() is None:
        if (run / checkpoint.FILE_NAME).exists() and checkpoint.load(run / checkpoint.FILE_NAME)["step"] > step:
            return
        time.sleep(0.01)


def children(process: subprocess.Popen[str]) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_two_processes_of_batch_1_follow_one_of_batch_2(pairs_folder: Path, tmp_path: Path) -> None:
    one = tiny_recipe(generator=NO_NOISE, batch_size=2)
    train(pairs_folder, one, RunOptions(tmp_path / "one", quiet=True))
    two = tiny_recipe(generator=NO_NOISE, batch_size=1)
    subprocess.run([*torchrun(2), *command(pairs_folder, two, tmp_path / "two")], check=True)
    answer = weights(tmp_path / "two")
    for name, tensor in weights(tmp_path / "one").items():
        np.testing.assert_allclose(answer[name], tensor, rtol=1e-5, atol=1e-6, err_msg=name)
    files = [sorted(str(p.relative_to(tmp_path / n)) for p in (tmp_path / n).rglob("*.[cps]*")) for n in ("one", "two")]
    assert files[0] == files[1]
    assert len(list((tmp_path / "two" / "tensorboard").iterdir())) == 1


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="finds the processes in /proc")
@pytest.mark.parametrize(("n", "victim"), [(3, 0), (2, 1)])
def test_dead_process_ends_the_run_which_resumes_bit_by_bit(
    pairs_folder: Path, tmp_path: Path, n: int, victim: int
) -> None:
    recipe = tiny_recipe(batch_size=1, epochs=8, validate_every=8)
    start = [*torchrun(n), *command(pairs_folder, recipe, tmp_path / "run")]
    with subprocess.Popen(start, stderr=subprocess.PIPE, text=True) as process:
        wait_for_checkpoint_after(tmp_path / "run", 3, process)
        os.kill(children(process)[victim], signal.SIGKILL)
        log = process.communicate()[1]
    assert process.returncode != 0
    assert [line for line in log.splitlines() if line.startswith("error:")] == [
        f"error: a process of the run died, so all of them end: '{tmp_path / 'run'}'"
    ]
    assert checkpoint.load(tmp_path / "run" / checkpoint.FILE_NAME)["step"] < 32
    with pytest.raises(CheckpointError, match=f"made by {n} processes"):
        train(pairs_folder, recipe, RunOptions(tmp_path / "run", resume="auto", quiet=True))
    if victim == 0:
        return

    subprocess.run(start, check=True)
    subprocess.run([*torchrun(2), *command(pairs_folder, recipe, tmp_path / "whole")], check=True)
    resumed, whole = weights(tmp_path / "run"), weights(tmp_path / "whole")
    assert all(np.array_equal(resumed[name], tensor) for name, tensor in whole.items())


def test_processes_share_each_batch(pairs_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = tiny_recipe(batch_size=2)
    data = open_data(pairs_folder, recipe, cache=tmp_path)
    drawn: list[list[torch.Tensor]] = []
    for n in (1, 2):
        for module in (loader, processes):
            monkeypatch.setattr(module, "n_processes", lambda n=n: n)
        for rank in range(n):
            monkeypatch.setattr(processes, "rank", lambda rank=rank: rank)
            drawn.append([image for batch in loader.batches(recipe, data, 0, 0) for image in batch.images])
    alone, first, second = (torch.stack(images) for images in drawn)
    assert len(alone) == 8
    assert torch.equal(first, alone[[0, 1, 4, 5]])
    assert torch.equal(second, alone[[2, 3, 6, 7]])


def test_one_process_needs_no_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    with processes.joined(tmp_path, "cpu") as device:
        assert (device, processes.rank(), processes.n_processes()) == ("cpu", 0, 1)
    assert len(processes.random_states()) == 1
    assert torch.equal(processes.random_states()[0], torch.get_rng_state())
