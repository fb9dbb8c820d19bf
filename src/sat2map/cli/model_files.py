"""Model files that the commands of `sat2map model` refuse."""

from __future__ import annotations

from pathlib import Path


def refuse_output(out: Path, suffix: str, overwrite: bool) -> None:
    """Refuse an output of another suffix, or one that exists, before any work."""
    from sat2map.errors import OutputError
    from sat2map.files import refuse_existing

    if out.suffix != suffix:
        raise OutputError(f"what is written here ends in {suffix}", out, hint=f"-o {out.with_suffix(suffix)}")
    refuse_existing(out, overwrite=overwrite)


def refuse_onnx(file: Path) -> None:
    """Refuse an ONNX file where weights are needed."""
    from sat2map.errors import ModelFileError

    if file.suffix == ".onnx":
        raise ModelFileError("model is ONNX already", file, hint="give the .safetensors file that it was made from")
