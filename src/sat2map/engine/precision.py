"""Which precision of an 8-bit model is the faster here: known by the processor, or timed once and remembered."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import platform
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnxruntime

from sat2map.engine.onnx import OnnxEngine
from sat2map.errors import OutputError
from sat2map.files import cache_folder, replacing
from sat2map.model.card import PRECISIONS, Precision
from sat2map.tiling import padded_size

FLAGS_OF_INT8 = {"avx2", "avx512_vnni", "avx_vnni", "asimddp"}
"""A processor that has one of these draws in 8-bit integers faster than in floats (docs/performance.md)."""
TIMED_PX = 512
N_ROUNDS = 3

log = logging.getLogger(__name__)


def fastest_precision(path: Path, n_threads: int | None = None) -> Precision:
    """Choose the precision in which a model file is drawn in the least time on this machine.

    Where the processor does not say so, both are timed by turns, once for each file, version of ONNX Runtime, processor
    and number of threads.

    Raises:
        ModelFileError: see `open_session`.
    """
    if FLAGS_OF_INT8 & set(_processor().split()):
        return "int8"
    memory = cache_folder() / "precision" / f"{_key(path, n_threads)}.json"
    try:
        return PRECISIONS[PRECISIONS.index(json.loads(memory.read_text(encoding="utf-8"))["fastest"])]
    except (OSError, ValueError, KeyError, TypeError):
        pass  # not timed yet, or damaged
    seconds = _time(path, n_threads)
    fastest = min(PRECISIONS, key=seconds.__getitem__)
    log.info("%s: %s is the faster here (%s)", path, fastest, seconds)
    try:
        memory.parent.mkdir(parents=True, exist_ok=True)
        with replacing(memory) as work:
            work.write_text(json.dumps({"fastest": fastest, "seconds": seconds}), encoding="utf-8")
    except (OSError, OutputError) as error:
        log.info("the faster precision is not remembered: %s", error)
    return fastest


def _key(path: Path, n_threads: int | None) -> str:
    digest = hashlib.sha256(path.read_bytes())
    digest.update(f"{onnxruntime.__version__} {_processor()} {n_threads or os.cpu_count()}".encode())
    return digest.hexdigest()[:24]


def _processor() -> str:
    """What tells this machine's processor from others: its name and, where the system says, what it can do."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").split("\n\n")[0].splitlines()
        return "\n".join(line for line in lines if line.startswith(("model name", "flags", "Features")))
    except OSError:
        return f"{platform.machine()} {platform.processor()}"


def _time(path: Path, n_threads: int | None) -> Mapping[Precision, float]:
    """Processor seconds of a run in each precision, the least of several; what else runs here lengthens them little."""
    engines = {precision: OnnxEngine(path, n_threads, precision) for precision in PRECISIONS}
    seconds: dict[Precision, float] = dict.fromkeys(PRECISIONS, float("inf"))
    for _ in range(1 + N_ROUNDS):  # the first finds nothing in the processor's caches
        for precision, engine in engines.items():
            side = padded_size(TIMED_PX, 0, engine.card.stride)[0]
            begun_s = time.process_time()
            engine.run(np.zeros((1, side, side, 3), np.uint8), engine.card.heads[0])
            seconds[precision] = min(seconds[precision], time.process_time() - begun_s)
    return seconds
