from __future__ import annotations

import json
import stat
import struct
from pathlib import Path

import numpy as np
import pytest

from sat2map.errors import OutputError
from sat2map.model import safetensors_file
from sat2map.model.card import HEADER_KEY, Card
from tests.model.networks import tiny

CARD = tiny("unet").card


def test_weights_and_card_come_back(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    tensors = {
        "a": np.arange(6, dtype=np.float32).reshape(2, 3),
        "turned": np.arange(6, dtype=np.float32).reshape(2, 3).T,
        "count": np.array(7),
    }
    safetensors_file.save(path, tensors, CARD)
    got, card = safetensors_file.load(path)
    assert card == CARD == safetensors_file.read_card(path)
    assert got.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert got[name].dtype == tensor.dtype
        np.testing.assert_array_equal(got[name], tensor)


def test_header_is_read_without_our_reader(tmp_path: Path) -> None:
    path = tiny("unet").save(tmp_path / "m.safetensors")
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    metadata = json.loads(content[8 : 8 + length])["__metadata__"]
    assert Card.model_validate_json(metadata[HEADER_KEY]) == CARD


def test_file_can_be_read_by_whoever_may_read_new_files(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.touch()
    path = tiny("unet").save(tmp_path / "m.safetensors")
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(other.stat().st_mode)


def test_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(b"old")
    with pytest.raises(Exception, match="object"):
        safetensors_file.save(path, {"a": np.array([object()])}, CARD)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    assert path.read_bytes() == b"old"


def test_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"no such folder to write to: '.*runs'"):
        safetensors_file.save(tmp_path / "runs" / "m.safetensors", {}, CARD)
