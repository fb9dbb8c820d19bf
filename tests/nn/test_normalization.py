from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest
import torch
from torch import Tensor, nn

from sat2map.nn import CompactGenerator, UNetGenerator
from sat2map.nn.geometry import geometry
from sat2map.nn.initialise import initialise
from sat2map.nn.normalization import Norm2d, freeze_statistics, normalization_of, norms_in_order
from tests.nn.probe import PALETTE, sharp


def norm(normalization: str) -> Norm2d:
    torch.manual_seed(5)
    layer = Norm2d(3, normalization).double()
    nn.init.normal_(layer.weight)
    nn.init.normal_(layer.bias)
    return layer


def reference(layer: Norm2d) -> nn.BatchNorm2d:
    other = nn.BatchNorm2d(3).double()
    other.load_state_dict(layer.state_dict())
    return other


def some(n: int, seed: int = 0) -> Tensor:
    torch.manual_seed(seed)
    scale = torch.rand(n, 3, 1, 1, dtype=torch.float64) * 3
    return torch.randn(n, 3, 16, 32, dtype=torch.float64) * scale + scale


@pytest.mark.parametrize("training", [True, False])
def test_image_statistics_of_a_batch_are_those_of_its_images_alone(training: bool) -> None:
    layer, batch = norm("instance").train(training), some(4)
    alone = torch.cat([layer(image[None]) for image in batch])
    torch.testing.assert_close(layer(batch), alone, rtol=0, atol=1e-12)


@pytest.mark.parametrize("training", [True, False])
def test_image_statistics_at_batch_one_are_batch_normalisation_in_training(training: bool) -> None:
    layer, image = norm("instance").train(training), some(1)
    torch.testing.assert_close(layer(image), reference(layer).train()(image), rtol=0, atol=1e-12)
    assert layer.num_batches_tracked == 0
    assert (layer.running_mean == 0).all()


def test_batch_statistics_are_batch_normalisation() -> None:
    layer, batch = norm("batch"), some(4)
    other = reference(layer)
    for _ in range(2):
        assert torch.equal(layer(batch), other(batch))
    layer.eval()
    other.eval()
    assert torch.equal(layer(batch), other(batch))
    assert layer.state_dict().keys() == other.state_dict().keys()
    assert torch.equal(layer.running_var, other.running_var)
    assert not torch.equal(layer(batch), norm("instance")(batch))


@pytest.mark.parametrize("training", [True, False])
def test_frozen_statistics_are_the_stored_ones_and_stay(training: bool) -> None:
    layer, batch = norm("frozen").train(training), some(4)
    mean, variance = torch.tensor([1.0, -2.0, 0.5]).double(), torch.tensor([4.0, 0.25, 9.0]).double()
    layer.running_mean.copy_(mean)
    layer.running_var.copy_(variance)
    shape = (1, 3, 1, 1)
    by_hand = (batch - mean.view(shape)) / (variance.view(shape) + 1e-5).sqrt()
    by_hand = by_hand * layer.weight.view(shape) + layer.bias.view(shape)
    torch.testing.assert_close(layer(batch), by_hand, rtol=0, atol=1e-12)
    assert torch.equal(layer.running_mean, mean)
    assert torch.equal(layer.running_var, variance)
    assert torch.equal(layer(batch)[:1], layer(batch[:1]))


def test_unknown_statistics_are_refused() -> None:
    with pytest.raises(ValueError, match="must be one of instance, batch, frozen, not 'group'"):
        Norm2d(3, "group")


def unet(normalization: str = "instance") -> UNetGenerator:
    return UNetGenerator(n_levels=4, width=3, normalization=normalization)


def compact(normalization: str = "batch") -> CompactGenerator:
    return CompactGenerator(
        palette=PALETTE, widths=(3, 4, 5), dilations=((1,), (1, 2)), head_width=3, normalization=normalization
    )


def begun(make: Callable[[], nn.Module]) -> nn.Module:
    """A network with weights that differ from layer to layer, and scales and shifts that matter."""
    torch.manual_seed(7)
    network = make()
    initialise(network, std=0.3)
    for layer in network.modules():
        if isinstance(layer, Norm2d):
            nn.init.normal_(layer.bias, std=0.5)
    return sharp(network)


def test_papers_network_is_the_same_under_image_and_batch_statistics_at_batch_one() -> None:
    own, batch = begun(unet), begun(lambda: unet("batch"))
    batch.load_state_dict(own.state_dict())
    for layer in batch.modules():
        if isinstance(layer, Norm2d):
            layer.train()
    torch.testing.assert_close(own(some(1)), batch(some(1)), rtol=0, atol=1e-10)
    assert (own(some(2)) - batch(some(2))).abs().max() > 1e-3


def data_set() -> list[Tensor]:
    """Batches of unequal length, of images that differ in mean and contrast."""
    return [some(2, seed=1), some(3, seed=2), some(1, seed=3)]


def moments_of_inputs(network: nn.Module, batches: Iterable[Tensor]) -> dict[Norm2d, tuple[Tensor, Tensor]]:
    """Mean and total variance of what each normalisation gets, all in one pass over all images together."""
    inputs: dict[Norm2d, list[Tensor]] = {}
    hooks = [
        layer.register_forward_pre_hook(lambda m, args: inputs.setdefault(m, []).append(args[0].clone()))
        for layer in network.modules()
        if isinstance(layer, Norm2d)
    ]
    with torch.no_grad():
        for batch in batches:
            network(batch)
    for hook in hooks:
        hook.remove()
    every = {layer: torch.cat(xs).movedim(1, 0).flatten(1) for layer, xs in inputs.items()}
    return {layer: (x.mean(1), x.var(1, correction=0)) for layer, x in every.items()}


NETWORKS = [pytest.param(unet, id="unet"), pytest.param(compact, id="compact")]


@pytest.mark.parametrize("make", NETWORKS)
def test_freezing_stores_the_total_moments_of_what_each_layer_gets_afterwards(make: Callable[[], nn.Module]) -> None:
    network = begun(make)
    in_one_pass = moments_of_inputs(network, data_set())
    freeze_statistics(network, data_set)
    found = moments_of_inputs(network, data_set())
    assert len(found) == sum(isinstance(m, Norm2d) for m in network.modules()) > 3
    for layer, (mean, variance) in found.items():
        assert layer.normalization == "frozen"
        torch.testing.assert_close(layer.running_mean, mean, rtol=0, atol=1e-10)
        torch.testing.assert_close(layer.running_var, variance, rtol=1e-9, atol=0)
    # The same in one pass before freezing is right for the first layer alone: so the equality above can fail.
    first, *later = norms_in_order(network, data_set()[0])
    torch.testing.assert_close(in_one_pass[first][1], first.running_var)
    assert all((in_one_pass[layer][1] / layer.running_var - 1).abs().max() > 1e-2 for layer in later)


def test_total_variance_is_more_than_the_mean_of_the_images_own() -> None:
    network = begun(unet)
    freeze_statistics(network, data_set)
    first = norms_in_order(network, data_set()[0])[0]
    own = [moments_of_inputs(network, [image[None]])[first][1] for batch in data_set() for image in batch]
    assert (first.running_var > 1.02 * torch.stack(own).mean(0)).all()


@pytest.mark.parametrize("make", NETWORKS)
def test_freezing_does_not_depend_on_how_images_are_batched(make: Callable[[], nn.Module]) -> None:
    batched, alone = begun(make), begun(make)
    freeze_statistics(batched, data_set)
    freeze_statistics(alone, lambda: (image[None] for batch in data_set() for image in batch))
    for name, value in batched.state_dict().items():
        torch.testing.assert_close(alone.state_dict()[name], value, rtol=1e-9, atol=1e-12)


def test_freezing_changes_statistics_alone_and_leaves_evaluation_mode_and_no_hooks() -> None:
    network = begun(unet).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    freeze_statistics(network, data_set)
    changed = {name.rpartition(".")[2] for name, v in network.state_dict().items() if not torch.equal(v, before[name])}
    assert changed == {"running_mean", "running_var"}
    assert not network.training
    assert not any(m._forward_pre_hooks for m in network.modules())


@pytest.mark.parametrize("make", NETWORKS)
def test_frozen_output_is_independent_of_distant_pixels(make: Callable[[], nn.Module]) -> None:
    network = begun(make)
    reach = geometry(network).receptive_radius_px
    torch.manual_seed(4)
    image = torch.rand(1, 3, 16, reach + 48 - reach % 16, dtype=torch.float64)
    near, far = image.clone(), image.clone()
    far[..., reach + 8 :] += 5
    near[..., reach // 2] += 5
    with torch.no_grad():
        freeze_statistics(network, data_set)
        here, with_far, with_near = (network(x)[..., :8] for x in (image, far, near))
    torch.testing.assert_close(here, with_far, rtol=0, atol=1e-12)
    assert (here - with_near).abs().max() > 1e-9


def test_own_statistics_see_distant_pixels() -> None:
    network = begun(unet)
    image = torch.rand(1, 3, 16, 256, dtype=torch.float64)
    far = image.clone()
    far[..., -16:] += 5
    with torch.no_grad():
        assert (network(image) - network(far))[..., :8].abs().max() > 1e-3


@pytest.mark.parametrize(
    ("normalization", "said"), [("instance", "instance"), ("batch", "frozen"), ("frozen", "frozen")]
)
def test_statistics_of_says_whose_are_used_at_inference(normalization: str, said: str) -> None:
    network = unet(normalization)
    assert normalization_of(network) == said
    freeze_statistics(network.double(), data_set)
    assert normalization_of(network) == "frozen"


def test_norms_are_met_from_the_encoder_to_the_decoder() -> None:
    network = unet().double()
    met = norms_in_order(network, torch.rand(1, 3, 16, 16, dtype=torch.float64))
    assert met == [network.down[1][2], network.down[2][2], *(network.up[i][2] for i in (3, 2, 1))]
