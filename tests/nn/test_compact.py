from __future__ import annotations

import pytest
import torch

from sat2map.nn import CompactGenerator, UNetGenerator, build
from sat2map.nn.geometry import geometry
from tests.nn.probe import PALETTE, sharp


def small(**changes: object) -> CompactGenerator:
    torch.manual_seed(0)
    return CompactGenerator(palette=PALETTE, **{"widths": (3, 4, 5, 6), "head_width": 3, **changes})


@pytest.mark.parametrize("n_downsamplings", [1, 2, 3, 4])
def test_logits_have_the_images_size_and_a_channel_for_each_colour(n_downsamplings: int) -> None:
    network = small(widths=(2,) * (n_downsamplings + 1), dilations=((1,),) * n_downsamplings)
    stride = 2 ** (n_downsamplings + 1)
    assert network(torch.rand(2, 3, 2 * stride, 3 * stride)).shape == (2, len(PALETTE), 2 * stride, 3 * stride)


@pytest.mark.parametrize("normalization", ["instance", "frozen"])
def test_flat_image_gives_a_flat_map_away_from_the_border(normalization: str) -> None:
    network = sharp(small(normalization=normalization))
    border = geometry(network).receptive_radius_px
    flat = torch.tensor([0.3, -0.2, 0.7], dtype=torch.float64)[None, :, None, None]
    with torch.no_grad():
        logits = network(flat.expand(1, 3, 32, 2 * border + 64 - (2 * border) % 16))
        tall = network(flat.expand(1, 3, 2 * border + 64 - (2 * border) % 16, 32))
    # Height 32 is border all over, which varies from row to row but not along one.
    for row, varies in ((logits[..., border:-border], logits), (tall[..., border:-border, :].mT, tall.mT)):
        assert row.shape[-1] >= 32
        torch.testing.assert_close(row, row[..., :1].expand_as(row), rtol=0, atol=1e-12)
        assert (varies - varies[..., :1]).abs().max() > 1e-6


def test_flat_image_shows_the_checkerboard_of_transposed_convolutions() -> None:
    torch.manual_seed(0)
    network = sharp(UNetGenerator(n_levels=3, width=2, normalization="frozen"))
    border = geometry(network).receptive_radius_px
    with torch.no_grad():
        drawn = network(torch.full((1, 3, 8, 2 * border + 38), 0.3, dtype=torch.float64))[..., border:-border]
    assert (drawn - drawn[..., :1]).abs().max() > 1e-6


@pytest.mark.parametrize("temperature", [0.0, 1.0, 3.0])
def test_image_is_the_mean_colour_at_the_temperature(temperature: float) -> None:
    network = small(temperature=temperature)
    torch.manual_seed(1)
    logits = torch.randn(2, len(PALETTE), 3, 5)
    weights = torch.exp(temperature * logits) / torch.exp(temperature * logits).sum(1, keepdim=True)
    mean = sum(weights[:, k, None] * (torch.tensor(c)[:, None, None] / 127.5 - 1) for k, c in enumerate(PALETTE))
    torch.testing.assert_close(network.image(logits), mean)


def test_crisp_image_has_colours_of_the_palette_and_the_gradient_of_the_mean() -> None:
    network = small()
    logits, weights = torch.randn(2, len(network.palette), 4, 6, requires_grad=True), torch.randn(2, 3, 4, 6)
    crisp = network.crisp_image(logits)
    torch.testing.assert_close(crisp, network.palette[logits.argmax(1)].permute(0, 3, 1, 2))
    gradients = [torch.autograd.grad((weights * p).sum(), logits)[0] for p in (crisp, network.image(logits))]
    torch.testing.assert_close(*gradients)
    assert gradients[0].abs().max() > 0


def test_palette_is_no_part_of_the_state() -> None:
    network = small()
    assert "palette" not in network.state_dict()
    assert network.palette.min() >= -1
    assert network.palette.max() <= 1


def test_dilations_must_fit_the_widths() -> None:
    with pytest.raises(ValueError, match=r"one entry fewer than widths \(4\), not 2"):
        build("compact", {"palette": PALETTE, "dilations": ((1,), (1,))})


def test_unknown_architecture_is_refused() -> None:
    with pytest.raises(KeyError, match="resnet"):
        build("resnet", {})


def test_head_is_the_same_map_in_evaluation_as_in_training() -> None:
    """In evaluation the enlargement is part of the convolution."""
    torch.manual_seed(0)
    network = CompactGenerator(
        palette=[[0, 0, 0], [255, 255, 255]], widths=(4, 6), dilations=((1,),), normalization="frozen"
    )
    image = torch.randn(2, 3, 16, 24)
    training, evaluation = (network.train(mode)(image) for mode in (True, False))
    torch.testing.assert_close(evaluation, training)
