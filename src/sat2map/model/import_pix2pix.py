"""Import of weights from pytorch-CycleGAN-and-pix2pix into a model file; no code in their file is run.

Their state dicts do not say which network they belong to: it is recognised by names and shapes. Their U-Net is nested,
each level holding the next one (`model.model.1.model.3...`); their PatchGAN is one sequence, as ours is.

Source: the published layout of pytorch-CycleGAN-and-pix2pix, `models/networks.py`.
"""

from __future__ import annotations

import pickle
import warnings
import zipfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from sat2map.errors import ModelFileError
from sat2map.model import safetensors_file
from sat2map.model.card import Card
from sat2map.nn import build
from sat2map.nn.geometry import geometry
from sat2map.nn.patchgan import N_DOWNSAMPLINGS
from sat2map.nn.unet import dropout_of

Weights = Mapping[str, Tensor]

HINT = "give a latest_net_G.pth or latest_net_D.pth of --model pix2pix --norm batch"
DROPOUT = 0.5
"""Dropout that is assumed for the innermost levels, since a state dict does not say whether there was any."""
U_NET_KEY, PATCHGAN_KEY, PIXEL_KEY = "model.model.0.weight", "model.0.weight", "net.0.weight"
"""Names of the first convolution in each of their networks."""


class Imported(NamedTuple):
    """An imported network: its name and arguments in `sat2map.nn`, and its weights under our names."""

    role: Literal["generator", "discriminator"]
    architecture: str
    configuration: dict[str, Any]
    weights: dict[str, Tensor]


def import_weights(
    path: Path, out: Path, *, normalization: Literal["instance", "frozen"], gsd_m: tuple[float, float]
) -> Card:
    """Write a state dict of pytorch-CycleGAN-and-pix2pix as a model file.

    Args:
        path: their `.pth` file.
        out: our `.safetensors` file.
        normalization: `instance`: statistics of each image, as in their test without `--eval`; `frozen`: running
            averages of training, as in their test with `--eval`.
        gsd_m: metres on the ground per pixel that the model was trained for, finest and coarsest.

    Returns:
        The card that was written.

    Raises:
        ModelFileError: the file is missing or truncated, holds code, or is not of such a network.
        OutputError: the output's folder is missing or cannot be written.
    """
    found = rename_state(load_state(path), path, normalization)
    network = build(found.architecture, found.configuration)
    try:
        network.load_state_dict(found.weights)
    except RuntimeError as error:
        reason = _first_difference(network, found.weights)
        raise ModelFileError(f"weights are not those of a pix2pix {found.role} ({reason})", path, hint=HINT) from error
    card = _card(found, network, out.stem, normalization, gsd_m)
    safetensors_file.save(out, {name: value.numpy() for name, value in network.state_dict().items()}, card)
    return card


def _first_difference(network: nn.Module, weights: Weights) -> str:
    """In words, the first difference of weights from those that a network has."""
    wanted = network.state_dict()
    too_many = [name for name in weights if name not in wanted]
    if any(name.endswith(".bias") for name in too_many):
        return "its convolutions have biases, as with --norm instance"
    missing = [name for name in wanted if name not in weights]
    if too_many or missing:
        return f"{len(missing)} tensors are missing and {len(too_many)} are too many, {(too_many + missing)[0]} for one"
    name = next(name for name, value in wanted.items() if value.shape != weights[name].shape)
    return f"{name} is of shape {tuple(weights[name].shape)}, not {tuple(wanted[name].shape)}"


def _card(
    found: Imported,
    network: nn.Module,
    name: str,
    normalization: Literal["instance", "frozen"],
    gsd_m: tuple[float, float],
) -> Card:
    shape = geometry(network)
    return Card(
        name=name, role=found.role, architecture=found.architecture, configuration=found.configuration, gsd_m=gsd_m,
        normalization=normalization, dropout=dropout_of(network), stride=shape.stride,
        receptive_radius_px=shape.receptive_radius_px,
        margin_px=shape.margin_px, heads=getattr(network, "heads", ()), sat2map_version=version("sat2map"),
        training_data="unknown: imported from a state dict of pytorch-CycleGAN-and-pix2pix",
        training_data_licence="unknown",
    )  # fmt: skip


def load_state(path: Path) -> dict[str, Tensor]:
    """Read a state dict without running any code of the file.

    Raises:
        ModelFileError: the file is missing or truncated, or holds code or anything else than named tensors.
    """
    if not path.is_file():
        raise ModelFileError("no such file of weights", path, hint=HINT)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        # torch raises this for files that are no pickle too; the first byte tells them apart.
        with path.open("rb") as file:
            is_pickle = file.read(1) == b"\x80" or zipfile.is_zipfile(path)
        found = "file holds code or objects, not weights alone" if is_pickle else "file is no state dict of torch"
        raise ModelFileError(found, path, hint=HINT) from error
    # A broken zip or pickle makes torch raise any of these.
    except (RuntimeError, ValueError, EOFError, OSError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise ModelFileError(
            "file of weights is truncated or no state dict of torch", path, hint="copy or download it again"
        ) from error
    named = isinstance(content, Mapping) and all(isinstance(key, str) for key in content)
    if not named or not content or not all(isinstance(value, Tensor) for value in content.values()):
        raise ModelFileError("file is no state dict: it holds other things than named tensors", path, hint=HINT)
    prefix = "module."
    return {key.removeprefix(prefix): value.detach() for key, value in content.items()}


def rename_state(state: Weights, path: Path, normalization: Literal["instance", "frozen"]) -> Imported:
    """Recognise the network of a state dict, and give its tensors our names.

    Args:
        state: tensors by their names.
        path: file of the state dict, for errors.
        normalization: normalization of the imported network.

    Raises:
        ModelFileError: the network is not of pix2pix, or has no batch normalization.
    """
    for key, read in ((U_NET_KEY, _unet), (PATCHGAN_KEY, _patchgan), (PIXEL_KEY, _pixel)):
        if key in state:
            try:
                return read(state, normalization)
            except (KeyError, IndexError, ValueError) as error:
                raise ModelFileError(f"state dict is not of a pix2pix network ({error})", path, hint=HINT) from error
    kind = "a ResNet generator, as CycleGAN's" if "model.1.weight" in state else "another network"
    raise ModelFileError(f"state dict is of {kind}, not of a U-Net or PatchGAN", path, hint=HINT)


def _unet(state: Weights, normalization: str) -> Imported:
    outermost = state[U_NET_KEY]
    names, level, inside = {"model.model.0": "down.0.1", "model.model.3": "up.0.1"}, 1, "model.model.1.model."
    while f"{inside}3.model.1.weight" in state:
        ours = (f"down.{level}.1", f"down.{level}.2", f"up.{level}.1", f"up.{level}.2")
        names |= dict(zip((f"{inside}{n}" for n in (1, 2, 5, 6)), ours, strict=True))
        level, inside = level + 1, f"{inside}3.model."
    innermost = (f"down.{level}.1", f"up.{level}.1", f"up.{level}.2")
    names |= dict(zip((f"{inside}{n}" for n in (1, 3, 4)), innermost, strict=True))
    channels = outermost.shape[1], state["model.model.3.weight"].shape[1]
    if channels != (3, 3):
        raise ValueError(f"it makes {channels[1]} channels of {channels[0]}, not 3 of 3")
    configuration = {
        "n_levels": level + 1, "width": outermost.shape[0], "dropout": DROPOUT, "normalization": normalization,
    }  # fmt: skip
    weights = _rename(state, names)
    for with_skip in range(level):
        # Their layers take the channels of the skip connection first, ours those of the level below.
        skipped, below = weights[f"up.{with_skip}.1.weight"].chunk(2)
        weights[f"up.{with_skip}.1.weight"] = torch.cat([below, skipped])
    return Imported("generator", "unet", configuration, weights)


def _patchgan(state: Weights, normalization: str) -> Imported:
    first = state[PATCHGAN_KEY]
    n_convolutions = sum(value.ndim == 4 for value in state.values())
    fields = {n_down: field for field, n_down in N_DOWNSAMPLINGS.items()}
    field = fields[n_convolutions - 2]
    modules = {key.rpartition(".")[0] for key in state}
    names = {name: f"layers.{name.removeprefix('model.')}" for name in modules}
    return _discriminator(first, field, _rename(state, names), normalization)


def _pixel(state: Weights, normalization: str) -> Imported:
    weights = _rename(state, {f"net.{n}": f"layers.{n}" for n in (0, 2, 3, 5)})
    # Their convolutions have no bias beside batch normalization, not even the last one.
    weights.setdefault("layers.5.bias", torch.zeros(1))
    return _discriminator(state[PIXEL_KEY], 1, weights, normalization)


def _discriminator(first: Tensor, field: int, weights: dict[str, Tensor], normalization: str) -> Imported:
    configuration = {
        "receptive_field_px": field, "width": first.shape[0], "in_channels": first.shape[1],
        "conditional": first.shape[1] > 3, "normalization": normalization,
    }  # fmt: skip
    return Imported("discriminator", "patchgan", configuration, weights)


def _rename(state: Weights, names: Mapping[str, str]) -> dict[str, Tensor]:
    """Give tensors the names of our modules, and convert them to float32.

    Raises:
        ValueError: there is no batch normalization.
        KeyError: a module has no counterpart among ours.
    """
    if not any(key.endswith(".running_mean") for key in state):
        raise ValueError("no batch normalization in it: --norm instance and none cannot be imported")
    statistics = [key.removesuffix(".running_mean") for key in state if key.endswith(".running_mean")]
    if not all(f"{module}.weight" in state for module in statistics):
        raise ValueError("normalization of it has running statistics, but no scale: --norm instance cannot be imported")
    renamed: dict[str, Tensor] = {}
    for key, value in state.items():
        module, _, leaf = key.rpartition(".")
        renamed[f"{names[module]}.{leaf}"] = value.float() if value.is_floating_point() else value
        if leaf == "running_mean":
            # Older versions of torch did not store this counter.
            renamed.setdefault(f"{names[module]}.num_batches_tracked", torch.tensor(0))
    return renamed
