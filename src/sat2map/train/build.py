"""Networks, optimisers and the running average of a run, built from its recipe."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from sat2map.classes import ClassTable
from sat2map.errors import RecipeError
from sat2map.nn import build
from sat2map.nn.generator import Generator
from sat2map.nn.initialise import initialise
from sat2map.train.checkpoint import State
from sat2map.train.muon import Muon
from sat2map.train.precision import memory_format
from sat2map.train.processes import average_gradients
from sat2map.train.recipe import Network, Optimiser, Recipe

SHAPED_PX = 4096
"""Side of the image whose shapes alone are computed: a multiple of every stride."""
Tensors = tuple[Tensor, ...] | list[Tensor]


def configuration(network: Network, table: ClassTable) -> dict[str, Any]:
    """A network's keyword arguments, with the colours of the class table where it has a palette head."""
    given = dict(network.configuration)
    return {"palette": table.colours_rgb.tolist()} | given if network.architecture == "compact" else given


def build_network(network: Network, table: ClassTable) -> nn.Module:
    """Build a network, with torch's own initial weights.

    Raises:
        RecipeError: a key or value of its configuration is wrong.
    """
    try:
        return build(network.architecture, configuration(network, table))
    except (TypeError, ValueError) as error:
        raise RecipeError(
            f"configuration of {network.architecture} is wrong", error, hint=f"see sat2map.nn.{network.architecture}"
        ) from error


def check_networks_fit(recipe: Recipe) -> None:
    """Before any work: see that networks take images of three channels and make maps of three, and fit each other.

    Raises:
        RecipeError: they do not, or the palette is not that of the class table.
    """
    table = recipe.table
    arguments = configuration(recipe.generator, table)
    if "palette" in arguments and arguments["palette"] != table.colours_rgb.tolist():
        raise RecipeError(
            "palette of the generator is not that of the class table", f"{len(arguments['palette'])} colours",
            hint="leave generator.configuration.palette out, and name the `classes` of the recipe",
        )  # fmt: skip
    with torch.device("meta"):
        generator = cast(Generator, build_network(recipe.generator, table))
        discriminator = build_network(recipe.discriminator, table) if recipe.objective.adversarial_weight else None
        sat = torch.zeros(1, 3, SHAPED_PX, SHAPED_PX)
        fake = _tried(recipe.generator, lambda: generator.image(generator(sat)))
        if fake.shape != sat.shape:
            raise _unfit(recipe.generator, f"it makes maps of {fake.shape[1]} channels")
        if discriminator:
            _tried(recipe.discriminator, lambda: discriminator(sat, fake))


def _tried(network: Network, forward: Callable[[], Tensor]) -> Tensor:
    try:
        return forward()
    except (RuntimeError, ValueError) as error:
        raise _unfit(network, str(error).splitlines()[0]) from error


def _unfit(network: Network, why: str) -> RecipeError:
    return RecipeError(
        f"{network.architecture} does not fit images and maps of three channels ({why})", network.configuration,
        hint="leave in_channels and out_channels out of its configuration",
    )  # fmt: skip


def build_state(recipe: Recipe, device: torch.device) -> State:
    """Networks with their initial weights, and their optimisers, from the recipe's seed."""
    torch.manual_seed(recipe.seed)
    parts = {"generator": (recipe.generator, recipe.generator_optimiser)}
    if recipe.objective.adversarial_weight:
        parts["discriminator"] = (recipe.discriminator, recipe.discriminator_optimiser)
    modules, optimizers = {}, {}
    for name, (network, optimiser) in parts.items():
        module = build_network(network, recipe.table)
        if recipe.initialisation == "paper":
            initialise(module)
        layout = memory_format(recipe, device)
        modules[name] = module.to(device).to(memory_format=layout)  # type: ignore[call-overload]
        optimizers[name] = _optimizer(module, optimiser, recipe.precision)
        average_gradients(optimizers[name])
    ema = None
    if recipe.ema_decay:
        average = _moving_average(recipe.ema_decay)
        ema = AveragedModel(modules["generator"], multi_avg_fn=average, use_buffers=True).eval()
    return State(modules, optimizers, ema)


def _moving_average(decay: float) -> Callable[[Tensors, Tensors, Tensor | int], None]:
    """Update of an exponential moving average that forgets the initial weights soon."""

    @torch.no_grad()
    def update(averaged: Tensors, current: Tensors, n_averaged: Tensor | int) -> None:
        if not averaged[0].is_floating_point():
            torch._foreach_copy_(averaged, current)
            return
        # Without the second term, after 1 / (1 - decay) steps a third of the average would still be initial weights.
        n = int(n_averaged)
        torch._foreach_lerp_(averaged, current, 1 - min(decay, (1 + n) / (10 + n)))

    return update


def _optimizer(module: nn.Module, optimiser: Optimiser, precision: str) -> torch.optim.Optimizer:
    adam: dict[str, Any] = {
        "lr": optimiser.learning_rate, "betas": optimiser.betas, "weight_decay": optimiser.weight_decay, "fused": True,
    }  # fmt: skip
    if optimiser.muon:
        # Half precision is slow where the recipe avoids it.
        return Muon(module, dtype=torch.bfloat16 if precision == "bf16" else torch.float32, **adam)
    kind = torch.optim.AdamW if optimiser.weight_decay else torch.optim.Adam
    return kind(module.parameters(), **adam)
