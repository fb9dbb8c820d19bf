"""Changes to ONNX graphs that let one file be run in 8-bit integers and in floats."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from onnx import NodeProto, TensorProto, helper

FEWEST_ROWS = 4
"""Rows of logits that a head which is not wanted works on: none would be, but shapes cannot be inferred of nothing."""


def split_heads(graph: Any) -> Callable[[Any], None]:
    """Take the switched heads off a graph, and make what puts them back on its quantized trunk.

    ONNX Runtime aborts on an `If` node whose branch takes the output of a quantizer. So the heads come back without
    `If`: one that is not wanted works on a few rows of logits only.
    """
    heads = [node for node in graph.node if node.op_type == "If"]
    if not heads:
        return lambda _quantized: None
    outputs = list(graph.output)
    switches = {head.input[0] for head in heads}
    inputs = [port for port in graph.input if port.name in switches]
    values = [tensor for tensor in graph.initializer if tensor.name in switches]
    (logits,) = _taken_by(heads, graph)
    for items, taken in ((graph.node, heads), (graph.input, inputs), (graph.initializer, values)):
        for item in taken:
            items.remove(item)
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info(logits, TensorProto.FLOAT, None))

    def attach(quantized: Any) -> None:
        del quantized.output[:]
        quantized.output.extend(outputs)
        quantized.input.extend(inputs)
        quantized.initializer.extend([*values, *_slice_constants()])
        for head in heads:
            _attach_head(quantized, head, logits)

    return attach


def _taken_by(heads: list[Any], graph: Any) -> list[str]:
    """Tensors that the branches of heads take from the graph, computed there."""
    made = {name for node in graph.node for name in node.output}
    return list(
        dict.fromkeys(name for head in heads for node in _branch(head).node for name in node.input if name in made)
    )


def _branch(head: Any) -> Any:
    return next(attribute.g for attribute in head.attribute if attribute.name == "then_branch")


def _slice_constants() -> list[Any]:
    values = {"rows_begin": 0, "rows_few": FEWEST_ROWS, "rows_all": 2**62, "rows_axis": 2}
    return [helper.make_tensor(name, TensorProto.INT64, [1], [value]) for name, value in values.items()]


def _attach_head(graph: Any, head: Any, logits: str) -> None:
    (switch,), (output,), branch = head.input, head.output, _branch(head)
    scale, zero_point = _quantization_of(graph, logits)

    def own(name: str) -> str:
        return f"{output}/{name}"

    graph.node.extend([
        helper.make_node("Where", [switch, "rows_all", "rows_few"], [own("rows_end")], own("Where")),
        helper.make_node("Slice", [logits, "rows_begin", own("rows_end"), "rows_axis"], [own("rows")], own("Slice")),
        # Between quantizers the slice is one of bytes.
        helper.make_node("QuantizeLinear", [own("rows"), scale, zero_point], [own("bytes")], own("Quantize")),
        helper.make_node("DequantizeLinear", [own("bytes"), scale, zero_point], [own("logits")], own("Dequantize")),
    ])  # fmt: skip
    names = {name: own(name) for node in branch.node for name in node.output if name != output}
    names |= {tensor.name: own(tensor.name) for tensor in branch.initializer} | {logits: own("logits")}
    for tensor in branch.initializer:
        tensor.name = names[tensor.name]
        graph.initializer.append(tensor)
    for node in branch.node:
        node.name = own(node.name)
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
        graph.node.append(node)


def _quantization_of(graph: Any, tensor: str) -> tuple[str, str]:
    """Scale and zero point with which a tensor, or what it is a reshaping of, was quantized."""
    maker = {name: node for node in graph.node for name in node.output}
    node = maker[tensor]
    while node.op_type != "DequantizeLinear":
        node = maker[node.input[0]]
    return node.input[1], node.input[2]


def separate_quantizers(graph: Any) -> None:
    """Give each user of a quantized activation a quantizer of its own.

    ONNX Runtime puts equal ones together again before it makes integers of them. But in floats, where it is to take
    them out, it leaves those that have several users.
    """
    maker = {name: node for node in graph.node for name in node.output}
    users = defaultdict(list)
    for node in graph.node:
        for i, name in enumerate(node.input):
            users[name].append((node, i))
    nodes: list[NodeProto] = []
    for node in graph.node:
        nodes.append(node)
        quantizer = maker.get(node.input[0]) if node.op_type == "DequantizeLinear" else None
        if quantizer is None or quantizer.op_type != "QuantizeLinear":
            continue
        for n, (user, i) in enumerate(users[node.output[0]][1:], 1):
            data, integers = f"{node.output[0]}_{n}", f"{node.input[0]}_{n}"
            nodes.append(helper.make_node("QuantizeLinear", [*quantizer.input], [integers], integers))
            nodes.append(helper.make_node("DequantizeLinear", [integers, *node.input[1:]], [data], data))
            user.input[i] = data
    del graph.node[:]
    graph.node.extend(nodes)


def unused_imports(model: Any) -> list[Any]:
    """Imports of sets of operators of which a model uses none."""
    used = {node.domain for node in model.graph.node}
    return [imported for imported in model.opset_import if imported.domain not in used]
