"""`sat2map train` on a machine that lacks what it needs."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from ..need import need

WITHOUT = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == sys.argv[1]:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
absent = sys.argv.pop(1)
sys.argv.insert(1, absent)
from sat2map.cli.main import sat2map
sat2map(sys.argv[2:], prog_name="sat2map")
"""


@pytest.mark.parametrize("package", ["torch", "tensorboard", "skimage", "scipy"])
def test_train_names_what_is_not_installed_before_any_work(package: str, tmp_path: Path) -> None:
    # Of several that are absent, the first is named.
    need("torch", package == "torch" or find_spec("torch"), "make test has it")
    arguments = ["train", "no such folder", "--recipe", "paper", "--out", str(tmp_path / "run")]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, package, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        f"error: this needs a package that is not installed: '{package}'", "hint: pip install 'sat2map[train]'",
    ]  # fmt: skip
    assert list(tmp_path.iterdir()) == []
