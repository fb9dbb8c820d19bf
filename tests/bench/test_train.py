from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from sat2map.bench import train as bench
from sat2map.cli.main import sat2map
from sat2map.train.build import build_state
from sat2map.train.recipe import load_recipe

from ..train.conftest import tiny_compact_recipe, tiny_recipe

GAN_PARTS = [
    "generator forward",
    "discriminator forward",
    "discriminator backward",
    "discriminator optimiser",
    "losses, back to the generator's output",
    "generator backward",
    "generator optimiser",
    "rest",
]
PLAIN = "import sys\nfor line in sys.stdin:\n    print(2.0, 3.0, flush=True)\n"


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"SIDE_PX": 40, "N_PAIRS": 6, "N_LOADED": 3, "MATRIX_SIDE": 64, "COPY_BYTES": 2**16}.items():
        monkeypatch.setattr(bench, name, value)


def test_parts_are_those_of_the_update_and_make_up_the_step(monkeypatch: pytest.MonkeyPatch) -> None:
    # By the processor's clock, which a busy machine does not disturb.
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    report = bench.bench_train(tiny_recipe(), n_rounds=5)
    assert sorted(report["parts_s"]) == sorted(GAN_PARTS)
    assert all(seconds > 0 for seconds in report["parts_s"].values())
    assert 0.3 < sum(report["parts_s"].values()) / report["step_processor_s"]["median"] < 3
    assert report["steps_per_s"] == pytest.approx(report["images_per_s"] / 2)
    assert report["loader"]["batches_a_step"] > 0
    assert "ratio_s" not in report


def test_one_thread_is_timed_by_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that stands still between any two readings of the wall clock changes nothing."""
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    stands_still = iter(range(10**9))
    monkeypatch.setattr(time, "perf_counter", lambda: float(next(stands_still)))
    report = bench.bench_train(tiny_recipe(), n_rounds=1)
    assert report["clock"] == "processor"
    assert report["step_s"]["median"] >= 1
    assert 0 < sum(report["parts_s"].values()) < 0.9
    assert report["lower_bound"]["seconds"] < 0.5


def test_late_adversarial_term_is_timed_too() -> None:
    report = bench.bench_train(tiny_compact_recipe(), n_rounds=1)
    assert "discriminator backward" in report["parts_s"]


def test_floor_counts_the_arithmetic_of_the_paper() -> None:
    """By hand: U-Net of three levels and width 4 on 32 px, its gradients, and five passes of D."""
    report = bench.bench_train(tiny_recipe(batch_size=1), n_rounds=1)
    up_down = [(3, 4, 16), (4, 8, 8), (8, 16, 4), (16, 8, 4), (16, 4, 8), (8, 3, 16)]
    of_g = sum(16 * a * b * side**2 for a, b, side in up_down)
    first_of_g = 16 * 3 * 4 * 16**2
    layers_of_d = [(6, 4, 16), (4, 8, 15), (8, 1, 14)]
    of_d = sum(16 * a * b * side**2 for a, b, side in layers_of_d)
    first_of_d = 16 * 6 * 4 * 16**2
    # D's step: two forward passes and their gradients, but none for the images; G's: one pass there and back.
    expected = 3 * of_g - first_of_g + 2 * (3 * of_d - first_of_d) + 2 * of_d
    assert report["lower_bound"]["multiply_adds"] == pytest.approx(expected, rel=0.02)
    n_weights = sum(p.numel() for m in build_state(tiny_recipe(), torch.device("cpu")).modules.values()
                    for p in m.parameters())  # fmt: skip
    assert report["lower_bound"]["optimiser_bytes"] == 28 * n_weights


def test_plain_rewrite_is_timed_by_turns_in_its_own_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = tmp_path / "plain.py"
    plain.write_text(PLAIN)
    assert "ratio_s" not in bench.bench_train(tiny_recipe(), n_rounds=1, plain_file=plain)
    monkeypatch.setattr(bench, "_trains_as_the_paper", lambda _: True)
    report = bench.bench_train(tiny_recipe(), n_rounds=2, plain_file=plain)
    assert report["plain_s"] == {"median": 2.0, "least": 2.0, "most": 2.0}
    assert report["ratio_processor_s"]["median"] == pytest.approx(3 / report["step_processor_s"]["median"], rel=0.5)


def test_only_the_papers_networks_are_compared() -> None:
    assert bench._trains_as_the_paper(load_recipe("paper"))
    assert not bench._trains_as_the_paper(load_recipe("paper", [("batch_size", "2")]))
    assert not bench._trains_as_the_paper(load_recipe("compact"))
    assert bench.find_plain_file() is not None


@pytest.mark.parametrize("as_json", [True, False])
def test_command_prints_the_report(as_json: bool, tmp_path: Path) -> None:
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(
        'name = "tiny"\ngsd_m = [1, 1]\nbatch_size = 1\n[generator]\narchitecture = "unet"\n'
        "[generator.configuration]\nn_levels = 3\nwidth = 4\n"
        '[discriminator]\narchitecture = "patchgan"\n'
        "[discriminator.configuration]\nreceptive_field_px = 16\nwidth = 4\n"
        "[augmentation]\nload_px = [36, 36]\ncrop_px = 32\n"
    )
    arguments = ["bench", "train", "--recipe", str(recipe), "--rounds", "1", "--device", "cpu"]
    result = CliRunner().invoke(sat2map, [*arguments, *(["--json"] if as_json else [])], catch_exceptions=False)
    assert result.exit_code == 0
    if as_json:
        assert json.loads(result.output)["recipe"] == "tiny"
    else:
        assert "share of the lower bound" in result.output
        assert "generator backward" in result.output
