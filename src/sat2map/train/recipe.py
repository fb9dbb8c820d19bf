"""Recipes: a full training configuration, named, commented, complete; read from TOML, changed key by key."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from sat2map.classes import CLASSES, ClassTable
from sat2map.data.augment import Augmentation
from sat2map.data.pairs import Direction
from sat2map.errors import RecipeError, did_you_mean
from sat2map.train.source import TrainingSource, ValidationSource


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Network(_Part):
    """A network of `sat2map.nn` and its keyword arguments."""

    architecture: Literal["unet", "compact", "patchgan"]
    configuration: dict[str, Any] = {}
    """Of a generator, where it is empty and a run begins with a model: that of the model."""


class Optimiser(_Part):
    """Adam, or AdamW where weights decay; or Muon."""

    learning_rate: float = Field(2e-4, gt=0)
    betas: tuple[float, float] = (0.5, 0.999)
    weight_decay: float = Field(0, ge=0)
    muon: bool = False
    """AdamW, but kernels of convolutions move by their momentum, made orthogonal."""


class Objective(_Part):
    """What G minimises."""

    adversarial: Literal["log", "least_squares", "hinge"] = "log"
    adversarial_weight: float = Field(1, ge=0)
    """0: no discriminator at all."""
    adversarial_head: Literal["smooth", "crisp"] = "smooth"
    """Palette heads: whether D sees mean colours, or one colour of the palette a pixel, in true maps too."""
    adversarial_from_epoch: int = Field(0, ge=0)
    """Epochs, from 0, before which G learns from the other terms alone."""
    l1_weight: float = Field(100, ge=0)
    dice_weight: float = Field(0, ge=0)
    """Palette heads: soft Dice of the roads."""
    colour_balance: float = Field(0, ge=0, le=1)
    """Palette heads: a colour's weight is (frequency of the commonest / own) to this power, at most 5."""


class Finish(_Part):
    """What changes for the last epochs."""

    from_epoch: int = Field(ge=0)
    """The first of them, from 0."""
    jitter: float = Field(1, ge=0, le=1)
    """Share of the colour jitter of `augmentation` that is left."""
    class_dice_weight: float = Field(0, ge=0)
    """Palette heads: soft Dice of every class but the first."""


class Recipe(_Part):
    """Everything that decides the weights that come out, given the data."""

    name: str
    seed: int = Field(0, ge=0)
    generator: Network
    discriminator: Network = Network(architecture="patchgan")
    objective: Objective = Objective()
    generator_optimiser: Optimiser = Optimiser()
    discriminator_optimiser: Optimiser = Optimiser()
    init: tuple[str, ...] = ()
    """Models whose weights a run begins with, unless it is told others: names, files, or folders of runs."""
    initialisation: Literal["paper", "torch"] = "paper"
    """The paper's Gaussian, or torch's own for each layer."""
    classes: ClassTable | None = None
    """Of the maps, and of what partial labels may say; None: those that the folder of pairs names, else the default."""
    direction: Direction = "AtoB"
    augmentation: Augmentation = Augmentation()
    sources: tuple[TrainingSource, ...] = ()
    """Folders to learn from, beside the folder of pairs that a run may be given."""
    validation: tuple[ValidationSource, ...] = ()
    """Folders of partial labels that each validation scores, beside the pairs that are held out."""
    finish: Finish | None = None
    gsd_m: tuple[float, float] | None = None
    """Metres on the ground per pixel of the chips, finest and coarsest; None: what follows from `load_px`."""
    pairs_gsd_m: float | None = Field(None, gt=0)
    """Metres per pixel of the folder of pairs that a run is given, where its files do not say so."""
    training_data: str = ""
    """What the model card calls that folder; by default its name."""
    training_data_licence: str = ""
    """Of that folder."""
    licence: str = "not stated"
    """Of the weights, for the model card."""
    batch_size: int = Field(1, gt=0)
    """Chips in a step, of all sources together."""
    steps_per_epoch: int | None = Field(None, gt=0)
    """None: as many as it takes for as many chips of pairs as there are pairs."""
    epochs: int = Field(200, gt=0)
    patience: int | None = Field(None, gt=0)
    """Validations in a row without gain after which a run ends; None: it goes to its last epoch."""
    constant_epochs: int = Field(100, ge=0)
    """Epochs at the full learning rate; then it falls linearly to zero."""
    ema_decay: float = Field(0, ge=0, lt=1)
    """Of the running average of G's weights, which is what is validated and kept; 0: none."""
    validation_share: float = Field(0.05, ge=0, lt=1)
    """Share of the images, whole overlap groups, that only selection sees."""
    validate_every: int = Field(1, gt=0)
    """Epochs from one validation to the next; the last epoch is validated in any case."""
    validation_px: int = Field(256, gt=0)
    select_by: Literal["rmse", "acc5", "acc10", "psnr", "ssim", "road_f1", "cldice", "miou", "selection"] = "rmse"
    """Metric of the pairs that are held out; or `selection`, the mean of two means: over the folders of `validation`,
    of the mean of what each has of the allowed share, road F1, IoU of water and 1 - invented water; and of road_f1,
    cldice and miou of the pairs. Where there is one of the two alone, that one."""
    precision: Literal["fp32", "bf16"] = "fp32"
    compile: bool = False
    """Passes through torch.compile, which needs a C++ compiler; on a processor our networks get slower."""
    cuda_graphs: bool = False
    """Record what is compiled as CUDA graphs: at batch 1 a GPU otherwise waits for the processor."""
    checkpoint_steps: int = Field(500, gt=0)
    """A checkpoint at least this often, and after each epoch."""

    @model_validator(mode="after")
    def _consistent(self) -> Recipe:
        if self.constant_epochs > self.epochs:
            raise ValueError(f"constant_epochs ({self.constant_epochs}) is more than epochs ({self.epochs})")
        if self.gsd_m and not 0 < self.gsd_m[0] <= self.gsd_m[1]:
            raise ValueError(f"gsd_m must be finest and coarsest, not {self.gsd_m}")
        if self.cuda_graphs and not self.compile:
            raise ValueError("cuda_graphs needs compile = true")
        if self.generator.architecture == "patchgan" or self.discriminator.architecture != "patchgan":
            raise ValueError("a generator is unet or compact, a discriminator patchgan")
        if self.generator.architecture != "compact":
            if self.validation or any(source.kind != "pairs" for source in self.sources):
                raise ValueError("partial labels and road masks need a generator with a palette head: compact")
            if self.finish and self.finish.class_dice_weight:
                raise ValueError("finish.class_dice_weight needs a generator with a palette head: compact")
            if self.objective.adversarial_head == "crisp":
                raise ValueError("adversarial_head = crisp needs a generator with a palette head: compact")
        return self

    @model_validator(mode="after")
    def _sources_differ(self) -> Recipe:
        for folders in (self.sources, self.validation):
            names = [folder.name for folder in folders]
            if len(set(names)) < len(names):
                raise ValueError(f"two folders have one name ({', '.join(names)}): give each a `name`")
        return self

    @property
    def table(self) -> ClassTable:
        """Classes of the maps."""
        return self.classes or CLASSES

    def without_sources(self, names: Sequence[str]) -> Recipe:
        """The same recipe, but it does not learn from the sources of these names; the others share the batch.

        Raises:
            RecipeError: there is no source of such a name.
        """
        known = [source.name for source in self.sources]
        for name in names:
            if name not in known:
                hint = f"one of {', '.join(known)}{did_you_mean(name, known)}" if known else "this recipe has none"
                raise RecipeError("recipe has no such source", name, hint=hint)
        return self.model_copy(update={"sources": tuple(s for s in self.sources if s.name not in names)})

    def finish_at(self, epoch: int) -> Finish | None:
        """What has changed by an epoch, from 0; None: nothing yet."""
        return self.finish if self.finish and epoch >= self.finish.from_epoch else None


def recipe_names() -> list[str]:
    """Names of the recipes that come with the package."""
    return sorted(p.name.removesuffix(".toml") for p in files("sat2map.recipes").iterdir() if p.name.endswith(".toml"))


def load_recipe(name_or_path: str, changes: Sequence[tuple[str, str]] = ()) -> Recipe:
    """Read a recipe by name or from a TOML file, with changes (key.key, value); values as in TOML, else strings.

    A recipe with `base = NAME` has all that the recipe of that name has, but for what it says itself.

    Raises:
        RecipeError: there is no such recipe, it is no TOML, or a key or value is wrong.
    """
    path = Path(name_or_path)
    if name_or_path in recipe_names():
        values = _read_named(name_or_path)
    elif path.is_file():
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError as error:
            raise RecipeError("recipe is not UTF-8", name_or_path, hint="save it as UTF-8") from error
        values = _parse_toml(text, name_or_path)
    else:
        meant = did_you_mean(name_or_path, recipe_names())
        raise RecipeError(
            "no such recipe", name_or_path, hint=f"a TOML file, or one of {', '.join(recipe_names())}{meant}"
        )
    # Named recipes do not go round in a circle; files might, so none of them can be a base.
    while "base" in values:
        base = values.pop("base")
        if base not in recipe_names():
            raise RecipeError("no such base of a recipe", base, hint=f"one of {', '.join(recipe_names())}")
        values = _merge(_read_named(base), values)
    for key, value in changes:
        _set(values, key, value)
    return parse_recipe(values)


def _read_named(name: str) -> dict[str, Any]:
    return _parse_toml((files("sat2map.recipes") / f"{name}.toml").read_text("utf-8"), name)


def _parse_toml(text: str, name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"recipe is not valid TOML ({error})", name, hint="mend that line") from error


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """`base` with every value of `over`, table by table."""
    merged = base | over
    for key in base.keys() & over.keys():
        if isinstance(base[key], dict) and isinstance(over[key], dict):
            merged[key] = _merge(base[key], over[key])
    return merged


def parse_recipe(values: Mapping[str, Any]) -> Recipe:
    """Validate a recipe.

    Raises:
        RecipeError: names the first wrong key and the nearest right one, or the value and what is wanted.
    """
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "recipe"
        if first["type"] == "extra_forbidden":
            meant = did_you_mean(str(first["loc"][-1]), _all_keys())
            hint = f"see the commented recipes in sat2map/recipes{meant}"
            raise RecipeError("recipe has no such key", key, hint=hint) from error
        raise RecipeError(f"recipe key {key} is wrong", first["input"], hint=first["msg"]) from error


def _all_keys() -> list[str]:
    models: tuple[type[BaseModel], ...] = (
        Recipe, Network, Optimiser, Objective, Augmentation, TrainingSource, ValidationSource, Finish,
    )  # fmt: skip
    return [key for model in models for key in model.model_fields]


def _set(values: dict[str, Any], key: str, text: str) -> None:
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    *parents, last = key.split(".")
    table = values
    for parent in parents:
        table = table.setdefault(parent, {})
        if not isinstance(table, dict):
            raise RecipeError("recipe key has no keys below it", parent, hint="`set` objective.l1_weight=50")
    table[last] = value
