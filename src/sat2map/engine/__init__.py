"""Arrays in, arrays out: a model behind one interface, whatever runs it."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from sat2map.errors import MissingExtraError, ModelFileError
from sat2map.model.bundled import resolve
from sat2map.model.card import Card
from sat2map.tiling import Window, padded_size, read_padded

UInt8 = npt.NDArray[np.uint8]


class Engine(Protocol):
    """Something that runs a model."""

    @property
    def card(self) -> Card:
        """The card of the model."""

    def run(self, sat_bhwc: UInt8, output: str) -> UInt8:
        """Draw maps.

        Args:
            sat_bhwc: uint8, shape (B, H, W, 3), RGB; H and W multiples of the card's stride.
            output: one of the card's outputs.

        Returns:
            uint8, shape (B, H, W, 3), RGB.
        """

    def run_with_confidence(self, sat_bhwc: UInt8, output: str) -> tuple[UInt8, UInt8]:
        """Draw maps, and say how sure they are: uint8, shape (B, H, W, 1), probability of the class shown, 0..255.

        Raises:
            ModelFileError: the model has no probabilities.
        """

    def with_own_statistics(self) -> Engine:
        """The same weights, each picture normalised by its own statistics.

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


def choose_output(card: Card, output: str | None) -> str:
    """The output asked for, by default the model's first.

    Raises:
        ModelFileError: the model has no such output.
    """
    if output is None:
        return card.outputs[0]
    if output not in card.outputs:
        raise ModelFileError("model has no such output", output, hint=f"--output {'|'.join(card.outputs)}")
    return output


def run_whole(engine: Engine, picture_hwc: UInt8, output: str | None = None) -> UInt8:
    """Draw the map of one picture in one piece, padded once to the stride.

    Args:
        engine: runs the model.
        picture_hwc: uint8, shape (H, W, 3), any size.
        output: one of the model's outputs, by default the first.

    Returns:
        uint8, shape (H, W, 3).
    """
    height, width = picture_hwc.shape[:2]
    whole = Window(0, 0, *padded_size(height, width, engine.card.stride))
    padded = read_padded(lambda w: picture_hwc[w.slices], whole, height, width)
    return engine.run(padded[None], choose_output(engine.card, output))[0, :height, :width]
