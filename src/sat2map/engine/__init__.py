"""Engines run models: arrays in, arrays out, with one interface for ONNX Runtime and torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from sat2map.arrays import UInt8
from sat2map.errors import ModelFileError, import_extra
from sat2map.model.bundled import resolve
from sat2map.model.card import Card, Precision, WantedPrecision
from sat2map.model.onnx_file import CONFIDENCE, FAMILIARITY
from sat2map.tiling import Window, padded_size, read_padded

NO_OUTPUT = {
    CONFIDENCE: (
        "model gives no probabilities, so there is no confidence",
        "give a model with a palette head, exported by this version: sat2map model export",
    ),
    FAMILIARITY: (
        "model does not know what it was trained on, so there is no familiarity",
        "sat2map model calibrate adds it to a model of the compact network",
    ),
}
"""What is found, and a hint, where a model lacks an output."""


class Engine(Protocol):
    """The interface of everything that runs a model."""

    @property
    def card(self) -> Card:
        """The card of the model."""

    @property
    def precision(self) -> Precision:
        """With what numbers it computes."""

    @property
    def outputs(self) -> tuple[str, ...]:
        """All that the model can give: its heads, and of `confidence` and `familiarity` those that it has."""

    def run(self, sat_bhwc: UInt8, head: str) -> UInt8:
        """Draw maps.

        Args:
            sat_bhwc: uint8, shape (B, H, W, 3), RGB; H and W multiples of the card's stride.
            head: one of the card's heads.

        Returns:
            uint8, shape (B, H, W, 3), RGB.
        """

    def run_outputs(self, sat_bhwc: UInt8, outputs: Sequence[str]) -> dict[str, UInt8]:
        """Compute several outputs at once, and no others.

        Args:
            sat_bhwc: as for `run`.
            outputs: names, each one of `outputs`.

        Returns:
            By name: the map of a head as from `run`; `confidence`, uint8, shape (B, H, W, 1), 0..255, the probability
            of the class that the map shows; `familiarity`, uint8, shape (B, H / stride, W / stride, 1), 1..255.
        """

    def with_instance_normalization(self) -> Engine:
        """Return an engine with the same weights and instance normalization, which uses the statistics of each image.

        Raises:
            ModelFileError: the model was exported, and its normalization cannot be changed.
        """

    def with_precision(self, precision: WantedPrecision) -> Engine:
        """Give an engine of the same model that computes with other numbers.

        Args:
            precision: `int8` or `float32`; `auto`: the faster one of an 8-bit model on this machine, which is found
                out once.

        Raises:
            ModelFileError: the model has no 8-bit integers.
        """

    def shared_by(self, n_runs: int) -> Engine | None:
        """Give an engine of the same model that so many threads run at once, each with a share of the cores.

        A part of the network runs on one core whatever there are, and meanwhile another run has the others.

        Args:
            n_runs: runs at a time.

        Returns:
            None where runs one after the other are better: with too few threads, or too much memory.
        """


def load_engine(model: str | Path | None = None, device: str = "auto", n_threads: int | None = None) -> Engine:
    """Load a model: an ONNX file with ONNX Runtime, a safetensors file with torch.

    Args:
        model: a bundled model's name or a file; by default `open`.
        device: `auto`, `cpu`, `cuda` or `mps`; ONNX files run on the processor.
        n_threads: threads of ONNX Runtime; by default one for each core.

    Raises:
        ModelFileError: there is no such model, its file is broken, it is no generator, or cannot run on that device.
        Sat2mapError: this machine has no such device.
        MissingExtraError: the model needs torch, which is not installed.
    """
    path = resolve(model)
    if path.suffix == ".onnx":
        if device not in ("auto", "cpu"):
            raise ModelFileError(
                f"ONNX models run on the processor, not on {device}", path,
                hint="set device to auto, or give the .safetensors file of the model",
            )  # fmt: skip
        from sat2map.engine.onnx import OnnxEngine

        return OnnxEngine(path, n_threads)
    import_extra("torch", "torch")
    from sat2map.engine.torch import TorchEngine

    return TorchEngine.load(path, device)


def choose_head(card: Card, head: str | None) -> str:
    """Return the name of a head after a check; None means the first head of the model.

    Raises:
        ModelFileError: the model has no such head.
    """
    if head is None:
        return card.heads[0]
    if head not in card.heads:
        raise ModelFileError("model has no such head", head, hint=f"set head to one of: {', '.join(card.heads)}")
    return head


def check_outputs(engine: Engine, outputs: Sequence[str]) -> None:
    """See that a model has all outputs of some names.

    Raises:
        ModelFileError: it lacks one.
    """
    for name in outputs:
        if name not in engine.outputs:
            found, hint = NO_OUTPUT[name]
            raise ModelFileError(found, engine.card.name, hint=hint)


def run_whole(engine: Engine, image_hwc: UInt8, head: str | None = None) -> UInt8:
    """Draw the map of one image in one piece, padded to a multiple of the stride.

    Args:
        engine: runs the model.
        image_hwc: uint8, shape (H, W, 3), any size.
        head: one of the model's heads, by default the first.

    Returns:
        uint8, shape (H, W, 3), RGB.

    Raises:
        ModelFileError: the model has no such head.
    """
    height, width = image_hwc.shape[:2]
    whole = Window(0, 0, *padded_size(height, width, engine.card.stride))
    padded = read_padded(lambda w: image_hwc[w.slices], whole, height, width)
    return engine.run(padded[None], choose_head(engine.card, head))[0, :height, :width]
