from __future__ import annotations

from pathlib import Path

import pytest

from sat2map.errors import OutputError
from sat2map.scene.job_folder import job_folder, open_job_folder


def test_folder_is_gone_when_the_map_is_finished_or_has_failed(tmp_path: Path) -> None:
    with open_job_folder(tmp_path / "map.tif", {"a": 1}) as folder:
        assert folder.parent == tmp_path
    with pytest.raises(ZeroDivisionError), open_job_folder(tmp_path / "map.tif", {"a": 1}):
        _ = 1 / 0
    assert list(tmp_path.iterdir()) == []


def interrupted(path: Path, job: dict[str, int]) -> None:
    try:
        with open_job_folder(path, job) as folder:
            (folder / "map_00000.tif").write_bytes(b"piece")
            (folder / "finished").mkdir()
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        assert folder.exists()


def test_interrupted_job_goes_on_and_another_one_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "map.tif"
    interrupted(path, {"a": 1})
    with open_job_folder(path, {"a": 1}) as folder:
        assert (folder / "map_00000.tif").read_bytes() == b"piece"
    interrupted(path, {"a": 1})
    with open_job_folder(path, {"a": 2}) as folder:
        assert sorted(p.name for p in folder.iterdir()) == ["job.json", "lock"]


def test_interrupted_job_from_which_none_goes_on_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), open_job_folder(tmp_path / "map.tif", {}):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_second_run_on_the_same_destination_is_refused_and_harms_nothing(tmp_path: Path) -> None:
    path = tmp_path / "map.tif"
    with open_job_folder(path, {"a": 1}) as folder:
        (folder / "piece").touch()
        with pytest.raises(OutputError, match="another run"), open_job_folder(path, {"a": 2}):
            pass
        assert (folder / "piece").exists()
    assert not job_folder(path).exists()
