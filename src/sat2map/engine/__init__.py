"""Arrays in, arrays out: a model behind one interface, whatever runs it."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from sat2map.arrays import UInt8
from sat2map.errors import MissingExtraError, ModelFileError
from sat2map.model.bundled import resolve
from sat2map.model.card import Card
from sat2map.tiling import Window, padded_size, read_padded


class Engine(Protocol):
    """Something that runs a model."""

    @property
    def card(self) -> Card:
        """The card of the model."""

    def run(self, sat_bhwc: UInt8, head: str) -> UInt8:
        """Draw maps.

        Args:
            sat_bhwc: uint8, shape (B, H, W, 3), RGB; H and W multiples of the card's stride.
            head: one of the card's heads.

        Returns:
            uint8, shape (B, H, W, 3), RGB.
        """

    def run_with_confidence(self, sat_bhwc: UInt8, head: str) -> tuple[UInt8, UInt8]:
        """Draw maps, and say how sure they are: uint8, shape (B, H, W, 1), probability of the class shown, 0..255.

        Raises:
            ModelFileError: the model has no probabilities.
        """

    def with_instance_normalization(self) -> Engine:
        """The same weights, each image normalised by its own statistics.

        Raises:
            ModelFileError: the model's statistics are part of its file.
        """


def load_engine(model: str | Path | None = None, device: str = "auto", n_threads: int | None = None) -> Engine:
    """Load a model: ONNX through ONNX Runtime, safetensors through torch.

    Args:
        model: a bundled model's name or a file; by default the bundled model.
        device: `auto`, `cpu`, `cuda` or `mps`; ONNX files run on the processor.
        n_threads: of ONNX Runtime; by default one for each core.

    Raises:
        ModelFileError: there is no such model, its file is broken, it is no generator, or not for that device.
        MissingExtraError: the model needs torch, which is not installed.
    """
    path = resolve(model)
    if path.suffix == ".onnx":
        if device not in ("auto", "cpu"):
            raise ModelFileError(
                f"ONNX models run on the processor, not on {device}", path,
                hint="--device auto, or --model with the .safetensors file",
            )  # fmt: skip
        from sat2map.engine.onnx import OnnxEngine

        return OnnxEngine(path, n_threads)
    try:
        from sat2map.engine.torch import TorchEngine
    except ModuleNotFoundError as error:
        raise MissingExtraError("torch", "torch") from error
    return TorchEngine.load(path, device)


def choose_head(card: Card, head: str | None) -> str:
    """The head asked for, by default the model's first.

    Raises:
        ModelFileError: the model has no such head.
    """
    if head is None:
        return card.heads[0]
    if head not in card.heads:
        raise ModelFileError("model has no such head", head, hint=f"--head {'|'.join(card.heads)}")
    return head


def run_whole(engine: Engine, image_hwc: UInt8, head: str | None = None) -> UInt8:
    """Draw the map of one image in one piece, padded once to the stride.

    Args:
        engine: runs the model.
        image_hwc: uint8, shape (H, W, 3), any size.
        head: one of the model's heads, by default the first.

    Returns:
        uint8, shape (H, W, 3).
    """
    height, width = image_hwc.shape[:2]
    whole = Window(0, 0, *padded_size(height, width, engine.card.stride))
    padded = read_padded(lambda w: image_hwc[w.slices], whole, height, width)
    return engine.run(padded[None], choose_head(engine.card, head))[0, :height, :width]
