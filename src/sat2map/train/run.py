"""A run: where it lies, what its recipe names, built, and the state it is in; begun anew or found again."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import cast

import torch
from torch import nn

from sat2map.data.cache import fingerprint, open_cached
from sat2map.data.pairs import Pair, PairFolder, TwoFolders, list_pairs
from sat2map.data.split import Split, read_groups, split_validation
from sat2map.errors import CheckpointError, OutputError, RecipeError
from sat2map.evaluate.metrics import Truth
from sat2map.files import UNFINISHED
from sat2map.nn.generator import Generator
from sat2map.nn.geometry import geometry
from sat2map.train import checkpoint
from sat2map.train.build import begin_from, build_state
from sat2map.train.checkpoint import State
from sat2map.train.loader import TrainingData, levels_of_all
from sat2map.train.processes import n_processes, rank
from sat2map.train.recipe import Recipe, as_of_epoch

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunOptions:
    """Where a run lies and how it is begun.

    Attributes:
        folder: of the run.
        device: torch device.
        resume: `auto`: go on from the run's checkpoint if there is one; a path: from that one; None: begin anew.
        init: model files to begin with the weights of.
        groups: CSV of overlap groups, if not found beside the data.
        roads: folder with images in `image` and road masks of equal names in `mask`.
        cache: folder of decoded pairs, if not the user's.
        overwrite: begin anew even if the folder holds a run.
        quiet: show nothing.
    """

    folder: Path
    device: str = "cpu"
    resume: str | None = None
    init: Sequence[Path] = ()
    groups: Path | None = None
    roads: Path | None = None
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
        split: which of the pairs are trained on, and which are held out.
        data_fingerprint: of the data set's files.
        state: what changes.
        truths: the validation set's true maps, prepared for scoring once.
    """

    recipe: Recipe
    options: RunOptions
    data: TrainingData
    split: Split
    data_fingerprint: str
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
        """Steps in an epoch; its last batch may be smaller, unless several processes share it."""
        return -(-len(self.split.train) // (self.recipe.batch_size * n_processes()))

    def save_checkpoint(self) -> None:
        """Write what `open_run` goes on from."""
        path = self.options.folder / checkpoint.FILE_NAME
        checkpoint.save(path, self.state, self.recipe.model_dump(mode="json"), self.data_fingerprint)


def open_run(folder: PairFolder, recipe: Recipe, options: RunOptions) -> Run:
    """Build a run on a folder of pairs, in the state where it begins or where its checkpoint left it.

    Raises:
        DataError: the folder is empty, or pairs in it are broken; all are named before anything else is done.
        OutputError: the run's folder already holds a run.
        RecipeError: sizes do not fit the network's stride, or road masks not the recipe.
        CheckpointError: the checkpoint is of another recipe or other data, or broken.
        ModelFileError: an `init` file does not fit.
    """
    if options.roads and not recipe.roads:
        raise RecipeError(
            "recipe does not say how to learn from road masks", options.roads, hint="`recipe` compact knows them"
        )
    source = _checkpoint_to_resume(options)
    content = checkpoint.load(source) if source else None
    pairs = open_cached(folder, direction=recipe.direction, cache=options.cache)
    split = split_validation(read_groups(folder, pairs.names, options.groups), recipe.validation_share, recipe.seed)
    state = build_state(recipe, torch.device(options.device))
    _check_sizes(recipe, state.modules["generator"])
    files, roads = [*list_pairs(folder)], list[Pair]()
    if recipe.roads and options.roads:
        folders = TwoFolders(options.roads / "image", options.roads / "mask")
        files += list_pairs(folders)
        masked = open_cached(folders, cache=options.cache)
        # A mask that is almost empty was left undone, one half white shows where the image ends.
        roads = [
            pair
            for pair in (masked[i] for i in range(len(masked)))
            if 0.01 < (pair.target_hwc[..., 0] > 127).mean() < 0.5
        ]
    data = TrainingData(pairs, split.train, levels_of_all(pairs, split.train), roads)
    run = Run(recipe, options, data, split, fingerprint(files), state)
    if content:
        epoch = content["step"] / run.steps_per_epoch
        recipes = [as_of_epoch(values, epoch) for values in (content["recipe"], recipe.model_dump(mode="json"))]
        for difference in checkpoint.check_same_run(content, recipes, run.data_fingerprint):
            log.warning("resumed elsewhere, so it goes on, but not bit by bit: %s", difference)
        checkpoint.restore(state, content)
    else:
        begin_from(state, options.init)
        if rank():
            # The weights are the same in all processes, their noise is not.
            torch.manual_seed(recipe.seed + rank())
    if rank():
        return run
    options.folder.mkdir(parents=True, exist_ok=True)
    for left in options.folder.glob(UNFINISHED):
        # A kill while a checkpoint or a model file was written left it.
        left.unlink()
    (options.folder / "recipe.json").write_text(recipe.model_dump_json(indent=1), "utf-8")
    return run


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


def _check_sizes(recipe: Recipe, generator: nn.Module) -> None:
    stride = geometry(generator).stride
    sizes = {"augmentation.crop_px": recipe.augmentation.crop_px, "validation_px": recipe.validation_px}
    for key, size in sizes.items():
        if size % stride:
            nearest = -(-size // stride) * stride
            raise RecipeError(
                f"{key} is no multiple of the network's stride ({stride})", size, hint=f"`set` {key}={nearest}"
            )
