"""A model of one's own ground: scenes and vectors in, a model file out, with a report of whether it is worth using."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from sat2map.adapt.folder import PAIRS, RUN, held_folder
from sat2map.adapt.request import Adapted, AdaptRequest
from sat2map.adapt.scale import Scale, scale_of
from sat2map.adapt.verdict import verdict
from sat2map.data.calibration import calibration_images
from sat2map.data.ground import ALIGN_FILE, WrittenPairs, write_ground_pairs
from sat2map.data.ground_file import data_table
from sat2map.data.pairs import list_pairs
from sat2map.data.split import divide, read_groups, write_folders
from sat2map.engine.torch import load_generator
from sat2map.errors import DataError
from sat2map.evaluate.evaluation import EvaluationRequest, evaluate
from sat2map.evaluate.results import write_report
from sat2map.files import replacing
from sat2map.model.bundled import RUN_MODEL_FILE, read_card
from sat2map.model.export import export
from sat2map.model.quantize import quantize
from sat2map.train.loop import train
from sat2map.train.recipe import Recipe, load_recipe
from sat2map.train.run import RunOptions
from sat2map.translate import Translator
from sat2map.translate.road_model import road_model

RECIPE = "finetune"
CHIP_SCALES = (0.9, 1.5)
"""Finest and coarsest of the chips, of the scale at which the model that it begins with draws the scene."""
HELD_OUT = 0.25
"""Share of the pairs, whole blocks, that only the report sees."""
FEWEST_GROUPS = 3
PARTS = ("train", "test")

Tell = Callable[[str], None]


def adapt(request: AdaptRequest, *, overwrite: bool = False, quiet: bool = False, tell: Tell = print) -> Adapted:
    """Make pairs, align them, fine-tune, export in 8-bit integers, and compare with the model that it began with.

    A quarter of the blocks is for the comparison alone. The same request goes on where an interrupted one ended.

    Args:
        request: what is wanted.
        overwrite: begin anew where the folder is of another request, and replace outputs.
        quiet: no progress.
        tell: told what is done, line by line.

    Raises:
        DataError: vectors or style do not fit, or there is too little ground.
        OutputError: an output cannot be written, or the folder is of another request or at work.
        SceneError, ModelFileError, RecipeError: a scene, the model or the recipe is wrong.
    """
    scale = scale_of(request)
    with held_folder(request, overwrite=overwrite) as folder:
        pairs = _pairs(request, scale, folder, tell)
        recipe = _recipe(request, scale)
        run = folder / RUN
        train(pairs / PARTS[0], recipe, RunOptions(run, request.device, "auto", quiet=quiet))
        made = folder / "model.onnx"
        _export(run / RUN_MODEL_FILE, pairs / PARTS[0], made)
        tell("comparing on the blocks that were held out")
        found = evaluate(_comparison(request, scale, pairs, made))
        words = verdict(found.metrics, request.model)
        write_report(request.report, found, words)
        with replacing(request.out) as work:
            shutil.copyfile(made, work)
    return Adapted(request.out, request.report, words, found.metrics)


def _pairs(request: AdaptRequest, scale: Scale, folder: Path, tell: Tell) -> Path:
    """The pairs, in two parts; those that an earlier run wrote are taken as they are."""
    pairs = folder / PAIRS
    if not pairs.exists():
        tell("drawing vectors over the scenes")
        can_align = request.align and any(kind.is_road for kind in request.style.classes)
        predicted = road_model(Translator.load(request.model), request.ground.read) if can_align else None
        ground = replace(request.ground, size_px=scale.pair_px)
        written = write_ground_pairs(
            request.scenes, request.vectors, pairs, request.style, ground, road_model=predicted
        )
        for line in _told(written, can_align):
            tell(line)
    if not all((pairs / part).is_dir() for part in PARTS):
        _divide(pairs)
    return pairs


def _told(written: WrittenPairs, is_aligned: bool) -> Sequence[str]:
    lines = [f"{written.n_cells('written')} pairs in {written.n_groups} blocks", *written.remarks()]
    return [*lines, f"shifts: {written.folder / ALIGN_FILE}, and images beside it"] if is_aligned else lines


def _divide(pairs: Path) -> None:
    """Divide the pairs by blocks; `groups.csv` and `data.toml` above the parts are those of both."""
    files = list_pairs(pairs)
    groups = read_groups(pairs, [file.name for file in files])
    if len(set(groups)) < FEWEST_GROUPS:
        raise DataError(
            f"too little ground to learn from and to compare on ({len(set(groups))} blocks)", pairs,
            hint="give more or larger scenes, or `block` METRES smaller",
        )  # fmt: skip
    divided = divide(groups, {PARTS[1]: HELD_OUT}, seed=0)
    write_folders(pairs, {name: [files[i] for i in indices] for name, indices in divided.items()}, overwrite=True)


def _recipe(request: AdaptRequest, scale: Scale) -> Recipe:
    finest, coarsest = (float(f"{side * scale.model_m:.3g}") for side in CHIP_SCALES)
    fast = torch.cpu.get_capabilities().get("avx512_bf16", False)
    changes = {
        "init": json.dumps([request.model]), "gsd_m": f"[{finest}, {coarsest}]", "validation_px": str(scale.scored_px),
        "name": json.dumps(request.out.stem), "precision": "bf16" if fast else "fp32",
    }  # fmt: skip
    return load_recipe(RECIPE, [*changes.items(), *request.changes])


def _export(weights: Path, data: Path, out: Path) -> None:
    generator, card = load_generator(weights)
    images = calibration_images([data], card)
    floats = out.with_name("model_float32.onnx")
    export(generator, card, floats, np.stack([image for image in images if image.shape == images[0].shape][:2]))
    quantize(floats, out, images, f"{card.name}, training pairs")


def _comparison(request: AdaptRequest, scale: Scale, pairs: Path, made: Path) -> EvaluationRequest:
    """On the held-out blocks; before and after are compared where both have the same classes."""
    same = read_card(request.model).classes == data_table(pairs)
    return EvaluationRequest(
        pairs / PARTS[1], model=made, versus=request.model if same else None, size_px=scale.scored_px,
    )  # fmt: skip
