from __future__ import annotations

import pytest
import torch
from torch import nn

from sat2map.nn import UNetGenerator, build
from sat2map.nn.unet import Noise, dropout_of
from tests.nn.probe import sharp


def n_weights(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_papers_generator_has_54_million_weights() -> None:
    with torch.device("meta"):
        network = UNetGenerator()
    assert n_weights(network) == 54_413_955


@pytest.mark.parametrize("skips", [True, False], ids=["unet", "encoder-decoder"])
@pytest.mark.parametrize("n_levels", range(2, 10))
def test_every_depth_keeps_the_size(n_levels: int, skips: bool) -> None:
    torch.manual_seed(0)
    network = UNetGenerator(n_levels=n_levels, width=1, skips=skips)
    side = 2**n_levels
    image = torch.rand(1, 3, side, 2 * side) * 2 - 1
    with torch.no_grad():
        drawn = network(image)
    assert drawn.shape == image.shape
    assert drawn.isfinite().all()
    assert drawn.abs().max() <= 1
    assert network.image(drawn) is drawn


def test_other_channels_are_taken_and_drawn() -> None:
    network = UNetGenerator(n_levels=2, width=2, in_channels=4, out_channels=1)
    assert network(torch.rand(2, 4, 8, 12)).shape == (2, 1, 8, 12)


@pytest.mark.parametrize("skips", [True, False])
def test_skips_alone_carry_the_image_around_the_bottleneck(skips: bool) -> None:
    torch.manual_seed(0)
    network = sharp(UNetGenerator(n_levels=3, width=2, skips=skips, normalization="frozen"))
    nn.init.zeros_(network.down[-1][1].weight)
    first, second = network(torch.rand(2, 3, 8, 8, dtype=torch.float64))
    assert torch.equal(first, second) != skips


def test_normalisation_is_absent_from_the_first_and_innermost_convolution() -> None:
    network = UNetGenerator(n_levels=5, width=1)
    assert [isinstance(down[2], nn.Identity) for down in network.down] == [True, False, False, False, True]
    assert [name for name, _ in network.named_parameters() if "up.0" in name] == ["up.0.1.weight", "up.0.1.bias"]


def test_depth_below_two_is_refused() -> None:
    with pytest.raises(ValueError, match="n_levels must be 2 or more, not 1"):
        build("unet", {"n_levels": 1})


def test_unknown_key_is_refused() -> None:
    with pytest.raises(TypeError, match="depth"):
        build("unet", {"depth": 8})


@pytest.mark.parametrize(("n_levels", "noisy"), [(8, [5, 6, 7]), (4, [1, 2, 3]), (3, [1, 2]), (2, [1])])
def test_noise_is_in_the_innermost_levels(n_levels: int, noisy: list[int]) -> None:
    network = UNetGenerator(n_levels=n_levels, width=1, dropout=0.25)
    assert [i for i, up in enumerate(network.up) if isinstance(up[3], Noise)] == noisy
    assert dropout_of(network) == 0.25
    assert dropout_of(nn.Conv2d(1, 1, 1)) == 0


@pytest.fixture
def image() -> torch.Tensor:
    torch.manual_seed(1)
    return torch.rand(1, 3, 32, 32) * 2 - 1


def drawn_twice(network: nn.Module, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(2)
    return network(image), network(image)


def test_noise_is_off_in_evaluation(image: torch.Tensor) -> None:
    network = UNetGenerator(n_levels=4, width=4).eval()
    assert torch.equal(*drawn_twice(network, image))


@pytest.mark.parametrize("at_test", [False, True])
def test_noise_is_on_in_training(image: torch.Tensor, at_test: bool) -> None:
    network = UNetGenerator(n_levels=4, width=4, noise_at_test=at_test).train()
    assert not torch.equal(*drawn_twice(network, image))


def test_noise_at_test_is_on_and_follows_the_seed(image: torch.Tensor) -> None:
    network = UNetGenerator(n_levels=4, width=4, noise_at_test=True).eval()
    first, second = drawn_twice(network, image)
    assert not torch.equal(first, second)
    again, _ = drawn_twice(network, image)
    assert torch.equal(again, first)


def test_noise_drops_its_share_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    noisy = Noise(0.25, at_test=True).eval()(torch.ones(100_000))
    assert (noisy == 0).double().mean().item() == pytest.approx(0.25, abs=0.01)
    assert noisy.mean().item() == pytest.approx(1, abs=0.02)
