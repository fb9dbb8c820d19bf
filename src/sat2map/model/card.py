"""The model card: everything that a program must know to use a model, stored in the header of the model file."""

from __future__ import annotations

from typing import Any, Final, Literal, get_args

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sat2map.classes import CLASSES, ClassTable
from sat2map.errors import ModelFileError

Precision = Literal["float32", "int8"]
"""With what numbers a model computes."""
WantedPrecision = Literal["auto", "float32", "int8"]
"""`auto` is the faster one on this machine."""
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
FORMAT_VERSION: Final = 2
HEADER_KEY = "sat2map.card"
"""Key of the card, as JSON, in safetensors metadata and in ONNX metadata properties."""
NOT_STATED: Final = "not stated"


class Card(BaseModel):
    """The card of a model, which its file holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format_version: Literal[2] = FORMAT_VERSION
    name: str
    role: Literal["generator", "discriminator"] = "generator"
    architecture: str
    """`unet`, `compact` or `patchgan`: the network of `sat2map.nn` that the weights belong to."""
    configuration: dict[str, Any]
    """Keyword arguments of that network."""
    input_range: tuple[float, float] = (-1.0, 1.0)
    gsd_m: tuple[float, float]
    """Metres on the ground per pixel that the model was trained for, from finest to coarsest."""
    levels: tuple[tuple[int, int], ...] | None = None
    """2nd and 98th percentile of the training images per channel, 0..255: targets of a stretch of a scene."""
    stretch_bytes: bool = False
    """Whether scenes of 8 bits are stretched too, because the model was trained on stretched images."""
    normalization: Literal["instance", "frozen"]
    dropout: float = 0.0
    """Probability of dropout, the noise z of the paper; at test time it acts only where `configuration` says so."""
    stride: int = Field(gt=0)
    receptive_radius_px: int = Field(ge=0)
    margin_px: int = Field(ge=0)
    """Margin, a multiple of the stride, with which the map of a window equals that of the whole scene."""
    heads: tuple[str, ...] = ("rgb",)
    """Heads of the model, the default first: `("rgb",)` or `("crisp", "smooth")`."""
    classes: ClassTable = CLASSES
    """Classes of its maps; files without them are of the default table."""
    palette: tuple[tuple[int, int, int], ...] | None = None
    """Colours of a palette head, uint8 RGB."""
    temperature: float | None = None
    """Sharpness (gamma) of the softmax of the `smooth` head."""
    precision: Precision = "float32"
    """`int8`: weights are rounded to 7 bits and activations to 8."""
    calibration_data: str = ""
    """Images on which the ranges of 8-bit activations were measured."""
    n_calibration_images: int = 0
    confidence_sharpness: float = Field(1.0, gt=0)
    """Factor of the logits in the confidence, fitted so that it is right as often as it says."""
    familiar_entropy: float | None = Field(None, gt=0)
    """Entropy of a cell at which its familiarity is 1/2; None: the model has none. It is fitted so that the mean of a
    window of 256 px is below 1/2 for one in ten of the windows of held-out places on which the model is right."""
    training_data: str = ""
    training_data_licence: str = ""
    init: tuple[str, ...] = ()
    """The models whose weights the training began with: name, training data, and licence of each."""
    recipe: dict[str, Any] = {}
    """The resolved recipe of the training run."""
    seed: int | None = None
    steps: int = 0
    metrics: dict[str, Any] = {}
    """Metrics with their protocol (size, data, head)."""
    licence: str = NOT_STATED
    """Licence of the weights, which differs from that of the code."""
    sat2map_version: str = ""

    @classmethod
    def from_header(cls, text: str | None, path: object) -> Card:
        """Read a card from the text in the header of a file.

        Raises:
            ModelFileError: there is no card, or it is not of a format that this version reads.
        """
        if text is None:
            raise ModelFileError(
                "model file carries no sat2map card", path, hint="give a file written by `sat2map train` or `export`"
            )
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "card"
            raise ModelFileError(
                f"model card is not of a format that this version reads ({where}: {first['msg']})",
                path,
                hint="update sat2map, or export the model again",
            ) from error


def inference_arguments(card: Card) -> dict[str, Any]:
    """Arguments of `sat2map.nn.inference.InferenceModel` beside the generator."""
    classes = class_of_colour(card)
    return {
        "class_of_colour": classes,
        "part_of_colour": classes and [card.classes.part_of_class[c] for c in classes],
        "sharpness": card.confidence_sharpness,
        "familiar_entropy": card.familiar_entropy,
    }


def class_of_colour(card: Card) -> list[int] | None:
    """Return the class (index into the card's `classes`) of each colour of a palette head; None without one."""
    return None if card.palette is None else card.classes.classify(np.array(card.palette, np.uint8)).tolist()
