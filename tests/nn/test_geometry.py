from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from sat2map.nn import CompactGenerator, PatchDiscriminator, UNetGenerator
from sat2map.nn.geometry import Geometry, geometry
from tests.nn.probe import PALETTE, measured_radius, sharp, sides_reached


def unet(n_levels: int, *, skips: bool = True) -> nn.Module:
    torch.manual_seed(n_levels)
    return sharp(UNetGenerator(n_levels=n_levels, width=1, normalization="frozen", skips=skips))


def compact(dilations: tuple[tuple[int, ...], ...], widths: tuple[int, ...] | None = None) -> nn.Module:
    torch.manual_seed(len(dilations))
    widths = widths or (2,) * (len(dilations) + 1)
    return sharp(
        CompactGenerator(palette=PALETTE, widths=widths, dilations=dilations, head_width=2, normalization="frozen")
    )


DEFAULT_DILATIONS = ((1,), (1, 1), (1, 2, 1))
NETWORKS = [
    pytest.param(lambda: unet(2), id="unet-2"),
    pytest.param(lambda: unet(3), id="unet-3"),
    pytest.param(lambda: unet(4), id="unet-4"),
    pytest.param(lambda: unet(5), id="unet-5"),
    pytest.param(lambda: unet(4, skips=False), id="encoder-decoder-4"),
    pytest.param(lambda: compact(DEFAULT_DILATIONS), id="compact"),
    pytest.param(lambda: compact(DEFAULT_DILATIONS, (4, 3, 2, 1)), id="compact-other-widths"),
    pytest.param(lambda: compact(((2,),)), id="compact-shallow"),
    pytest.param(lambda: compact(((), (3, 1))), id="compact-dilated"),
    pytest.param(lambda: compact(((1,), (1,), (1,), (1,))), id="compact-deep"),
    # Its taps leap over the axis that the search begins with, into padding on both sides.
    pytest.param(lambda: compact(((), (80,))), id="compact-leaping"),
]


@pytest.mark.parametrize("rows", [False, True], ids=["columns", "rows"])
@pytest.mark.parametrize("make", NETWORKS)
def test_reach_is_where_a_nan_comes_out(make: Callable[[], nn.Module], rows: bool) -> None:
    network = make()
    claim = geometry(network)
    assert max(measured_radius(network, claim, rows=rows)) == claim.receptive_radius_px
    assert claim.receptive_field_px == 2 * claim.receptive_radius_px + 1


@pytest.mark.parametrize("rows", [False, True], ids=["columns", "rows"])
@pytest.mark.parametrize("make", NETWORKS)
def test_margin_is_exact_and_one_stride_less_is_not(make: Callable[[], nn.Module], rows: bool) -> None:
    network = make()
    claim = geometry(network)
    stride, margin = claim.stride, claim.margin_px
    assert margin % stride == 0
    for n_cells in (1, 2):
        assert sides_reached(network, stride, margin, n_cells=n_cells, rows=rows) == [False, False]
        assert any(sides_reached(network, stride, margin - stride, n_cells=n_cells, rows=rows))


@st.composite
def dilations(draw: st.DrawFn) -> tuple[tuple[int, ...], ...]:
    rates = st.lists(st.integers(1, 4), max_size=3).map(tuple)
    return tuple(draw(rates) for _ in range(draw(st.integers(1, 3))))


@settings(max_examples=15)
@given(dilations())
def test_geometry_of_any_compact_generator_is_what_a_nan_shows(dilations: tuple[tuple[int, ...], ...]) -> None:
    network = compact(dilations)
    claim = geometry(network)
    assert claim.stride == 2 ** (len(dilations) + 1)
    assert max(measured_radius(network, claim)) == claim.receptive_radius_px
    assert sides_reached(network, claim.stride, claim.margin_px, n_cells=1) == [False, False]
    assert any(sides_reached(network, claim.stride, claim.margin_px - claim.stride, n_cells=1))


@given(kernel=st.integers(1, 5), dilation=st.integers(1, 4), padding=st.integers(0, 20))
def test_geometry_of_one_convolution_is_the_farther_of_its_sides(kernel: int, dilation: int, padding: int) -> None:
    """Our generators all see farther to the left, so that they prove nothing about the right."""
    found = geometry(nn.Sequential(nn.Conv2d(3, 1, kernel, padding=padding, dilation=dilation)))
    reach = max(padding, dilation * (kernel - 1) - padding)
    assert found == Geometry(stride=1, receptive_radius_px=reach, receptive_field_px=2 * reach + 1, margin_px=reach)


@pytest.mark.parametrize("make", NETWORKS)
def test_window_grown_by_the_margin_equals_the_whole(make: Callable[[], nn.Module]) -> None:
    network = make()
    claim = geometry(network)
    stride, margin = claim.stride, claim.margin_px
    start, stop = margin + 2 * stride, margin + 4 * stride
    torch.manual_seed(0)
    scene = torch.rand(1, 3, stride, stop + margin + 2 * stride, dtype=torch.float64) * 2 - 1
    with torch.no_grad():
        whole = network(scene)[..., start:stop]
        window = network(scene[..., start - margin : stop + margin])[..., margin:-margin]
    torch.testing.assert_close(window, whole, rtol=0, atol=1e-12)


def test_sizes_below_the_stride_are_refused_by_the_network() -> None:
    network = compact(DEFAULT_DILATIONS)
    half = geometry(network).stride // 2
    with pytest.raises(RuntimeError):
        network(torch.zeros(1, 3, half, 3 * half, dtype=torch.float64))


def test_geometry_of_the_papers_unet_is_the_known_one() -> None:
    assert geometry(UNetGenerator(width=1)) == Geometry(
        stride=256, receptive_radius_px=765, receptive_field_px=1531, margin_px=512
    )


@pytest.mark.parametrize("normalization", ["instance", "batch", "frozen"])
def test_geometry_does_not_depend_on_statistics_or_width(normalization: str) -> None:
    network = UNetGenerator(n_levels=3, width=5, normalization=normalization, noise_at_test=True)
    assert geometry(network) == geometry(unet(3))


def test_geometry_leaves_the_network_as_it_was() -> None:
    network = UNetGenerator(n_levels=2, width=1)
    names = [name for name, _ in network.named_modules()]
    geometry(network)
    assert network.training
    assert [name for name, _ in network.named_modules()] == names


@pytest.mark.parametrize("field", [1, 16, 34, 70, 142, 286])
@pytest.mark.parametrize("conditional", [True, False])
def test_receptive_field_of_the_patchgan_is_its_name(field: int, conditional: bool) -> None:
    in_channels = 6 if conditional else 3
    network = PatchDiscriminator(receptive_field_px=field, width=1, in_channels=in_channels, conditional=conditional)
    assert geometry(network).receptive_field_px == field


def of(function: Callable[[Tensor], Tensor]) -> nn.Module:
    class Network(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return function(x)

    return Network()


@pytest.mark.parametrize(
    "network",
    [
        pytest.param(nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.MaxPool2d(2)), id="module"),
        pytest.param(nn.Sequential(nn.AdaptiveAvgPool2d(1)), id="global-module"),
        pytest.param(nn.Sequential(nn.Upsample(scale_factor=2)), id="upsample-module"),
        pytest.param(of(lambda x: F.avg_pool2d(x, 2)), id="function"),
        pytest.param(of(lambda x: x * x), id="operator"),
        pytest.param(of(lambda x: F.interpolate(x, scale_factor=2.0, mode="bilinear")), id="bilinear"),
        pytest.param(of(lambda x: F.interpolate(x, scale_factor=1.5)), id="interpolate-by-a-fraction"),
        pytest.param(of(lambda x: F.interpolate(x, size=8, mode="nearest")), id="interpolate-to-a-size"),
        pytest.param(of(lambda x: x.roll(1, 3)), id="method"),
        pytest.param(of(lambda x: x + 1), id="sum-with-a-number"),
        pytest.param(of(lambda x: torch.cat([x, x], 3)), id="concatenation-in-space"),
    ],
)
def test_operation_without_a_rule_is_refused(network: nn.Module) -> None:
    with pytest.raises(NotImplementedError, match="no rule"):
        geometry(network)


def test_every_input_of_a_concatenation_counts() -> None:
    class Three(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.near, self.far = nn.Conv2d(3, 1, 3, padding=1), nn.Conv2d(3, 1, 9, padding=4)

        def forward(self, x: Tensor) -> Tensor:
            return torch.cat([x, self.near(x), self.far(x)], 1)

    assert geometry(Three()).receptive_radius_px == 4


def test_reach_beyond_the_longest_axis_is_refused() -> None:
    with pytest.raises(NotImplementedError, match="receptive radius is larger"):
        geometry(nn.Sequential(nn.Conv2d(3, 3, 3, padding=40_000, dilation=40_000)))
