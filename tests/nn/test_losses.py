from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from sat2map.classes import CLASS_NAMES, CLASSES, COLOURS_RGB, ROAD_CLASSES, nearest_colour
from sat2map.nn.losses import L1Loss, PaletteLoss, discriminator_loss, generator_loss
from sat2map.nn.palette import nearest_index

REAL, FAKE = torch.tensor([0.0, 2.0, -1.0]), torch.tensor([1.0, -3.0])


def log1p_exp(x: float) -> float:
    return math.log(1 + math.exp(x))


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("log", ((log1p_exp(0) + log1p_exp(-2) + log1p_exp(1)) / 3 + (log1p_exp(1) + log1p_exp(-3)) / 2) / 2),
        ("least_squares", ((1 + 1 + 4) / 3 + (1 + 9) / 2) / 2),
        ("hinge", ((1 + 0 + 2) / 3 + (2 + 0) / 2) / 2),
    ],
)
def test_discriminator_loss_is_the_one_worked_by_hand(kind: str, expected: float) -> None:
    assert discriminator_loss(REAL, FAKE, kind).item() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("log", (log1p_exp(-1) + log1p_exp(3)) / 2),
        ("least_squares", (0 + 16) / 2),
        ("hinge", (-1 + 3) / 2),
    ],
)
def test_generator_loss_is_the_one_worked_by_hand(kind: str, expected: float) -> None:
    assert generator_loss(FAKE, kind).item() == pytest.approx(expected)


def test_log_loss_is_binary_cross_entropy_and_stays_finite() -> None:
    torch.manual_seed(0)
    real, fake = torch.randn(2, 2, 1, 5, 5).double() * 10
    bce = F.binary_cross_entropy_with_logits
    halves = bce(real, torch.ones_like(real)) + bce(fake, torch.zeros_like(fake))
    torch.testing.assert_close(discriminator_loss(real, fake, "log"), halves / 2)
    torch.testing.assert_close(generator_loss(fake, "log"), bce(fake, torch.ones_like(fake)))
    assert generator_loss(torch.tensor([-1000.0]), "log").item() == 1000


@pytest.mark.parametrize("kind", ["log", "least_squares", "hinge"])
def test_a_step_down_each_loss_pulls_logits_the_right_way(kind: str) -> None:
    real, fake = (torch.tensor([0.5], requires_grad=True) for _ in range(2))
    discriminator_loss(real, fake, kind).backward()
    assert real.grad is not None
    assert real.grad < 0
    assert fake.grad is not None
    assert fake.grad > 0
    drawn = torch.tensor([-0.1], requires_grad=True)
    generator_loss(drawn, kind).backward()
    assert drawn.grad is not None
    assert drawn.grad < 0


def test_l1_loss_is_weighted_and_does_not_look_at_the_raw_output() -> None:
    image, target = torch.tensor([[0.5, -1.0]]), torch.tensor([[0.0, 1.0]])
    assert L1Loss()(torch.full((1,), torch.nan), image, target).item() == pytest.approx(100 * 1.25)
    assert L1Loss(weight=2)(image, image, target).item() == pytest.approx(2.5)


PALETTE = torch.from_numpy(COLOURS_RGB).double() / 127.5 - 1
ROADS = [i for i, c in enumerate(CLASSES.class_of_colour) if c in ROAD_CLASSES]


def loss_of(weights: list[float] | None = None, *, dice_weight: float = 0.5, l1_weight: float = 1.0) -> PaletteLoss:
    return PaletteLoss(
        PALETTE, CLASSES.class_of_colour.tolist(), ROAD_CLASSES, weights or [1.0] * len(PALETTE),
        dice_weight=dice_weight, l1_weight=l1_weight,
    ).double()  # fmt: skip


@pytest.fixture
def index() -> Tensor:
    """A map of every colour of the palette, in rows of palette numbers."""
    torch.manual_seed(0)
    return torch.randint(0, len(PALETTE), (2, 8, 8))


def drawn(index: Tensor) -> Tensor:
    return PALETTE[index].permute(0, 3, 1, 2)


def sure_of(index: Tensor, logit: float = 50.0) -> Tensor:
    return logit * F.one_hot(index, len(PALETTE)).permute(0, 3, 1, 2).double()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_nearest_agrees_with_the_palettes_own_except_on_ties(dtype: torch.dtype) -> None:
    rng = np.random.default_rng(0)
    rgb = rng.integers(0, 256, (4, 64, 64, 3), dtype=np.uint8)
    around = COLOURS_RGB[rng.integers(0, len(COLOURS_RGB), (4, 64, 64))] + rng.integers(-9, 10, rgb.shape)
    rgb = np.concatenate([rgb, around.clip(0, 255).astype(np.uint8)])
    distances = np.sort(((rgb[..., None, :].astype(int) - COLOURS_RGB.astype(int)) ** 2).sum(-1), -1)
    clear = distances[..., 0] < distances[..., 1]
    assert clear.mean() > 0.97
    loss = PaletteLoss(PALETTE.to(dtype), CLASSES.class_of_colour.tolist(), ROAD_CLASSES, [1.0] * len(PALETTE))
    found = nearest_index((torch.from_numpy(rgb).to(dtype) / 127.5 - 1).permute(0, 3, 1, 2), loss.palette).numpy()
    np.testing.assert_array_equal(found[clear], nearest_colour(rgb)[clear])
    assert len(np.unique(found)) == len(COLOURS_RGB)


def test_palette_loss_is_near_zero_for_a_perfect_answer_and_falls_on_the_way_there(index: Tensor) -> None:
    loss, target = loss_of(), drawn(index)
    assert torch.equal(nearest_index(target, loss.palette), index)
    wrong = sure_of(index.roll(1, 2), 4)
    losses = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        output = (1 - share) * wrong + sure_of(index, 30 * share)
        image = torch.einsum("bkhw,kc->bchw", output.softmax(1), PALETTE)
        losses.append(loss(output, image, target).item())
    assert losses == sorted(losses, reverse=True)
    assert losses[0] > 1
    assert losses[-1] == pytest.approx(0, abs=1e-6)


def test_palette_loss_is_the_sum_of_its_parts_worked_by_hand(index: Tensor) -> None:
    torch.manual_seed(1)
    target, output = drawn(index), torch.randn(2, len(PALETTE), 8, 8, dtype=torch.float64)
    weights = (1 + torch.arange(len(PALETTE))).tolist()
    weights = [float(w) for w in weights]
    image = torch.rand_like(target)
    p = np.exp(output.numpy())
    p /= p.sum(1, keepdims=True)
    truth, w = index.numpy(), np.array(weights)
    p_true = np.take_along_axis(p, truth[:, None], 1)[:, 0]
    cross_entropy = (w[truth] * -np.log(p_true)).sum() / w[truth].sum()
    road, is_road = p[:, ROADS].sum(1), np.isin(truth, ROADS)
    dice = (2 * road[is_road].sum() + 1) / (road.sum() + is_road.sum() + 1)
    l1 = np.abs(image.numpy() - target.numpy()).mean()
    loss = loss_of(weights, dice_weight=0.3, l1_weight=0.7)
    assert loss(output, image, target).item() == pytest.approx(cross_entropy + 0.3 * (1 - dice) + 0.7 * l1)


def only_dice(output: Tensor, index: Tensor) -> float:
    target = drawn(index)
    with_dice, without = (loss_of(dice_weight=d)(output, target, target) for d in (1.0, 0.0))
    return (with_dice - without).item()


def test_dice_is_nearly_zero_for_perfect_roads_and_nearly_one_for_none(index: Tensor) -> None:
    assert only_dice(sure_of(index), index) == pytest.approx(0, abs=1e-6)
    land = torch.zeros_like(index)
    n_road = int(torch.isin(index, torch.tensor(ROADS)).sum())
    assert only_dice(sure_of(land), index) == pytest.approx(1 - 1 / (n_road + 1))
    assert only_dice(sure_of(land), land) == pytest.approx(0, abs=1e-6), "a map without roads has none to miss"


def test_dice_does_not_ask_which_road_colour(index: Tensor) -> None:
    other = index.clone()
    other[index == ROADS[0]] = ROADS[1]
    assert only_dice(sure_of(other), index) == pytest.approx(0, abs=1e-6)


def test_dice_of_classes_worked_by_hand(index: Tensor) -> None:
    torch.manual_seed(2)
    park, n = CLASS_NAMES.index("park"), len(CLASS_NAMES) - 1
    classes = torch.from_numpy(CLASSES.class_of_colour.astype(np.int64))
    target = drawn(index)
    assert loss_of().class_dice(sure_of(index), target).item() == pytest.approx(0, abs=1e-6)
    wrong = index.clone()
    wrong[classes[index] == park] = 0
    n_park = int((classes[index] == park).sum())
    assert loss_of().class_dice(sure_of(wrong), target).item() == pytest.approx((1 - 1 / (n_park + 1)) / n)
    land = torch.zeros_like(index)
    assert loss_of().class_dice(sure_of(index), drawn(land)).item() == 0, "of what is not there nothing is missed"
    output = torch.randn(2, len(PALETTE), 8, 8, dtype=torch.float64)
    p, lacks = output.softmax(1), []
    for c in range(1, n + 1):
        q, t = p[:, classes == c].sum(1), classes[index] == c
        lacks.append(1 - (2 * q[t].sum() + 1) / (q.sum() + t.sum() + 1))
    assert loss_of().class_dice(output, target).item() == pytest.approx(float(sum(lacks)) / n)


def test_colour_weights_make_rare_colours_count() -> None:
    index = torch.zeros(1, 4, 4, dtype=torch.int64)
    index[0, 0, 0] = ROADS[0]
    missed = sure_of(torch.zeros_like(index))
    target = drawn(index)
    rare = [1.0] * len(PALETTE)
    rare[ROADS[0]] = 5
    plain, weighted = (loss_of(w, dice_weight=0)(missed, target, target) for w in (None, rare))
    assert plain.item() == pytest.approx(50 / 16)
    assert weighted.item() == pytest.approx(5 * 50 / (15 + 5))


def test_palette_and_weights_move_with_the_loss() -> None:
    assert {"palette", "colour_weights"} <= set(dict(loss_of().named_buffers()))


def road_loss(output: Tensor, is_road: Tensor, slack_px: int = 1) -> float:
    palette = torch.tensor(COLOURS_RGB / 127.5 - 1, dtype=torch.float32)
    loss = PaletteLoss(palette, CLASSES.class_of_colour.tolist(), ROAD_CLASSES, [1.0] * len(palette))
    return loss.road_loss(output, is_road, slack_px).item()
