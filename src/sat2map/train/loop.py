"""The one loop for every recipe: D's step, G's step, validation, what is kept."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext

import torch
from torch import Tensor

from sat2map.arrays import UInt8
from sat2map.data.pairs import PairFolder
from sat2map.engine.torch import TorchEngine
from sat2map.evaluate.metrics import METRICS, prepare_truth, resize, score, total
from sat2map.evaluate.protocol import by_engine
from sat2map.nn.compact import CompactGenerator
from sat2map.nn.generator import Generator
from sat2map.nn.normalization import normalization_of
from sat2map.nn.objectives import PaletteLoss
from sat2map.train.keep import frozen_copy, keep, make_card, write
from sat2map.train.monitor import Monitor
from sat2map.train.processes import n_processes, rank
from sat2map.train.recipe import Recipe
from sat2map.train.run import Places, Run, open_run
from sat2map.train.setup import Drawing, batches, build_reconstruction, in_precision, memory_format
from sat2map.train.step import Batch, Drawn, Reconstruction, discriminator_step, generator_step

SMALLER_IS_BETTER = ("rmse",)
N_GRID_ROWS = 6

Forward = dict[str, Callable[..., Tensor]]


def train(folder: PairFolder, recipe: Recipe, places: Places) -> Run:
    """Train a recipe on a folder of side-by-side pairs, from the start or from where a checkpoint left it.

    The run's folder gets `recipe.json`, `checkpoint.pt`, `steps.csv`, `epochs.csv`, `tensorboard/`, `grids/`, and the
    model files `{generator,discriminator}_{best,last}.safetensors`; where statistics are each image's own, at the end
    also `generator_frozen.safetensors`.

    Raises:
        Sat2mapError: what `open_run` raises.
    """
    run = open_run(folder, recipe, places)
    fit(run)
    if rank() == 0 and normalization_of(run.shown) == "instance":
        frozen = frozen_copy(run)
        write(run, "generator", frozen, "frozen", validate(run, frozen)[0])
    return run


def fit(run: Run) -> None:
    """Train from the state's step to the end of the recipe."""
    recipe, state = run.recipe, run.state
    reconstruction = build_reconstruction(recipe, run.generator, run.known)
    forward = {name: in_precision(module, recipe, run.device) for name, module in state.modules.items()}
    n_steps = recipe.epochs * run.steps_per_epoch
    n_images = recipe.batch_size * n_processes()
    with (
        nullcontext()
        if rank()
        else Monitor(run.places.run, step=state.step, n_steps=n_steps, batch_size=n_images, quiet=run.places.quiet)
    ) as monitor:
        while state.step < n_steps:
            began = time.monotonic()
            epoch, place = divmod(state.step, run.steps_per_epoch)
            run.generator.train()
            for drawing in batches(recipe, run.known, epoch, place):
                _set_learning_rates(run)
                values = update(run, drawing, epoch, forward, reconstruction)
                state.step += 1
                if monitor:
                    monitor.step(state.step, epoch, values)
                # After an epoch's last step the checkpoint waits for the validation.
                if state.step % recipe.checkpoint_steps == 0 and state.step % run.steps_per_epoch:
                    run.save_checkpoint()
            _end_epoch(run, monitor, epoch, began)


def update(
    run: Run, drawing: Drawing, epoch: int, forward: Forward, reconstruction: Reconstruction
) -> dict[str, float]:
    """One step of D, once it is switched on, and one of G; what they saw."""
    state, objective = run.state, run.recipe.objective
    discriminate = forward.get("discriminator") if epoch >= objective.adversarial_from_epoch else None
    batch = _placed(run, drawing.pairs)
    if run.recipe.cuda_graphs:
        # What the graphs of the last step wrote may be written over.
        torch.compiler.cudagraph_mark_step_begin()
    if drawing.roads:
        output, near = _with_roads(run, drawing.roads, batch, forward, reconstruction)
    else:
        output, near = forward["generator"](batch.sat), reconstruction
    if (finish := run.recipe.finish_at(epoch)) and finish.class_dice_weight:
        near = _with_classes(finish.class_dice_weight, reconstruction, near)
    image = run.generator.image(output)
    drawn, seen = Drawn(output, image, image), batch
    if discriminate and objective.adversarial_head == "crisp":
        assert isinstance(run.generator, CompactGenerator)
        assert isinstance(reconstruction, PaletteLoss)
        drawn = Drawn(output, image, run.generator.crisp_image(output))
        seen = Batch(batch.sat, reconstruction.in_palette(batch.real))
    values: dict[str, Tensor] = {}
    if discriminate:
        judged = discriminator_step(
            discriminate, state.optimizers["discriminator"], seen, drawn.fake, objective.adversarial
        )
        values |= {"loss_d": judged.loss, "d_real": judged.d_real, "d_fake": judged.d_fake}
    losses = generator_step(
        discriminate,
        state.optimizers["generator"],
        batch,
        drawn,
        reconstruction=near,
        kind=objective.adversarial,
        adversarial_weight=objective.adversarial_weight,
    )
    if state.ema:
        state.ema.update_parameters(run.generator)
    values |= {"loss_g": losses.adversarial, "reconstruction": losses.reconstruction}
    return {name: float(value) for name, value in values.items()}


def _placed(run: Run, batch: Batch) -> Batch:
    layout = memory_format(run.recipe, run.device)
    return Batch(*(x.to(run.device, memory_format=layout) for x in batch))


def _with_roads(
    run: Run, roads: Batch, batch: Batch, forward: Forward, reconstruction: Reconstruction
) -> tuple[Tensor, Reconstruction]:
    """G's answer to the batch, and an objective that adds what it gets wrong where only the roads are known."""
    how, n = run.recipe.roads, len(batch.sat)
    assert how is not None
    assert isinstance(reconstruction, PaletteLoss)
    images, masks = _placed(run, roads)
    output = forward["generator"](torch.cat([batch.sat, images]))
    of_roads = how.weight * reconstruction.of_roads(output[n:], masks[:, 0] > 0, how.slack_px)
    return output[:n], lambda *args: reconstruction(*args) + of_roads


def _with_classes(weight: float, loss: Reconstruction, near: Reconstruction) -> Reconstruction:
    """An objective that adds how little the classes overlap with the true ones."""
    assert isinstance(loss, PaletteLoss)
    return lambda output, image, target: near(output, image, target) + weight * loss.of_classes(output, target)


def learning_rate_factor(step: int, n_constant: int, n_steps: int) -> float:
    """1 for `n_constant` steps, then linear to zero at `n_steps`."""
    return min(1.0, (n_steps - step) / max(n_steps - n_constant, 1))


def _set_learning_rates(run: Run) -> None:
    recipe, n = run.recipe, run.steps_per_epoch
    factor = learning_rate_factor(run.state.step, recipe.constant_epochs * n, recipe.epochs * n)
    how = {"generator": recipe.generator_optimiser, "discriminator": recipe.discriminator_optimiser}
    for name, optimizer in run.state.optimizers.items():
        for group in optimizer.param_groups:
            group["lr"] = factor * how[name].learning_rate


def _end_epoch(run: Run, monitor: Monitor | None, epoch: int, began: float) -> None:
    """Validate, keep what is best and what is last, and only then write the checkpoint that says so."""
    state, measure = run.state, run.recipe.select_by
    skipped = (epoch + 1) % run.recipe.validate_every and epoch + 1 < run.recipe.epochs
    if skipped or monitor is None:
        run.save_checkpoint()
        return
    state.metrics, grid = validate(run, run.shown)
    monitor.epoch(state.step, epoch, state.metrics, time.monotonic() - began)
    monitor.grid(state.step, epoch, grid)
    value = state.metrics.get(measure)
    if value is not None and (state.best is None or (value < state.best) == (measure in SMALLER_IS_BETTER)):
        state.best = value
        keep(run, "best")
    keep(run, "last")
    run.save_checkpoint()


def validate(run: Run, generator: Generator) -> tuple[dict[str, float], list[list[UInt8]]]:
    """Score a generator on the validation set.

    Returns:
        The nine metrics (none without a validation set), and rows of source, prediction and target for the grid: of the
        first images of the validation set, or of the training set.
    """
    size = run.recipe.validation_px
    indices = run.split.validation or run.split.train[:N_GRID_ROWS]
    if not run.truths:
        run.truths = [prepare_truth(run.known.pairs[i].target_hwc, size) for i in indices]
    predict = by_engine(TorchEngine(generator, make_card(run, "generator", generator), run.places.device))
    sources = [resize(run.known.pairs[i].source_hwc, size) for i in indices]
    predictions = [predict(source) for source in sources]
    grid = [[s, p, t.bicubic_hwc] for s, p, t in zip(sources, predictions, run.truths, strict=True)][:N_GRID_ROWS]
    if not run.split.validation:
        return {}, grid
    metrics = total([score(p, t) for p, t in zip(predictions, run.truths, strict=True)])
    return {name: float(getattr(metrics, name)) for name in METRICS}, grid
