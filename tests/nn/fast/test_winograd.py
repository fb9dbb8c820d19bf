from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from sat2map.nn import PatchDiscriminator
from sat2map.nn.fast import winograd
from sat2map.nn.fast.winograd import FastConv2d


def plain_twin(layer: FastConv2d) -> nn.Conv2d:
    twin = nn.Conv2d(layer.in_channels, layer.out_channels, 4, 1, 1, bias=False).to(layer.weight.dtype)
    twin.load_state_dict(layer.state_dict())
    return twin


def gradients(layer: nn.Conv2d, x: Tensor) -> list[Tensor]:
    x = x.clone().requires_grad_()
    y = layer(x)
    weights = torch.linspace(-1, 1, y.numel(), dtype=y.dtype).view(y.shape)
    return [y, *torch.autograd.grad((y * weights).sum(), [x, layer.weight])]


@pytest.mark.parametrize("shape", [(1, 5, 32, 32), (2, 5, 7, 12), (3, 5, 4, 2)])
def test_few_products_equal_the_convolution(shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(winograd, "MANY_CHANNELS", 0)
    torch.manual_seed(0)
    layer = FastConv2d(5, 7).double()
    x = torch.randn(shape, dtype=torch.float64)
    monkeypatch.setattr(nn.Conv2d, "forward", lambda *_: pytest.fail("convolved"))
    answers = gradients(layer, x)
    monkeypatch.undo()
    for answer, wanted in zip(answers, gradients(plain_twin(layer), x), strict=True):
        torch.testing.assert_close(answer, wanted, rtol=1e-11, atol=1e-11)


def test_error_in_float32_is_as_stated() -> None:
    torch.manual_seed(0)
    layer, x = FastConv2d(128, 128), torch.randn(1, 128, 16, 16)
    exact = plain_twin(layer).double()(x.double())
    assert (layer(x) - exact).norm() / exact.norm() < 4e-6
    layer.eval()
    assert torch.equal(layer(x), plain_twin(layer)(x))


def test_weights_may_lie_channels_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(winograd, "MANY_CHANNELS", 0)
    torch.manual_seed(0)
    layer, x = FastConv2d(5, 7).double(), torch.randn(2, 5, 8, 8, dtype=torch.float64)
    wanted = gradients(plain_twin(layer), x)
    layer.weight.data = layer.weight.data.contiguous(memory_format=torch.channels_last)
    for answer, expected in zip(gradients(layer, x.contiguous(memory_format=torch.channels_last)), wanted, strict=True):
        torch.testing.assert_close(answer, expected, rtol=1e-11, atol=1e-11)


def test_the_papers_discriminator_takes_them() -> None:
    assert [type(m) for m in PatchDiscriminator().layers if isinstance(m, nn.Conv2d)].index(FastConv2d) == 3
    assert not any(isinstance(m, FastConv2d) for m in PatchDiscriminator(receptive_field_px=1).layers)
