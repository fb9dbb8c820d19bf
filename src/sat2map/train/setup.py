"""From a recipe to the objects that it names: networks, optimisers, objective, batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from sat2map.classes import CLASS_OF_COLOUR, COLOURS_RGB, ROAD_CLASSES, nearest_colour
from sat2map.data.augment import Augmentation, Chip, draw_chip
from sat2map.data.cache import CachedPairs
from sat2map.data.colour_jitter import Levels, levels_of
from sat2map.data.pairs import Pair
from sat2map.errors import ModelFileError, RecipeError
from sat2map.model import safetensors_file
from sat2map.nn import CompactGenerator, build
from sat2map.nn.generator import Generator
from sat2map.nn.initialise import initialise
from sat2map.nn.objectives import L1Loss, PaletteLoss
from sat2map.train.checkpoint import State
from sat2map.train.muon import Muon
from sat2map.train.processes import average_gradients, n_processes, rank, share
from sat2map.train.recipe import Network, Optimiser, Recipe
from sat2map.train.step import Batch, Reconstruction

LARGEST_COLOUR_WEIGHT = 5.0

Tensors = tuple[Tensor, ...] | list[Tensor]


class Known(NamedTuple):
    """What there is to learn from.

    Attributes:
        pairs: all pairs of the data set.
        train: indices of those that are trained on.
        levels: of the images that are trained on.
        roads: images, and masks that are white where a road is.
    """

    pairs: CachedPairs
    train: Sequence[int]
    levels: Levels
    roads: Sequence[Pair] = ()


def configuration(network: Network) -> dict[str, Any]:
    """A network's keyword arguments, with the palette of `sat2map.classes` where it has a palette head."""
    given = dict(network.configuration)
    return {"palette": COLOURS_RGB.tolist()} | given if network.architecture == "compact" else given


def build_network(network: Network) -> nn.Module:
    """Build a network, with torch's own initial weights.

    Raises:
        RecipeError: a key or value of its configuration is wrong.
    """
    try:
        return build(network.architecture, configuration(network))
    except (TypeError, ValueError) as error:
        raise RecipeError(
            f"configuration of {network.architecture} is wrong", error, hint=f"see sat2map.nn.{network.architecture}"
        ) from error


def build_state(recipe: Recipe, device: torch.device) -> State:
    """Networks with their initial weights, and their optimisers, from the recipe's seed."""
    torch.manual_seed(recipe.seed)
    parts = {"generator": (recipe.generator, recipe.generator_optimiser)}
    if recipe.objective.adversarial_weight:
        parts["discriminator"] = (recipe.discriminator, recipe.discriminator_optimiser)
    modules, optimizers = {}, {}
    for name, (network, optimiser) in parts.items():
        module = build_network(network)
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


def memory_format(recipe: Recipe, device: torch.device) -> torch.memory_format:
    """How weights and images lie in memory.

    Channels last: a step of the compact generator takes 0.6 times as long on a processor. But the fused Adam copies
    weights that lie so into the other order and back, and the U-Net's are 218 MB: its step takes 1.2 times as long.
    """
    is_large = recipe.generator.architecture == "unet" and device.type == "cpu" and recipe.precision == "fp32"
    return torch.contiguous_format if is_large else torch.channels_last


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


def _optimizer(module: nn.Module, how: Optimiser, precision: str) -> torch.optim.Optimizer:
    adam: dict[str, Any] = {
        "lr": how.learning_rate, "betas": how.betas, "weight_decay": how.weight_decay, "fused": True,
    }  # fmt: skip
    if how.muon:
        # Half precision is slow where the recipe avoids it.
        return Muon(module, dtype=torch.bfloat16 if precision == "bf16" else torch.float32, **adam)
    kind = torch.optim.AdamW if how.weight_decay else torch.optim.Adam
    return kind(module.parameters(), **adam)


def begin_from(state: State, files: Sequence[Path]) -> None:
    """Begin with the weights of model files; each goes to the network of its role.

    Raises:
        ModelFileError: a file's weights are not of the recipe's network.
    """
    for path in files:
        tensors, card = safetensors_file.load(path)
        if card.role not in state.modules:
            raise ModelFileError(f"recipe trains no {card.role}", path, hint="leave this file out")
        try:
            state.modules[card.role].load_state_dict({k: torch.from_numpy(v.copy()) for k, v in tensors.items()})
        except RuntimeError as error:
            raise ModelFileError(
                f"weights are not of the recipe's {card.role} but of another {card.architecture}", path,
                hint=f"sat2map model info {path}",
            ) from error  # fmt: skip


def build_reconstruction(recipe: Recipe, generator: Generator, known: Known) -> Reconstruction:
    """The part of G's objective that compares with the true map."""
    objective = recipe.objective
    if not isinstance(generator, CompactGenerator):
        return L1Loss(objective.l1_weight)
    weights = _colour_weights(known.pairs, known.train, objective.colour_balance)
    loss = PaletteLoss(
        generator.palette, CLASS_OF_COLOUR.tolist(), ROAD_CLASSES, weights,
        dice_weight=objective.dice_weight, l1_weight=objective.l1_weight,
    )  # fmt: skip
    return loss.to(generator.palette.device)


def _colour_weights(pairs: CachedPairs, train: Sequence[int], power: float) -> list[float]:
    """(Frequency of the commonest colour / own) ** power, at most 5, from every seventh row and column."""
    counts = np.zeros(len(COLOURS_RGB))
    for i in train:
        counts += np.bincount(nearest_colour(pairs[i].target_hwc[::7, ::7]).ravel(), minlength=len(counts))
    ratio = counts.max() / np.maximum(counts, 1)
    return [float(w) for w in np.minimum(ratio**power, LARGEST_COLOUR_WEIGHT)]


def in_precision(network: nn.Module, recipe: Recipe, device: torch.device) -> Callable[..., Tensor]:
    """The network's forward pass, inside in the recipe's precision and compiled, outside in its weights' precision."""
    run: Callable[..., Tensor] = network
    if recipe.compile:
        run = torch.compile(network, mode="reduce-overhead" if recipe.cuda_graphs else None, dynamic=False)

    def call(*inputs: Tensor) -> Tensor:
        bf16 = torch.autocast(device.type, torch.bfloat16) if recipe.precision == "bf16" else nullcontext()
        with bf16:
            answer = run(*inputs)
        # Channels first: a softmax over the channels takes a tenth of the time so.
        return answer.to(inputs[0].dtype, memory_format=torch.contiguous_format)

    return call


class Drawing(NamedTuple):
    """A batch of pairs, and one of images with road masks (their `real`), if there are any."""

    pairs: Batch
    roads: Batch | None


def levels_of_all(pairs: CachedPairs, train: Sequence[int]) -> Levels:
    """Levels of all sources together, from every sixteenth row and column."""
    return levels_of(np.concatenate([pairs[i].source_hwc[::16, ::16].reshape(-1, 3) for i in train]))


def batches(recipe: Recipe, known: Known, epoch: int, first: int) -> Iterator[Drawing]:
    """Batches of an epoch from the `first` on; each drawn while the one before is trained on.

    Order and chips follow from (seed, epoch, image) alone, not from what was drawn before.
    """
    pairs, train, levels, roads = known
    finish = recipe.finish_at(epoch)
    how_pairs = recipe.augmentation.weakened(finish.jitter) if finish else recipe.augmentation
    order = np.random.default_rng([recipe.seed, epoch]).permutation(train)
    size = recipe.batch_size * n_processes()
    n_batches = -(-len(order) // size)
    if n_processes() > 1:
        # Equal shares of the last batch too: their gradients are averaged.
        order = np.resize(order, n_batches * size)
    road_order = np.random.default_rng([recipe.seed, epoch, len(pairs)]).permutation(len(roads))

    def chip(of: CachedPairs | Sequence[Pair], i: int, how: Augmentation, offset: int = 0) -> Chip:
        return draw_chip(of[i], how, seed=recipe.seed, epoch=epoch, index=offset + i, levels=levels)

    def draw(n: int) -> Drawing:
        mine = share(order[n * size : (n + 1) * size].tolist(), recipe.batch_size)
        chips = [chip(pairs, i, how_pairs) for i in mine]
        if not (roads and recipe.roads):
            return Drawing(_stack(chips), None)
        how = how_pairs.model_copy(update={"load_px": recipe.roads.load_px})
        turn = (n * n_processes() + rank()) * recipe.roads.per_batch + np.arange(recipe.roads.per_batch)
        picked = road_order[turn % len(roads)].tolist()
        return Drawing(_stack(chips), _stack([chip(roads, i, how, len(pairs)) for i in picked]))

    with ThreadPoolExecutor(1) as pool:
        ahead = None
        for n in range(first, n_batches):
            now, ahead = ahead or pool.submit(draw, n), None
            if n + 1 < n_batches:
                ahead = pool.submit(draw, n + 1)
            yield now.result()


def _stack(chips: Sequence[Chip]) -> Batch:
    return Batch(as_input([c.source_hwc for c in chips]), as_input([c.target_hwc for c in chips]))


def as_input(images_hwc: Sequence[np.ndarray[Any, np.dtype[np.uint8]]]) -> Tensor:
    """uint8 images of one size as a network's input: float, shape (B, 3, H, W), -1..1, channels last in memory."""
    return torch.from_numpy(np.stack(images_hwc)).permute(0, 3, 1, 2).float() / 127.5 - 1
