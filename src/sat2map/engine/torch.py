"""Models in torch: those that are training, and model files that were not exported."""

from __future__ import annotations

from pathlib import Path
from typing import Self, cast

import numpy as np
import numpy.typing as npt
import torch

from sat2map.errors import ModelFileError, Sat2mapError
from sat2map.model import safetensors_file
from sat2map.model.card import Card
from sat2map.nn import build
from sat2map.nn.generator import Generator
from sat2map.nn.inference import InferenceModel

UInt8 = npt.NDArray[np.uint8]


def pick_device(name: str) -> str:
    """The device that `auto` means here: cuda, then mps, then cpu; any other name stays.

    Raises:
        Sat2mapError: there is no such device here.
    """
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return next(device for device, is_there in present.items() if is_there)
    if not present[name]:
        raise Sat2mapError("this torch finds no such device", name, hint="--device auto")
    return name


def load_generator(path: Path) -> tuple[Generator, Card]:
    """A generator and its card from a safetensors file.

    Raises:
        ModelFileError: the file is broken, holds no generator, or weights that are not those of its card's network.
    """
    tensors, card = safetensors_file.load(path)
    if card.role != "generator":
        raise ModelFileError(f"model file holds a {card.role}", path, hint="give the generator's file")
    try:
        network = cast(Generator, build(card.architecture, card.configuration))
        network.load_state_dict({name: torch.from_numpy(value) for name, value in tensors.items()})
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ModelFileError(
            f"weights do not fit the network that the card names ({card.architecture})", path,
            hint="the file is damaged or of a newer version of sat2map",
        ) from error  # fmt: skip
    return network.eval(), card


class TorchEngine:
    """An `Engine` on a generator in torch.

    Args:
        generator: put into evaluation mode.
        card: its card.
        device: torch device, or `auto`.
    """

    def __init__(self, generator: Generator, card: Card, device: str = "auto") -> None:
        self.card = card
        self._device = pick_device(device)
        self._model = InferenceModel(generator).to(self._device)

    @classmethod
    def load(cls, path: Path, device: str = "auto") -> Self:
        """Load a safetensors file.

        Raises:
            ModelFileError: see `load_generator`.
        """
        return cls(*load_generator(path), device)

    def run(self, sat_bhwc: UInt8, output: str) -> UInt8:
        """See `Engine.run`."""
        with torch.inference_mode():
            maps = self._model(torch.tensor(sat_bhwc, device=self._device))
        answer: UInt8 = maps[self.card.outputs.index(output)].cpu().numpy()
        return answer
