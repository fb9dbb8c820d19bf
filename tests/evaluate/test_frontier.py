"""The points of a palette head, from a file that has them all and from one that has two."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sat2map.classes import COLOURS_RGB
from sat2map.engine import load_engine
from sat2map.evaluate.frontier import GAMMAS, frontier

from ..model.networks import tiny

IMAGE = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)


def test_frontier_of_a_safetensors_file_goes_from_soft_to_crisp(tmp_path: Path) -> None:
    path = tiny("compact").save(tmp_path / "tiny.safetensors")
    engine = load_engine(path, "cpu")
    drawn = {name: predict(IMAGE).astype(int) for name, predict in frontier(engine, path, "cpu")}
    assert list(drawn) == [*(f"γ = {gamma:g}" for gamma in GAMMAS), "crisp"]
    distances = [np.abs(image - drawn["crisp"]).mean() for image in drawn.values()]
    assert distances == sorted(distances, reverse=True)
    assert len(set(distances)) == len(distances)
    assert {tuple(colour) for colour in drawn["crisp"].reshape(-1, 3)} <= {tuple(c) for c in COLOURS_RGB.astype(int)}
    # The engine itself draws as before.
    np.testing.assert_array_equal(engine.run(IMAGE[None], "smooth")[0], drawn["γ = 1"])


def test_frontier_of_the_bundled_onnx_file_has_its_two_ends() -> None:
    assert [name for name, _ in frontier(load_engine(), None)] == ["γ = 1", "crisp"]


def test_model_without_a_palette_head_has_no_frontier(tmp_path: Path) -> None:
    path = tiny("unet").save(tmp_path / "tiny.safetensors")
    assert list(frontier(load_engine(path, "cpu"), path)) == []
