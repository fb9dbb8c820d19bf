from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from sat2map.nn import CompactGenerator, UNetGenerator
from sat2map.nn.inference import InferenceModel
from tests.nn.probe import PALETTE


class Echo(nn.Module):
    """Answers with what it gets, or with what it is given."""

    heads = ("rgb",)

    def __init__(self, answer: Tensor | None = None) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, sat_bchw: Tensor) -> Tensor:
        self.got = sat_bchw
        return sat_bchw if self.answer is None else self.answer

    def image(self, output: Tensor) -> Tensor:
        return output


@pytest.fixture
def images() -> Tensor:
    torch.manual_seed(0)
    return torch.randint(0, 256, (2, 16, 32, 3), dtype=torch.uint8)


def test_bytes_become_minus_one_to_one_and_come_back() -> None:
    levels = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16, 1).repeat(1, 1, 1, 3)
    levels[..., 1] = levels[..., 1].flip(1)
    echo = Echo()
    (drawn,) = InferenceModel(echo)(levels)
    assert drawn.dtype == torch.uint8
    assert torch.equal(drawn, levels)
    assert echo.got.shape == (1, 3, 16, 16)
    assert echo.got.min() == -1
    assert echo.got.max() == 1
    torch.testing.assert_close(echo.got, levels.permute(0, 3, 1, 2).float() * 2 / 255 - 1)


@pytest.mark.parametrize(
    ("value", "level"),
    [(-1.0, 0), (1.0, 255), (-1.5, 0), (1.5, 255), (99 / 127.5 - 1 + 0.003, 99), (99 / 127.5 - 1 + 0.005, 100)],
)
def test_colours_are_rounded_to_the_nearest_level_and_kept_in_range(value: float, level: int) -> None:
    (drawn,) = InferenceModel(Echo(torch.full((1, 3, 2, 2), value)))(torch.zeros(1, 2, 2, 3, dtype=torch.uint8))
    assert drawn.unique().tolist() == [level]


def test_unet_draws_one_image_of_the_rounded_answer(images: Tensor) -> None:
    network = UNetGenerator(n_levels=3, width=4)
    model = InferenceModel(network)
    assert model.outputs == ("rgb",)
    assert not network.training
    with torch.no_grad():
        (drawn,) = model(images)
        answer = network(images.permute(0, 3, 1, 2) / 127.5 - 1)
    assert drawn.dtype == torch.uint8
    exact = (answer.permute(0, 2, 3, 1).numpy().astype(np.float64) + 1) * 127.5
    assert np.abs(drawn.numpy() - exact).max() <= 0.5 + 1e-4


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_compact_draws_palette_colours_and_their_softmax_mean(images: Tensor, temperature: float) -> None:
    torch.manual_seed(0)
    network = CompactGenerator(palette=PALETTE, temperature=temperature, widths=(4, 4, 4, 4), normalization="frozen")
    nn.init.normal_(network.head.weight, std=2)
    model = InferenceModel(network)
    assert model.outputs == ("crisp", "smooth", "confidence")
    with torch.no_grad():
        crisp, smooth, _ = model(images)
        logits = network(images.permute(0, 3, 1, 2) / 127.5 - 1).permute(0, 2, 3, 1).numpy().astype(np.float64)
    assert crisp.dtype == smooth.dtype == torch.uint8
    assert crisp.shape == smooth.shape == images.shape

    colours = np.array(PALETTE)
    best = logits.argmax(-1)
    assert len(np.unique(best)) > 1
    np.testing.assert_array_equal(crisp.numpy(), colours[best])

    weights = np.exp(temperature * (logits - logits.max(-1, keepdims=True)))
    mean = (weights / weights.sum(-1, keepdims=True)) @ colours
    assert np.abs(smooth.numpy() - mean).max() <= 0.5 + 1e-3


def test_every_palette_colour_survives_the_float_buffer() -> None:
    greys = [(level, 255 - level, level // 2) for level in range(256)]
    network = CompactGenerator(palette=greys, widths=(2, 2), dilations=((),))
    network.subpixels = lambda sat_bchw: torch.eye(256).reshape(1, 256, 32, 8)  # type: ignore[method-assign]
    crisp, _, _ = InferenceModel(network)(torch.zeros(1, 16, 16, 3, dtype=torch.uint8))
    assert sorted(crisp.reshape(-1, 3).tolist()) == sorted(list(grey) for grey in greys)


@pytest.mark.parametrize("class_of_colour", [None, [0, 0, 1, 0]], ids=["each its own", "three of one class"])
def test_confidence_is_the_probability_of_the_class_whose_colour_is_shown(
    images: Tensor, class_of_colour: list[int] | None
) -> None:
    torch.manual_seed(0)
    palette = [(0, 0, 0), (10, 10, 10), (20, 20, 20), (30, 30, 30)]
    network = CompactGenerator(palette=palette, temperature=3, widths=(4, 4, 4, 4), normalization="frozen")
    nn.init.normal_(network.head.weight, std=2)
    with torch.no_grad():
        *_, confidence = InferenceModel(network, class_of_colour)(images)
        logits = network(images.permute(0, 3, 1, 2) / 127.5 - 1).permute(0, 2, 3, 1).numpy().astype(np.float64)
    assert confidence.shape == (*images.shape[:3], 1)
    assert confidence.dtype == torch.uint8
    probability = np.exp(logits - logits.max(-1, keepdims=True))
    probability /= probability.sum(-1, keepdims=True)
    classes = np.array(class_of_colour or range(4))
    shown = classes[logits.argmax(-1)]
    expected = (probability * (classes == shown[..., None])).sum(-1) * 255
    assert expected.std() > 5
    assert np.abs(confidence.numpy()[..., 0] - expected).max() <= 0.5 + 1e-2


def test_familiarity_is_of_the_entropy_of_one_pixel_in_sixteen_of_a_cell(images: Tensor) -> None:
    torch.manual_seed(0)
    network = CompactGenerator(palette=PALETTE, widths=(4, 4, 4, 4), normalization="frozen")
    nn.init.normal_(network.head.weight, std=2)
    parts = [i % 3 for i in range(len(PALETTE))]
    with torch.no_grad():
        model = InferenceModel(network, part_of_colour=parts, familiar_entropy=0.3)
        *_, familiarity = model(images)
        logits = network(images.permute(0, 3, 1, 2) / 127.5 - 1).permute(0, 2, 3, 1).numpy().astype(np.float64)
    assert model.outputs == ("crisp", "smooth", "confidence", "familiarity")
    assert familiarity.dtype == torch.uint8
    assert familiarity.shape == (2, 1, 2, 1)
    p = np.exp(logits[:, ::4, ::4])
    p /= p.sum(-1, keepdims=True)
    entropy = np.zeros((2, 4, 8))
    for part, weight in ((1, 1.0), (2, 0.5)):
        q = p[..., np.array(parts) == part].sum(-1)
        entropy -= weight * (q * np.log(q) + (1 - q) * np.log(1 - q))
    cells = entropy.reshape(2, 1, 4, 2, 4).mean((2, 4))
    expected = 255 * 0.3 / (0.3 + cells)
    assert expected.std() > 1
    assert np.abs(familiarity.numpy()[..., 0] - expected).max() <= 0.5 + 1e-2


def test_sharpness_changes_the_confidence_alone(images: Tensor) -> None:
    torch.manual_seed(0)
    network = CompactGenerator(palette=PALETTE, widths=(4, 4), dilations=((1,),), normalization="frozen")
    nn.init.normal_(network.head.weight, std=2)
    with torch.no_grad():
        plain, soft = InferenceModel(network)(images), InferenceModel(network, sharpness=0.5)(images)
    assert torch.equal(plain[0], soft[0])
    assert torch.equal(plain[1], soft[1])
    assert (plain[2] >= soft[2]).all()
    assert not torch.equal(plain[2], soft[2])
