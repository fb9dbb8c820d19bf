"""Several processes that train one recipe together, started by torchrun; only the first of them writes.

Each takes its share of every batch, and the mean of their gradients makes the same update in all. A single process does
not notice that this module exists.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor
from torch import distributed as dist

from sat2map.errors import CheckpointError

LONGEST_WAIT = timedelta(hours=2)
"""For the others, while the first process validates and writes."""


class _Told(Exception):  # noqa: N818  (a signal, not an error)
    """torchrun has ended this process because another one died."""


def rank() -> int:
    """Which of the processes this is; 0 is the one that writes."""
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0


def n_processes() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


@contextmanager
def joined(run: Path, device: str) -> Iterator[str]:
    """Join the other processes, if torchrun started this one, and give the device that is this one's.

    Args:
        run: folder of the run.
        device: `cpu` or `cuda`.

    Raises:
        CheckpointError: one of the processes died. Only one of those that are left says so; the others just end.
    """
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        yield device
        return
    on_gpu = device.startswith("cuda")
    if on_gpu:
        device = f"cuda:{os.environ['LOCAL_RANK']}"
        torch.cuda.set_device(device)
    signal.signal(signal.SIGTERM, _told)
    dist.init_process_group("nccl" if on_gpu else "gloo", timeout=LONGEST_WAIT)
    # torchrun itself keeps this store, so it outlives every process of ours.
    store = dist.distributed_c10d._get_default_store()
    try:
        yield device
        # Until the first has written: torchrun would end it because of whatever happens to the others from here on.
        dist.barrier()
    except (_Told, dist.DistBackendError, RuntimeError) as error:
        if not (isinstance(error, (_Told, dist.DistBackendError)) or "gloo" in str(error)):
            raise
        if store.add("sat2map said why", 1) > 1:
            os._exit(1)
        raise CheckpointError(
            "a process of the run died, so all of them end", run, hint="the same with `resume` auto goes on"
        ) from error
    is_first = rank() == 0
    dist.destroy_process_group()
    if not is_first:
        # They have nothing left to write, and gloo's threads now and then abort the interpreter's own way out.
        os._exit(0)


def _told(_signal: int, _frame: FrameType | None) -> None:
    raise _Told


def share(values: list[Any], size: int) -> list[Any]:
    """This process's part of a batch of `size * n_processes()`."""
    return values[rank() * size : (rank() + 1) * size]


def average_gradients(optimizer: torch.optim.Optimizer) -> None:
    """Before each of the optimiser's steps, replace its weights' gradients by their mean over all processes."""
    if n_processes() == 1:
        return

    def average(*_: object) -> None:
        gradients = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        for work in [dist.all_reduce(gradient, async_op=True) for gradient in gradients]:
            work.wait()
        torch._foreach_div_(gradients, n_processes())

    optimizer.register_step_pre_hook(average)


def random_states() -> list[Tensor]:
    """The state of every process's random generator, in the order of their ranks; all must call it."""
    own = torch.get_rng_state()
    states = [torch.empty_like(own) for _ in range(n_processes())]
    if n_processes() == 1:
        return [own]
    where = "cuda" if dist.get_backend() == "nccl" else "cpu"
    gathered = [state.to(where) for state in states]
    dist.all_gather(gathered, own.to(where))
    return [state.cpu() for state in gathered]
