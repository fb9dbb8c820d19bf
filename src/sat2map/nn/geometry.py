"""Stride, receptive radius and margin of any of our networks, computed from its graph.

For every position along one axis of every intermediate tensor, the interval of input pixels that can change it is
carried through the graph. Phases are exact: on the grid of its stride a U-Net needs a smaller margin than its
receptive radius.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from sat2map.nn.compact import EnlargingConv2d
from sat2map.nn.normalization import Norm2d
from sat2map.nn.unet import Noise

LARGEST_AXIS_PX = 2**16
FAR = 2**40
"""Position beyond every pixel, which padding has, so that an axis too short to keep padding away is noticed."""
NO_TAP = -FAR
"""Index of a tap that meets no position at all."""


@dataclass(frozen=True)
class Geometry:
    """Stride, receptive field and margin of a network, in pixels of its input.

    With instance normalization every pixel depends on the whole image; the values then hold for the network once its
    statistics are frozen.
    """

    stride: int
    """Product of the downsamplings: input sizes, and starts of windows, are multiples of it."""
    receptive_radius_px: int
    """Largest distance at which an input pixel can change an output pixel (measured from its centre)."""
    receptive_field_px: int
    """Length of the interval of input pixels that can change one output pixel."""
    margin_px: int
    """Margin that makes a window exact whose sides lie on multiples of the stride; itself a multiple of it."""


@dataclass(frozen=True)
class _Span:
    """Interval [low, high] of input pixels that can change each position; one position is `scale` input pixels."""

    low: Tensor
    high: Tensor
    scale: Fraction

    def gather(self, index: Tensor, factor: Fraction) -> _Span:
        """Return the spans of positions j that depend on positions `index[j, :]`; those outside are padding (`FAR`)."""
        inside = (index >= 0) & (index < len(self.low))
        safe = index.clamp(0, len(self.low) - 1)
        outside = torch.where(index == NO_TAP, FAR, -FAR)
        low = torch.where(inside, self.low[safe], outside).amin(1)
        high = torch.where(inside, self.high[safe], -outside).amax(1)
        return _Span(low, high, self.scale * factor)

    def join(self, other: _Span) -> _Span:
        """Return the spans of positions that depend on both."""
        return _Span(torch.minimum(self.low, other.low), torch.maximum(self.high, other.high), self.scale)


def _side(value: int | tuple[int, ...] | str) -> int:
    assert not isinstance(value, str)
    sides = {value} if isinstance(value, int) else set(value)
    assert len(sides) == 1, "only square kernels, strides and paddings are used here"
    return sides.pop()


def _convolve(span: _Span, m: nn.Conv2d) -> _Span:
    kernel, stride, padding, dilation = map(_side, (m.kernel_size, m.stride, m.padding, m.dilation))
    n_out = (len(span.low) + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
    index = torch.arange(n_out)[:, None] * stride - padding + torch.arange(kernel) * dilation
    return span.gather(index, Fraction(stride))


def _convolve_transposed(span: _Span, m: nn.ConvTranspose2d) -> _Span:
    kernel, stride, padding = map(_side, (m.kernel_size, m.stride, m.padding))
    j = torch.arange((len(span.low) - 1) * stride - 2 * padding + kernel)[:, None]
    from_tap = j + padding - torch.arange(kernel)
    index = torch.where(from_tap % stride == 0, from_tap // stride, NO_TAP)
    return span.gather(index, Fraction(1, stride))


def _enlarge(span: _Span, factor: int) -> _Span:
    return span.gather(torch.arange(len(span.low) * factor)[:, None] // factor, Fraction(1, factor))


def _shrink(span: _Span, factor: int) -> _Span:
    cells = torch.arange(len(span.low) // factor)[:, None] * factor
    return span.gather(cells + torch.arange(factor), Fraction(factor))


POINTWISE = (nn.ReLU, nn.LeakyReLU, nn.Tanh, nn.Identity, Noise, Norm2d)


class _LeafTracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        has_rule = isinstance(m, (*POINTWISE, nn.Conv2d, nn.ConvTranspose2d))
        return has_rule or super().is_leaf_module(m, module_qualified_name)


class _Spans(fx.Interpreter):
    """Interpreter of a network's graph on spans in place of tensors, which keeps the coarsest scale met."""

    coarsest = Fraction(1)

    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        if isinstance(result, _Span):
            self.coarsest = max(self.coarsest, result.scale)
        return result

    def call_module(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        module, span = self.fetch_attr(str(target)), args[0]
        rules: list[tuple[type | tuple[type, ...], Callable[[], _Span]]] = [
            (EnlargingConv2d, lambda: _convolve(_enlarge(span, 2), module)),
            (nn.Conv2d, lambda: _convolve(span, module)),
            (nn.ConvTranspose2d, lambda: _convolve_transposed(span, module)),
            (nn.PixelUnshuffle, lambda: _shrink(span, module.downscale_factor)),
            (POINTWISE, lambda: span),
        ]
        for kind, rule in rules:
            if isinstance(module, kind):
                return rule()
        raise NotImplementedError(f"no rule for the receptive field of {type(module).__name__}")

    def call_function(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if target is F.relu:
            return args[0]
        if target is operator.add and all(isinstance(a, _Span) for a in args):
            return args[0].join(args[1])
        if target is torch.cat and args[1:] == (1,):
            return reduce(_Span.join, args[0])
        factor = kwargs.get("scale_factor") or 0.5
        if target is F.interpolate and kwargs["mode"] == "nearest" and factor % 1 == 0:
            return _enlarge(args[0], int(factor))
        raise NotImplementedError(f"no rule for the receptive field of {target}")

    def call_method(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        raise NotImplementedError(f"no rule for the receptive field of {target}")


def geometry(network: nn.Module) -> Geometry:
    """Compute the geometry of a generator, or of a discriminator as a function of one of its images.

    Raises:
        NotImplementedError: the network holds an operation that this module has no rule for.
    """
    graph = fx.GraphModule(network, _LeafTracer().trace(network))
    n_inputs = sum(node.op == "placeholder" for node in graph.graph.nodes)
    n = 1024
    while n <= LARGEST_AXIS_PX:
        axis = torch.arange(n)
        spans = _Spans(graph)
        out = spans.run(*[_Span(axis, axis, Fraction(1))] * n_inputs)
        found = _from_spans(out, int(spans.coarsest), n)
        if found is not None:
            return found
        n *= 2
    raise NotImplementedError(f"receptive radius is larger than {LARGEST_AXIS_PX // 4} px")


def _from_spans(out: _Span, stride: int, n: int) -> Geometry | None:
    """Return the geometry from the outputs in one stride in the middle; None if the axis is too short for it."""
    middle = n // 2 // stride * stride
    first, last = int(middle / out.scale), int((middle + stride) / out.scale)
    low, high = out.low[first:last], out.high[first:last]
    if low.min() <= stride or high.max() >= n - 1 - stride:
        return None
    field = int((high - low).max()) + 1
    if out.scale != 1:
        return Geometry(stride, field // 2, field, -(-field // stride) * stride)
    own = torch.arange(first, last)
    radius = int(torch.maximum(own - low, high - own).max())
    beyond = max(middle - int(low.min()), int(high.max()) - (middle + stride - 1))
    return Geometry(stride, radius, 2 * radius + 1, -(-beyond // stride) * stride)
