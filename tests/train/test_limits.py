"""What a run cannot do is said before any work, or in one line where it happens."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sat2map.errors import RecipeError
from sat2map.train import checkpoint
from sat2map.train.loop import train
from sat2map.train.run import RunOptions

from .conftest import tiny_compact_recipe, tiny_recipe
from .test_loop import command


def unet(**configuration: Any) -> dict[str, Any]:
    return {"generator": {"architecture": "unet", "configuration": {"n_levels": 3, "width": 4, **configuration}}}


UNFIT = {
    "four channels in": (tiny_recipe(**unet(in_channels=4)), "unet does not fit images and maps of three channels"),
    "one channel in": (tiny_recipe(**unet(in_channels=1)), "unet does not fit"),
    "one channel out": (tiny_recipe(**unet(out_channels=1)), r"it makes maps of 1 channels"),
    "a discriminator of seven": (
        tiny_recipe(
            discriminator={"architecture": "patchgan", "configuration": {"receptive_field_px": 16, "in_channels": 7}}
        ),
        "patchgan does not fit",
    ),
    "a discriminator of maps alone, of six channels": (
        tiny_recipe(
            discriminator={
                "architecture": "patchgan", "configuration": {"receptive_field_px": 16, "conditional": False},
            }
        ),
        "patchgan does not fit",
    ),
    "another palette": (
        tiny_compact_recipe().model_copy(
            update={"generator": tiny_compact_recipe().generator.model_copy(
                update={"configuration": {"widths": [4, 6, 8], "dilations": [[1], [1]], "palette": [[0, 0, 0]]}})}
        ),
        "not that of the class table",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", UNFIT)
def test_networks_that_do_not_fit_are_refused_before_any_work(case: str, tmp_path: Path) -> None:
    recipe, found = UNFIT[case]
    with pytest.raises(RecipeError, match=found) as caught:
        # Not even the data are looked for.
        train(tmp_path / "no such folder", recipe, RunOptions(tmp_path / "run", quiet=True))
    assert caught.value.hint
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("limit", [4_000, 60_000])
def test_full_disk_is_said_in_one_line_and_what_was_kept_is_whole(
    limit: int, pairs_folder: Path, tmp_path: Path
) -> None:
    """A limit on the size of files stands for the end of a disk; each is met by another file of the run."""
    environment = os.environ | {"SAT2MAP_CACHE": str(tmp_path / "cache")}
    first = command(pairs_folder, tiny_recipe(epochs=1, constant_epochs=1), tmp_path / "run")
    subprocess.run(first, check=True, env=environment)
    before = (tmp_path / "run" / checkpoint.FILE_NAME).read_bytes()
    second = command(pairs_folder, tiny_recipe(epochs=2), tmp_path / "run")
    done = subprocess.run(
        second, env=environment, capture_output=True, text=True, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert "Traceback" not in done.stderr
    assert (tmp_path / "run" / checkpoint.FILE_NAME).read_bytes() == before
    assert sys.platform == "linux"
