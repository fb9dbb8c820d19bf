"""Clocks of a training step and of its parts: by the wall, or by the processor where one thread does everything."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import Tensor


class Clock:
    """Takes steps and times them."""

    def __init__(self, run: Callable[[], object], device: torch.device) -> None:
        self.run, self.device = run, device
        self.last_s = 0.0

    def step(self) -> tuple[float, float]:
        """Seconds and processor seconds of one step."""
        begun = now(self.device), time.perf_counter(), time.process_time()
        self.run()
        self.last_s = now(self.device) - begun[0]
        return time.perf_counter() - begun[1], time.process_time() - begun[2]


def now(device: torch.device) -> float:
    """Seconds; of the processor where one thread does everything, so that a busy machine does not matter."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.process_time() if counts_processor(device) else time.perf_counter()


def counts_processor(device: torch.device) -> bool:
    """Whether one thread of the processor does everything."""
    return device.type == "cpu" and torch.get_num_threads() == 1


class PartClock:
    """Adds up the seconds of each part of a step, from one mark to the next."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.begin()

    def begin(self) -> None:
        """Begin a step."""
        self.seconds: dict[str, float] = {}
        self._last = now(self._device)

    def mark(self, part: str) -> None:
        """End a part."""
        time_s = now(self._device)
        self.seconds[part] = self.seconds.get(part, 0.0) + time_s - self._last
        self._last = time_s

    def timed(self, name: str, call: Callable[..., Tensor]) -> Callable[..., Tensor]:
        """A network's forward pass as a part of its own."""

        def call_timed(*inputs: Tensor) -> Tensor:
            self.mark("rest")
            output = call(*inputs)
            self.mark(f"{name} forward")
            if name == "generator":
                output.register_hook(lambda _: self.mark("losses, back to the generator's output"))
            return output

        return call_timed
