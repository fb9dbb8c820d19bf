"""Everything that decides how a run goes on, in one file, so that on the same machine it goes on bit by bit.

Never shipped: a model file carries weights and card, a checkpoint the state of a run.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from sat2map.errors import CheckpointError
from sat2map.files import replacing
from sat2map.train.processes import n_processes, random_states, rank

FILE_NAME = "checkpoint.pt"
NEEDED = {"modules", "optimizers", "ema", "step", "random", "recipe", "data", "validation", "init", "environment"}


@dataclass
class State:
    """What changes during a run; the place in the epoch and the learning rate follow from `step`.

    Attributes:
        modules: `generator` and, with an adversarial term, `discriminator`.
        optimizers: by the same names.
        ema: running average of the generator, if the recipe wants one.
        step: updates done.
        best: value of the recipe's measure at the best validation so far.
    """

    modules: dict[str, nn.Module]
    optimizers: dict[str, torch.optim.Optimizer]
    ema: AveragedModel | None = None
    step: int = 0
    best: float | None = None
    n_stale: int = 0
    """Validations since the best one."""
    metrics: dict[str, float] = field(default_factory=dict)
    """Of the last validation."""
    init: list[str] = field(default_factory=list)
    """The models whose weights the run began with, in words."""


def environment() -> dict[str, Any]:
    """What must be the same for a resumed run to end with bitwise equal weights."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = {line.partition(":")[2].strip() for line in lines if line.startswith("model name")}
    return {
        "torch": str(torch.__version__),
        "processor": " ".join(sorted(names)) or platform.processor(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "processes": n_processes(),
    }


def save(path: Path, state: State, recipe: Mapping[str, Any], *, data: str, validation: str) -> None:
    """Write a checkpoint beside its place, flush it to the disk, and rename it: a kill leaves the one before.

    Where several processes train, all must call this, and the first one writes.

    Args:
        path: of the checkpoint.
        state: of the run.
        recipe: the resolved one.
        data: identity of what is trained on.
        validation: identity of what is validated on.
    """
    own, *others = random_states()
    if rank():
        return
    content = {
        "modules": {name: m.state_dict() for name, m in state.modules.items()},
        "optimizers": {name: o.state_dict() for name, o in state.optimizers.items()},
        "ema": state.ema.state_dict() if state.ema else None,
        "step": state.step,
        "best": state.best,
        "n_stale": state.n_stale,
        "metrics": state.metrics,
        "random": own,
        "random_others": others,
        "random_cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "recipe": dict(recipe),
        "data": data,
        "validation": validation,
        "init": state.init,
        "environment": environment(),
    }
    # By a file of Python's, whose errors say what the system refused.
    with replacing(path) as work, work.open("wb") as out:
        torch.save(content, out)


def load(path: Path) -> dict[str, Any]:
    """Read a checkpoint's content; no code in it is run.

    Raises:
        CheckpointError: it is missing, truncated or no checkpoint.
    """
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        missing = NEEDED - content.keys()
    except Exception as error:  # torch.load raises what the broken bytes lead it to
        raise CheckpointError(
            "checkpoint cannot be read", path, hint="start anew in another folder, or with `init` MODEL"
        ) from error
    if missing:
        raise CheckpointError(f"checkpoint lacks {', '.join(sorted(missing))}", path, hint="start anew")
    return content


def restore(state: State, content: Mapping[str, Any]) -> None:
    """Put a checkpoint's content into a freshly built state, and torch's random generators where they were."""
    for name, module in state.modules.items():
        module.load_state_dict(content["modules"][name])
    for name, optimizer in state.optimizers.items():
        optimizer.load_state_dict(content["optimizers"][name])
        _lay_as_weights(optimizer)
    if state.ema:
        state.ema.load_state_dict(content["ema"])
    state.step, state.best, state.metrics = content["step"], content["best"], content["metrics"]
    state.init, state.n_stale = content["init"], content.get("n_stale", 0)
    torch.set_rng_state([content["random"], *content.get("random_others", [])][rank()])
    if content["random_cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(content["random_cuda"])


def _lay_as_weights(optimizer: torch.optim.Optimizer) -> None:
    """Put the moments into their weights' order of memory: a checkpoint of another device may have them in another."""
    for weight, values in optimizer.state.items():
        for name, value in values.items():
            if isinstance(value, torch.Tensor) and value.shape == weight.shape:
                values[name] = torch.empty_like(weight).copy_(value)
