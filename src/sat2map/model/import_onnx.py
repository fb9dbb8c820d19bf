"""Weights read back from an exported model, so that what ships in the package can be trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from sat2map.errors import ModelFileError
from sat2map.model import onnx_file
from sat2map.model.card import Card
from sat2map.model.safetensors_file import Tensors
from sat2map.nn import CompactGenerator, build
from sat2map.nn.inference import InferenceModel
from sat2map.nn.normalization import Norm2d

HEAD_WEIGHT = "generator.head.weight"
KERNEL_RMS = 0.15
"""Of kernels that Muon trained: in `open` 0.14 at the bottom to 0.29 in the first layer."""
CHECKED_PX = 64
LARGEST_DIFFERENCE = 2
"""Levels of 255 by which mean colours may differ from those of the file."""


def load_exported(path: Path) -> tuple[Tensors, Card]:
    """Read the weights of an exported generator, under the names that its network has for them.

    An export folds each normalization layer into the convolution before it. Here the layer comes back with mean 0 and
    variance 1, and each kernel with the size that training gives them: the outputs are those of the file, but for
    rounding. `sat2map.nn.normalization.move_statistics` gives the layers statistics of images.

    Raises:
        ModelFileError: the file is broken, not of the compact network in floats, or gives other maps than its weights.
    """
    card = onnx_file.read_card(path)
    if card.architecture != "compact" or card.precision != "float32" or card.normalization != "frozen":
        raise ModelFileError(
            f"weights of an ONNX file of {card.architecture}, {card.precision}, cannot be trained on", path,
            hint="give the .safetensors file that it was exported from",
        )  # fmt: skip
    try:
        network = build(card.architecture, card.configuration)
        assert isinstance(network, CompactGenerator)
        _fill(network, onnx.load(path).graph)
        same = _is_same(network, path)
    except (KeyError, StopIteration, TypeError, ValueError, RuntimeError) as error:
        raise _foreign(path) from error
    if not same:
        raise _foreign(path)
    return {name: value.numpy() for name, value in network.state_dict().items()}, card


def _foreign(path: Path) -> ModelFileError:
    hint = "export it again with this version, or give the .safetensors file that it was exported from"
    return ModelFileError("weights cannot be read back from this ONNX file", path, hint=hint)


@torch.no_grad()
def _fill(network: CompactGenerator, graph: Any) -> None:
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    # Equal ones are written once, and named again.
    values |= {n.output[0]: values[n.input[0]] for n in graph.node if n.op_type == "Identity" and n.input[0] in values}
    folded = [node for node in graph.node if node.op_type == "Conv" and node.input[1] in values]
    for (conv, norm), node in zip(_layers(network), folded, strict=True):
        kernel, bias = (torch.from_numpy(values[name].copy()) for name in node.input[1:3])
        # Only the direction of a kernel counts, and its size decides how far a step turns it.
        rms = kernel.square().mean((1, 2, 3)).sqrt()
        scale = torch.where(rms > 0, rms / KERNEL_RMS, 1)
        conv.weight.copy_(kernel / scale[:, None, None, None])
        norm.weight.copy_(scale * (1 + norm.eps) ** 0.5)
        norm.bias.copy_(bias)
    network.head.weight.copy_(torch.from_numpy(values[HEAD_WEIGHT].copy()))
    assert network.head.bias is not None
    tile = next(node for node in graph.node if node.op_type == "Tile")
    network.head.bias.copy_(torch.from_numpy(values[tile.input[0]].ravel().copy()))


def _layers(network: CompactGenerator) -> list[tuple[nn.Conv2d, Norm2d]]:
    """Convolutions with the normalization behind each, in the order in which a forward pass meets them."""
    met: list[Any] = []
    layers = [m for m in network.modules() if isinstance(m, (nn.Conv2d, Norm2d)) and m is not network.head]
    hooks = [layer.register_forward_pre_hook(lambda module, _: met.append(module)) for layer in layers]
    network.eval()(torch.zeros(1, 3, network.stride, network.stride))
    for hook in hooks:
        hook.remove()
    return list(zip(met[::2], met[1::2], strict=True))


def _is_same(network: CompactGenerator, path: Path) -> bool:
    side = -(-CHECKED_PX // network.stride) * network.stride
    image = np.random.default_rng(0).integers(0, 256, (1, side, side, 3), np.uint8)
    session, _ = onnx_file.open_session(path)
    (wanted,) = session.run(["smooth"], {"satellite": image})
    model = InferenceModel(network)
    with torch.inference_mode():
        drawn: Tensor = model(torch.from_numpy(image))[model.outputs.index("smooth")]
    return int(np.abs(wanted.astype(np.int16) - drawn.numpy()).max()) <= LARGEST_DIFFERENCE
