"""Benchmark of training: the speed of a recipe, the parts of a step, and how near it is to the limits of the machine.

It times the same update that `sat2map train` runs, on made-up images, and keeps no trained model.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from itertools import chain, count, cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from sat2map.bench.clocks import Clock, PartClock, counts_processor, now
from sat2map.classes import COLOURS_RGB
from sat2map.data.cache import CachedPairs
from sat2map.data.split import Split
from sat2map.train.build import build_state
from sat2map.train.data import PairSource, TrainingData
from sat2map.train.loader import batches
from sat2map.train.loop import update
from sat2map.train.precision import Forward, in_precision
from sat2map.train.recipe import Recipe, load_recipe
from sat2map.train.reconstruction import build_reconstruction
from sat2map.train.run import Run, RunOptions

PLAIN_FILE = Path("benchmarks", "time_plain_step.py")
N_PAIRS, SIDE_PX = 32, 600
"""Number and side of the made-up images, which are as large as the paper's."""
N_LOADED = 8
"""Number of batches over which the loader is timed, after a first one that starts its thread."""
MATRIX_SIDE = 2048
COPY_BYTES = 2**28
N_PASSES_ADAM = 7
"""Number of times that Adam moves each weight: it reads weight, gradient and two moments, and writes all but the
gradient."""


@dataclass(frozen=True)
class Rates:
    """The limits of the machine, measured in this run.

    Attributes:
        multiply_adds: multiply-adds per second of a large matrix product in the recipe's precision.
        bytes: bytes read and written per second by a large copy.
    """

    multiply_adds: float
    bytes: float


def bench_train(
    recipe: Recipe, *, n_rounds: int, device: str = "cpu", plain_file: Path | None = None
) -> dict[str, Any]:
    """Time the step of a recipe, its parts and its loader, by turns with a plain rewrite of the paper's step.

    Args:
        recipe: recipe to time.
        n_rounds: number of steps of each kind that are timed, after two that are not.
        device: torch device.
        plain_file: program that takes one step for each line on its stdin; it is used only for a recipe that trains the
            paper's networks, on a processor.

    Returns:
        The report that `sat2map bench train --json` prints.
    """
    data = _made_up()
    where = torch.device(device)
    run = Run(recipe, RunOptions(Path(), device), data, build_state(recipe, where))
    forward = {name: in_precision(module, recipe, where) for name, module in run.state.modules.items()}
    reconstruct = build_reconstruction(recipe, run.generator, data)
    turn = cycle(islice(batches(recipe, data, 0, 0), 2))
    # The last epoch, in which the adversarial term is on in every recipe that has one.
    clock = Clock(lambda: update(run, next(turn), recipe.epochs - 1, forward, reconstruct), where)
    for _ in range(2):
        clock.step()
    peak_mib = _peak_mib(where)
    comparable = plain_file is not None and where.type == "cpu" and _trains_as_the_paper(recipe)
    with _plain(plain_file) if plain_file and comparable else nullcontext() as plain:
        times = [(clock.step(), plain() if plain else None) for _ in range(n_rounds)]
    speed = _speed([ours for ours, _ in times], recipe.batch_size, where)
    step_s = speed["step_processor_s" if counts_processor(where) else "step_s"]["median"]
    return {
        "recipe": recipe.name, "device": str(where), "threads": torch.get_num_threads(),
        "torch": str(torch.__version__), "peak_mib": peak_mib,
        **speed,
        "parts_s": _time_parts(run, forward, clock, n_rounds),
        "lower_bound": _lower_bound(run, clock, step_s),
        "loader": _loader(recipe, data, step_s),
        **_beside_plain([(ours, other) for ours, other in times if other]),
    }  # fmt: skip


def _speed(times: Sequence[tuple[float, float]], batch_size: int, device: torch.device) -> dict[str, Any]:
    """Steps in seconds and in processor seconds, and what that is a second."""
    seconds, processor = (_spread([of_step[i] for of_step in times]) for i in (0, 1))
    return {
        "clock": "processor" if counts_processor(device) else "wall",
        "step_s": seconds,
        "step_processor_s": processor,
        "steps_per_s": 1 / seconds["median"],
        "images_per_s": batch_size / seconds["median"],
    }


def _beside_plain(pairs: Sequence[tuple[tuple[float, float], tuple[float, float]]]) -> dict[str, Any]:
    """The plain rewrite's seconds and their ratio to ours, step by step; of no pairs nothing."""
    report = {}
    for i, kind in enumerate(("s", "processor_s")) if pairs else ():
        report[f"plain_{kind}"] = _spread([other[i] for _, other in pairs])
        report[f"ratio_{kind}"] = _spread([other[i] / ours[i] for ours, other in pairs])
    return report


def _lower_bound(run: Run, clock: Clock, step_s: float) -> dict[str, float]:
    """Compute the seconds of a step in which only the arithmetic and the memory traffic of the optimisers take time."""
    rates = time_rates(run.recipe, run.device)
    with FlopCounterMode(display=False) as counter:
        clock.step()
    multiply_adds = counter.get_total_flops() / 2
    weights = [p for module in run.state.modules.values() for p in module.parameters()]
    optimiser_bytes = N_PASSES_ADAM * sum(p.numel() * p.element_size() for p in weights)
    bound_s = multiply_adds / rates.multiply_adds + optimiser_bytes / rates.bytes
    return {
        "multiply_adds": multiply_adds,
        "multiply_adds_per_s": rates.multiply_adds,
        "optimiser_bytes": optimiser_bytes,
        "bytes_per_s": rates.bytes,
        "seconds": bound_s,
        "share_reached": bound_s / step_s,
    }


def find_plain_file() -> Path | None:
    """Find the plain rewrite in a checkout of the repository; None outside one, since the package does not hold it."""
    candidates = (Path(__file__).parents[3] / PLAIN_FILE, PLAIN_FILE)
    return next((path for path in candidates if path.is_file()), None)


def time_rates(recipe: Recipe, device: torch.device) -> Rates:
    """Measure the limits of the machine: the best of five runs, since other programs can only slow it down."""
    kind = torch.bfloat16 if recipe.precision == "bf16" else torch.float32
    a, b = (torch.rand(MATRIX_SIDE, MATRIX_SIDE, device=device).to(kind) for _ in range(2))
    source = torch.zeros(COPY_BYTES, dtype=torch.uint8, device=device)
    target = torch.ones_like(source)

    def best(run: Callable[[], object]) -> float:
        clock = Clock(run, device)
        seconds = []
        for _ in range(6):
            clock.step()
            seconds.append(clock.last_s)
        return min(seconds[1:])

    return Rates(MATRIX_SIDE**3 / best(lambda: torch.mm(a, b)), 2 * COPY_BYTES / best(lambda: target.copy_(source)))


def _time_parts(run: Run, forward: Forward, clock: Clock, n_rounds: int) -> dict[str, float]:
    """Measure the median seconds of each part of a step; waiting for a GPU after each part makes their sum larger."""
    parts = PartClock(run.device)
    handles = []
    for name, optimizer in run.state.optimizers.items():
        handles += [
            optimizer.register_step_pre_hook(lambda *_, name=name: parts.mark(f"{name} backward")),
            optimizer.register_step_post_hook(lambda *_, name=name: parts.mark(f"{name} optimiser")),
        ]
    untimed = dict(forward)
    forward.update({name: parts.timed(name, call) for name, call in untimed.items()})
    rounds = []
    try:
        for _ in range(n_rounds):
            parts.begin()
            clock.step()
            parts.mark("rest")
            rounds.append(parts.seconds)
    finally:
        forward.update(untimed)
        for handle in handles:
            handle.remove()
    return {part: float(np.median([r[part] for r in rounds])) for part in rounds[0]}


def _made_up() -> TrainingData:
    """Make pairs of noise and random palette colours that fit easily into memory."""
    rng = np.random.default_rng(0)
    shape = (N_PAIRS, SIDE_PX, SIDE_PX)
    both = np.concatenate([rng.integers(0, 256, (*shape, 3), np.uint8), COLOURS_RGB[rng.integers(0, 12, shape)]], 2)
    names = tuple(map(str, range(N_PAIRS)))
    pairs = CachedPairs(names, ((SIDE_PX, 2 * SIDE_PX),) * N_PAIRS, both.ravel(), "AtoB")
    return TrainingData((PairSource(1, pairs, Split(list(range(N_PAIRS)), [])),))


def _loader(recipe: Recipe, data: TrainingData, step_s: float) -> dict[str, float]:
    """Measure the seconds that the loader alone takes for a batch, and the batches that it makes during one step."""
    drawn = chain.from_iterable(batches(recipe, data, epoch, 0) for epoch in count())
    next(drawn)
    begun = now(torch.device("cpu"))
    for _ in islice(drawn, N_LOADED):
        pass
    batch_s = (now(torch.device("cpu")) - begun) / N_LOADED
    return {"batch_s": batch_s, "batches_a_step": step_s / batch_s}


def _trains_as_the_paper(recipe: Recipe) -> bool:
    paper = load_recipe("paper")
    same = all(getattr(recipe, key) == getattr(paper, key) for key in ("generator", "discriminator", "batch_size"))
    return same and recipe.objective.adversarial_weight > 0


@contextmanager
def _plain(file: Path) -> Iterator[Callable[[], tuple[float, float]]]:
    """Start the plain rewrite in a process without our environment variables; yield the function that runs a step."""
    ours = ("THP_", "MALLOC_")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
    command = [sys.executable, str(file), str(torch.get_num_threads())]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True, bufsize=1
    ) as process:
        requests, answers = process.stdin, process.stdout
        assert requests is not None
        assert answers is not None

        def step() -> tuple[float, float]:
            requests.write("\n")
            seconds, processor = answers.readline().split()
            return float(seconds), float(processor)

        for _ in range(2):
            step()
        try:
            yield step
        finally:
            requests.close()


def _spread(values: Sequence[float]) -> dict[str, float]:
    low, median, high = np.percentile(values, [0, 50, 100])
    return {"median": float(median), "least": float(low), "most": float(high)}


def _peak_mib(device: torch.device) -> float:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)
