"""Whether a run still computes with numbers: where it does not, it ends, and what it kept before stays."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from sat2map.errors import DivergenceError
from sat2map.train import checkpoint
from sat2map.train.run import Run


def check_losses(run: Run, epoch: int, values: Mapping[str, float]) -> None:
    """Stop a run whose losses are no numbers any more.

    Raises:
        DivergenceError: names the epoch and the step, from 1, and the loss.
    """
    for name, value in values.items():
        if not math.isfinite(value):
            raise _diverged(run, epoch, f"{name} is", value)


def check_networks(run: Run, epoch: int, images: Tensor) -> None:
    """Stop a run whose weights or maps are no numbers any more, before anything of it is kept.

    Args:
        run: the run.
        epoch: from 0.
        images: of a training step; the first of them is drawn.

    Raises:
        DivergenceError: names the epoch, the step and the network.
    """
    for name, module in {**run.state.modules, "average": run.shown}.items():
        if not all(bool(t.isfinite().all()) for t in module.state_dict().values() if t.is_floating_point()):
            raise _diverged(run, epoch, "weights are not finite: of the", name)
    if not _map_is_finite(run.shown, images[:1].to(run.device)):
        raise _diverged(run, epoch, "maps are not finite: of the", "generator")


@torch.no_grad()
def _map_is_finite(generator: nn.Module, image: Tensor) -> bool:
    was_training = generator.training
    # Noise that acts at test time too must not be taken from the run's own.
    with torch.random.fork_rng([image.device] if image.is_cuda else []):
        output: Tensor = generator.eval()(image)
    generator.train(was_training)
    return bool(output.isfinite().all())


def _diverged(run: Run, epoch: int, what: str, value: object) -> DivergenceError:
    kept = run.options.folder / checkpoint.FILE_NAME
    rate = run.recipe.generator_optimiser.learning_rate
    return DivergenceError(
        f"training has diverged in epoch {epoch + 1}, step {run.state.step}: {what}", value,
        hint=f"another run with `set` generator_optimiser.learning_rate={rate / 10:g}"
        + (f"; {kept} is of the last step that was kept before" if kept.exists() else ""),
    )  # fmt: skip
