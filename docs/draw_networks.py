"""Draws the paper's two networks as SVG, from the modules themselves: `python docs/draw_networks.py` writes docs/*.svg.

What is drawn is what a forward pass meets, so that the images cannot differ from the code.
"""

from __future__ import annotations

from html import escape
from pathlib import Path

import torch
from torch import Tensor, nn

from sat2map.nn import PatchDiscriminator, UNetGenerator
from sat2map.nn.geometry import geometry
from sat2map.nn.normalization import Norm2d
from sat2map.nn.unet import Noise

DOCS = Path(__file__).parent
SIDE_PX = 256
INK, SOFT, DOWN, UP, SKIP = "#333", "#777", "#cfdcf2", "#f6dcc4", "#8aa"
BOX_PX = 52

Shape = tuple[int, ...]


def shapes_of(network: nn.Module, layers: list[nn.Module], *inputs: Tensor) -> list[tuple[Shape, Shape]]:
    """Shapes (C, H, W) of what each layer gets and gives, in a forward pass that computes nothing."""
    met: dict[nn.Module, tuple[Shape, Shape]] = {}
    hooks = [
        layer.register_forward_hook(lambda m, i, o: met.update({m: (tuple(i[0].shape[1:]), tuple(o.shape[1:]))}))
        for layer in layers
    ]
    network(*inputs)
    for hook in hooks:
        hook.remove()
    return [met[layer] for layer in layers]


def in_words(layer: nn.Module) -> str | None:
    """A layer in a few words; None for one that does nothing."""
    match layer:
        case nn.ConvTranspose2d():
            return f"transposed conv {layer.kernel_size[0]} × {layer.kernel_size[0]}, up {layer.stride[0]}"
        case nn.Conv2d():
            down = f", down {layer.stride[0]}" if layer.stride[0] > 1 else ""
            return f"conv {layer.kernel_size[0]} × {layer.kernel_size[0]}{down}"
        case Norm2d():
            return "norm"
        case Noise():
            return f"dropout {layer.p:g}"
        case nn.Identity():
            return None
    return type(layer).__name__


def box(x: float, y: float, width: float, fill: str, lines: list[str]) -> str:
    """A rectangle of `BOX_PX` height with a line of text in ink and the others softer."""
    parts = [f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{BOX_PX}" rx="5" fill="{fill}"/>']
    for i, line in enumerate(lines):
        soft = ' class="s"' if i else ""
        parts.append(f'<text{soft} x="{x + width / 2:g}" y="{y + 17 + 14 * i:g}">{escape(line)}</text>')
    return "".join(parts)


def arrow(points: list[tuple[float, float]], colour: str = INK, *, dashed: bool = False) -> str:
    """A line with a head at its end."""
    path = " ".join(f"{x:g},{y:g}" for x, y in points)
    dashes = ' stroke-dasharray="5 4"' if dashed else ""
    return (
        f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"{dashes} marker-end="url(#head)"/>'
    )


def square(x: float, y: float, side: float, fill: str, stroke: str = SOFT) -> str:
    """A square by its upper left corner."""
    return f'<rect x="{x:g}" y="{y:g}" width="{side:g}" height="{side:g}" fill="{fill}" stroke="{stroke}"/>'


def page(width: int, height: int, title: str, parts: list[str]) -> str:
    """The SVG."""
    sides = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    head = (
        '<marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0 8 4 0 8z" fill="{INK}"/></marker>'
    )
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {sides}>',
            f"<title>{escape(title)}</title>",
            f"<style>text {{ font: 13px system-ui, sans-serif; fill: {INK}; text-anchor: middle }} "
            f".s {{ font-size: 11px; fill: {SOFT} }}</style>",
            f"<defs>{head}</defs>",
            f'<rect width="{width}" height="{height}" fill="white"/>',
            *parts,
            "</svg>\n",
        ]
    )


def count(network: nn.Module) -> str:
    """Weights, in words."""
    n = sum(p.numel() for p in network.parameters())
    return f"{n / 1e6:.1f} M weights" if n >= 1e6 else f"{n / 1e3:.1f} k weights"


def size(shape: Shape) -> str:
    """A shape (C, H, W) in words."""
    return f"{shape[1]} × {shape[2]} px, {shape[0]} channels"


def draw_generator(network: UNetGenerator) -> str:
    """The U: down on the left, up on the right, a skip across each level."""
    down, up = list(network.down), list(network.up)
    shapes = shapes_of(network, down + up, torch.empty(1, 3, SIDE_PX, SIDE_PX, device="meta"))
    gives = [given for _, given in shapes]
    left, right, width, step = 70, 510, 300, 84
    bottom = 60 + step * len(down)
    parts = [
        f'<text x="{left + width / 2:g}" y="24">image x: {size(shapes[0][0])}</text>',
        f'<text x="{right + width / 2:g}" y="24">map G(x): {size(gives[len(down)])}</text>',
        arrow([(left + width / 2, 32), (left + width / 2, 56)]),
        arrow([(right + width / 2, 60), (right + width / 2, 34)]),
    ]
    for i in range(len(down)):
        y, innermost = 60 + step * i, i == len(down) - 1
        for x, layers, fill, shape in (
            (left, down[i], DOWN, gives[i]),
            (right, up[i], UP, gives[len(down) + i]),
        ):
            words = " · ".join(filter(None, map(in_words, layers)))
            parts.append(box(x, y, width, fill, [size(shape), words, count(layers)]))
        side = 6 + 5 * gives[i][1].bit_length()
        parts.append(square(left - 8 - side, y + (BOX_PX - side) / 2, side, DOWN))
        parts.append(square(right + width + 8, y + (BOX_PX - side) / 2, side, UP))
        middle = y + BOX_PX / 2
        if network.skips or innermost:
            parts.append(
                arrow([(left + width, middle), (right - 2, middle)], INK if innermost else SKIP, dashed=not innermost)
            )
        if network.skips and not innermost:
            joined = f"{gives[len(down) + i + 1][0]} + {gives[i][0]} channels"
            parts.append(f'<text class="s" x="{(left + width + right) / 2:g}" y="{middle - 6:g}">{joined}</text>')
        if not innermost:
            parts.append(arrow([(left + width / 2, y + BOX_PX), (left + width / 2, y + step - 3)]))
            parts.append(arrow([(right + width / 2, y + step), (right + width / 2, y + BOX_PX + 3)]))
    title = f"The generator: {count(network)}"
    return page(right + width + 70, bottom + 6, title, parts)


def draw_discriminator(network: PatchDiscriminator) -> str:
    """From the patch that one answer sees to the grid of answers."""
    stages: list[list[nn.Module]] = []
    for layer in network.layers:
        if isinstance(layer, nn.Conv2d):
            stages.append([])
        stages[-1].append(layer)
    images = [torch.empty(1, 3, SIDE_PX, SIDE_PX, device="meta")] * 2
    given = [shape for _, shape in shapes_of(network, [stage[0] for stage in stages], *images)]
    side, top, patch = 160, 20, geometry(network.to_empty(device="cpu")).receptive_field_px
    scale = side / SIDE_PX
    y0 = top + 130
    parts = [
        f'<text x="{30 + side / 2:g}" y="{y0 - 36:g}">y on x, {SIDE_PX} px each</text>',
        square(46, y0 - 16, side, DOWN),
        square(30, y0, side, UP),
        square(30 + 60, y0 + 60, patch * scale, "white", INK),
        f'<text class="s" x="{90 + patch * scale / 2:g}" y="{y0 + 60 + patch * scale / 2 + 4:g}">{patch} px</text>',
    ]
    x, width, step = 250, 230, BOX_PX + 24
    for i, (stage, shape) in enumerate(zip(stages, given, strict=True)):
        y = top + step * i
        words = " · ".join(filter(None, map(in_words, stage)))
        parts.append(
            box(x, y, width, DOWN, [size(shape).replace("1 channels", "1 channel"), words, count(nn.ModuleList(stage))])
        )
        if i:
            parts.append(arrow([(x + width / 2, y - 24), (x + width / 2, y - 3)]))
    last = top + step * (len(stages) - 1) + BOX_PX / 2
    grid, n = 150, given[-1][1]
    gx, gy, cell = x + width + 60, y0, grid / n
    parts += [
        arrow([(206, y0 + 20), (228, y0 + 20), (228, top + BOX_PX / 2), (x - 2, top + BOX_PX / 2)]),
        arrow([(x + width, last), (gx + grid / 2, last), (gx + grid / 2, gy + grid + 3)]),
        f'<text x="{gx + grid / 2:g}" y="{y0 - 20:g}">{n} × {n} answers</text>',
        square(gx, gy, grid, "white"),
        *(
            f'<path d="M{gx + k * cell:.4g} {gy}v{grid}M{gx} {gy + k * cell:.4g}h{grid}" stroke="#ddd"/>'
            for k in range(1, n)
        ),
        square(gx + cell * round(n * 0.48), gy + cell * round(n * 0.48), cell, INK),
    ]
    return page(int(gx + grid + 30), top + step * len(stages), f"The discriminator: {count(network)}", parts)


def drawings() -> dict[str, str]:
    """SVG of both networks as the paper has them, by file name."""
    with torch.device("meta"):
        generator, discriminator = UNetGenerator(), PatchDiscriminator()
    return {"generator.svg": draw_generator(generator), "discriminator.svg": draw_discriminator(discriminator)}


if __name__ == "__main__":
    for name, svg in drawings().items():
        (DOCS / name).write_text(svg, encoding="utf-8")
