"""How weights, moments and freed memory lie."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from typing import Any

import pytest
import torch

from sat2map.train import checkpoint
from sat2map.train.build import build_state
from sat2map.train.precision import memory_format

from .conftest import tiny_compact_recipe, tiny_recipe

CPU = torch.device("cpu")


def test_only_the_unet_in_float32_on_a_processor_is_contiguous() -> None:
    assert memory_format(tiny_recipe(), CPU) == torch.contiguous_format
    assert memory_format(tiny_recipe(precision="bf16"), CPU) == torch.channels_last
    assert memory_format(tiny_recipe(), torch.device("cuda")) == torch.channels_last
    assert memory_format(tiny_compact_recipe(), CPU) == torch.channels_last


def test_restored_moments_lie_as_their_weights() -> None:
    """The fused Adam pairs values by their place in memory, and says nothing where they lie differently."""
    state = build_state(tiny_recipe(), CPU)
    for module, optimizer in zip(state.modules.values(), state.optimizers.values(), strict=True):
        for parameter in module.parameters():
            parameter.grad = torch.randn_like(parameter)
        optimizer.step()
    content: dict[str, Any] = {
        "modules": {name: m.state_dict() for name, m in state.modules.items()},
        "optimizers": {name: o.state_dict() for name, o in state.optimizers.items()},
        "ema": state.ema.state_dict() if state.ema else None,
        "step": 1,
        "best": None,
        "metrics": {},
        "init": (),
        "random": torch.get_rng_state(),
        "random_cuda": [],
    }
    # A state dict shares its tensors with what it is of.
    content = copy.deepcopy(content)
    for values in content["optimizers"]["generator"]["state"].values():
        for name, value in values.items():
            if value.ndim == 4:
                values[name] = value.contiguous(memory_format=torch.channels_last)
    before = [p.clone() for p in state.modules["generator"].parameters()]
    other = build_state(tiny_recipe(), CPU)
    checkpoint.restore(other, content)
    for weight, values in other.optimizers["generator"].state.items():
        assert all(v.stride() == weight.stride() for v in values.values() if v.shape == weight.shape)
    for each in (state, other):
        for parameter in each.modules["generator"].parameters():
            parameter.grad = torch.ones_like(parameter)
        each.optimizers["generator"].step()
    after = [list(each.modules["generator"].parameters()) for each in (state, other)]
    assert all(torch.equal(a, b) for a, b in zip(*after, strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(before, after[0], strict=True))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc only")
def test_freed_memory_is_kept_for_the_next_tensor() -> None:
    code = """
import sys
if sys.argv[1] == "keep":
    from sat2map.train.memory import keep_freed_memory
    keep_freed_memory()
import resource, torch
torch.set_num_threads(1)
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        torch.ones(20_000_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
print(faults())
"""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MALLOC_", "THP_"))}
    n_faults = [
        int(subprocess.run([sys.executable, "-c", code, how], env=environment, capture_output=True, check=True).stdout)
        for how in ("keep", "give back")
    ]
    assert n_faults[0] < 1000 < n_faults[1]
