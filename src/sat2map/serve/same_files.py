"""The question whether the files of an open scene are still those that were opened."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from sat2map.errors import SceneError
from sat2map.scene.identity import states_here

STATISTICS = ".aux.xml"
"""Suffix of the files that GDAL and QGIS write beside a raster while they show it."""
CHANGED = "the file of this scene has changed since it was opened: what was drawn is of the old one"
HINT = "start sat2map serve again"


class SameFiles:
    """The files of a scene as they are when it is opened; those on other machines count as unchanged.

    Args:
        files: as GDAL names them.
    """

    def __init__(self, files: Iterable[Path]) -> None:
        self._files = [file for file in files if not file.name.endswith(STATISTICS)]
        self._states = states_here(self._files)

    @property
    def have_changed(self) -> bool:
        """Whether one of them is another one now, or gone."""
        return states_here(self._files) != self._states

    def check(self) -> None:
        """See that they are the same.

        Raises:
            SceneError: they have changed.
        """
        if self.have_changed:
            raise SceneError(CHANGED, hint=HINT)
