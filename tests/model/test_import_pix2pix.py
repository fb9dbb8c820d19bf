from __future__ import annotations

import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch import Tensor, nn

from sat2map.cli.main import sat2map
from sat2map.engine.torch import TorchEngine, load_generator
from sat2map.errors import ModelFileError
from sat2map.model import safetensors_file
from sat2map.model.import_pix2pix import import_weights
from sat2map.nn import build

GSD_M = (1.9, 2.1)


class Level(nn.Module):
    """One level of the published U-Net, which holds the next: what goes in is joined to what comes out."""

    def __init__(self, outer: int, inner: int, within: Level | None, norm: Callable[[int], nn.Module], bias: bool):
        super().__init__()
        down = [nn.LeakyReLU(0.2, True), nn.Conv2d(outer, inner, 4, 2, 1, bias=bias)]
        if within is None:
            up = [nn.ReLU(True), nn.ConvTranspose2d(inner, outer, 4, 2, 1, bias=bias), norm(outer)]
            self.model = nn.Sequential(*down, *up)
        else:
            up = [nn.ReLU(True), nn.ConvTranspose2d(2 * inner, outer, 4, 2, 1, bias=bias), norm(outer)]
            self.model = nn.Sequential(*down, norm(inner), within, *up, nn.Dropout(0.5))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.model(x)], 1)


class Outermost(nn.Module):
    def __init__(self, width: int, within: Level, bias: bool, channels: tuple[int, int] = (3, 3)):
        super().__init__()
        self.model = nn.Sequential(
            nn.Conv2d(channels[0], width, 4, 2, 1, bias=bias), within, nn.ReLU(True),
            nn.ConvTranspose2d(2 * width, channels[1], 4, 2, 1), nn.Tanh(),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)


class TheirUNet(nn.Module):
    """`--netG unet_256 --norm batch`, at any width and depth."""

    def __init__(self, n_levels: int = 8, width: int = 64, norm: Any = nn.BatchNorm2d, **channels: Any):
        super().__init__()
        bias = norm is nn.InstanceNorm2d
        widths = [width * min(2**i, 8) for i in range(n_levels)]
        level = None
        for outer, inner in zip(reversed(widths[:-1]), reversed(widths[1:]), strict=True):
            level = Level(outer, inner, level, norm, bias)
        assert level is not None
        self.model = Outermost(width, level, bias, **channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)


class TheirPatchGAN(nn.Module):
    """`--netD n_layers`; `basic` is 3 of them."""

    def __init__(self, n_layers: int = 3, width: int = 8, in_channels: int = 6):
        super().__init__()
        widths = [width * min(2**i, 8) for i in range(n_layers + 1)]
        layers: list[nn.Module] = [nn.Conv2d(in_channels, width, 4, 2, 1), nn.LeakyReLU(0.2, True)]
        for i in range(n_layers):
            stride = 2 if i < n_layers - 1 else 1
            layers += [nn.Conv2d(widths[i], widths[i + 1], 4, stride, 1, bias=False), nn.BatchNorm2d(widths[i + 1])]
            layers += [nn.LeakyReLU(0.2, True)]
        self.model = nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 4, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)


class TheirPixel(nn.Module):
    """`--netD pixel`."""

    def __init__(self, width: int = 8):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(6, width, 1), nn.LeakyReLU(0.2, True), nn.Conv2d(width, 2 * width, 1, bias=False),
            nn.BatchNorm2d(2 * width), nn.LeakyReLU(0.2, True), nn.Conv2d(2 * width, 1, 1, bias=False),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


def lived_in(network: nn.Module) -> nn.Module:
    """Weights, affine terms and running statistics as after training, none of them at its initial value."""
    torch.manual_seed(3)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0, 0.1)
            if module.bias is not None:
                nn.init.normal_(module.bias, 0, 0.1)
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1, 0.3)
            nn.init.normal_(module.bias, 0, 0.3)
            nn.init.normal_(module.running_mean, 0, 0.3)
            nn.init.uniform_(module.running_var, 0.5, 2)
    return network


def without_dropout(network: nn.Module) -> nn.Module:
    """In training mode, where batch normalisation takes the batch's normalization, but without the noise."""
    network.train()
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.eval()
    return network


def saved(network: nn.Module, path: Path, **how: Any) -> Path:
    torch.save(network.state_dict(), path, **how)
    return path


def ours(network: nn.Module, tmp_path: Path, normalization: Any = "instance", **how: Any) -> Path:
    out = tmp_path / f"{normalization}.safetensors"
    import_weights(saved(network, tmp_path / "net.pth", **how), out, normalization=normalization, gsd_m=GSD_M)
    return out


@pytest.mark.parametrize(("n_levels", "width"), [(8, 2), (7, 4), (4, 8), (2, 4)])
@pytest.mark.parametrize("normalization", ["instance", "frozen"])
def test_generator_draws_what_theirs_draws(tmp_path: Path, n_levels: int, width: int, normalization: str) -> None:
    theirs = lived_in(TheirUNet(n_levels, width)).double()
    side = max(2**n_levels, 16)
    x = torch.rand(1, 3, side, 2 * side, dtype=torch.float64) * 2 - 1
    network, card = load_generator(ours(theirs, tmp_path, normalization))
    assert (card.role, card.normalization, card.dropout, card.stride) == ("generator", normalization, 0.5, 2**n_levels)
    assert card.gsd_m == GSD_M
    theirs = without_dropout(lived_in(TheirUNet(n_levels, width))) if normalization == "instance" else theirs.eval()
    with torch.no_grad():
        expected = theirs.double()(x.clone())
        found = network.double()(x)
    assert expected.std() > 0.05
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


def test_image_is_theirs_to_the_level(tmp_path: Path) -> None:
    theirs = lived_in(TheirUNet(8, 4))
    path = ours(theirs, tmp_path)
    sat_bhwc = np.random.default_rng(0).integers(0, 256, (1, 256, 256, 3), np.uint8)
    x = torch.from_numpy(sat_bhwc).permute(0, 3, 1, 2).float() / 127.5 - 1
    with torch.no_grad():
        y = without_dropout(theirs)(x)
    expected = ((y + 1) / 2 * 255).clamp(0, 255).permute(0, 2, 3, 1).numpy()
    found = TorchEngine.load(path, "cpu").run(sat_bhwc, "rgb")
    assert np.abs(found - expected).max() <= 0.51
    assert found.std() > 10


@pytest.mark.parametrize(
    ("theirs", "field"),
    [
        (TheirPatchGAN(1), 16),
        (TheirPatchGAN(2), 34),
        (TheirPatchGAN(3), 70),
        (TheirPatchGAN(5), 286),
        (TheirPixel(), 1),
    ],
)
@pytest.mark.parametrize("normalization", ["instance", "frozen"])
def test_discriminator_judges_as_theirs_does(tmp_path: Path, theirs: nn.Module, field: int, normalization: str) -> None:
    lived_in(theirs)
    tensors, card = safetensors_file.load(ours(theirs, tmp_path, normalization))
    assert (card.role, card.configuration["receptive_field_px"]) == ("discriminator", field)
    network = build(card.architecture, card.configuration).eval()
    network.load_state_dict({key: torch.from_numpy(value.copy()) for key, value in tensors.items()})
    both = torch.rand(1, 6, 96, 128) * 2 - 1
    theirs.train(normalization == "instance")
    with torch.no_grad():
        expected, found = theirs(both.clone()), network(both[:, :3], both[:, 3:])
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)


def test_unconditional_discriminator_is_seen(tmp_path: Path) -> None:
    _, card = safetensors_file.load(ours(lived_in(TheirPatchGAN(3, in_channels=3)), tmp_path))
    assert card.configuration["conditional"] is False


def test_old_files_are_read(tmp_path: Path) -> None:
    """Files of before torch 1.6 are no zip, those of before 0.4.1 do not count batches; some are of several GPUs."""
    theirs = lived_in(TheirUNet(5, 4))
    new = safetensors_file.load(ours(theirs, tmp_path))[0]
    state = {f"module.{k}": v for k, v in theirs.state_dict().items() if not k.endswith("num_batches_tracked")}
    torch.save(state, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    import_weights(tmp_path / "old.pth", tmp_path / "old.safetensors", normalization="instance", gsd_m=GSD_M)
    old = safetensors_file.load(tmp_path / "old.safetensors")[0]
    assert old.keys() == new.keys()
    for key, value in old.items():
        np.testing.assert_array_equal(value, new[key])


class Bomb:
    def __reduce__(self) -> Any:
        return os.system, ("touch PWNED",)


def resnet() -> dict[str, Tensor]:
    return {"model.1.weight": torch.zeros(64, 3, 7, 7), "model.10.conv_block.1.weight": torch.zeros(256, 256, 3, 3)}


def cut(network: nn.Module, keep: float, **how: Any) -> Callable[[Path], object]:
    def make(path: Path) -> None:
        whole = saved(network, path, **how).read_bytes()
        path.write_bytes(whole[: int(keep * len(whole))])

    return make


def changed(**changes: Any) -> Callable[[Path], object]:
    def make(path: Path) -> None:
        state = {**TheirUNet(3, 4).state_dict(), **{k.replace("__", "."): v for k, v in changes.items()}}
        torch.save({k: v for k, v in state.items() if v is not None}, path)

    return make


def stray_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda p: None, "no such file"),
    "a folder": (lambda p: p.mkdir(), "no such file"),
    "empty": (lambda p: p.touch(), "truncated or no state dict|no state dict"),
    "truncated": (cut(TheirUNet(3, 4), 0.7), "truncated"),
    "truncated, old": (cut(TheirUNet(3, 4), 0.7, _use_new_zipfile_serialization=False), "truncated|no state dict"),
    "first bytes alone": (cut(TheirUNet(3, 4), 0.01), "truncated|no state dict"),
    "another zip": (stray_zip, "truncated or no state dict"),
    "an image": (lambda p: p.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(99)), "no state dict"),
    "a web page": (lambda p: p.write_bytes(b"<html>404 Not Found</html>" * 9), "no state dict"),
    "pickled code": (lambda p: p.write_bytes(pickle.dumps(Bomb())), "holds code"),
    "code in a torch file": (lambda p: torch.save({"model.model.0.weight": Bomb()}, p), "holds code"),
    "a whole module": (lambda p: torch.save(nn.Conv2d(3, 3, 3), p), "holds code or objects"),
    "a checkpoint": (lambda p: torch.save({"epoch": 3, "netG": TheirUNet(3, 4).state_dict()}, p), "other things"),
    "a list": (lambda p: torch.save([torch.zeros(3)], p), "other things"),
    "nothing in it": (lambda p: torch.save({}, p), "other things"),
    "another network": (lambda p: saved(nn.Conv2d(3, 3, 3), p), "another network"),
    "ResNet": (lambda p: torch.save(resnet(), p), "ResNet"),
    "instance norm": (lambda p: saved(TheirUNet(4, 4, nn.InstanceNorm2d), p), "no batch normalization"),
    "one channel": (lambda p: saved(TheirUNet(3, 4, channels=(1, 3)), p), "3 channels of 1"),
    "a level missing": (changed(**{"model__model__1__model__3__model__1__weight": None}), "not of a pix2pix network"),
    "other shapes": (changed(**{"model__model__3__weight": torch.zeros(9, 3, 4, 4)}), "is of shape"),
    "one tensor more": (changed(head__weight=torch.zeros(1)), "not of a pix2pix network"),
    "too many layers": (lambda p: saved(TheirPatchGAN(7), p), "not of a pix2pix network"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_such_state_dict_is_refused(tmp_path: Path, case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make, found = REFUSED[case]
    make(tmp_path / "net.pth")
    with pytest.raises(ModelFileError, match=found) as caught:
        import_weights(tmp_path / "net.pth", tmp_path / "out.safetensors", normalization="instance", gsd_m=GSD_M)
    assert caught.value.hint
    assert "\n" not in str(caught.value)
    assert [p.name for p in tmp_path.iterdir() if p.name != "net.pth"] == []


def test_command_imports_and_the_file_exports(tmp_path: Path) -> None:
    source, out = saved(lived_in(TheirUNet(5, 4)), tmp_path / "latest_net_G.pth"), tmp_path / "theirs.safetensors"
    result = CliRunner().invoke(sat2map, ["model", "import", str(source), "-o", str(out), "--gsd", "0.5", "1"])
    assert result.exit_code == 0, result.output
    assert "generator, unet, stride 32" in result.stderr
    assert safetensors_file.read_card(out).gsd_m == (0.5, 1.0)
    again = CliRunner().invoke(sat2map, ["model", "import", str(source), "-o", str(out)])
    assert again.exit_code == 2
    assert "output exists" in again.stderr


# With scales and without biases, what it saves is what batch normalization saves.
@pytest.mark.parametrize(("affine", "bias"), [(False, False), (False, True), (True, True)])
def test_instance_normalization_with_running_statistics_is_named(tmp_path: Path, affine: bool, bias: bool) -> None:
    """`nn.InstanceNorm2d(track_running_stats=True)`, as `--norm instance` was once."""
    level: Level | None = None

    def norm(channels: int) -> nn.Module:
        return nn.InstanceNorm2d(channels, affine=affine, track_running_stats=True)

    for outer, inner in ((8, 8), (4, 8)):
        level = Level(outer, inner, level, norm, bias)
    assert level is not None
    network = nn.Module()
    network.model = Outermost(4, level, bias)
    with pytest.raises(ModelFileError, match="--norm instance") as caught:
        import_weights(saved(network, tmp_path / "G.pth"), tmp_path / "o.safetensors", normalization="instance",
                       gsd_m=GSD_M)  # fmt: skip
    assert "\n" not in str(caught.value)
    assert "[" not in str(caught.value)
    assert len(str(caught.value)) < 250


def test_difference_of_weights_is_told_in_one_line(tmp_path: Path) -> None:
    state = TheirUNet(4, 4).state_dict()
    del state["model.model.1.model.2.weight"]
    torch.save(state, tmp_path / "G.pth")
    with pytest.raises(ModelFileError) as caught:
        import_weights(tmp_path / "G.pth", tmp_path / "o.safetensors", normalization="instance", gsd_m=GSD_M)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 250
