"""A run: where it lies, what its recipe names, built, and the state it is in; begun anew or found again."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from sat2map.data.pairs import PairFolder
from sat2map.errors import CheckpointError, OutputError, RecipeError
from sat2map.evaluate.metrics import Truth
from sat2map.files import UNFINISHED, check_folder_to_make
from sat2map.model.bundled import resolve_weights
from sat2map.nn.generator import Generator
from sat2map.nn.geometry import geometry
from sat2map.train import checkpoint
from sat2map.train.begin import as_init_is, begin_from, with_shapes
from sat2map.train.build import build_state, check_networks_fit
from sat2map.train.checkpoint import State
from sat2map.train.data import TrainingData
from sat2map.train.described import as_data_say
from sat2map.train.loader import steps_per_epoch
from sat2map.train.open_data import open_data
from sat2map.train.processes import n_processes, rank
from sat2map.train.recipe import Recipe
from sat2map.train.resume import check_same_run, selects_alike

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunOptions:
    """Where a run lies and how it is begun.

    Attributes:
        folder: of the run.
        device: torch device.
        resume: `auto`: go on from the run's checkpoint if there is one; a path: from that one; None: begin anew.
        init: models to begin with the weights of: files, names, or folders of runs; none: those of the recipe.
        groups: CSV of overlap groups, if not found beside the data.
        cache: folder of decoded pairs, if not the user's.
        overwrite: begin anew even if the folder holds a run.
        quiet: show nothing.
    """

    folder: Path
    device: str = "cpu"
    resume: str | None = None
    init: Sequence[str | Path] = ()
    groups: Path | None = None
    cache: Path | None = None
    overwrite: bool = False
    quiet: bool = False


@dataclass
class Run:
    """What a recipe names, built, and its state.

    Attributes:
        recipe: the resolved one.
        options: where the run lies.
        data: what the run learns from.
        state: what changes.
        truths: the validation set's true maps, prepared for scoring once.
    """

    recipe: Recipe
    options: RunOptions
    data: TrainingData
    state: State
    truths: list[Truth] = field(default_factory=list)

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        return torch.device(self.options.device)

    @property
    def generator(self) -> Generator:
        """The generator that learns."""
        return cast(Generator, self.state.modules["generator"])

    @property
    def shown(self) -> Generator:
        """The generator that is validated and kept: the running average, if there is one."""
        return cast(Generator, self.state.ema.module) if self.state.ema else self.generator

    @cached_property
    def steps_per_epoch(self) -> int:
        """Steps in an epoch."""
        return steps_per_epoch(self.recipe, self.data)

    @cached_property
    def identities(self) -> tuple[str, str]:
        """Digests of what the weights follow from, and of what the best of them are chosen by."""
        return self.data.identity(), self.data.validation_identity()

    def save_checkpoint(self) -> None:
        """Write what `open_run` goes on from."""
        path = self.options.folder / checkpoint.FILE_NAME
        data, validation = self.identities
        checkpoint.save(path, self.state, self.recipe.model_dump(mode="json"), data=data, validation=validation)


def open_run(folder: PairFolder | None, recipe: Recipe, options: RunOptions) -> Run:
    """Build a run, in the state where it begins or where its checkpoint left it.

    Args:
        folder: of pairs, beside the recipe's sources; None: the sources alone.
        recipe: the resolved one.
        options: where the run lies.

    Raises:
        DataError: a folder is empty, or images in it are broken; all are named before anything else is done.
        OutputError: the run's folder already holds a run, or cannot be made.
        RecipeError: sizes do not fit the network's stride, the sources not the rest of the recipe, or the classes of
            the recipe not those of the folder.
        CheckpointError: the checkpoint is of another recipe or other data, or broken.
        ModelFileError: an `init` file does not fit.
    """
    check_folder_to_make(options.folder)
    recipe = as_data_say(recipe, folder)
    source = _checkpoint_to_resume(options)
    content = checkpoint.load(source) if source else None
    init = [] if source else [resolve_weights(name) for name in options.init or recipe.init]
    before = content and content["recipe"]["generator"]["configuration"]
    recipe = as_init_is(recipe, init) if before is None else with_shapes(recipe, before)
    check_networks_fit(recipe)
    data = open_data(folder, recipe, groups=options.groups, cache=options.cache)
    _check_pairs(recipe, data)
    state = build_state(recipe, torch.device(options.device))
    _check_sizes(recipe, state.modules["generator"])
    run = Run(recipe, options, data, state)
    if content:
        _restore(run, content)
    else:
        state.init = begin_from(state, init, recipe.table)
        if rank():
            # The weights are the same in all processes, their noise is not.
            torch.manual_seed(recipe.seed + rank())
    if not rank():
        _prepare_folder(options.folder, recipe)
    return run


def _prepare_folder(folder: Path, recipe: Recipe) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob(UNFINISHED):
        # A kill while a checkpoint or a model file was written left it.
        left.unlink()
    (folder / "recipe.json").write_text(recipe.model_dump_json(indent=1), "utf-8")


def _restore(run: Run, content: dict[str, Any]) -> None:
    recipe, (data, validation) = run.recipe.model_dump(mode="json"), run.identities
    for difference in check_same_run(content, recipe, data, content["step"] / run.steps_per_epoch):
        log.warning("resumed elsewhere, so it goes on, but not bit by bit: %s", difference)
    checkpoint.restore(run.state, content)
    if run.state.best is not None and not selects_alike(content, recipe, validation):
        log.warning("what the best network is chosen by has changed, so it is chosen anew from here on")
        run.state.best = None


def _checkpoint_to_resume(options: RunOptions) -> Path | None:
    own = options.folder / checkpoint.FILE_NAME
    if options.resume == "auto":
        return own if own.exists() else None
    if options.resume:
        if not Path(options.resume).is_file():
            raise CheckpointError("no such checkpoint", options.resume, hint="`resume` auto finds the run's own")
        return Path(options.resume)
    if own.exists() and not options.overwrite:
        raise OutputError("folder already holds a run", options.folder, hint="`resume` auto to go on, or `overwrite`")
    return None


def _check_pairs(recipe: Recipe, data: TrainingData) -> None:
    """See that an epoch has an end, and that no process has a step without a pair, for which others would wait."""
    if not data.pairs and recipe.steps_per_epoch is None:
        raise RecipeError(
            "recipe has no source of pairs, and does not say how long an epoch is", recipe.name,
            hint="set steps_per_epoch = 200 in the recipe, or give a folder of pairs",
        )  # fmt: skip
    chips = recipe.batch_size * float(data.shares[: len(data.pairs)].sum())
    if n_processes() > 1 and recipe.objective.adversarial_weight and recipe.sources and chips < 2:
        raise RecipeError(
            "batches are too small for several processes: chips of pairs in one", round(chips, 2),
            hint="set batch_size = 16 in the recipe",
        )  # fmt: skip


def _check_sizes(recipe: Recipe, generator: nn.Module) -> None:
    stride = geometry(generator).stride
    sizes = {"augmentation.crop_px": recipe.augmentation.crop_px, "validation_px": recipe.validation_px}
    for key, size in sizes.items():
        if size % stride:
            nearest = -(-size // stride) * stride
            raise RecipeError(
                f"{key} is no multiple of the network's stride ({stride})", size, hint=f"`set` {key}={nearest}"
            )
