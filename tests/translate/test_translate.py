"""Tiled equals whole, on a trained network and on the bundled models, and what a scene's map keeps of the scene."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import rasterio
import rasterio.shutil
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode

from sat2map import Translator
from sat2map.city import city
from sat2map.engine import run_whole
from sat2map.engine.torch import TorchEngine
from sat2map.errors import ImageError, ModelFileError, OutputError
from sat2map.model.card import Card
from sat2map.nn import UNetGenerator, build
from sat2map.nn.geometry import geometry
from sat2map.nn.normalization import freeze_statistics
from sat2map.scene.gaps import fill_gaps
from sat2map.scene.source import ReadOptions
from sat2map.translate import Settings
from sat2map.translate.scene_drawing import FILL_PX
from tests.scene.rasters import PLACE, random_bands, write_raster

UInt8 = npt.NDArray[np.uint8]
LEVELS, N_STEPS = 3, 60


def ground(height: int, width: int, seed: int = 0) -> UInt8:
    """Blocks of random brightness with noise on them."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 220, (-(-height // 10), -(-width // 10), 3)).repeat(10, 0).repeat(10, 1)
    return np.clip(blocks[:height, :width] + rng.integers(0, 30, (height, width, 3)), 0, 255).astype(np.uint8)


def batches(n: int) -> list[torch.Tensor]:
    images = [torch.from_numpy(ground(64, 64, seed)).permute(2, 0, 1).float() / 127.5 - 1 for seed in range(n)]
    return [image[None] for image in images]


@pytest.fixture(scope="module")
def trained() -> UNetGenerator:
    """A U-Net that has learnt to invert brightness, and so uses all of its weights."""
    torch.manual_seed(0)
    network = UNetGenerator(n_levels=LEVELS, width=8, dropout=0)
    optimizer = torch.optim.Adam(network.parameters(), 2e-3)
    for _ in range(N_STEPS // 6):
        for batch in batches(6):
            loss = (network(batch) + batch.mean(1, keepdim=True)).abs().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    assert float(loss.detach()) < 0.3
    return network


def translator_of(network: UNetGenerator, normalization: str) -> Translator:
    shape = geometry(network)
    card = Card(
        name="trained", architecture="unet", configuration={}, gsd_m=(1, 1), normalization=normalization,
        stride=shape.stride, receptive_radius_px=shape.receptive_radius_px, margin_px=shape.margin_px,
    )  # fmt: skip
    return Translator(TorchEngine(network, card, "cpu"))


@pytest.fixture(scope="module")
def frozen(trained: UNetGenerator) -> Translator:
    copy = UNetGenerator(n_levels=LEVELS, width=8, dropout=0)
    copy.load_state_dict(trained.state_dict())
    freeze_statistics(copy, lambda: batches(6))
    return translator_of(copy, "frozen")


@settings(max_examples=40)
@given(st.integers(1, 150), st.integers(1, 150), st.integers(1, 64), st.integers(0, 2**32 - 1))
def test_tiled_equals_whole_on_a_trained_unet(
    frozen: Translator, height: int, width: int, core_px: int, seed: int
) -> None:
    image = ground(height, width, seed)
    tiled = frozen.translate(image, Settings(core_px=core_px))
    assert np.abs(tiled.astype(int) - run_whole(frozen.engine, image)).max() <= 1


@settings(max_examples=25)
@given(st.integers(0, 40), st.integers(0, 40))
def test_map_does_not_depend_on_where_the_scene_begins_but_for_its_border(
    frozen: Translator, row: int, col: int
) -> None:
    card = frozen.engine.card
    row, col = row * card.stride, col * card.stride
    scene = ground(560, 560)
    part = frozen.translate(scene[row : row + 160, col : col + 160], Settings(core_px=64))
    all_of_it = frozen.translate(scene, Settings(core_px=104))[row : row + 160, col : col + 160]
    inner = np.s_[card.margin_px : -card.margin_px, card.margin_px : -card.margin_px]
    assert np.abs(part[inner].astype(int) - all_of_it[inner]).max() <= 1


def test_tiled_differs_from_whole_if_statistics_are_not_frozen(trained: UNetGenerator) -> None:
    own = translator_of(trained, "frozen")  # the card lies
    image = ground(120, 150)
    tiled = own.translate(image, Settings(core_px=32))
    assert np.abs(tiled.astype(int) - run_whole(own.engine, image)).max() > 10


def test_model_of_own_statistics_is_run_whole_or_warns(
    trained: UNetGenerator, caplog: pytest.LogCaptureFixture
) -> None:
    own = translator_of(trained, "instance")
    image = ground(60, 50)
    np.testing.assert_array_equal(own.translate(image, Settings(core_px=32)), run_whole(own.engine, image))
    assert not caplog.text
    own.translate(ground(120, 150), Settings(core_px=32))
    assert "seams" in caplog.text


@pytest.fixture(scope="module")
def bundled() -> Translator:
    return Translator.load()


@pytest.fixture(scope="module", params=["open", "newyork"])
def each_bundled(request: pytest.FixtureRequest) -> Translator:
    return Translator.load(request.param)


@settings(max_examples=5)
@given(st.integers(200, 700), st.integers(200, 700), st.sampled_from([128, 200, 256]), st.integers(0, 2**32 - 1))
@pytest.mark.parametrize("output", ["crisp", "smooth"])
def test_tiled_equals_whole_on_each_bundled_model(
    each_bundled: Translator, output: str, height: int, width: int, core_px: int, seed: int
) -> None:
    image = ground(height, width, seed) // 2
    tiled = each_bundled.translate(image, Settings(output, core_px))
    difference = np.abs(tiled.astype(int) - run_whole(each_bundled.engine, image, output)).max(-1)
    if output == "crisp":
        assert (difference > 0).mean() <= 1e-5
    else:
        assert difference.max() <= 1


def test_bundled_model_is_what_the_card_says(each_bundled: Translator) -> None:
    card = each_bundled.engine.card
    assert card.normalization == "frozen"
    assert card.heads == ("crisp", "smooth")
    crisp = each_bundled.translate(ground(300, 300), Settings("crisp"))
    assert {tuple(c) for c in np.unique(crisp.reshape(-1, 3), axis=0).tolist()} <= set(card.palette or ())


def test_map_of_a_scene_is_on_its_grid_with_its_mask(bundled: Translator, tmp_path: Path) -> None:
    mask = np.zeros((300, 260), bool)
    mask[20:200, 30:220] = True
    bands = np.moveaxis(city(300, 260, seed=1)[0], -1, 0)
    source = write_raster(tmp_path / "scene.tif", bands, mask=mask, **PLACE)
    as_it_is = ReadOptions(stretch="none")
    bundled.translate_file(source, tmp_path / "map.tif", Settings(core_px=128, gsd_m=1.5), reading=as_it_is)
    with rasterio.open(tmp_path / "map.tif") as dataset:
        assert (dataset.crs, dataset.transform, dataset.shape) == (PLACE["crs"], PLACE["transform"], (300, 260))
        np.testing.assert_array_equal(dataset.dataset_mask() > 0, mask)
        drawn = np.moveaxis(dataset.read(), 0, -1)
        assert dataset.tags()["SAT2MAP_HEAD"] == "crisp"
    levels = bundled.engine.card.levels
    assert levels is not None
    seen = fill_gaps(np.moveaxis(bands, 0, -1), mask, FILL_PX, np.mean(levels, 1).astype(np.uint8))
    expected = bundled.translate(seen)
    assert len(np.unique(drawn[mask], axis=0)) > 2
    share = (drawn[mask] != expected[mask]).any(-1).mean()
    assert share <= 1e-5
    assert not drawn[~mask].any()


def test_windows_without_data_are_not_computed(
    bundled: Translator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mask = np.zeros((512, 512), bool)
    mask[:100, :100] = True
    source = write_raster(tmp_path / "scene.tif", random_bands(3, 512, 512), mask=mask, **PLACE)
    runs = []
    plain = type(bundled.engine).run_outputs
    monkeypatch.setattr(type(bundled.engine), "run_outputs", lambda *a: runs.append(1) or plain(*a))
    done = []
    bundled.translate_file(
        source,
        tmp_path / "map.tif",
        Settings(core_px=256, gsd_m=1.5),
        begin=lambda planned: lambda n_px: done.append(n_px),
    )
    assert (len(runs), sum(done)) == (1, 512 * 512)


def test_map_never_replaces_a_member_of_the_mosaic_it_is_made_from(bundled: Translator, tmp_path: Path) -> None:
    member = write_raster(tmp_path / "member.tif", random_bands(3), **PLACE)
    rasterio.shutil.copy(member, tmp_path / "mosaic.vrt", driver="VRT")
    before = member.read_bytes()
    with pytest.raises(OutputError, match="input itself"):
        bundled.translate_file(tmp_path / "mosaic.vrt", member, overwrite=True)
    assert member.read_bytes() == before


def test_margin_below_the_models_is_told(frozen: Translator, caplog: pytest.LogCaptureFixture) -> None:
    frozen.translate(ground(32, 32), Settings(margin_px=frozen.engine.card.margin_px))
    assert not caplog.text
    frozen.translate(ground(32, 32), Settings(margin_px=frozen.engine.card.margin_px - 1))
    assert "expect seams" in caplog.text


@pytest.mark.parametrize(
    "array",
    [np.zeros((4, 4, 3)), np.zeros((4, 4), np.uint16), np.zeros((4, 4, 2), np.uint8), np.zeros((0, 4, 3), np.uint8)],
)
def test_array_of_another_kind_is_refused(bundled: Translator, array: npt.NDArray[np.generic]) -> None:
    with pytest.raises(ImageError, match="array is not an image of bytes") as caught:
        bundled.translate(array)
    assert "(H, W, 3)" in str(caught.value.hint)


def test_grey_rgba_and_pillow_images_are_translated_as_rgb(bundled: Translator) -> None:
    rgb = ground(40, 56)
    grey = rgb[..., 0]
    of_rgb, of_grey = bundled.translate(rgb), bundled.translate(np.repeat(grey[..., None], 3, -1))
    assert not np.array_equal(of_rgb, of_grey)
    opaque = np.concatenate([rgb, np.full((40, 56, 1), 255, np.uint8)], -1)
    for image in (opaque, Image.fromarray(rgb), Image.fromarray(opaque)):
        assert np.array_equal(bundled.translate(image), of_rgb)
    for image in (grey, grey[..., None], Image.fromarray(grey)):
        assert np.array_equal(bundled.translate(image), of_grey)


def test_output_that_the_model_lacks_is_refused(bundled: Translator) -> None:
    with pytest.raises(ModelFileError, match="no such head"):
        bundled.translate(ground(32, 32), Settings("rgb"))


def test_importing_the_package_loads_neither_torch_nor_rasterio() -> None:
    import subprocess
    import sys

    code = "import sys, sat2map; assert not {'torch', 'rasterio', 'onnxruntime'} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_translating_loads_no_torch() -> None:
    import subprocess
    import sys

    code = "import sys, sat2map; sat2map.Translator.load(); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_bundled_model_keeps_to_its_limits(each_bundled: Translator) -> None:
    card, settings = each_bundled.engine.card, Settings()
    read_px = settings.core_px + 2 * settings.margin_for(card)
    network = build(card.architecture, card.configuration).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, 3, 256, 256))
    multiply_adds = counter.get_total_flops() / 2 * (read_px / settings.core_px) ** 2
    assert 1e9 < multiply_adds <= 6e9, "per 256 x 256 px delivered, margins included"
    assert sum(weight.numel() for weight in network.parameters()) * 2 <= 16e6, "bytes in half precision"
