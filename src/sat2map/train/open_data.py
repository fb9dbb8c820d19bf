"""Opening what a recipe learns from: its folders, their groups, and the ground that a pixel of their chips covers."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from os import fspath
from pathlib import Path

from sat2map.data.cache import CachedPairs, open_cached
from sat2map.data.footprint import gsd_of_pairs
from sat2map.data.ground_file import data_table
from sat2map.data.pairs import PairFile, PairFolder, list_pairs
from sat2map.data.partial import LabelKind, PartialLabels, expand_folder, label_pairs, matches, open_labels
from sat2map.data.plausible import check_plausible
from sat2map.data.split import Split, read_groups, split_validation
from sat2map.errors import DataError, RecipeError
from sat2map.train.data import LabelSource, PairSource, TrainingData, ValidationLabels
from sat2map.train.recipe import Recipe
from sat2map.train.source import TrainingSource, ValidationSource

LEAST_SHARE = 1e-6
ASSUMED_GSD_M = 0.9
"""Of the paper's `maps`, for pairs of which neither their files nor anybody else says it."""
GSD_TOLERANCE = 0.1

log = logging.getLogger(__name__)


def open_data(
    folder: PairFolder | None, recipe: Recipe, *, groups: Path | None = None, cache: Path | None = None
) -> TrainingData:
    """Open what a recipe learns from, and the folder of pairs that a run was given, if any.

    Raises:
        DataError: a folder is missing, empty or broken, or no image of it is left.
        RecipeError: there is nothing to learn from, or nothing is left for the folder that was given.
    """
    if folder is None and recipe.pairs_gsd_m:
        hint = "give the folder, or say gsd_m of each of the recipe's sources"
        raise RecipeError("`gsd` is of a folder of pairs, and none is given", f"{recipe.pairs_gsd_m:g} m", hint=hint)
    pairs = [] if folder is None else [_open_given(folder, recipe, groups, cache)]
    sources = [(source, expand_folder(source.folder)) for source in recipe.sources]
    pairs += [_open_pairs(source, path, recipe, cache) for source, path in sources if source.kind == "pairs"]
    labels = []
    for source, path in sources:
        if source.kind != "pairs":
            opened = _open_labels(source, source.kind, path, recipe, cache)
            labels.append(LabelSource(source.share, opened, source, _chip_gsd_m(source, recipe, pairs)))
    if not pairs and not labels:
        raise RecipeError("recipe has no sources", recipe.name, hint="give a folder of pairs, or `sources`")
    validation = []
    for wanted in recipe.validation:
        path = expand_folder(wanted.folder)
        validation.append(ValidationLabels(wanted, _open_labels(wanted, wanted.kind, path, recipe, cache)))
    return TrainingData(tuple(pairs), tuple(labels), tuple(validation))


def _open_given(folder: PairFolder, recipe: Recipe, groups: Path | None, cache: Path | None) -> PairSource:
    """The folder of pairs that the run was given: it has the share that the recipe's sources leave."""
    rest = 1 - sum(source.share for source in recipe.sources)
    if rest < LEAST_SHARE:
        raise RecipeError(
            "sources of the recipe leave no share for the folder of pairs", folder,
            hint="leave `folder` out, or set sources = [] in the recipe",
        )  # fmt: skip
    files = list_pairs(folder)
    check_plausible(files, folder)
    pairs = open_cached(folder, direction=recipe.direction, cache=cache)
    gsd_m = _agreed_gsd_m(files, recipe.pairs_gsd_m, "pairs", "leave `gsd` out")
    split = _split(folder, pairs, range(len(pairs)), recipe, groups)
    name = Path(fspath(folder)).resolve().name
    if gsd_m is None:
        _say_assumed(folder, recipe)
    return _with_scale(PairSource(rest, pairs, split, name=name), recipe, gsd_m, recipe.gsd_m)


def _agreed_gsd_m(files: Sequence[PairFile], stated_m: float | None, what: str, hint: str) -> float | None:
    """Metres per pixel as the files tell it, else as it is stated; None where neither does.

    Raises:
        RecipeError: they contradict each other.
    """
    found = gsd_of_pairs(files)
    if found and stated_m and abs(stated_m / found - 1) > GSD_TOLERANCE:
        raise RecipeError(
            f"{what} are georeferenced, with a GSD of {found:.3g} m, and not of", f"{stated_m:g} m",
            hint=f"{hint}, or mend the georeference of the files",
        )  # fmt: skip
    return found or stated_m


def _check_stated(source: TrainingSource | ValidationSource, files: Sequence[PairFile]) -> None:
    kept = [file for file in files if matches(file.name, source.only, source.without)]
    _agreed_gsd_m(kept, source.gsd_m, f"images of the source {source.name}", f"set gsd_m of {source.name} to that")


def _say_assumed(folder: PairFolder, recipe: Recipe) -> None:
    what = "GSD of the pairs in %s is not known (no georeference, no `gsd`); assumed: %s"
    if recipe.gsd_m:
        log.warning(what, folder, "chips of {:g} to {:g} m per pixel, as the recipe says".format(*recipe.gsd_m))
    else:
        log.warning(what, folder, f"{ASSUMED_GSD_M} m per pixel, as the paper's maps")


def _open_pairs(source: TrainingSource, path: Path, recipe: Recipe, cache: Path | None) -> PairSource:
    files = list_pairs(path)
    check_plausible(files, path)
    table = data_table(path)
    if table not in (None, recipe.table):
        raise RecipeError(
            f"classes of a source ({table}) are not those of the recipe ({recipe.table})", path, hint="leave it out"
        )
    pairs = open_cached(path, direction=recipe.direction, cache=cache)
    _check_stated(source, files)
    kept = [i for i, name in enumerate(pairs.names) if matches(name, source.only, source.without)]
    _check_not_empty(kept, source)
    split = _split(path, pairs, kept, recipe, None)
    opened = PairSource(source.share, pairs, split, source, source.name)
    return _with_scale(opened, recipe, source.gsd_m, source.chip_gsd_m or recipe.gsd_m)


def _with_scale(
    opened: PairSource, recipe: Recipe, gsd_m: float | None, wanted_m: tuple[float, float] | None
) -> PairSource:
    """Say what ground a pixel of the chips covers: what is wanted, or what follows from the sides `load_px`."""
    own_m = gsd_m or ASSUMED_GSD_M
    sides = [min(height, width // 2) for height, width in (opened.pairs.shapes[i] for i in opened.split.train)]
    smallest, largest = recipe.augmentation.load_px
    by_sides = own_m * min(sides) / largest, own_m * max(sides) / smallest
    finest, coarsest = wanted_m or (float(f"{side:.3g}") for side in by_sides)
    return replace(
        opened, gsd_m=own_m, gsd_is_assumed=gsd_m is None, chip_gsd_m=(finest, coarsest),
        resampled=wanted_m is not None and gsd_m is not None,
    )  # fmt: skip


def _chip_gsd_m(source: TrainingSource, recipe: Recipe, pairs: Sequence[PairSource]) -> tuple[float, float]:
    chosen = source.chip_gsd_m or recipe.gsd_m
    if chosen is None and not pairs:
        raise RecipeError(
            "recipe does not say how many metres a pixel of its chips covers", recipe.name,
            hint="set gsd_m = [0.8, 2.4] in the recipe",
        )  # fmt: skip
    return chosen or TrainingData(tuple(pairs)).gsd_m


def _open_labels(
    source: TrainingSource | ValidationSource, kind: LabelKind, path: Path, recipe: Recipe, cache: Path | None
) -> PartialLabels:
    labels = open_labels(path, kind, recipe.table, cache).matching(source.only, source.without)
    _check_not_empty(labels.names, source)
    _check_stated(source, label_pairs(path, kind))
    return labels


def _check_not_empty(kept: Sequence[object], source: TrainingSource | ValidationSource) -> None:
    if not kept:
        raise DataError("no image of a source is left", source.folder, hint="change its `only` and `without`")


def _split(
    folder: PairFolder, pairs: CachedPairs, kept: Sequence[int], recipe: Recipe, groups_file: Path | None
) -> Split:
    groups = read_groups(folder, [pairs.names[i] for i in kept], groups_file)
    train, validation = split_validation(groups, recipe.validation_share, recipe.seed)
    return Split([kept[i] for i in train], [kept[i] for i in validation])
