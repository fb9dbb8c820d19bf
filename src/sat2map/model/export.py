"""Export of a generator to an ONNX file, for sat2map or for other tools, compared with torch before it appears."""

from __future__ import annotations

import json
import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper
from torch import nn

from sat2map.arrays import UInt8
from sat2map.errors import ModelFileError
from sat2map.files import replacing
from sat2map.model import onnx_file
from sat2map.model.card import HEADER_KEY, Card, class_of_colour, inference_arguments
from sat2map.nn.generator import Generator
from sat2map.nn.inference import CONFIDENCE, FAMILIARITY, InferenceModel

OPSET = 18
PLAIN_OPSET = 13
"""Old enough for what other tools bring."""
PLAIN_CARD_KEY = "sat2map.plain_card"
"""Not that of a model of sat2map, which takes other input."""
LARGEST_PLAIN_DIFFERENCE = 1e-3
LARGEST_DIFFERENCE = 1
"""Levels of 255 by which a mean colour may differ from that of torch, by rounding."""
LARGEST_SHARE = 1e-5
"""Share of pixels whose arg-max colour may differ: rounding decides between equal classes."""


def export(generator: Generator, card: Card, path: Path, images_bhwc: UInt8) -> None:
    """Write a generator as an ONNX file that takes and gives images of any size.

    Input and output are uint8, shape (batch, height, width, 3), RGB.

    Args:
        generator: generator on the processor.
        card: card of the generator, which is written into the file.
        path: destination with the suffix `.onnx`.
        images_bhwc: images on which torch and ONNX Runtime are compared, uint8, shape (B, H, W, 3).

    Raises:
        ModelFileError: its maps are no finite numbers, or torch and ONNX Runtime do not agree; nothing is written.
        OutputError: the folder is missing or cannot be written.
    """
    # The exporter puts all modules into the mode of the outermost one, which therefore must be in evaluation mode.
    model = InferenceModel(generator, **inference_arguments(card)).eval()
    _check_finite(generator, images_bhwc, path)
    with replacing(path) as work:
        _write_graph(model, card, work)
        _check(model, work, images_bhwc, path)


class PlainModel(nn.Module):
    """A generator as other tools call one: float, shape (1, 3, H, W), RGB, 0..1 in; (1, C, H, W) out.

    Of a palette head the output is the probability of each class of the card, as the confidence has it; of any other
    RGB, 0..1.
    """

    def __init__(self, generator: Generator, card: Card) -> None:
        super().__init__()
        self.generator, self.sharpness = generator.eval(), card.confidence_sharpness
        weight, classes = None, class_of_colour(card)
        if classes is not None:
            weight = torch.zeros(len(card.classes), len(classes), 1, 1)
            weight[classes, range(len(classes))] = 1
        self.register_buffer("weight", weight, persistent=False)

    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        """Draw probabilities, or colours."""
        output: torch.Tensor = self.generator(rgb * 2 - 1)
        if isinstance(self.weight, torch.Tensor):
            # A sum over the colours of a class, as a convolution, which every tool knows.
            return nn.functional.conv2d((self.sharpness * output).softmax(1), self.weight)
        return (self.generator.image(output) + 1) / 2


def export_plain(generator: Generator, card: Card, path: Path, images_bhwc: UInt8) -> None:
    """Write a generator as an ONNX file that any tool runs, with the metadata that QGIS's Deepness reads.

    Input: `image`, float32, shape (1, 3, H, W) of the images that are given, RGB, 0..1. Output: `classes`, float32,
    shape (1, C, H, W), the probability of each class of the card; or of a generator without a palette head `map`, shape
    (1, 3, H, W), 0..1.
    The graph holds no control flow.

    Args:
        generator: generator on the processor.
        card: card of the generator.
        path: destination with the suffix `.onnx`.
        images_bhwc: images on which torch and ONNX Runtime are compared, uint8, shape (B, side, side, 3); the file
            takes images of their size.

    Raises:
        ModelFileError: its maps are no finite numbers, or torch and ONNX Runtime do not agree; nothing is written.
        OutputError: the folder is missing or cannot be written.
    """
    _check_finite(generator, images_bhwc, path)
    model = PlainModel(generator, card).eval()
    images = torch.from_numpy(images_bhwc).permute(0, 3, 1, 2).float() / 255
    with replacing(path) as work:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                model, (images[:1],), str(work), dynamo=False, opset_version=PLAIN_OPSET, input_names=["image"],
                output_names=["map" if card.palette is None else "classes"],
            )  # fmt: skip
        proto = onnx.load(work)
        helper.set_model_props(proto, _metadata_of_others(card, images.shape[-1]))
        onnx.checker.check_model(proto, full_check=True)
        onnx.save(proto, work)
        _check_plain(model, work, images, path)


def _metadata_of_others(card: Card, side_px: int) -> dict[str, str]:
    """What the plug-in Deepness reads, each value as JSON; and the card under a name of its own."""
    names = ("red", "green", "blue") if card.palette is None else card.classes.names
    finest, coarsest = card.gsd_m
    values: dict[str, object] = {
        "model_type": "Regressor" if card.palette is None else "Segmentor",
        "class_names": dict(enumerate(names)),
        # Centimetres; the middle of the range, in the logarithm.
        "resolution": round(100 * (finest * coarsest) ** 0.5, 1),
        "tile_size": side_px,
        "tiles_size": side_px,
        # Half of it is cut off at each side of a tile: the margin with which tiles join without seams.
        "tiles_overlap": min(90, -(-200 * card.margin_px // side_px)),
    }
    # Every pixel has a class, and small ones count.
    values |= {"reg_output_scaling": 1.0} if card.palette is None else {"seg_thresh": 0.0, "seg_small_segment": 0}
    return {key: json.dumps(value) for key, value in values.items()} | {PLAIN_CARD_KEY: card.model_dump_json()}


def _check_plain(model: PlainModel, written: Path, images: torch.Tensor, path: Path) -> None:
    session = onnx_file.plain_session(written)
    for image in images:
        with torch.inference_mode():
            expected = model(image[None]).numpy()
        (got,) = session.run(None, {"image": image[None].numpy()})
        difference = float(np.abs(expected - got).max())
        if not difference < LARGEST_PLAIN_DIFFERENCE:
            raise ModelFileError(
                f"exported model differs from torch by up to {difference:.2g}", path,
                hint="nothing was written; report this with the model's card",
            )  # fmt: skip


def _check_finite(generator: Generator, images_bhwc: UInt8, path: Path) -> None:
    sat_bchw = torch.from_numpy(images_bhwc).permute(0, 3, 1, 2).float() / 127.5 - 1
    with torch.inference_mode():
        output: torch.Tensor = generator(sat_bchw)
    if not output.isfinite().all():
        raise ModelFileError(
            "generator gives no finite numbers", path, hint="it is of a run that diverged; export another"
        )


def _write_graph(model: InferenceModel, card: Card, path: Path) -> None:
    example = torch.zeros(1, 2 * card.stride, 2 * card.stride, 3, dtype=torch.uint8)
    free = {0: "batch", 1: "height", 2: "width"}
    with warnings.catch_warnings():
        # The older exporter warns; the newer one cannot express that height and width are multiples of the stride.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model,
            (example,),
            str(path),
            dynamo=False,
            opset_version=OPSET,
            input_names=["satellite"],
            output_names=list(model.outputs),
            dynamic_axes=dict.fromkeys(["satellite", *model.outputs], free),
        )
    proto = onnx.load(path)
    if len(model.outputs) > 1:
        _make_optional(proto.graph)
    helper.set_model_props(proto, {HEADER_KEY: card.model_dump_json()})
    onnx.checker.check_model(proto, full_check=True)
    onnx.save(proto, path)


def _make_optional(graph: Any) -> None:
    """Move nodes that not all outputs need behind switches: inputs `want_{output}`, true by default.

    ONNX Runtime (1.32) computes every node whatever outputs are fetched, even with `only_execute_path_to_fetches`, and
    the softmax of `smooth` would take a quarter of the time of a `crisp` map. Nodes that two of three outputs need are
    in the branches of both.
    """
    needed = {output.name: _nodes_behind(graph, output.name) for output in graph.output}
    # The familiarity needs a part of the network; what it does not need is no less common to the others.
    common = set.intersection(*(nodes for name, nodes in needed.items() if name != FAMILIARITY))
    moved: set[int] = set()
    for output in graph.output:
        own = needed[output.name] - common
        moved |= own
        graph.node.append(_switched(graph, output, sorted(own)))
    kept = [node for i, node in enumerate(graph.node) if i not in moved]
    del graph.node[:]
    graph.node.extend(kept)


def _nodes_behind(graph: Any, tensor: str) -> set[int]:
    """Return the indices in `graph.node` of all nodes that `tensor` is computed from."""
    maker = {name: i for i, node in enumerate(graph.node) for name in node.output}
    found: set[int] = set()
    wanted = [tensor]
    while wanted:
        i = maker.get(wanted.pop())
        if i is not None and i not in found:
            found.add(i)
            wanted.extend(graph.node[i].input)
    return found


def _switched(graph: Any, output: Any, indices: list[int]) -> Any:
    """Make the node that computes `output` by the nodes at `indices` if its switch is on, or else an empty tensor."""
    switch = onnx_file.SWITCH.format(output.name)
    graph.input.append(helper.make_tensor_value_info(switch, TensorProto.BOOL, []))
    graph.initializer.append(helper.make_tensor(switch, TensorProto.BOOL, [], [True]))
    on = helper.make_graph([graph.node[i] for i in indices], f"{output.name}_on", [], [output])
    n_channels = 1 if output.name in (CONFIDENCE, FAMILIARITY) else 3
    nothing = helper.make_tensor("nothing", TensorProto.UINT8, [0, 0, 0, n_channels], [])
    constant = helper.make_node("Constant", [], [output.name], value=nothing)
    off = helper.make_graph([constant], f"{output.name}_off", [], [output])
    return helper.make_node("If", [switch], [output.name], then_branch=on, else_branch=off)


def _check(model: InferenceModel, written: Path, images_bhwc: UInt8, path: Path) -> None:
    session, _ = onnx_file.open_session(written)
    with torch.inference_mode():
        expected = [answer.numpy() for answer in model(torch.from_numpy(images_bhwc))]
    answers = session.run(None, {"satellite": images_bhwc})
    for name, wanted, got in zip(model.outputs, expected, answers, strict=True):
        difference = np.abs(wanted.astype(np.int16) - got)
        share = float((difference.max(-1) > LARGEST_DIFFERENCE).mean())
        # Both depend on the arg-max, which rounding can change where two classes are equal.
        if share > (LARGEST_SHARE if name in ("crisp", CONFIDENCE) else 0):
            raise ModelFileError(
                f"exported {name} differs from torch by up to {difference.max()} of 255 on {share:.3%} of pixels", path,
                hint="nothing was written; report this with the model's card",
            )  # fmt: skip
    logging.getLogger(__name__).info("checked %s on %d images against torch", path, len(images_bhwc))
