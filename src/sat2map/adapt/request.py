"""What is to be learned of one's own ground, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from sat2map.data.ground import GroundOptions
from sat2map.vector.draw_style import DrawStyle


@dataclass(frozen=True)
class AdaptRequest:
    """What is to be learned, and from what.

    Attributes:
        scenes: files or URLs.
        vectors: of the same ground.
        out: the model file, `.onnx`; the report lies beside it, ending in `.html`.
        style: how the vectors are drawn.
        ground: how pairs are cut.
        size_px: side of a pair; None: what fits the scenes.
        model: to begin with, and to compare with: a name or a file.
        align: whether vectors are moved to where the model sees their roads.
        changes: of the recipe.
        work: folder of pairs and run.
        device: torch device.
    """

    scenes: tuple[str, ...]
    vectors: tuple[Path, ...]
    out: Path
    style: DrawStyle
    ground: GroundOptions
    model: str = "open"
    align: bool = True
    changes: tuple[tuple[str, str], ...] = ()
    work: Path | None = None
    device: str = "cpu"
    size_px: int | None = None

    @property
    def folder(self) -> Path:
        """Of pairs and run."""
        return self.work or self.out.with_name(f"{self.out.stem}_adapt")

    @property
    def report(self) -> Path:
        """The report."""
        return self.out.with_suffix(".html")


class Adapted(NamedTuple):
    """What was made."""

    out: Path
    report: Path
    verdict: str
    metrics: dict[str, Any]
