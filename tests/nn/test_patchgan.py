from __future__ import annotations

import pytest
import torch

from sat2map.nn import PatchDiscriminator, build
from tests.nn.probe import sharp


def test_papers_discriminator_has_2_8_million_weights() -> None:
    with torch.device("meta"):
        network = PatchDiscriminator()
    assert sum(p.numel() for p in network.parameters()) == 2_768_705


def test_papers_discriminator_judges_30_by_30_patches_of_256_px() -> None:
    image = torch.zeros(1, 3, 256, 256)
    with torch.no_grad():
        assert PatchDiscriminator(width=1)(image, image).shape == (1, 1, 30, 30)


def test_pixel_discriminator_judges_every_pixel() -> None:
    image = torch.zeros(1, 3, 6, 8)
    network = PatchDiscriminator(receptive_field_px=1, width=2)
    assert network(image, image).shape == (1, 1, 6, 8)


@pytest.mark.parametrize("field", [1, 16, 34, 70, 142, 286])
def test_logit_sees_its_receptive_field_to_the_edge_and_not_one_pixel_more(field: int) -> None:
    torch.manual_seed(field)
    network = sharp(PatchDiscriminator(receptive_field_px=field, width=2, normalization="frozen"))
    side = field + 160
    images = [torch.rand(1, 3, side, side, dtype=torch.float64).requires_grad_() for _ in range(2)]
    logits = network(*images)
    middle = logits.shape[-1] // 2
    logits[0, 0, middle, middle].backward()
    for image in images:
        assert image.grad is not None
        seen = image.grad[0].abs().sum(0) > 0
        for axis in (0, 1):
            where = seen.any(axis).nonzero()[:, 0]
            first, last = int(where[0]), int(where[-1])
            assert last - first + 1 == field
            # The field lies inside the image, or its true edge would be hidden by padding.
            assert first > 0
            assert last < side - 1
            assert len(where) == field


@pytest.mark.parametrize("conditional", [True, False])
def test_only_a_conditional_one_looks_at_the_image(conditional: bool) -> None:
    torch.manual_seed(0)
    channels = 6 if conditional else 3
    network = sharp(PatchDiscriminator(width=2, receptive_field_px=16, in_channels=channels, conditional=conditional))
    first, second, drawn = torch.rand(3, 1, 3, 32, 32, dtype=torch.float64)
    assert torch.equal(network(first, drawn), network(second, drawn)) != conditional
    assert not torch.equal(network(first, first), network(first, drawn))


@pytest.mark.parametrize("field", [0, 2, 71, 256])
def test_other_receptive_fields_are_refused(field: int) -> None:
    with pytest.raises(ValueError, match=f"must be one of 1, 16, 34, 70, 142, 286, not {field}"):
        build("patchgan", {"receptive_field_px": field})
