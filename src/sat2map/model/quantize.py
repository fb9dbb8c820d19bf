"""8-bit models: an exported model with 8-bit weights and activations, which the processor multiplies as integers.

Weights have 7 bits: processors without VNNI add two products of 8 bits in 16, which clips, without a word, what 8-bit
weights can make of them. With 7 bits the logits are the same on both.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import helper
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.quant_utils import add_pre_process_metadata

from sat2map.arrays import UInt8
from sat2map.errors import ModelFileError
from sat2map.files import replacing
from sat2map.model import onnx_file
from sat2map.model.card import HEADER_KEY, PRECISIONS, Card
from sat2map.model.graph import (
    Shapes,
    fix_reshape,
    probed_reshapes,
    remove_unused,
    separate_quantizers,
    split_heads,
    unused_imports,
)

OPERATORS = ("Conv", "ConvTranspose", "Add", "Concat", "Relu", "Reshape", "Resize")
"""Operators that compute with 8-bit integers; what lies between is in floats."""


def quantize(path: Path, out: Path, images_hwc: Sequence[UInt8], calibration_data: str) -> Card:
    """Write a model as one of 8-bit integers, from which its floats can still be computed.

    Source: Jacob et al. 2018, Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
    Inference, arXiv 1712.05877, section 2.

    Args:
        path: the model, `.onnx`, in floats.
        out: destination, ending in `.onnx`.
        images_hwc: images to measure the activations on, each uint8, shape (H, W, 3), sides multiples of the stride.
        calibration_data: name of these images, for the card.

    Returns:
        The card that was written.

    Raises:
        ModelFileError: the model is broken, or quantized already.
        OutputError: the folder is missing or cannot be written.
    """
    card = onnx_file.read_card(path)
    if card.precision != "float32":
        raise ModelFileError(f"model is {card.precision} already", path, hint="give the model that it was made from")
    of_images = {"calibration_data": calibration_data, "n_calibration_images": len(images_hwc)}
    card = card.model_copy(update={"precision": "int8"} | of_images)
    with replacing(out) as work, tempfile.TemporaryDirectory() as folder:
        graph = _fold(path, Path(folder))
        attach_heads = split_heads(graph.graph, card.stride)
        _fix_reshapes(graph, card.stride)
        graph = _quantize_trunk(graph, images_hwc, Path(folder))
        attach_heads(graph.graph)
        separate_quantizers(graph.graph)
        for unused in unused_imports(graph):
            graph.opset_import.remove(unused)
        del graph.metadata_props[:]
        helper.set_model_props(graph, {HEADER_KEY: card.model_dump_json()})
        onnx.checker.check_model(graph, full_check=True)
        onnx.save(graph, work)
        for precision in PRECISIONS:
            onnx_file.open_session(work, precision=precision)
    return card


def _fold(path: Path, folder: Path) -> Any:
    """The model with its constants folded, so that weights which are computed from others are weights."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = onnx_file.SILENT
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(folder / "folded.onnx")
    onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return onnx.load(folder / "folded.onnx")


def _fix_reshapes(model: Any, stride: int) -> None:
    """Give reshapings constant shapes, where two sizes of image show that these can be.

    What torch exports computes them from the shape of a tensor, for which ONNX Runtime makes floats of its integers: 3
    to 5 % of the time of a run.
    """
    probe, reshapes = probed_reshapes(model)
    if not reshapes:
        return
    options = onnxruntime.SessionOptions()
    options.log_severity_level = onnx_file.SILENT
    session = onnxruntime.InferenceSession(probe.SerializeToString(), options, providers=["CPUExecutionProvider"])
    sizes = (1, 2 * stride, 3 * stride, 3), (2, 5 * stride, 4 * stride, 3)
    found = [session.run(None, {"satellite": np.zeros(size, np.uint8)}) for size in sizes]
    for i, reshape in enumerate(reshapes):
        shapes = [Shapes(*(answers[2 * i + k].tolist() for answers in found)) for k in (0, 1)]
        fix_reshape(model.graph, reshape, *shapes)
    remove_unused(model.graph)


class _Images(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, images_hwc: Sequence[UInt8]) -> None:
        self._images: Iterator[UInt8] = iter(images_hwc)

    def get_next(self) -> dict[str, UInt8] | None:
        image_hwc = next(self._images, None)
        return None if image_hwc is None else {"satellite": image_hwc[None]}


def _quantize_trunk(model: Any, images_hwc: Sequence[UInt8], folder: Path) -> Any:
    add_pre_process_metadata(model)  # it has been folded; without the mark there is a warning
    quantize_static(
        model,
        folder / "quantized.onnx",
        _Images(images_hwc),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=list(OPERATORS),
        per_channel=True,
        reduce_range=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        calibrate_method=CalibrationMethod.MinMax,
        # Without the first, a ReLU is left to the quantizer behind it, and gone when that is taken out. By the second,
        # a range is the mean of those of all images: one odd image does not make the steps of all coarser.
        extra_options={
            "QDQKeepRemovableActivations": True,
            "CalibMovingAverage": True,
        },
    )
    return onnx.load(folder / "quantized.onnx")
