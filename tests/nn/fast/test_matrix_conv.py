from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from sat2map.nn.fast import matrix_conv
from sat2map.nn.fast.matrix_conv import FastDownConv2d, FastUpConv2d


def plain_twin(layer: nn.Module) -> nn.Module:
    kind = nn.Conv2d if isinstance(layer, FastDownConv2d) else nn.ConvTranspose2d
    assert isinstance(layer, (FastDownConv2d, FastUpConv2d))
    twin = kind(layer.in_channels, layer.out_channels, 4, 2, 1, bias=False).double()
    twin.load_state_dict(layer.state_dict())
    return twin


def gradients(layer: nn.Module, x: Tensor) -> list[Tensor]:
    x = x.clone().requires_grad_()
    y = layer(x)
    return [y, *torch.autograd.grad((y * torch.linspace(-1, 1, y.numel()).view(y.shape)).sum(), [x, layer.weight])]


@pytest.mark.parametrize("kind", [FastDownConv2d, FastUpConv2d])
@pytest.mark.parametrize("shape", [(1, 5, 2, 2), (1, 5, 4, 8), (3, 5, 2, 6)])
def test_matrix_product_equals_convolution(
    kind: type[FastDownConv2d | FastUpConv2d], shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    layer = kind(5, 7).double()
    x = torch.randn(shape, dtype=torch.float64)
    expected = gradients(plain_twin(layer), x)
    products = []
    multiply = matrix_conv._Product.apply
    monkeypatch.setattr(matrix_conv._Product, "apply", lambda *args: products.append(1) or multiply(*args))
    for answer, wanted in zip(gradients(layer, x), expected, strict=True):
        torch.testing.assert_close(answer, wanted, rtol=1e-12, atol=1e-12)
    assert products


@pytest.mark.parametrize("kind", [FastDownConv2d, FastUpConv2d])
def test_weight_gradient_lies_as_the_weight(kind: type[FastDownConv2d | FastUpConv2d]) -> None:
    layer = kind(4, 6)
    # Not `weight.grad`: torch would have copied it into this order.
    (gradient,) = torch.autograd.grad(layer(torch.randn(1, 4, 4, 4)).sum(), layer.weight)
    assert gradient.stride() == layer.weight.stride()


@pytest.mark.parametrize("kind", [FastDownConv2d, FastUpConv2d])
def test_inference_and_large_images_convolve(
    kind: type[FastDownConv2d | FastUpConv2d], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matrix_conv._Product, "apply", lambda *_: pytest.fail("multiplied"))
    layer = kind(3, 4)
    layer(torch.randn(1, 3, 32, 32))
    layer.eval()(torch.randn(1, 3, 2, 2))
