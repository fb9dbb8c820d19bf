"""Model files that a run writes of its networks, each with its card."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, Literal

import torch
from torch import nn

from sat2map.model import safetensors_file
from sat2map.model.card import NOT_STATED, Card
from sat2map.nn.generator import Generator
from sat2map.nn.geometry import geometry
from sat2map.nn.normalization import freeze_statistics, normalization_of
from sat2map.nn.unet import dropout_of
from sat2map.train.build import configuration
from sat2map.train.data import PairSource
from sat2map.train.loader import first_images
from sat2map.train.run import Run

N_FREEZE_IMAGES = 256
"""Training images that statistics are frozen over."""


def make_card(
    run: Run, role: Literal["generator", "discriminator"], module: nn.Module, metrics: Mapping[str, float] = {}
) -> Card:
    """The model card of one of the run's networks as it is now, with its validation metrics."""
    recipe = run.recipe
    network = recipe.generator if role == "generator" else recipe.discriminator
    arguments = configuration(network, recipe.table)
    shape = geometry(module)
    normalization = normalization_of(module)
    if normalization == "frozen":
        # Whatever they were in training: the network that the card describes is the one that is used.
        arguments["normalization"] = "frozen"
    training_data, training_data_licence = _in_words(run)
    return Card(
        name=recipe.name,
        role=role,
        architecture=network.architecture,
        configuration=arguments,
        gsd_m=run.data.gsd_m,
        normalization=normalization,
        dropout=dropout_of(module),
        stride=shape.stride,
        receptive_radius_px=shape.receptive_radius_px,
        margin_px=shape.margin_px,
        heads=getattr(module, "heads", ()),
        classes=recipe.table,
        palette=arguments.get("palette"),
        levels=tuple((round(low), round(high)) for low, high in run.data.levels.T),
        stretch_bytes=recipe.augmentation.stretch > 0,
        temperature=getattr(module, "temperature", None),
        training_data=training_data,
        training_data_licence=training_data_licence,
        recipe=recipe.model_dump(mode="json"),
        seed=recipe.seed,
        steps=run.state.step,
        metrics={"validation": _protocol(run) | dict(metrics)},
        licence=recipe.licence,
        init=tuple(run.state.init),
        sat2map_version=version("sat2map"),
    )


def _protocol(run: Run) -> dict[str, Any]:
    return {"size_px": run.recipe.validation_px, "n_images": len(run.data.held_out())}


def _in_words(run: Run) -> tuple[str, str]:
    """What the run learns from, and under which licences: of each source what is known of it, and no more."""
    recipe, data, licences = run.recipe, [], []
    words = {"pairs": "pairs", "partial": "images with partial labels", "roads": "images with road masks"}
    for opened in run.data.sources:
        if source := opened.source:
            name, licence, gsd = source.title or source.name, source.licence, f"{source.gsd_m:g} m"
        else:
            assert isinstance(opened, PairSource)
            name, licence = recipe.training_data or opened.name, recipe.training_data_licence
            gsd = f"{opened.gsd_m:.3g} m{', assumed' * opened.gsd_is_assumed}"
        data.append(f"{name} ({len(opened):,} {words[source.kind if source else 'pairs']}, {gsd})")
        licences.append(f"{name}: {licence or NOT_STATED}")
    return "; ".join(data), "; ".join(licences)


def write_networks(run: Run, which: Literal["best", "last"]) -> None:
    """Write `generator_{which}.safetensors` and, if there is one, `discriminator_{which}.safetensors`."""
    write(run, "generator", run.shown, which, run.state.metrics)
    if "discriminator" in run.state.modules:
        write(run, "discriminator", run.state.modules["discriminator"], which, run.state.metrics)


def frozen_copy(run: Run) -> Generator:
    """The generator as it now is, with its statistics frozen over training images."""
    frozen = copy.deepcopy(run.shown)
    n = min(run.data.n_train, N_FREEZE_IMAGES)
    freeze_statistics(frozen, lambda: first_images(run.recipe, run.data, n, run.device))
    return frozen


def write(
    run: Run,
    role: Literal["generator", "discriminator"],
    module: nn.Module,
    which: Literal["best", "last", "frozen"],
    metrics: Mapping[str, float],
) -> None:
    """Write a network as `{role}_{which}.safetensors`, with its card."""
    with torch.no_grad():
        tensors: dict[str, Any] = {
            name: value.detach().cpu().contiguous().numpy() for name, value in module.state_dict().items()
        }
    safetensors_file.save(
        run.options.folder / f"{role}_{which}.safetensors", tensors, make_card(run, role, module, metrics)
    )
