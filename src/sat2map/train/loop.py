"""The training loop of every recipe: D's step, G's step, validation, and the model files that are written."""

from __future__ import annotations

import logging
import time
from contextlib import nullcontext

import torch
from torch import Tensor

from sat2map.data.pairs import PairFolder
from sat2map.nn.normalization import normalization_of
from sat2map.train.checkpoint import FILE_NAME
from sat2map.train.finite import check_losses, check_networks
from sat2map.train.loader import TrainingBatch, batches
from sat2map.train.model_files import frozen_copy, write, write_networks
from sat2map.train.monitor import Monitor
from sat2map.train.precision import Forward, in_precision, memory_format
from sat2map.train.processes import n_processes, rank
from sat2map.train.recipe import Recipe
from sat2map.train.reconstruction import Reconstruction, build_reconstruction
from sat2map.train.run import Run, RunOptions, open_run
from sat2map.train.step import Batch, discriminator_step, generator_step
from sat2map.train.validation import validate

SMALLER_IS_BETTER = ("rmse",)

log = logging.getLogger(__name__)


def train(folder: PairFolder | None, recipe: Recipe, options: RunOptions) -> Run:
    """Train a recipe on its sources and on a folder of pairs, if one is given, from the start or from a checkpoint.

    The run's folder gets `recipe.json`, `checkpoint.pt`, `steps.csv`, `epochs.csv`, `tensorboard/`, `grids/`, and the
    model files `{generator,discriminator}_{best,last}.safetensors`; where statistics are each image's own, at the end
    also `generator_frozen.safetensors`.

    Raises:
        DivergenceError: losses, weights or maps are no finite numbers any more; the last checkpoint before is kept.
        Sat2mapError: what `open_run` raises.
    """
    run = open_run(folder, recipe, options)
    try:
        fit(run)
    except KeyboardInterrupt:
        if rank() == 0 and (options.folder / FILE_NAME).exists():
            log.warning("the last checkpoint stays in %s, and a resumed run goes on from there", options.folder)
        raise
    if rank() == 0 and normalization_of(run.shown) == "instance":
        frozen = frozen_copy(run)
        write(run, "generator", frozen, "frozen", validate(run, frozen)[0])
    return run


def fit(run: Run) -> None:
    """Train from the state's step to the end of the recipe."""
    recipe, state = run.recipe, run.state
    reconstruct = build_reconstruction(recipe, run.generator, run.data)
    networks = {name: in_precision(module, recipe, run.device) for name, module in state.modules.items()}
    n_steps = recipe.epochs * run.steps_per_epoch
    n_images = recipe.batch_size * n_processes()
    with (
        nullcontext()
        if rank()
        else Monitor(
            run.options.folder,
            step=state.step,
            n_steps=n_steps,
            batch_size=n_images,
            metric=recipe.select_by,
            quiet=run.options.quiet,
        )
    ) as monitor:
        while state.step < n_steps and not _is_over(run):
            began = time.monotonic()
            epoch, n_done = divmod(state.step, run.steps_per_epoch)
            run.generator.train()
            for batch in batches(recipe, run.data, epoch, n_done):
                _set_learning_rates(run)
                if recipe.cuda_graphs:
                    # What the graphs of the last step wrote may be written over.
                    torch.compiler.cudagraph_mark_step_begin()
                values = update(run, batch, epoch, networks, reconstruct)
                state.step += 1
                check_losses(run, epoch, values)
                if monitor:
                    monitor.step(state.step, epoch, values)
                # After an epoch's last step the checkpoint waits for the validation.
                if state.step % recipe.checkpoint_steps == 0 and state.step % run.steps_per_epoch:
                    check_networks(run, epoch, batch.images)
                    run.save_checkpoint()
            check_networks(run, epoch, batch.images)
            _end_epoch(run, monitor, epoch, began)


def update(
    run: Run, batch: TrainingBatch, epoch: int, networks: Forward, reconstruct: Reconstruction
) -> dict[str, float]:
    """Take one step of D and one of G (Isola et al. 2016, section 3.3).

    Returns:
        The losses, and what D made of real and fake maps, by name.
    """
    options, optimizers, generator = run.recipe.objective, run.state.optimizers, run.generator
    batch = batch.to(run.device, memory_format(run.recipe, run.device))
    with_d = epoch >= options.adversarial_from_epoch and len(batch.pairs.sat) > 0
    discriminate = networks.get("discriminator") if with_d else None
    values: dict[str, Tensor] = {}

    # fake = G(x)
    sat, real = batch.pairs
    output = networks["generator"](batch.images)
    image = fake = generator.image(output[: len(sat)])

    # D's step
    if discriminate:
        fake = generator.fake_for_discriminator(output[: len(sat)], image, options.adversarial_head)
        shown = Batch(sat, generator.real_for_discriminator(real, options.adversarial_head))
        of_d = discriminator_step(discriminate, optimizers["discriminator"], shown, fake, options.adversarial)
        values |= {"loss_d": of_d.loss, "d_real": of_d.d_real, "d_fake": of_d.d_fake}

    # G's step
    reconstruction = reconstruct(output, image, batch, epoch)
    of_g = generator_step(
        discriminate, optimizers["generator"], sat, fake, reconstruction,
        kind=options.adversarial, adversarial_weight=batch.pairs_share * options.adversarial_weight,
    )  # fmt: skip
    values |= {"loss_g": of_g.adversarial, "reconstruction": of_g.reconstruction}

    if run.state.ema:
        run.state.ema.update_parameters(generator)
    return {name: float(value) for name, value in values.items()}


def learning_rate_factor(step: int, n_constant: int, n_steps: int) -> float:
    """1 for `n_constant` steps, then linear to zero at `n_steps`."""
    return min(1.0, (n_steps - step) / max(n_steps - n_constant, 1))


def _set_learning_rates(run: Run) -> None:
    recipe, n = run.recipe, run.steps_per_epoch
    factor = learning_rate_factor(run.state.step, recipe.constant_epochs * n, recipe.epochs * n)
    optimisers = {"generator": recipe.generator_optimiser, "discriminator": recipe.discriminator_optimiser}
    for name, optimizer in run.state.optimizers.items():
        for group in optimizer.param_groups:
            group["lr"] = factor * optimisers[name].learning_rate


def _is_over(run: Run) -> bool:
    """Whether validations have stopped gaining for as long as the recipe waits."""
    return run.recipe.patience is not None and run.state.n_stale >= run.recipe.patience


def _end_epoch(run: Run, monitor: Monitor | None, epoch: int, began: float) -> None:
    """Validate, keep the best and the last networks, and only then write the checkpoint that says so."""
    state, metric = run.state, run.recipe.select_by
    skipped = (epoch + 1) % run.recipe.validate_every and epoch + 1 < run.recipe.epochs
    if skipped or monitor is None:
        run.save_checkpoint()
        return
    # Noise that acts at test time too must not be taken from the run's own, or it would depend on `validate_every`.
    with torch.random.fork_rng([run.device] if run.device.type == "cuda" else []):
        state.metrics, grid = validate(run, run.shown)
    monitor.epoch(state.step, epoch, state.metrics, time.monotonic() - began)
    if grid:
        monitor.grid(state.step, epoch, grid)
    value = state.metrics.get(metric)
    state.n_stale += 1
    if value is not None and (state.best is None or (value < state.best) == (metric in SMALLER_IS_BETTER)):
        state.best, state.n_stale = value, 0
        write_networks(run, "best")
    write_networks(run, "last")
    run.save_checkpoint()
