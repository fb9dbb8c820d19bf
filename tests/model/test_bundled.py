from __future__ import annotations

from pathlib import Path

import pytest

from sat2map.errors import ModelFileError
from sat2map.model import bundled


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folders of models in the place of the package's and the repository's; empty files, since none is opened."""
    folder = tmp_path / "bundled"
    folder.mkdir()
    for name in ("open.onnx", "paper.onnx", "naip.tif"):
        (folder / name).touch()
    monkeypatch.setattr(bundled, "files", lambda _: folder)
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "half.safetensors").touch()
    monkeypatch.setattr(bundled, "WEIGHTS", tmp_path / "kept")
    return folder


def test_default_is_the_model_that_anyone_may_use(shelf: Path) -> None:
    assert bundled.resolve() == bundled.resolve(None) == shelf / "open.onnx"


def test_name_and_path_are_told_apart(shelf: Path, tmp_path: Path) -> None:
    mine = tmp_path / "paper.onnx"
    mine.touch()
    assert bundled.resolve("paper") == shelf / "paper.onnx"
    assert bundled.resolve("half") == tmp_path / "kept" / "half.safetensors"
    assert bundled.resolve(mine) == bundled.resolve(str(mine)) == mine


def test_unknown_name_lists_what_there_is(shelf: Path) -> None:
    with pytest.raises(ModelFileError, match="no such model: 'papr'") as caught:
        bundled.resolve("papr")
    assert "half, open, paper" in str(caught.value.hint)


def test_empty_name_is_no_model(shelf: Path) -> None:
    for find in (bundled.resolve, bundled.resolve_weights):
        with pytest.raises(ModelFileError):
            find("")
