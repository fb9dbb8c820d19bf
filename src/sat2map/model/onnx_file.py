"""Model files in ONNX, which take and give uint8 images and hold the card in their metadata properties."""

from __future__ import annotations

import functools
from pathlib import Path

import onnxruntime

from sat2map.errors import ModelFileError
from sat2map.model.card import HEADER_KEY, Card, Precision, WantedPrecision

SWITCH = "want_{}"
"""Name of the input that switches the output of a name on; true by default."""

CONFIDENCE = "confidence"
"""Name of the output with the confidence of a palette head: uint8, shape (batch, height, width, 1)."""
FAMILIARITY = "familiarity"
"""Name of the output that says how like its training data a model finds each cell of stride x stride pixels: uint8,
shape (batch, height / stride, width / stride, 1), 1..255."""

SILENT = 4
"""Level of ONNX Runtime's log at which it says nothing: what is wrong comes as an exception."""
WITHOUT_QUANTIZERS = ("session.disable_quant_qdq", "session.enable_quant_qdq_cleanup")
"""Settings that take the quantizers of activations out of a model, so that it computes in floats."""
MERGES_INTO_QUANTIZERS = ["ReluQuantRewrite", "ClipQuantRewrite"]
"""Optimizers that leave a ReLU to the quantizer behind it; with that it would be taken out."""

FIRST_CHUNK_BYTES = 2**29
"""First piece of memory of the arena: a little more than a bundled model needs for a default window."""


def check_float32(precision: WantedPrecision, name: object) -> None:
    """Refuse integers of a model that has none.

    Raises:
        ModelFileError: `precision` is `int8`.
    """
    if precision == "int8":
        raise ModelFileError("model has no 8-bit integers", name, hint="sat2map model quantize writes one that has")


@functools.cache
def _make_arena() -> None:
    """Let all sessions of the process take their memory from one arena, which keeps it between runs.

    Without an arena runs take 1.4 times as long. An arena that grows piece by piece takes 1.4 times the memory, so its
    first piece is large; pages of it that are never touched take no memory.
    """
    memory = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    settings = onnxruntime.OrtArenaCfg({"initial_chunk_size_bytes": FIRST_CHUNK_BYTES})
    onnxruntime.create_and_register_allocator(memory, settings)


def open_session(
    path: Path, n_threads: int | None = None, precision: Precision = "int8"
) -> tuple[onnxruntime.InferenceSession, Card]:
    """Open a model file in a session of ONNX Runtime on the processor, and read its card.

    Args:
        path: the model file.
        n_threads: threads of one run; by default one for each core.
        precision: `float32` takes the quantizers of activations out of an 8-bit model; others have none.

    Raises:
        ModelFileError: the file is missing or truncated, is no ONNX file, or has no card that this version reads.
    """
    if not path.is_file():
        raise ModelFileError("no such model file", path, hint="sat2map model export writes them")
    options, disabled = _session_options(n_threads), []
    if precision == "float32":
        disabled = MERGES_INTO_QUANTIZERS
        for setting in WITHOUT_QUANTIZERS:
            options.add_session_config_entry(setting, "1")
    try:
        session = onnxruntime.InferenceSession(
            path, options, providers=["CPUExecutionProvider"], disabled_optimizers=disabled
        )
    except Exception as error:  # the errors of ONNX Runtime share no other base class
        raise ModelFileError(
            "model file is truncated or no ONNX", path, hint="copy or download it again, or export it anew"
        ) from error
    return session, Card.from_header(session.get_modelmeta().custom_metadata_map.get(HEADER_KEY), path)


def _session_options(n_threads: int | None) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = SILENT
    # Windows at the border of a scene have other shapes, and a memory plan for each shape would be kept for ever (1.45
    # times the peak).
    options.enable_mem_pattern = False
    _make_arena()
    options.add_session_config_entry("session.use_env_allocators", "1")
    # Threads that spin while they wait take a tenth more processor time, and the run is not shorter.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if n_threads:
        options.intra_op_num_threads = n_threads
    return options


def plain_session(path: Path) -> onnxruntime.InferenceSession:
    """Open an ONNX file as any program would, whatever it holds."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def read_card(path: Path) -> Card:
    """Read the card of an ONNX file, which must be loaded whole for it.

    Raises:
        ModelFileError: the file is missing or truncated, is no ONNX file, or has no card that this version reads.
    """
    return open_session(path)[1]
