"""The engine for torch, which runs models in training and safetensors files."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Self, cast

import torch

from sat2map.arrays import UInt8
from sat2map.errors import ModelFileError, Sat2mapError
from sat2map.model import safetensors_file
from sat2map.model.card import Card, Precision, WantedPrecision, inference_arguments
from sat2map.model.onnx_file import check_float32
from sat2map.nn import build
from sat2map.nn.generator import Generator
from sat2map.nn.inference import InferenceModel
from sat2map.nn.normalization import Norm2d


def pick_device(name: str) -> str:
    """Return the device that `auto` stands for, the first present of cuda, mps and cpu; keep any other name.

    Raises:
        Sat2mapError: this machine has no such device.
    """
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return next(device for device, is_there in present.items() if is_there)
    if not present[name]:
        raise Sat2mapError("torch finds no such device", name, hint="set device to auto")
    return name


def load_generator(path: Path) -> tuple[Generator, Card]:
    """Load a generator and its card from a safetensors file.

    Raises:
        ModelFileError: the file is broken, holds no generator, or its weights do not fit the network of its card.
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
    """Runs a generator in torch; an `Engine`.

    Args:
        generator: generator in evaluation mode.
        card: card of the generator.
        device: torch device, or `auto`.

    Raises:
        Sat2mapError: this machine has no such device.
    """

    def __init__(self, generator: Generator, card: Card, device: str = "auto") -> None:
        self.card = card
        self.precision: Precision = "float32"
        self._device = pick_device(device)
        self._model = InferenceModel(generator, **inference_arguments(card)).to(self._device)

    @classmethod
    def load(cls, path: Path, device: str = "auto") -> Self:
        """Make the engine of a safetensors file.

        Raises:
            ModelFileError: the file is broken, holds no generator, or its weights do not fit the network of its card.
            Sat2mapError: this machine has no such device.
        """
        return cls(*load_generator(path), device)

    def run(self, sat_bhwc: UInt8, head: str) -> UInt8:
        """See `Engine.run`."""
        return self.run_outputs(sat_bhwc, [head])[head]

    @property
    def outputs(self) -> tuple[str, ...]:
        """See `Engine.outputs`."""
        return self._model.outputs

    def run_outputs(self, sat_bhwc: UInt8, outputs: Sequence[str]) -> dict[str, UInt8]:
        """See `Engine.run_outputs`."""
        with torch.inference_mode():
            answers = self._model(torch.tensor(sat_bhwc, device=self._device))
        by_name = dict(zip(self._model.outputs, answers, strict=True))
        return {name: by_name[name].cpu().numpy() for name in outputs}

    def with_instance_normalization(self) -> TorchEngine:
        """See `Engine.with_instance_normalization`."""
        generator = copy.deepcopy(self._model.generator)
        for module in generator.modules():
            if isinstance(module, Norm2d):
                module.normalization = "instance"
        return TorchEngine(generator, self.card.model_copy(update={"normalization": "instance"}), self._device)

    def with_precision(self, precision: WantedPrecision) -> TorchEngine:
        """See `Engine.with_precision`."""
        check_float32(precision, self.card.name)
        return self

    def shared_by(self, n_runs: int) -> None:
        """See `Engine.shared_by`: torch keeps all cores busy, or another device."""
