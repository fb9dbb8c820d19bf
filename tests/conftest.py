from __future__ import annotations

import logging
import sys
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from .need import skip_what_needs_an_absent_extra

skip_what_needs_an_absent_extra()

# The same examples in each run, and no clock: a busy machine is no fault of what is tested.
settings.register_profile("repeatable", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def torch_of_one_thread_and_one_seed() -> Iterator[None]:
    """Tiny networks on a busy machine: waiting for a second thread takes 200 times as long as the work.

    What torch draws at random is the same whichever tests ran before.
    """
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(n_threads)


@pytest.fixture(autouse=True)
def log_as_before() -> Iterator[None]:
    logger = logging.getLogger("sat2map")
    level, handlers = logger.level, list(logger.handlers)
    yield
    logger.setLevel(level)
    logger.handlers[:] = handlers
