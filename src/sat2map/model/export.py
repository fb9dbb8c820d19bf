"""From a trained generator to an ONNX file that needs no torch, checked against torch before it appears."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import torch

from sat2map.errors import ModelFileError
from sat2map.model import onnx_file
from sat2map.model.atomic import replacing
from sat2map.model.card import HEADER_KEY, Card
from sat2map.nn.generator import Generator
from sat2map.nn.inference import InferenceModel

UInt8 = npt.NDArray[np.uint8]

OPSET = 18
LARGEST_DIFFERENCE = 1
"""Levels of 255 by which a mean colour may differ from torch's: a rounding."""
LARGEST_SHARE = 1e-5
"""Share of pixels whose arg-max colour may differ: ties within rounding."""


def export(generator: Generator, card: Card, path: Path, pictures_bhwc: UInt8) -> None:
    """Write a generator as ONNX: uint8 (batch, height, width, 3) in and out, sizes free.

    Args:
        generator: on the processor.
        card: goes into the file.
        path: of the file, ending in `.onnx`.
        pictures_bhwc: uint8, shape (B, H, W, 3): what torch and ONNX Runtime must agree on.

    Raises:
        ModelFileError: they do not agree; nothing is written.
        OutputError: the folder is missing or cannot be written.
    """
    model = InferenceModel(generator)
    with replacing(path) as work:
        _write_graph(model, card, work)
        _check(model, work, pictures_bhwc, path)


def _write_graph(model: InferenceModel, card: Card, path: Path) -> None:
    example = torch.zeros(1, 2 * card.stride, 2 * card.stride, 3, dtype=torch.uint8)
    free = {0: "batch", 1: "height", 2: "width"}
    with warnings.catch_warnings():
        # The newer exporter ties height and width to multiples of the stride that it cannot name.
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
    graph = onnx.load(path)
    onnx.helper.set_model_props(graph, {HEADER_KEY: card.model_dump_json()})
    onnx.checker.check_model(graph)
    onnx.save(graph, path)


def _check(model: InferenceModel, written: Path, pictures_bhwc: UInt8, path: Path) -> None:
    session, card = onnx_file.open_session(written)
    with torch.inference_mode():
        expected = [answer.numpy() for answer in model(torch.from_numpy(pictures_bhwc))]
    answers = session.run(None, {"satellite": pictures_bhwc})
    for name, wanted, got in zip(card.outputs, expected, answers, strict=True):
        difference = np.abs(wanted.astype(np.int16) - got)
        share = float((difference.max(-1) > LARGEST_DIFFERENCE).mean())
        if share > (LARGEST_SHARE if name == "crisp" else 0):
            raise ModelFileError(
                f"exported {name} differs from torch by up to {difference.max()} of 255 on {share:.3%} of pixels", path,
                hint="nothing was written; report this with the model's card",
            )  # fmt: skip
    logging.getLogger(__name__).info("checked %s on %d pictures against torch", path, len(pictures_bhwc))
