"""What became of a scene that was translated."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from sat2map.scene.georeference import Grid
from sat2map.scene.options import DEFAULT_READ_OPTIONS, ReadOptions
from sat2map.tiling import Difference
from sat2map.translate.notebook import SideBySide, html_or_none, result_html, view_of
from sat2map.translate.settings import TilingPlan


class TranslationResult(NamedTuple):
    """What became of a scene.

    Attributes:
        outputs: the files that were written, the map first.
        plan: the windows in which it was drawn.
        grid: of the scene and of its map.
        seconds: how long it took.
        stretch: how the scene's numbers became bytes, in words; None: they were bytes.
        mode_difference: what the mode costs on this scene; None: it is exact.
        unfamiliar_share: share of the scene that looks unlike the model's training data; None: the model cannot tell.
        source: the scene: file or URL.
        reading: how it was read.
    """

    outputs: tuple[Path, ...]
    plan: TilingPlan
    grid: Grid
    seconds: float
    stretch: str | None
    mode_difference: Difference | None
    unfamiliar_share: float | None = None
    source: str | Path = ""
    reading: ReadOptions = DEFAULT_READ_OPTIONS

    def view(self) -> SideBySide:
        """The middle of the scene and of its map, as pixels.

        Raises:
            SceneError, ImageError: a file is no longer there, or the map is on another grid, as tiles are.
        """
        return view_of(self.source, self.outputs[0], self.reading)

    def _repr_html_(self) -> str | None:
        """In a notebook, the image beside its map."""
        return html_or_none(lambda: result_html(self.view(), ", ".join(map(str, self.outputs))))
