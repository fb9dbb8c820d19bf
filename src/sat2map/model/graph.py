"""Changes to ONNX graphs that let one file be run in 8-bit integers and in floats."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any, NamedTuple

import onnx
from onnx import NodeProto, TensorProto, helper

STRIDES_OF_ROWS = 2
"""Rows of logits that a head which is not wanted works on, in strides: those of an image as high as one stride. None
would be fewer, but shapes cannot be inferred of nothing, and the familiarity has no cell in fewer."""


def split_heads(graph: Any, stride: int) -> Callable[[Any], None]:
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
    taken = {name for head in heads for node in _branch(head).node for name in node.input} | switches
    constants = [tensor for tensor in graph.initializer if tensor.name in taken]
    (logits,) = {name for node in graph.node for name in node.output} & taken
    for items, gone in ((graph.node, heads), (graph.input, inputs), (graph.output, outputs)):
        for item in gone:
            items.remove(item)
    graph.output.append(helper.make_tensor_value_info(logits, TensorProto.FLOAT, None))

    def attach(quantized: Any) -> None:
        del quantized.output[:]
        quantized.output.extend(outputs)
        quantized.input.extend(inputs)
        present = {tensor.name for tensor in quantized.initializer}
        quantized.initializer.extend([tensor for tensor in constants if tensor.name not in present])
        quantized.initializer.extend(_slice_constants(STRIDES_OF_ROWS * stride))
        for head in heads:
            _attach_head(quantized, head, logits)

    return attach


def _branch(head: Any) -> Any:
    return next(attribute.g for attribute in head.attribute if attribute.name == "then_branch")


def _slice_constants(n_few: int) -> list[Any]:
    values = {"rows_begin": 0, "rows_few": n_few, "rows_all": 2**62, "rows_axis": 2}
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


class Shapes(NamedTuple):
    """The shape of a tensor for two sizes of the image."""

    one: list[int]
    other: list[int]

    def axis(self, i: int) -> tuple[int, int]:
        """Length of an axis for both."""
        return self.one[i], self.other[i]


def probed_reshapes(model: Any) -> tuple[Any, list[Any]]:
    """Make a model that tells the shapes of reshapings whose shape is computed.

    Returns:
        The model, and the nodes; for each of them it has two outputs, the shape of what is reshaped and the result's.
    """
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    known = {tensor.name for tensor in model.graph.initializer}
    known |= {node.output[0] for node in model.graph.node if node.op_type == "Constant"}
    reshapes = [node for node in model.graph.node if node.op_type == "Reshape" and node.input[1] not in known]
    del probe.graph.output[:]
    for i, node in enumerate(reshapes):
        for end, tensor in enumerate((_before_reshapes(model.graph, node), node.output[0])):
            name = f"shape_{i}_{end}"
            probe.graph.node.append(helper.make_node("Shape", [tensor], [name]))
            probe.graph.output.append(helper.make_tensor_value_info(name, TensorProto.INT64, None))
    return probe, reshapes


def _before_reshapes(graph: Any, node: Any) -> str:
    """What a node reshapes, in the shape that it had before reshapings that lead to it."""
    maker = {name: node for node in graph.node for name in node.output}
    while node is not None and node.op_type == "Reshape":
        tensor: str = node.input[0]
        node = maker.get(tensor)
    return tensor


def fix_reshape(graph: Any, node: Any, before: Shapes, after: Shapes) -> None:
    """Give a reshaping a constant shape, if one axis at most is neither constant nor as long as it was."""
    shape = []
    for i in range(len(after.one)):
        one, other = after.axis(i)
        kept = i < len(before.one) and before.axis(i) == (one, other)
        shape.append(one if one == other else 0 if kept else -1)
    if shape.count(-1) <= 1:
        name = f"{node.output[0]}_shape"
        graph.initializer.append(helper.make_tensor(name, TensorProto.INT64, [len(shape)], shape))
        node.input[:] = [_before_reshapes(graph, node), name]


def remove_unused(graph: Any) -> None:
    """Remove nodes and constants that no output is computed from."""
    needed = {port.name for port in graph.output}
    kept = []
    for node in reversed(graph.node):
        if needed & set(node.output):
            needed |= set(node.input)
            kept.append(node)
    del graph.node[:]
    graph.node.extend(reversed(kept))
    for tensor in [tensor for tensor in graph.initializer if tensor.name not in needed]:
        graph.initializer.remove(tensor)


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
