"""What share of the processor's peak a network reaches: multiply-adds a second, beside those of one large product.

Processor seconds of all threads count, so that a busy machine matters little.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime

from sat2map.engine import Engine
from sat2map.errors import import_extra
from sat2map.model.card import PRECISIONS, Card, Precision

WINDOW_PX, MATRIX_SIDE, N_ROUNDS = 1024, 1024, 3
OPSET = 13


def bench_peak(engine: Engine) -> dict[Precision, dict[str, float]]:
    """Measure a network in each precision that it has.

    Returns:
        By precision: `multiply_adds_per_s` of the network, `peak` of a product of matrices in the same numbers, both
        for a processor second, and `share`, the one over the other.

    Raises:
        MissingExtraError: torch or onnx are not installed.
    """
    import_extra("torch", "train")
    import_extra("onnx", "train")
    n_multiply_adds = multiply_adds_per_px(engine.card) * WINDOW_PX**2
    report = {}
    for precision in PRECISIONS if engine.card.precision == "int8" else PRECISIONS[:1]:
        of_precision, window = engine.with_precision(precision), np.zeros((1, WINDOW_PX, WINDOW_PX, 3), np.uint8)

        def run(e: Engine = of_precision, sat_bhwc: Any = window) -> object:
            return e.run(sat_bhwc, e.card.heads[0])

        rate, peak = n_multiply_adds / _least_s(run), MATRIX_SIDE**3 / _least_s(_product(precision))
        report[precision] = {"multiply_adds_per_s": rate, "peak": peak, "share": rate / peak}
    return report


def multiply_adds_per_px(card: Card) -> float:
    """Multiply-adds of the network of a card for each pixel of a large image."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from sat2map.nn import build

    side = -(-WINDOW_PX // card.stride) * card.stride
    # There shapes are computed alone.
    network = build(card.architecture, card.configuration).eval().to("meta")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, 3, side, side, device="meta"))
    return float(counter.get_total_flops() / 2 / side**2)


def _product(precision: Precision) -> Callable[[], object]:
    """A product of two large matrices by the runtime that runs the network."""
    from onnx import TensorProto, helper

    rng, sides = np.random.default_rng(0), (MATRIX_SIDE, MATRIX_SIDE)
    a: Any = rng.integers(0, 256, sides)
    b: Any = rng.integers(-64, 64, sides)
    if precision == "int8":
        name, types = "MatMulInteger", (TensorProto.UINT8, TensorProto.INT8, TensorProto.INT32)
        a, b = a.astype(np.uint8), b.astype(np.int8)
    else:
        name, types = "MatMul", (TensorProto.FLOAT, TensorProto.FLOAT, TensorProto.FLOAT)
        a, b = a.astype(np.float32), b.astype(np.float32)
    ports = [helper.make_tensor_value_info(x, kind, sides) for x, kind in zip("ac", (types[0], types[2]), strict=True)]
    weights = helper.make_tensor("b", types[1], sides, b.tobytes(), raw=True)
    graph = helper.make_graph([helper.make_node(name, ["a", "b"], ["c"])], name, ports[:1], ports[1:], [weights])
    # Of the lowest version of the format that has the operators, for old runtimes.
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"a": a})


def _least_s(run: Callable[[], object]) -> float:
    """Processor seconds of a run, the least of some: what else runs on the machine can only lengthen it."""
    seconds = []
    for _ in range(N_ROUNDS):
        begun_s = time.process_time()
        run()
        seconds.append(time.process_time() - begun_s)
    return min(seconds)
